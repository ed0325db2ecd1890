//! Whose key made a signature, also where it does not count.

use crowdlink_protocol::ClientId;

use super::{Facts, Finding, Signer};
use crate::registry::{Extension, Registry};
use crate::tokens::Parts;

/// Finds who signed a token. Every key of the registry is tried: this is for people, who wait.
pub(super) fn signer(
    registry: &Registry,
    called: Option<&ClientId>,
    parts: &Parts<'_>,
    now_ms: i64,
) -> Signer {
    for key in registry.ring.keys() {
        if key.secret.verifies(parts.signed, parts.signature) {
            return Signer::Ring {
                kid: key.kid.clone(),
                retired: key.retire_at.is_some_and(|at_ms| at_ms <= now_ms),
            };
        }
    }
    let first = called.and_then(|called| registry.extensions.get(called));
    let mut others: Vec<_> = registry.extensions.values().collect();
    others.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    first
        .into_iter()
        .chain(others)
        .find_map(|extension| of_extension(extension, parts, now_ms))
        .unwrap_or(Signer::Unknown)
}

fn of_extension(extension: &Extension, parts: &Parts<'_>, now_ms: i64) -> Option<Signer> {
    extension.secrets.iter().find_map(|held| {
        let plain = held.secret.verifies(parts.signed, parts.signature);
        let as_text = !plain && held.secret.text_verifies(parts.signed, parts.signature);
        (plain || as_text).then(|| Signer::Secret {
            client_id: extension.client_id.clone(),
            id: held.id.clone(),
            retired: !held.is_current(now_ms),
            as_text,
        })
    })
}

/// What is wrong with the signer for a call as `called`.
pub(super) fn judge(
    signer: &Signer,
    called: Option<&ClientId>,
    facts: &Facts,
    findings: &mut Vec<Finding>,
) {
    match signer {
        Signer::Unchecked => {}
        Signer::Unknown => findings.push(match &facts.kid {
            Some(kid) => Finding::KidUnknown(kid.clone()),
            None => Finding::SignerUnknown,
        }),
        Signer::Ring { kid, retired } => match &facts.kid {
            _ if *retired => findings.push(Finding::KidRetired(kid.clone())),
            None => findings.push(Finding::KidMissing(kid.clone())),
            Some(named) if named == kid => {}
            Some(named) => findings.push(Finding::KidUnknown(named.clone())),
        },
        Signer::Secret {
            client_id,
            id,
            retired,
            as_text,
        } => {
            if called.is_some_and(|called| called != client_id) {
                findings.push(Finding::SecretOfOther(client_id.to_string()));
            }
            if *as_text {
                findings.push(Finding::SecretAsText(id.clone()));
            } else if *retired {
                findings.push(Finding::SecretRetired(id.clone()));
            }
            if facts.kid.is_some() {
                findings.push(Finding::KidNeedless(id.clone()));
            }
        }
    }
}
