//! Refusals in the document: every one is a value of core's table, so that its status and its
//! reason are those that callers get.

use std::collections::BTreeMap;

use crowdlink_core::{Error, TokenFault};
use crowdlink_protocol::ErrorBody;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{ContentBuilder, RefOr, Response, ResponseBuilder};

use super::Bounds;
use super::call::{Call, Who};
use super::schema::{integer, shape};

/// The request id that stands in `info` of a fault of ours.
const FAULT_INFO: &str = "request id 18bcfe56800-1f";

fn anonymous(bounds: &Bounds) -> Vec<Error> {
    vec![
        Error::RequestTimeout,
        Error::TooLarge {
            bytes_max: bounds.body_bytes_max,
        },
        Error::Internal(String::new()),
    ]
}

fn of_tokens() -> Vec<Error> {
    vec![
        Error::HeaderMalformed,
        Error::ExtensionUnknown,
        Error::TokenInvalid(TokenFault::Expired),
        Error::StageMismatch,
        Error::Forbidden("wrong channel".into()),
        Error::RateLimited {
            retry_after_ms: 1_000,
        },
    ]
}

/// What all calls share, by the name of their response in the document.
pub(super) fn shared(bounds: &Bounds) -> impl Iterator<Item = (String, Response)> {
    let all = of_tokens().into_iter().chain(anonymous(bounds)).collect();
    let groups = by_status(all).into_values();
    groups.map(|errors| (name(&errors), response(&errors)))
}

/// Of one call, by status: the name of a shared response, or one of its own.
pub(super) fn responses(call: &Call, bounds: &Bounds) -> Vec<(String, RefOr<Response>)> {
    let usual: Vec<Error> = of_tokens().into_iter().chain(anonymous(bounds)).collect();
    let usual = by_status(usual);
    let of_call = by_status(all_of(call, bounds)).into_iter();
    let response = |(status, errors): (u16, Vec<Error>)| {
        let response = if usual.get(&status) == Some(&errors) {
            utoipa::openapi::Ref::from_response_name(name(&errors)).into()
        } else {
            RefOr::T(response(&errors))
        };
        (status.to_string(), response)
    };
    of_call.map(response).collect()
}

/// Everything that a call may be refused with.
fn all_of(call: &Call, bounds: &Bounds) -> Vec<Error> {
    let mut errors = Vec::new();
    if call.who != Who::Open {
        errors.extend(of_tokens());
    }
    errors.push(Error::Internal(String::new()));
    if call.who != Who::Open || !call.parameters.is_empty() {
        errors.push(Error::invalid("query", "must name each parameter once"));
    }
    if let Some(body) = &call.body {
        errors.push(Error::invalid("body", "must be JSON"));
        errors.push(Error::RequestTimeout);
        let bytes_max = body.bytes_max.unwrap_or(bounds.body_bytes_max);
        errors.push(Error::TooLarge { bytes_max });
    }
    errors.extend(call.refusals.iter().cloned());
    errors
}

fn by_status(errors: Vec<Error>) -> BTreeMap<u16, Vec<Error>> {
    let mut groups: BTreeMap<u16, Vec<Error>> = BTreeMap::new();
    for error in errors {
        let group = groups.entry(error.status()).or_default();
        if !group.contains(&error) {
            group.push(error);
        }
    }
    groups
}

/// The name of a shared response: its status without spaces.
fn name(errors: &[Error]) -> String {
    let title = errors.first().map_or("", Error::title);
    title.split(' ').collect()
}

fn response(errors: &[Error]) -> Response {
    let mut reasons: Vec<String> = Vec::new();
    for error in errors {
        let reason = format!("`{}`", error.reason());
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let mut told = reasons.join(", ");
    if errors.iter().any(|error| error.status() == 400) {
        told.push_str(", or a sentence that names the field that is wrong");
    }
    let examples = errors.iter().map(|error| {
        let example = utoipa::openapi::example::ExampleBuilder::new()
            .value(serde_json::to_value(body(error)).ok())
            .build();
        (slug(error), example)
    });
    let content = ContentBuilder::new()
        .schema(Some(shape("Refusal")))
        .examples_from_iter(examples)
        .build();
    let mut response = ResponseBuilder::new()
        .description(told)
        .content("application/json", content);
    if errors.iter().any(|error| error.retry_after_s().is_some()) {
        let header = HeaderBuilder::new()
            .schema(Some(integer()))
            .description(Some("Seconds after which it is worth another try."))
            .build();
        response = response.header("Retry-After", header);
    }
    response.build()
}

fn body(error: &Error) -> ErrorBody {
    let info = if error.is_ours() {
        FAULT_INFO.into()
    } else {
        error.info()
    };
    ErrorBody {
        reason: error.reason().into_owned(),
        info: info.into_owned(),
        status: error.status(),
    }
}

/// A name of an example: what it says, in letters and digits.
fn slug(error: &Error) -> String {
    let said = body(error);
    let words = format!("{} {}", said.reason, said.info).to_lowercase();
    let words = words.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).take(12).collect();
    words.join("-")
}
