//! What a game says of itself.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;

use super::place;
use crate::caller::Caller;
use crate::core::Core;
use crate::documents::{Bounds, Document};
use crate::error::Error;
use crate::shared::{Change, DocumentKind, Terms};

/// Name and theme.
const NAME_BYTES_MAX: usize = 256;
/// The picture, as base64 (`spec 2.13`).
const LOGO_BYTES_MAX: usize = 1024 * 1024;

const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    theme: Option<&'a str>,
}

/// Puts a name, a logo in base64 and a theme in the place of those before.
pub async fn set_metadata(
    core: &Core,
    caller: &Caller,
    [name, logo, theme]: [Option<&str>; 3],
) -> Result<(), Error> {
    let channel = caller.broadcaster_channel()?;
    for (field, text) in [("name", name), ("theme", theme)] {
        if text.is_some_and(|text| text.len() > NAME_BYTES_MAX) {
            let expected = format!("must be at most {NAME_BYTES_MAX} bytes");
            return Err(Error::invalid(field, expected));
        }
    }
    if let Some(logo) = logo {
        if logo.len() > LOGO_BYTES_MAX {
            let expected = format!("must be at most {LOGO_BYTES_MAX} bytes");
            return Err(Error::invalid("logo", expected));
        }
        STANDARD
            .decode(logo)
            .map_err(|_| Error::invalid("logo", "must be base64"))?;
    }
    // Each part was measured by itself.
    let bounds = Bounds::bytes(usize::MAX);
    let metadata = serde_json::to_value(Metadata { name, logo, theme })?;
    let document = Document::from_value(&metadata, &bounds)
        .map_err(|error| Error::Document(error.to_string()))?;
    let kind = DocumentKind::GatewayMetadata;
    let place = place(caller.stage, caller.client_id(), channel, kind);
    let terms = Terms {
        bounds,
        lifetime_ms: None,
    };
    let change = Change::Replace(document);
    core.shared.write(&place, terms, change, None).await?;
    Ok(())
}
