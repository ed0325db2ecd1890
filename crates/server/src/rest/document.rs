//! What the routes of documents have in common: bodies, conditions, answers.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use crowdlink_core::{Error, IfMatch, Snapshot};
use http::header::ETAG;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::RestEdge;
use super::answer::{Refusal, json_response};
use super::body::Raw;
use super::etag::{Condition, Malformed, etag};

/// The text of a document or a patch; none counts as `{}`, what was encoded twice is undone.
pub(super) struct Text(pub(super) Bytes);

impl FromRequest<Arc<RestEdge>> for Text {
    type Rejection = Refusal;

    async fn from_request(request: Request, edge: &Arc<RestEdge>) -> Result<Self, Self::Rejection> {
        let Raw(bytes) = Raw::from_request(request, edge).await?;
        let text = bytes.trim_ascii();
        if text.is_empty() {
            return Ok(Self(Bytes::from_static(b"{}")));
        }
        if text.starts_with(b"\"")
            && let Ok(inner) = serde_json::from_slice::<String>(text)
        {
            return Ok(Self(inner.into()));
        }
        Ok(Self(bytes))
    }
}

/// `If-Match`, as core wants it.
pub(super) struct Wanted(pub(super) Option<IfMatch>);

impl FromRequestParts<Arc<RestEdge>> for Wanted {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        _edge: &Arc<RestEdge>,
    ) -> Result<Self, Self::Rejection> {
        let condition = Condition::if_match(&parts.headers).map_err(malformed)?;
        Ok(Self(condition.map(|condition| condition.versions())))
    }
}

/// The `If-None-Match` of a request. One that is malformed is refused with the answer: other
/// refusals come first.
pub(super) struct Asked(Result<Option<Condition>, Malformed>);

impl FromRequestParts<Arc<RestEdge>> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _edge: &Arc<RestEdge>,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self(Condition::if_none_match(&parts.headers)))
    }
}

fn malformed(Malformed(name): Malformed) -> Error {
    Error::invalid(
        name.as_str().to_owned(),
        "must be a list of entity tags, or *",
    )
}

/// A document with its tag; 304 where the caller has it already.
pub(super) fn tagged(asked: Asked, snapshot: &Snapshot) -> Result<Response, Refusal> {
    tagged_json(asked, snapshot.json.clone(), &etag(snapshot.version))
}

/// JSON with a tag; 304 where the caller has it already.
pub(super) fn tagged_json(
    Asked(condition): Asked,
    json: Bytes,
    tag: &str,
) -> Result<Response, Refusal> {
    let condition = condition.map_err(malformed)?;
    let known = condition.is_some_and(|condition| condition.matches_weakly(Some(tag)));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json_response(json)
    };
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// Several documents as one object, with a tag of all their versions.
pub(super) fn tagged_parts(asked: Asked, parts: &[(&str, &Snapshot)]) -> Result<Response, Refusal> {
    let bytes = parts
        .iter()
        .map(|(name, part)| name.len() + part.json.len() + 4)
        .sum::<usize>();
    let mut json = Vec::with_capacity(bytes + 2);
    let mut versions = Vec::with_capacity(parts.len());
    for (name, part) in parts {
        json.extend_from_slice(if json.is_empty() { b"{\"" } else { b",\"" });
        json.extend_from_slice(name.as_bytes());
        json.extend_from_slice(b"\":");
        json.extend_from_slice(&part.json);
        versions.push(part.version.to_string());
    }
    json.push(b'}');
    tagged_json(asked, json.into(), &format!("\"v{}\"", versions.join("-")))
}
