//! Query parameters, percent-decoded (`spec 3`).

use axum::extract::{FromRequestParts, Query};
use crowdlink_core::Error;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::answer::Refusal;

/// The parameters that a call knows; others are ignored. One that comes twice is refused.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let Query(parameters) = Query::try_from_uri(&parts.uri).map_err(|error| {
            tracing::debug!(%error, "query refused");
            Error::invalid("query", "must name each parameter once")
        })?;
        Ok(Self(parameters))
    }
}
