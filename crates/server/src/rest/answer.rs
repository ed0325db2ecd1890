//! Answers: JSON always, refusals as `spec 1.2` wants them.

use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use crowdlink_core::Error;
use crowdlink_protocol::ErrorBody;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::cors;
use crate::access::RequestId;

/// The content type of every answer.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The answer of a handler.
pub(super) type Answer = Result<Response, Refusal>;

/// A refusal on its way to [`finish`], which knows the request's id.
#[derive(Clone, Debug)]
pub(super) struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Written JSON as an answer.
pub(super) fn json_response(json: impl Into<Body>) -> Response {
    let mut response = Response::new(json.into());
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// A JSON answer.
pub(super) fn json<T: Serialize>(value: &T) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(json_response(body)),
        Err(error) => Err(Error::from(error).into()),
    }
}

/// An empty success: `{}`, never an empty body.
pub(super) fn done() -> Response {
    json_response("{}")
}

/// Around the router: answers preflights, and finishes every other response.
pub(super) async fn around(request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return cors::preflight(request.headers());
    }
    let id = request.extensions().get::<RequestId>().copied();
    finish(next.run(request).await, id)
}

/// What every response goes through, whoever found its handler.
pub(super) fn finish(response: Response, id: Option<RequestId>) -> Response {
    let mut response = completed(response, id);
    cors::mark(response.headers_mut());
    response
}

/// Gives every refusal its body: those of handlers, and those of the router, which have none.
fn completed(response: Response, id: Option<RequestId>) -> Response {
    if let Some(Refusal(error)) = response.extensions().get::<Refusal>() {
        return error_response(error, id);
    }
    let error = match response.status() {
        StatusCode::NOT_FOUND => Error::NotFound("There is nothing here".into()),
        StatusCode::METHOD_NOT_ALLOWED => Error::MethodNotAllowed,
        _ => return response,
    };
    if response.headers().get(CONTENT_TYPE) == Some(&JSON) {
        return response;
    }
    let (parts, _) = response.into_parts();
    let mut completed = error_response(&error, id);
    // The router's `Allow` must stay.
    for (name, value) in &parts.headers {
        if name == http::header::ALLOW {
            completed.headers_mut().insert(name, value.clone());
        }
    }
    completed
}

/// A refusal as REST tells it. Of a fault of ours the log is told what happened, the caller only
/// the id to ask for.
pub(crate) fn error_response(error: &Error, id: Option<RequestId>) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let info = if let Error::Internal(detail) = error {
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        tracing::error!(%detail, id, "request failed");
        format!("request id {id}")
    } else {
        error.info().into_owned()
    };
    let body = ErrorBody {
        reason: error.reason().into_owned(),
        info,
        status: status.as_u16(),
    };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = (status, [(CONTENT_TYPE, JSON)], body).into_response();
    if let Some(seconds) = error.retry_after_s() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
