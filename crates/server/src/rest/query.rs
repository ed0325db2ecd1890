//! Query parameters, percent-decoded (`spec 3`).

use std::fmt;

use axum::extract::{FromRequestParts, Query};
use crowdlink_core::{DEFAULT_ID, Error};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::{self, MapDeserializer};

use super::answer::Refusal;

/// What a channel has several of, each under an id.
#[derive(Deserialize)]
pub(super) struct ById {
    id: Option<String>,
    channel_id: Option<String>,
}

impl ById {
    /// The id; the default one where none is named, or an empty one.
    pub(super) fn id(&self) -> &str {
        id_or_default(self.id.as_deref())
    }

    /// The channel that is named.
    pub(super) fn channel(&self) -> Option<&str> {
        self.channel_id.as_deref()
    }
}

/// An id that may be absent or empty.
pub(super) fn id_or_default(id: Option<&str>) -> &str {
    id.filter(|id| !id.is_empty()).unwrap_or(DEFAULT_ID)
}

/// The parameters that a call knows; others are ignored. One that comes twice is refused.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        let parameters = if query.is_empty() {
            // Most calls have none, and several parts of a call look at it.
            let none = std::iter::empty::<((), ())>();
            T::deserialize(MapDeserializer::new(none))
                .map_err(|error: value::Error| refused(&error))
        } else {
            let found = Query::try_from_uri(&parts.uri);
            found
                .map(|Query(found)| found)
                .map_err(|error| refused(&error))
        };
        Ok(Self(parameters?))
    }
}

fn refused(error: &dyn fmt::Display) -> Error {
    tracing::debug!(%error, "query refused");
    Error::invalid("query", "must name each parameter once")
}
