//! What a token says, read with patience, and what the strict reader will not like about it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, DecodePaddingMode::Indifferent};
use crowdlink_protocol::{Claims, Role};
use serde_json::{Map, Value};

use super::{Facts, Finding};
use crate::tokens::verify::TIME_S_MAX;

const PATIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(PADDING);
const PADDING: DecodePaddingMode = Indifferent;
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PATIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PATIENT);
/// Length of a refresh token: 32 bytes in base64url.
const REFRESH_CHARS: usize = 43;

type Object = Map<String, Value>;

/// Reads what can be read of a token of at most `bytes_max`; notes everything that is wrong.
pub(super) fn token(jwt: &str, bytes_max: usize, findings: &mut Vec<Finding>) -> Option<Facts> {
    if jwt.len() > bytes_max {
        findings.push(Finding::TooLong {
            bytes: jwt.len(),
            bytes_max,
        });
        return None;
    }
    let parts: Vec<&str> = jwt.split('.').collect();
    let [header, payload, signature] = *parts else {
        let url_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let refresh = jwt.len() == REFRESH_CHARS && jwt.bytes().all(url_safe);
        findings.push(if refresh {
            Finding::RefreshToken
        } else {
            Finding::Dots(parts.len())
        });
        return None;
    };
    let header_object = object(header, "header", findings);
    let payload_bytes = decode(payload, "payload", findings);
    decode(signature, "signature", findings);
    let mut facts = Facts::default();
    if let Some(header) = header_object {
        look_at_header(&header, &mut facts, findings);
    }
    let payload = payload_bytes
        .as_deref()
        .and_then(|bytes| json(bytes, "payload", findings));
    if let Some(claims) = payload {
        let found_before = findings.len();
        look_at_claims(&claims, &mut facts, findings);
        let strict = Claims::parse(payload_bytes.as_deref().unwrap_or_default());
        if let Err(error) = strict {
            note_unreadable(&error.to_string(), found_before, findings);
        }
    }
    Some(facts)
}

/// The strict reader's complaint, where none of ours says the same better.
fn note_unreadable(error: &str, found_before: usize, findings: &mut Vec<Finding>) {
    if let Some(rest) = error.strip_prefix("duplicate key `") {
        let key = rest.split('`').next().unwrap_or_default();
        findings.insert(found_before, Finding::Duplicate(key.to_owned()));
    } else if findings.len() == found_before {
        findings.push(Finding::ClaimsUnreadable(error.to_owned()));
    }
}

fn decode(part: &str, name: &'static str, findings: &mut Vec<Finding>) -> Option<Vec<u8>> {
    if let Ok(bytes) = URL_SAFE_NO_PAD.decode(part) {
        return Some(bytes);
    }
    let patient = URL_SAFE.decode(part).or_else(|_| STANDARD.decode(part));
    match patient {
        Ok(bytes) if part.contains(['+', '/', '=']) => {
            findings.push(Finding::Alphabet(name));
            Some(bytes)
        }
        Ok(bytes) => {
            findings.push(Finding::NotBase64(name));
            Some(bytes)
        }
        Err(_) => {
            findings.push(Finding::NotBase64(name));
            None
        }
    }
}

fn json(bytes: &[u8], name: &'static str, findings: &mut Vec<Finding>) -> Option<Object> {
    let object = serde_json::from_slice(bytes).ok();
    if object.is_none() {
        findings.push(Finding::NotJson(name));
    }
    object
}

fn object(part: &str, name: &'static str, findings: &mut Vec<Finding>) -> Option<Object> {
    let bytes = decode(part, name, findings)?;
    let object = json(&bytes, name, findings)?;
    if let Err(error) = Claims::parse(&bytes) {
        note_unreadable(&error.to_string(), findings.len(), findings);
    }
    Some(object)
}

fn look_at_header(header: &Object, facts: &mut Facts, findings: &mut Vec<Finding>) {
    let alg = header.get("alg").map(shown);
    match &alg {
        None => findings.push(Finding::AlgorithmMissing),
        Some(alg) if alg == "HS256" => {}
        Some(alg) => findings.push(Finding::Algorithm(alg.clone())),
    }
    facts.alg = alg;
    for name in super::super::jws::REFUSED_FIELDS {
        if header.contains_key(name) {
            findings.push(Finding::HeaderField(name));
        }
    }
    match header.get("kid") {
        None => {}
        Some(Value::String(kid)) => facts.kid = Some(kid.clone()),
        Some(_) => findings.push(Finding::KidType),
    }
}

/// A claim as text, whatever its type.
fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn look_at_claims(claims: &Object, facts: &mut Facts, findings: &mut Vec<Finding>) {
    let mut text = |name: &'static str| {
        let value = claims.get(name).filter(|value| !value.is_null())?;
        if !value.is_string() {
            findings.push(Finding::ClaimType(name, "a string"));
        }
        Some(shown(value))
    };
    text("iss");
    facts.allowed_stage = text("allowed_stage");
    facts.app_id = text("app_id");
    facts.channel_id = text("channel_id");
    facts.user_id = text("user_id");
    facts.opaque_user_id = text("opaque_user_id");
    facts.jti = text("jti");
    facts.fam = text("fam");
    facts.grant = text("grant");
    facts.identifier = text("identifier");
    let role = text("role");
    match role.as_deref().map(str::parse::<Role>) {
        None if claims.contains_key("topic") => {}
        None => findings.push(Finding::RoleMissing),
        Some(Ok(role)) => facts.role = Some(role),
        Some(Err(_)) => findings.push(Finding::RoleUnknown(role.unwrap_or_default())),
    }
    if claims.contains_key("topic") {
        findings.push(Finding::Receipt);
    }
    facts.exp = time(claims, "exp", findings);
    facts.iat = time(claims, "iat", findings);
    facts.nbf = time(claims, "nbf", findings);
    if claims.get("exp").is_none_or(Value::is_null) {
        findings.push(Finding::ExpMissing);
    }
}

fn time(claims: &Object, name: &'static str, findings: &mut Vec<Finding>) -> Option<i64> {
    let value = claims.get(name).filter(|value| !value.is_null())?;
    let seconds = value.as_i64();
    match seconds {
        None => findings.push(Finding::ClaimType(name, "a whole number of seconds")),
        Some(seconds) if seconds > TIME_S_MAX => findings.push(Finding::Milliseconds(name)),
        Some(_) => return seconds,
    }
    None
}
