//! The measure of REST: hyper's HTTP/1.1 server with nothing behind it.

use std::convert::Infallible;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Answers every request with the response in a file, until it is ended.
pub(crate) fn serve(response: &Path, flat: bool) -> Result<()> {
    let response = fs::read(response)?;
    let (headers, body) = parse(&response)?;
    // Like the server's: as many workers as cores it may use.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("ready bare={}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(connection(
                TokioIo::new(stream),
                (headers.clone(), body.clone()),
                flat,
            ));
        }
    })
}

async fn connection(
    stream: TokioIo<tokio::net::TcpStream>,
    (headers, body): (HeaderMap, Bytes),
    flat: bool,
) {
    let answer = service_fn(|_: Request<Incoming>| {
        let mut response = Response::new(Full::new(body.clone()));
        response.headers_mut().clone_from(&headers);
        async move { Ok::<_, Infallible>(response) }
    });
    // The load goes away when it is done.
    let mut http = http1::Builder::new();
    if flat {
        http.writev(false);
    }
    let _ = http.serve_connection(stream, answer).await;
}

/// Headers and body, without those headers that hyper writes itself.
fn parse(response: &[u8]) -> Result<(HeaderMap, Bytes)> {
    let text = std::str::from_utf8(response)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no head")?;
    let mut headers = HeaderMap::new();
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ").context("not a header")?;
        let name: HeaderName = name.parse()?;
        if name != DATE && name != CONTENT_LENGTH {
            headers.append(name, HeaderValue::from_str(value)?);
        }
    }
    Ok((headers, Bytes::copy_from_slice(body.as_bytes())))
}
