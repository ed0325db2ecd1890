//! A registered extension (`spec 1.1`).

use crowdlink_protocol::{ClientId, Stage};
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// A registered product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its id.
    pub client_id: ClientId,
    /// User id of its owner.
    pub owner: String,
    /// What people call it.
    pub name: String,
    /// Its secrets, newest first; several at once so that they can be rotated without downtime.
    pub secrets: Vec<ExtensionSecret>,
    /// Whether the sandbox takes tokens that the platform signed, which carry no `allowed_stage`
    /// (`spec 1.2`): for extensions in hosted test.
    #[serde(default)]
    pub sandbox_takes_platform_tokens: bool,
    /// Registered by a development server because a client named it; exists in the sandbox alone.
    #[serde(default)]
    pub auto_registered: bool,
}

/// One secret of an extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtensionSecret {
    /// To tell secrets apart without showing them.
    pub id: String,
    /// The key.
    pub secret: Secret,
    /// Since when it is valid (Unix ms).
    pub created_at: i64,
    /// From when on it is not (Unix ms).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retire_at: Option<i64>,
}

impl ExtensionSecret {
    /// Whether it is valid at a time.
    pub fn is_current(&self, now_ms: i64) -> bool {
        self.retire_at.is_none_or(|retire_at| now_ms < retire_at)
    }
}

impl Extension {
    /// Whether it exists on a stage.
    pub fn is_on(&self, stage: Stage) -> bool {
        match stage {
            Stage::Sandbox => true,
            Stage::Production => !self.auto_registered,
        }
    }

    /// The secret among the current ones that made a signature.
    pub(crate) fn signer(
        &self,
        message: &str,
        signature: &str,
        now_ms: i64,
    ) -> Option<&ExtensionSecret> {
        self.secrets
            .iter()
            .filter(|secret| secret.is_current(now_ms))
            .find(|secret| secret.secret.verifies(message, signature))
    }
}
