//! A REST client: plain HTTP over one connection a call.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::{Trust, dial, documented};

/// A client of one REST edge, with or without a token.
#[derive(Clone)]
pub struct Http {
    address: SocketAddr,
    headers: Vec<(String, String)>,
    trust: Option<Trust>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {} {:?}", self.status, self.body))
    }

    /// The body of a success.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{:?}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.json()
    }

    /// Asserts a refusal with its reason; the body repeats the status. Gives `info`.
    pub fn refused(&self, status: u16, reason: &str) -> String {
        let body = self.json();
        assert_eq!(
            (self.status.as_u16(), body["reason"].as_str()),
            (status, Some(reason))
        );
        assert_eq!(body["status"], status);
        assert_eq!(self.header("content-type"), Some("application/json"));
        body["info"].as_str().unwrap().to_owned()
    }

    /// Asserts that the caller may not, and why.
    pub fn forbidden(&self, why: &str) {
        let reason = "User was unauthorized to access this resource";
        assert_eq!(self.refused(403, reason), why);
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Http {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            headers: Vec::new(),
            trust: None,
        }
    }

    /// The same client over TLS, where it trusts somebody.
    pub fn trusting(mut self, trust: Option<Trust>) -> Self {
        self.trust = trust;
        self
    }

    /// The same client with `Authorization: <client id> <jwt>`.
    pub fn with(&self, client_id: &str, jwt: &str) -> Self {
        self.header("authorization", &format!("{client_id} {jwt}"))
    }

    /// The same client with one more header.
    pub fn header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    pub async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let sent = body.into();
        let stream = dial("127.0.0.1", self.address, self.trust.as_ref()).await;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("host", "test");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(sent.clone())).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        connection.abort();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        };
        documented::check(&method, path, &sent, &answer);
        answer
    }

    /// A PIN of direction A, for a page of a broadcaster.
    pub async fn pin(&self) -> String {
        let answer = self
            .send(Method::POST, "/v1/e/gamelink/token", "")
            .await
            .ok();
        answer["token"].as_str().unwrap().to_owned()
    }
}
