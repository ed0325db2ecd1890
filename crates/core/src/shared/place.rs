//! Where a document stands.

use crowdlink_protocol::{ClientId, Stage};
use serde::{Deserialize, Serialize};

use crate::keys;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentKind {
    /// State of a channel or of the extension (`spec 3.2`).
    State,
    /// State of the extension that only its operator sees.
    HiddenState,
    /// State of a viewer in a channel.
    ViewerState,
    /// State of a viewer in all channels.
    ExtensionViewerState,
    /// Configuration of a channel or of the extension (`spec 3.3`).
    Config,
    /// What a game lets its viewers do (`spec 2.13`).
    GatewayActions,
    /// What a game says of itself.
    GatewayMetadata,
}

impl DocumentKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::HiddenState => "hidden-state",
            Self::ViewerState => "viewer-state",
            Self::ExtensionViewerState => "extension-viewer-state",
            Self::Config => "config",
            Self::GatewayActions => "gateway-actions",
            Self::GatewayMetadata => "gateway-metadata",
        }
    }
}

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The extension's.
    Extension,
    /// A channel's.
    Channel(String),
    /// A viewer's, in a channel.
    ChannelViewer(String, String),
    /// A viewer's, in all channels.
    Viewer(String),
}

/// A document's place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// What it is.
    pub kind: DocumentKind,
    /// Whose it is.
    pub scope: Scope,
}

impl Place {
    /// The key of its record.
    pub(crate) fn key(&self) -> String {
        let mut key = keys::kind(self.stage, &self.client_id, self.kind.as_str());
        let (whose, ids) = match &self.scope {
            Scope::Extension => ("extension", [None, None]),
            Scope::Channel(channel) => ("channel", [Some(channel), None]),
            Scope::ChannelViewer(channel, viewer) => ("channel", [Some(channel), Some(viewer)]),
            Scope::Viewer(viewer) => ("viewer", [Some(viewer), None]),
        };
        key.push_str(whose);
        for id in ids.into_iter().flatten() {
            key.push('/');
            keys::push_segment(&mut key, id);
        }
        key
    }
}

/// Told after each commit that changed a document; carries no content, so that whoever is told
/// reads the newest, and loss does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Which document.
    pub place: Place,
    /// Its version then; a cache that holds an older one is stale.
    pub version: u64,
}
