//! One token, examined step by step in the order of the verifier.

use std::sync::Arc;

use crowdlink_protocol::{ClientId, Role, Stage};

use super::{
    Diagnosis, Expectation, ExtensionFacts, Facts, Finding, GrantFacts, Requires, Signer, signed,
};
use crate::caller::is_id;
use crate::core::Core;
use crate::pairing::{GrantStatus, read_grant};
use crate::registry::Extension;
use crate::tokens::Parts;

/// One token under examination.
pub(super) struct Case<'a> {
    pub(super) core: Option<&'a Core>,
    pub(super) now_ms: i64,
    pub(super) called: Option<ClientId>,
    pub(super) expected: &'a Expectation,
    pub(super) skew_ms: u64,
    pub(super) findings: Vec<Finding>,
}

impl Case<'_> {
    pub(super) async fn explain(&mut self, jwt: &str, diagnosis: &mut Diagnosis) {
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

    fn extension(&mut self, stage: Option<Stage>) -> Option<Arc<Extension>> {
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
        let ahead = |at: Option<i64>| at.map(from_now).filter(|ms| *ms > skew_ms);
        let (iat, nbf) = (ahead(facts.iat), ahead(facts.nbf));
        let issued = iat.map(|ms| Finding::IssuedInFuture(ms.unsigned_abs()));
        let begins = nbf.map(|ms| Finding::NotBefore(ms.unsigned_abs()));
        self.findings.extend(issued.into_iter().chain(begins));
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
