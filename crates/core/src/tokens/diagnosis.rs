//! Explains a token or a header to people: what it is, and why calls with it are refused.
//!
//! The verdict is the verifier's own wherever there is a store; the findings say why. Nothing is
//! written.

mod finding;
mod read;
mod signed;
mod written;

use crowdlink_protocol::{ClientId, Role, Stage};

pub use finding::{Finding, Shown, Span};

use super::{Parts, authorize};
use crate::caller::is_id;
use crate::core::Core;
use crate::limits::{Lifetimes, Limits};
use crate::pairing::{GrantStatus, read_grant};
use crate::registry::Extension;

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

/// One token under examination.
struct Case<'a> {
    core: Option<&'a Core>,
    now_ms: i64,
    called: Option<ClientId>,
    expected: &'a Expectation,
    skew_ms: u64,
    findings: Vec<Finding>,
}

impl Case<'_> {
    async fn explain(&mut self, jwt: &str, diagnosis: &mut Diagnosis) {
        if let (Some(core), Some(facts)) = (self.core, &diagnosis.facts)
            && let Ok(parts) = Parts::split(jwt, core.limits().token_bytes_max)
        {
            let registry = core.registry();
            let signer = signed::signer(&registry, self.called.as_ref(), &parts, self.now_ms);
            signed::judge(&signer, self.called.as_ref(), facts, &mut self.findings);
            if let Signer::Secret { client_id, .. } = &signer {
                // A bare token of a developer names nobody: its signature does.
                self.called.get_or_insert_with(|| client_id.clone());
            }
            diagnosis.signer = signer;
        }
        let facts = diagnosis.facts.clone();
        let own = facts.as_ref().and_then(Facts::stage);
        diagnosis.stage = self.expected.stage.or(own);
        let extension = self.extension(diagnosis.stage);
        diagnosis.extension = extension.as_ref().map(|extension| ExtensionFacts {
            client_id: extension.client_id.clone(),
            name: extension.name.clone(),
            owner: extension.owner.clone(),
        });
        let Some(facts) = facts else { return };
        let ring = match diagnosis.signer {
            Signer::Ring { .. } => true,
            Signer::Unchecked => facts.kid.is_some(),
            Signer::Unknown | Signer::Secret { .. } => false,
        };
        self.times(&facts);
        self.kind(&facts, ring);
        self.stage(&facts, extension.as_deref(), ring);
        if ring {
            diagnosis.grant = self.grant(&facts, own).await;
        }
        self.revocation(&facts, ring);
        let granted = match &diagnosis.grant {
            Some(GrantFacts::Active(channel_id)) => Some(channel_id.clone()),
            Some(GrantFacts::Pending | GrantFacts::Revoked | GrantFacts::Gone) | None => None,
        };
        self.who(&facts, granted);
    }

    fn extension(&mut self, stage: Option<Stage>) -> Option<std::sync::Arc<Extension>> {
        let (core, called) = (self.core?, self.called.as_ref()?);
        let known = core.registry().extensions.get(called).cloned();
        match &known {
            None => self
                .findings
                .push(Finding::ExtensionUnknown(called.to_string())),
            Some(known) if stage.is_some_and(|stage| !known.is_on(stage)) => {
                self.findings.push(Finding::ExtensionSandboxOnly);
            }
            Some(_) => {}
        }
        known
    }

    fn times(&mut self, facts: &Facts) {
        let from_now = |seconds: i64| seconds.saturating_mul(1_000).saturating_sub(self.now_ms);
        let skew_ms = i64::try_from(self.skew_ms).unwrap_or(i64::MAX);
        if let Some(exp) = facts.exp.map(from_now)
            && exp.saturating_add(skew_ms) <= 0
        {
            self.findings.push(Finding::Expired(exp.unsigned_abs()));
        }
        for (name, at) in [("iat", facts.iat), ("nbf", facts.nbf)] {
            if let Some(ms) = at.map(from_now)
                && ms > skew_ms
            {
                self.findings
                    .push(Finding::NotYetValid(name, ms.unsigned_abs()));
            }
        }
    }

    /// What kind of token it is, and for which extension.
    fn kind(&mut self, facts: &Facts, ring: bool) {
        if facts.identifier.is_some() {
            self.findings.push(Finding::ExchangeRequest);
        }
        match (&facts.app_id, &self.called) {
            (Some(named), Some(called)) if named != called.as_str() => {
                self.findings.push(Finding::OtherExtension {
                    named: named.clone(),
                    called: called.to_string(),
                });
            }
            (None, _) if ring => self.findings.push(Finding::AppIdMissing),
            _ => {}
        }
    }

    fn stage(&mut self, facts: &Facts, extension: Option<&Extension>, ring: bool) {
        let Some(token) = facts.stage() else {
            let named = facts.allowed_stage.clone().unwrap_or_default();
            self.findings.push(Finding::StageUnknown(named));
            return;
        };
        let Some(called) = self.expected.stage else {
            return;
        };
        let platform = called == Stage::Sandbox
            && facts.allowed_stage.is_none()
            && !ring
            && extension.is_some_and(|extension| extension.sandbox_takes_platform_tokens);
        if token != called && !platform {
            self.findings.push(Finding::Stage { token, called });
        }
    }

    async fn grant(&mut self, facts: &Facts, stage: Option<Stage>) -> Option<GrantFacts> {
        let (core, called) = (self.core?, self.called.clone()?);
        let (grant, stage) = (facts.grant.as_deref()?, stage?);
        let status = match read_grant(core, stage, &called, grant).await {
            Ok(status) => status,
            Err(error) => {
                self.findings.push(Finding::Refused(error.to_string()));
                return None;
            }
        };
        Some(match status {
            None => {
                self.findings.push(Finding::GrantGone);
                GrantFacts::Gone
            }
            Some(GrantStatus::Pending) => {
                self.findings.push(Finding::Pending);
                GrantFacts::Pending
            }
            // Said with the other revocations.
            Some(GrantStatus::Revoked) => GrantFacts::Revoked,
            Some(GrantStatus::Active { channel_id }) => GrantFacts::Active(channel_id),
        })
    }

    fn revocation(&mut self, facts: &Facts, ring: bool) {
        let Some(core) = self.core else { return };
        let ids = [
            ("the token", facts.jti.as_deref()),
            ("its family", facts.fam.as_deref().filter(|_| ring)),
            ("its grant", facts.grant.as_deref().filter(|_| ring)),
        ];
        for (what, id) in ids {
            if id.is_some_and(|id| core.revocations.contains(id)) {
                self.findings.push(Finding::Revoked(what));
            }
        }
    }

    /// Role, channel and user. A granted channel is the token's.
    fn who(&mut self, facts: &Facts, granted: Option<String>) {
        let ids = [
            ("channel_id", &facts.channel_id),
            ("user_id", &facts.user_id),
            ("opaque_user_id", &facts.opaque_user_id),
            ("jti", &facts.jti),
        ];
        for (claim, id) in ids {
            if id.as_deref().is_some_and(|id| !is_id(id)) {
                self.findings.push(Finding::Id(claim));
            }
        }
        let Some(role) = facts.role else { return };
        let waits = facts.grant.is_some();
        let own = facts
            .channel_id
            .clone()
            .filter(|id| !id.is_empty() && id != "all");
        let channel_id = granted.or(own);
        if channel_id.is_none() && !role.is_trusted() && !waits {
            self.findings.push(Finding::ChannelMissing(role));
        }
        let identity = facts.user_id.as_deref().filter(|id| !id.is_empty());
        let identity = identity
            .or(facts.opaque_user_id.as_deref())
            .unwrap_or_default();
        if identity.is_empty() && !role.is_trusted() && !waits {
            self.findings.push(Finding::UserMissing);
        }
        let wanted = match self.expected.requires {
            Requires::Broadcaster if role != Role::Broadcaster => Some("broadcaster"),
            Requires::Trusted if !role.is_trusted() => Some("backend or admin"),
            Requires::BroadcasterOrTrusted if role != Role::Broadcaster && !role.is_trusted() => {
                Some("broadcaster, backend or admin")
            }
            Requires::Anyone
            | Requires::Broadcaster
            | Requires::BroadcasterOrTrusted
            | Requires::Trusted => None,
        };
        if let Some(wanted) = wanted {
            self.findings.push(Finding::Role {
                token: role,
                wanted,
            });
        }
        if let (Some(expected), Some(token)) = (&self.expected.channel_id, channel_id)
            && !role.is_trusted()
            && token != *expected
        {
            self.findings.push(Finding::Channel {
                token,
                expected: expected.clone(),
            });
        }
    }
}
