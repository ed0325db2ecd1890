//! One message to the platform: request and answer (`spec 4.5`).

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use crowdlink_store::Clock;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;

/// Longest time for a message, from connecting to the end of the answer.
pub(super) const REQUEST_MS_MAX: u64 = 5_000;
/// Longest answer that is read; it is not looked at.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Longest pause that the platform may ask for.
const RESET_MS_MAX: u64 = 60_000;
/// Open connections to the platform that nobody uses at the moment.
const IDLE_CONNECTIONS_MAX: usize = 64;
const PATH: &str = "helix/extensions/pubsub";

/// The body.
#[derive(Debug, Serialize)]
struct Body<'a> {
    target: [&'a str; 1],
    /// Left out for a message to all channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    broadcaster_id: Option<&'a str>,
    is_global_broadcast: bool,
    message: &'a str,
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) client_id: &'a str,
    /// None for all channels.
    pub(super) channel: Option<&'a str>,
    pub(super) target: &'a str,
    pub(super) text: &'a str,
}

/// What the platform said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has it; how many more it takes at once, if it told.
    Taken { left: Option<u64> },
    /// Too many; for how long it takes no more (ms), if it told.
    TooMany { pause_ms: Option<u64> },
    /// The token is no good.
    Unauthorized,
    /// Another time perhaps: why.
    Failed(String),
    /// Never.
    Refused(StatusCode),
}

/// The platform's PubSub endpoint.
pub(super) struct Endpoint {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint(…)")
    }
}

impl Endpoint {
    /// The endpoint under a base address, with the system's trusted certificates where it is
    /// `https`. Proxies that the environment names are not used.
    ///
    /// # Errors
    /// The address is not one, or the system trusts nobody.
    pub(super) fn new(base: &str, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let uri = endpoint(base)?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = HttpsConnectorBuilder::new();
        let https = if uri.scheme() == Some(&Scheme::HTTPS) {
            builder
                .with_provider_and_native_roots(provider)
                .context("the system's trusted certificates cannot be read")?
        } else {
            let nobody = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            builder.with_tls_config(nobody)
        };
        let https = https.https_or_http().enable_http1().build();
        let pool = Pool::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(https);
        Ok(Self { pool, uri, clock })
    }

    /// Sends a message with a token.
    pub(super) async fn send(&self, message: Message<'_>, jwt: &str) -> Answer {
        let Ok(request) = self.request(message, jwt) else {
            // What cannot be said in HTTP never can.
            return Answer::Refused(StatusCode::BAD_REQUEST);
        };
        tokio::select! {
            answer = self.exchange(request) => answer,
            () = self.clock.sleep_ms(REQUEST_MS_MAX) => {
                Answer::Failed(format!("no answer in {REQUEST_MS_MAX} ms"))
            }
        }
    }

    fn request(&self, message: Message<'_>, jwt: &str) -> anyhow::Result<Request<Full<Bytes>>> {
        let body = Body {
            target: [message.target],
            broadcaster_id: message.channel,
            is_global_broadcast: message.channel.is_none(),
            message: message.text,
        };
        let mut bearer = HeaderValue::try_from(format!("Bearer {jwt}"))?;
        bearer.set_sensitive(true);
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header(AUTHORIZATION, bearer)
            .header(HeaderName::from_static("client-id"), message.client_id)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(serde_json::to_vec(&body)?))?;
        Ok(request)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = match self.pool.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                return Answer::Failed("cannot be reached".to_owned());
            }
            Err(_) => return Answer::Failed("the connection broke".to_owned()),
        };
        let (head, body) = response.into_parts();
        let answer = answer(head.status, &head.headers, self.clock.now_ms());
        // Read to its end, so that the connection serves again. What it says is not needed.
        let _ = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        answer
    }
}

fn endpoint(base: &str) -> anyhow::Result<Uri> {
    let wanted = "twitch.url must be an address such as https://host or http://127.0.0.1:8080";
    let base: Uri = base.parse().map_err(|_| anyhow::anyhow!(wanted))?;
    let mut parts = base.into_parts();
    let known = [Some(Scheme::HTTPS), Some(Scheme::HTTP)];
    let has_user = |authority: &http::uri::Authority| authority.as_str().contains('@');
    anyhow::ensure!(known.contains(&parts.scheme), wanted);
    anyhow::ensure!(!parts.authority.as_ref().is_some_and(has_user), wanted);
    let before = parts.path_and_query.as_ref().map_or("", PathAndQuery::path);
    let path = format!("{}/{PATH}", before.trim_end_matches('/'));
    parts.path_and_query = Some(path.parse()?);
    Ok(Uri::from_parts(parts)?)
}

fn answer(status: StatusCode, headers: &HeaderMap, now_ms: i64) -> Answer {
    match status {
        status if status.is_success() => Answer::Taken {
            left: number(headers, "ratelimit-remaining"),
        },
        StatusCode::TOO_MANY_REQUESTS => Answer::TooMany {
            pause_ms: number(headers, "ratelimit-reset").map(|reset_s| {
                let now_ms = u64::try_from(now_ms).unwrap_or(0);
                let pause_ms = reset_s.saturating_mul(1_000).saturating_sub(now_ms);
                pause_ms.min(RESET_MS_MAX)
            }),
        },
        StatusCode::UNAUTHORIZED => Answer::Unauthorized,
        StatusCode::REQUEST_TIMEOUT => Answer::Failed(format!("status {status}")),
        status if status.is_server_error() => Answer::Failed(format!("status {status}")),
        status => Answer::Refused(status),
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use crowdlink_store::ManualClock;

    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_at_the_start_without_being_repeated() {
        for bad in [
            "",
            "nats://host",
            "https://user:secret@host",
            "host",
            "https://",
        ] {
            let error = Endpoint::new(bad, ManualClock::new(0)).unwrap_err();
            assert!(error.to_string().starts_with("twitch.url must"), "{bad}");
        }
        for (base, uri) in [
            ("http://h:1", "http://h:1/helix/extensions/pubsub"),
            ("https://h/a/", "https://h/a/helix/extensions/pubsub"),
        ] {
            assert_eq!(endpoint(base).unwrap().to_string(), uri);
        }
    }

    #[test]
    fn the_platform_may_ask_for_a_pause_but_not_for_hours() {
        let pause_of = |reset: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("ratelimit-reset", HeaderValue::from_static(reset));
            answer(StatusCode::TOO_MANY_REQUESTS, &headers, 10_500)
        };
        let pause = |pause_ms| Answer::TooMany { pause_ms };
        assert_eq!(pause_of("12"), pause(Some(1_500)));
        assert_eq!(pause_of("3"), pause(Some(0)));
        assert_eq!(pause_of("99999999999999999999"), pause(None));
        assert_eq!(pause_of("9999999999"), pause(Some(RESET_MS_MAX)));
    }
}
