//! What stands in for the platform where there is none (`spec 4.4`), in the sandbox.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crowdlink_protocol::{Stage, ascii_json};
use serde::Serialize;
use serde_json::json;

use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;

/// What a server says that signs no receipts.
pub const NOT_SIGNED: &str =
    "Receipts are signed by the sandbox of a development server, or with rig.receipts on";
/// What is said of an extension that nothing can be signed for.
pub const NO_SECRET: &str = "The extension has no secret";

/// How long a receipt may be used. The platform's last an hour.
const RECEIPT_MS: i64 = 3_600_000;
/// The most bits of one product.
const BITS_MAX: u64 = 1_000_000_000;
/// Longest SKU or name of a product, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A product of which somebody wants a receipt.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its SKU: 1 to 256 bytes without control characters.
    pub sku: String,
    /// What people call it, as long at most; the SKU where there is none.
    pub display_name: Option<String>,
    /// Its price in bits, from 1 to 1,000,000,000.
    pub bits: u64,
}

/// A receipt as the platform issues it for a purchase.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The purchase; counts once (`spec 3.9`).
    pub transaction_id: String,
    /// The receipt: a JWT signed with the extension's newest secret.
    pub transaction_receipt: String,
}

impl Product {
    fn check(&self) -> Result<(), Error> {
        let is_text = |text: &str| {
            !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)
        };
        if !is_text(&self.sku) {
            let expected =
                format!("must be 1 to {NAME_BYTES_MAX} bytes without control characters");
            return Err(Error::invalid("sku", expected));
        }
        if !self.display_name.as_deref().is_none_or(is_text) {
            let expected =
                format!("must be 1 to {NAME_BYTES_MAX} bytes without control characters");
            return Err(Error::invalid("displayName", expected));
        }
        if !(1..=BITS_MAX).contains(&self.bits) {
            let expected = format!("must be a whole number of bits from 1 to {BITS_MAX}");
            return Err(Error::invalid("cost.amount", expected));
        }
        Ok(())
    }
}

/// Signs a receipt that says that the caller bought a product. It verifies in production too, so
/// only a server that was told to signs any: whoever can ask is given bits for nothing.
///
/// # Errors
/// 404 where this server signs none, and in production; 400 where the product cannot be one.
pub fn receipt(core: &Core, caller: &Caller, product: &Product) -> Result<Receipt, Error> {
    if caller.stage != Stage::Sandbox || !core.signs_receipts {
        return Err(Error::NotFound(NOT_SIGNED.into()));
    }
    product.check()?;
    let now_ms = core.world.now_ms();
    let mut secrets = caller.extension.secrets.iter();
    let secret = secrets
        .find(|secret| secret.is_current(now_ms))
        .ok_or_else(|| Error::NotFound(NO_SECRET.into()))?;
    let transaction_id = core.world.id();
    let time = jiff::Timestamp::from_millisecond(now_ms)
        .map_err(|error| Error::Internal(error.to_string()))?;
    let payload = json!({
        "topic": "bits_transaction_receipt",
        "exp": now_ms.saturating_add(RECEIPT_MS).div_euclid(1_000),
        "data": {
            "transactionId": transaction_id,
            "time": time.to_string(),
            "userId": caller.user_id,
            "product": {
                "domainId": format!("twitch.ext.{}", caller.client_id()),
                "sku": product.sku,
                "displayName": product.display_name.as_deref().unwrap_or(&product.sku),
                "cost": { "amount": product.bits, "type": "bits" },
            },
        },
    });
    let header = ascii_json(&json!({ "alg": "HS256", "typ": "JWT" }))?;
    let mut jwt = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(ascii_json(&payload)?)
    );
    let signature = secret.secret.sign(&jwt);
    let signature = signature.map_err(|error| Error::Internal(error.to_string()))?;
    jwt.push('.');
    jwt.push_str(&signature);
    Ok(Receipt {
        transaction_id,
        transaction_receipt: jwt,
    })
}
