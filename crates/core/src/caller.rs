//! Who calls, and what they may (`spec 1.7`).

use std::sync::Arc;

use crowdlink_protocol::{Claims, ClientId, Role, Stage};

use crate::error::Error;
use crate::registry::Extension;

/// The channel id that stands for every channel.
pub(crate) const ALL_CHANNELS: &str = "all";
/// Longest id of a user or channel, in bytes: two of them fit in a key of the store beside the
/// longest client id, also where every byte is encoded.
pub(crate) const ID_BYTES_MAX: usize = 96;

/// Whether a text may be the id of a user or channel. Any text may on tokens of a developer
/// (`spec 1.2`), within what a key can hold and a log can show.
pub(crate) fn is_id(text: &str) -> bool {
    // An opaque id is a user id behind a letter.
    let bare = text.strip_prefix(['U', 'A']).unwrap_or(text);
    bare.len() <= ID_BYTES_MAX && !text.chars().any(char::is_control)
}

/// Refuses a text that can be no id of a user or channel.
pub fn check_id(field: &'static str, id: &str) -> Result<(), Error> {
    if is_id(id) {
        return Ok(());
    }
    let expected = format!("must be at most {ID_BYTES_MAX} bytes without control characters");
    Err(Error::invalid(field, expected))
}

/// A caller whose token was verified.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The world of the call.
    pub stage: Stage,
    /// The extension.
    pub extension: Arc<Extension>,
    /// The role; `external` has become `backend` (`spec 6.1`).
    pub role: Role,
    /// The channel the token is for; `None` for all of them.
    pub channel_id: Option<String>,
    /// The user, where identity is shared.
    pub user_id: Option<String>,
    /// The opaque id.
    pub opaque_user_id: Option<String>,
    /// When the token ends (Unix ms).
    pub expires_at_ms: i64,
    /// What can be revoked: ids of the token, its family, its grant.
    pub revocable: Revocable,
    /// Whose rate REST calls are taken from (`spec 5`): a user's, however many tokens it has.
    pub(crate) rate_key: Arc<str>,
}

/// The ids by which a token can be revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocable {
    /// The token's own id.
    pub jti: Option<String>,
    /// Its family (`spec 1.4`).
    pub fam: Option<String>,
    /// Its PIN grant (`spec 1.3` B).
    pub grant: Option<String>,
}

impl Revocable {
    /// Those ids that are there.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        [&self.jti, &self.fam, &self.grant]
            .into_iter()
            .filter_map(|id| id.as_deref())
    }
}

impl Caller {
    /// The caller that claims describe, which somebody verified; `None` where they describe none.
    pub fn from_claims(
        stage: Stage,
        extension: Arc<Extension>,
        claims: Claims,
        expires_at_ms: i64,
    ) -> Option<Self> {
        let role = match claims.role? {
            Role::External => Role::Backend,
            role @ (Role::Viewer
            | Role::Broadcaster
            | Role::Moderator
            | Role::Backend
            | Role::Admin) => role,
        };
        let ids = [
            &claims.channel_id,
            &claims.user_id,
            &claims.opaque_user_id,
            &claims.jti,
        ];
        if ids.into_iter().flatten().any(|id| !is_id(id)) {
            return None;
        }
        let present = |text: Option<String>| text.filter(|text| !text.is_empty());
        let channel_id = present(claims.channel_id).filter(|id| id != ALL_CHANNELS);
        if channel_id.is_none() && !role.is_trusted() {
            return None;
        }
        let user_id = present(claims.user_id);
        let opaque_user_id = present(claims.opaque_user_id);
        let identity = user_id.as_deref().or(opaque_user_id.as_deref());
        let (client_id, identity) = (extension.client_id.as_str(), identity.unwrap_or_default());
        // Once for a token, not for each of its calls.
        let rate_key = [stage.as_str(), "/", client_id, "/", identity].concat();
        Some(Self {
            stage,
            role,
            channel_id,
            rate_key: rate_key.into(),
            extension,
            user_id,
            opaque_user_id,
            expires_at_ms,
            revocable: Revocable {
                jti: claims.jti,
                fam: claims.fam,
                grant: claims.grant,
            },
        })
    }

    /// The extension's id.
    pub fn client_id(&self) -> &ClientId {
        &self.extension.client_id
    }

    /// `user_id` where present, else `opaque_user_id`: what "once per user" counts (`spec 1.1`).
    pub fn voter_identity(&self) -> &str {
        self.user_id
            .as_deref()
            .or(self.opaque_user_id.as_deref())
            .unwrap_or_default()
    }

    /// The channel whose broadcaster this is; a refusal to anybody else.
    pub fn broadcaster_channel(&self) -> Result<&str, Error> {
        match (self.role, &self.channel_id) {
            (Role::Broadcaster, Some(channel_id)) => Ok(channel_id),
            (
                Role::Broadcaster
                | Role::Viewer
                | Role::Moderator
                | Role::External
                | Role::Backend
                | Role::Admin,
                _,
            ) => Err(Error::Forbidden("requires role broadcaster".into())),
        }
    }

    /// Refuses a channel named in the query that is not the token's, unless the caller may act in
    /// any (`spec 6.1`).
    pub fn check_named_channel(&self, named: Option<&str>) -> Result<(), Error> {
        check_id("channel_id", named.unwrap_or_default())?;
        match named {
            Some(named) if !self.role.is_trusted() && self.channel_id.as_deref() != Some(named) => {
                Err(Error::Forbidden("wrong channel".into()))
            }
            _ => Ok(()),
        }
    }

    /// The channel a call is about: for a trusted role the one it names, else its token's
    /// (`spec 6.1`).
    pub fn channel<'a>(&'a self, named: Option<&'a str>) -> Result<&'a str, Error> {
        self.check_named_channel(named)?;
        named
            .filter(|named| !named.is_empty())
            .or(self.channel_id.as_deref())
            .ok_or_else(|| Error::invalid("channel_id", "is required"))
    }

    /// The channel a call is about, if the caller may write it: its broadcaster, or a trusted role.
    pub fn writable_channel<'a>(&'a self, named: Option<&'a str>) -> Result<&'a str, Error> {
        let channel = self.channel(named)?;
        self.require_broadcaster()?;
        Ok(channel)
    }

    /// Refuses everybody but broadcasters, of whatever channel, and trusted roles.
    pub fn require_broadcaster(&self) -> Result<(), Error> {
        if self.role.is_trusted() || self.role == Role::Broadcaster {
            Ok(())
        } else {
            Err(Error::Forbidden("requires role broadcaster".into()))
        }
    }

    /// Refuses everybody but a trusted role and the extension's owner (`spec 1.7`).
    pub fn require_owner(&self) -> Result<(), Error> {
        let owner = &self.extension.owner;
        let owns = self.role == Role::Broadcaster
            && !owner.is_empty()
            && self.user_id.as_ref() == Some(owner);
        if owns || self.role.is_trusted() {
            Ok(())
        } else {
            Err(Error::Forbidden(
                "requires role admin, or the extension's owner".into(),
            ))
        }
    }

    /// Who the caller is as one viewer among others.
    pub fn viewer(&self) -> Result<&str, Error> {
        match self.voter_identity() {
            "" => Err(Error::invalid("user_id", "is required in the token")),
            identity => Ok(identity),
        }
    }

    /// Refuses everybody but the extension's own server and its operator.
    pub fn require_trusted(&self) -> Result<(), Error> {
        if self.role.is_trusted() {
            Ok(())
        } else {
            Err(Error::Forbidden("requires role admin or backend".into()))
        }
    }
}
