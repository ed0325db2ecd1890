//! Explains a token or a header to people: what it is, and why calls with it are refused.
//!
//! The verdict is the verifier's own wherever there is a store; the findings say why. Nothing is
//! written.

mod case;
mod finding;
mod read;
mod signed;
mod written;

use crowdlink_protocol::{ClientId, Role, Stage};

pub use finding::{Finding, Shown, Span};

use super::authorize;
use crate::core::Core;
use crate::limits::{Lifetimes, Limits};
use case::Case;

/// What a call is meant for. What is not said is not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The stage called.
    pub stage: Option<Stage>,
    /// The channel it is about.
    pub channel_id: Option<String>,
    /// Who may make it.
    pub requires: Requires,
}

/// Who may make a call (`spec 1.7`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Requires {
    /// Any role.
    #[default]
    Anyone,
    /// The channel's broadcaster.
    Broadcaster,
    /// The broadcaster, the extension's own server or its operator.
    BroadcasterOrTrusted,
    /// The extension's own server or its operator.
    Trusted,
}

/// Who signed a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Signer {
    /// Without a store, nobody can tell.
    #[default]
    Unchecked,
    /// Nobody known here.
    Unknown,
    /// This deployment.
    Ring {
        /// The key.
        kid: String,
        /// It verifies no more.
        retired: bool,
    },
    /// Somebody who holds a secret of an extension.
    Secret {
        /// The extension.
        client_id: ClientId,
        /// The secret's id.
        id: String,
        /// It counts no more.
        retired: bool,
        /// The secret was not decoded from base64 before it was used.
        as_text: bool,
    },
}

/// What a token says of itself; text from outside, not believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the claims of spec 1.2, by their names")]
pub struct Facts {
    pub alg: Option<String>,
    pub kid: Option<String>,
    pub allowed_stage: Option<String>,
    pub app_id: Option<String>,
    pub channel_id: Option<String>,
    pub user_id: Option<String>,
    pub opaque_user_id: Option<String>,
    pub role: Option<Role>,
    pub iat: Option<i64>,
    pub nbf: Option<i64>,
    pub exp: Option<i64>,
    pub jti: Option<String>,
    pub fam: Option<String>,
    pub grant: Option<String>,
    pub identifier: Option<String>,
}

impl Facts {
    /// The stage it is for; `None` where it names one that there is not.
    pub fn stage(&self) -> Option<Stage> {
        self.allowed_stage
            .as_deref()
            .map_or(Some(Stage::Production), |stage| stage.parse().ok())
    }
}

/// What is known of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionFacts {
    /// Its id.
    pub client_id: ClientId,
    /// What people call it.
    pub name: String,
    /// User id of its owner.
    pub owner: String,
}

/// How it stands with the PIN grant of a token (`spec 1.3` B).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantFacts {
    /// Its PIN was not redeemed yet.
    Pending,
    /// It acts for this channel.
    Active(String),
    /// It was revoked.
    Revoked,
    /// Its PIN was never redeemed.
    Gone,
}

/// Everything that is to be said about a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Whether a whole header was given, not a bare token.
    pub is_header: bool,
    /// The client id it is used with: the header's, or the token's own.
    pub client_id: Option<String>,
    /// The extension, where it is registered.
    pub extension: Option<ExtensionFacts>,
    /// What the token says; `None` where it cannot be read.
    pub facts: Option<Facts>,
    /// Who signed it.
    pub signer: Signer,
    /// Its grant, where it has one and the store knows.
    pub grant: Option<GrantFacts>,
    /// The stage it was judged for.
    pub stage: Option<Stage>,
    /// Why a call with it is refused; empty where it is good.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether nothing speaks against it.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Explains a header (`<client id> <jwt>`, `Bearer <jwt>`, with or without `Authorization:`) or a
/// bare token. Without core, and so without a store, the signature is not checked.
pub async fn diagnose(
    core: Option<&Core>,
    now_ms: i64,
    text: &str,
    expected: &Expectation,
) -> Diagnosis {
    let written = written::read(text);
    let mut findings = written.findings;
    let mut diagnosis = Diagnosis {
        is_header: written.is_header,
        ..Diagnosis::default()
    };
    if findings.contains(&Finding::Empty) {
        diagnosis.findings = findings;
        return diagnosis;
    }
    let limits = core.map_or_else(Limits::default, |core| *core.limits());
    diagnosis.facts = read::token(&written.jwt, limits.token_bytes_max, &mut findings);
    let bearer = written
        .scheme
        .as_deref()
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
    let app_id = diagnosis
        .facts
        .as_ref()
        .and_then(|facts| facts.app_id.clone());
    if bearer && app_id.is_none() && diagnosis.facts.is_some() {
        findings.push(Finding::BearerWithoutAppId);
    }
    let named = written.scheme.clone().filter(|_| !bearer).or(app_id);
    let called = named.as_deref().and_then(|id| match ClientId::new(id) {
        Ok(id) => Some(id),
        Err(error) => {
            findings.push(Finding::ClientId(error.to_string()));
            None
        }
    });
    let mut case = Case {
        core,
        now_ms,
        called,
        expected,
        skew_ms: core
            .map_or_else(Lifetimes::default, |core| *core.lifetimes())
            .clock_skew_ms,
        findings,
    };
    case.explain(&written.jwt, &mut diagnosis).await;
    diagnosis.client_id = case.called.as_ref().map(ToString::to_string).or(named);
    diagnosis.findings = case.findings;
    if diagnosis.is_good() {
        diagnosis
            .findings
            .extend(verdict(core, &diagnosis, text, &written.jwt).await);
    }
    diagnosis
}

/// What the verifier says, of a token that nothing was found against.
async fn verdict(
    core: Option<&Core>,
    diagnosis: &Diagnosis,
    text: &str,
    jwt: &str,
) -> Option<Finding> {
    let (core, stage) = (core?, diagnosis.stage?);
    let line = text.trim_end_matches(['\r', '\n']);
    let value = line
        .split_once(':')
        .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let header = match (&diagnosis.client_id, value) {
        (_, Some((_, value))) => value.trim().to_owned(),
        (Some(client_id), None) if !diagnosis.is_header => format!("{client_id} {jwt}"),
        _ => line.to_owned(),
    };
    let refused = authorize(core, stage, Some(&header)).await.err()?;
    Some(Finding::Refused(format!(
        "{} ({})",
        refused.reason(),
        refused.info()
    )))
}
