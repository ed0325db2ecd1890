//! Tokens: how they are read, minted, exchanged, refreshed and revoked (`spec 1.2`, `spec 1.4`,
//! `spec 1.5`).

mod authtoken;
mod diagnosis;
mod exchange;
mod family;
mod header;
mod jws;
mod mint;
mod platform;
mod revocation;
mod verify;

pub(crate) use authtoken::Askers;
pub use authtoken::{AuthtokenRequest, SANDBOX_ONLY, authtoken};
pub use diagnosis::{
    Diagnosis, Expectation, ExtensionFacts, Facts, Finding, GrantFacts, Requires, Shown, Signer,
    Span, diagnose,
};
pub use exchange::{EXCHANGE_ROLES, exchange};
pub(crate) use family::{FAMILIES, FAMILIES_BY_CHANNEL, create_family, note_seen, revoke_family};
pub use family::{Family, refresh, revoke_family_by_id};
pub use header::{Authorization, parse_authorization};
pub use jws::{Parts, Unverified, inspect};
pub(crate) use mint::pending_token;
pub use mint::{MintRequest, mint_by_hand};
pub use platform::platform_token;
pub use revocation::revoke;
pub(crate) use revocation::{
    Revocations, TOPIC as REVOKED_TOPIC, announce, catch_up, revocation_write,
    until_ms as revocation_until_ms,
};
pub(crate) use verify::Verdicts;
pub use verify::{authorize, authorize_jwt, is_revoked};
