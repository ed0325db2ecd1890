//! Receipts of the platform, as shipped pages send them (`spec 3.9`, `spec 4.6`, `spec 6.3`).

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use crowdlink_protocol::Stage;
use serde::Deserialize;
use serde_json::Value;

use super::book::Books;
use super::operation::{Credit, Operation};
use super::{check_sku, go_time, submit};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::gateway::coins;
use crate::registry::Extension;

const FIELD: &str = "transactionReceipt";
const TOPIC: &str = "bits_transaction_receipt";
/// Longest id of a transaction; the platform's are UUIDs.
const TRANSACTION_ID_BYTES_MAX: usize = 96;
/// Longest name, of a product or a viewer.
const NAME_BYTES_MAX: usize = 256;
/// The most bits of one transaction. The platform's products end far below.
const BITS_MAX: u64 = 1_000_000_000;

/// Base64 of the plain alphabet, padded or not. The other alphabet is translated first.
const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a receipt says.
#[derive(Debug, Deserialize)]
struct Payload {
    exp: i64,
    topic: String,
    data: Data,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    transaction_id: String,
    time: String,
    #[serde(default)]
    user_id: Option<String>,
    product: Product,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    domain_id: String,
    sku: String,
    #[serde(default)]
    display_name: Option<String>,
    cost: Cost,
}

#[derive(Debug, Deserialize)]
struct Cost {
    amount: Value,
    #[serde(rename = "type")]
    kind: String,
}

fn wrong(expected: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid(FIELD, expected)
}

/// Counts a receipt: the caller's coins grow by its bits, and the games hear of the purchase. One
/// that is known already does nothing. `name` is the display name that came with it.
pub async fn credit(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    receipt: &str,
    name: Option<&str>,
) -> Result<(), Error> {
    let channel = caller.channel(channel)?;
    let viewer = caller.viewer()?;
    let now_ms = core.world.now_ms();
    if receipt.len() > core.limits.token_bytes_max {
        return Err(wrong("is too long"));
    }
    let payload = open(caller.stage, &caller.extension, receipt, now_ms)?;
    let books = Books::of(caller, channel);
    if books
        .knows_receipt(&core.world, &payload.data.transaction_id)
        .await?
    {
        return Ok(());
    }
    check_buyer(caller, payload.data.user_id.as_deref())?;
    let skew_ms = core.lifetimes.clock_skew_ms;
    let ends_ms = payload
        .exp
        .saturating_mul(1_000)
        .saturating_add_unsigned(skew_ms);
    if ends_ms <= now_ms {
        return Err(wrong("has expired"));
    }
    let credit = payload.credit(viewer, name)?;
    submit(core, caller, channel, Operation::Credit(credit)).await?;
    Ok(())
}

/// A receipt is the buyer's; in the sandbox it may not tell whose it is (`spec 6.3`).
fn check_buyer(caller: &Caller, user_id: Option<&str>) -> Result<(), Error> {
    match (caller.stage, user_id) {
        (Stage::Sandbox, None) => Ok(()),
        (_, Some(user_id)) if caller.user_id.as_deref() == Some(user_id) => Ok(()),
        _ => Err(Error::Forbidden("the receipt is of another user".into())),
    }
}

/// Reads a receipt and checks what does not depend on who sends it.
fn open(stage: Stage, extension: &Extension, receipt: &str, now_ms: i64) -> Result<Payload, Error> {
    let mut parts = receipt.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong("must be a JWT"));
    };
    let header_json = decode(header)?;
    let kind: Value =
        serde_json::from_slice(&header_json).map_err(|_| wrong("must have a JSON header"))?;
    if kind.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(wrong("must be signed with HS256"));
    }
    let payload_json = decode(payload)?;
    let signature = URL_SAFE_NO_PAD.encode(decode(signature)?);
    if stage == Stage::Production {
        // Signed as it stands, or as it stood before somebody padded it.
        let canonical = [&header_json, &payload_json].map(|part| URL_SAFE_NO_PAD.encode(part));
        let signed = [format!("{header}.{payload}"), canonical.join(".")];
        let signed_by = |text: &String| extension.signer(text, &signature, now_ms).is_some();
        if !signed.iter().any(signed_by) {
            return Err(wrong("must be signed with a secret of the extension"));
        }
    }
    let payload: Payload = serde_json::from_str(&text(payload_json)).map_err(|error| {
        let why: String = error.to_string().chars().take(100).collect();
        wrong(format!("is no receipt: {why}"))
    })?;
    payload.check(extension)?;
    Ok(payload)
}

fn decode(part: &str) -> Result<Vec<u8>, Error> {
    let plain = part.replace('-', "+").replace('_', "/");
    STANDARD
        .decode(plain)
        .map_err(|_| wrong("must be base64 in three parts"))
}

/// UTF-8, else Latin-1: pages in development encode with `btoa`, which knows nothing else.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        error
            .as_bytes()
            .iter()
            .map(|byte| char::from(*byte))
            .collect()
    })
}

impl Payload {
    fn check(&self, extension: &Extension) -> Result<(), Error> {
        let Data {
            transaction_id: id,
            product,
            ..
        } = &self.data;
        if self.topic != TOPIC {
            return Err(wrong(format!("must have the topic {TOPIC}")));
        }
        if product.domain_id.strip_prefix("twitch.ext.") != Some(extension.client_id.as_str()) {
            return Err(wrong("is for another extension"));
        }
        if id.is_empty() || id.len() > TRANSACTION_ID_BYTES_MAX || id.chars().any(char::is_control)
        {
            return Err(wrong("has a transactionId that cannot be one"));
        }
        Ok(())
    }

    fn credit(self, viewer: &str, name: Option<&str>) -> Result<Credit, Error> {
        let Data {
            transaction_id,
            time,
            product,
            ..
        } = self.data;
        check_sku(&product.sku)?;
        if product.cost.kind != "bits" {
            return Err(wrong("must be paid in bits"));
        }
        // The platform's own product list has them as texts.
        let amount = match &product.cost.amount {
            Value::String(digits) => digits.parse().ok(),
            value @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_)) => coins(value),
        };
        let amount = amount.filter(|amount| (1..=BITS_MAX).contains(amount));
        let bits = amount.ok_or_else(|| wrong("must have an amount of 1 bit or more"))?;
        let at_ms = go_time::parse(&time).filter(|at_ms| *at_ms > 0);
        let at_ms = at_ms.ok_or_else(|| wrong("must have a time"))?;
        let is_name = |name: &String| {
            !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
        };
        Ok(Credit {
            viewer: viewer.to_owned(),
            name: name.map(str::to_owned).filter(is_name),
            receipt_id: transaction_id,
            display_name: product
                .display_name
                .filter(is_name)
                .unwrap_or_else(|| product.sku.clone()),
            sku: product.sku,
            bits,
            at_ms,
        })
    }
}

#[cfg(test)]
#[path = "receipt_tests.rs"]
mod receipt_tests;
