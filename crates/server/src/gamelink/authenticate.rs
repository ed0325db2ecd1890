//! `authenticate`, in its three forms (`spec 2.3`).

use std::sync::Arc;

use crowdlink_core::pairing::{self, Paired};
use crowdlink_core::{Caller, Error, tokens};
use crowdlink_protocol::{Authenticate, Credential, Role};
use serde::Serialize;

use super::connection::GameConnection;
use super::reply::Echo;
use crate::live::{CloseCode, Flow, Session};

#[derive(Serialize)]
struct Answer<'a> {
    jwt: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'a str>,
    twitch_name: &'a str,
    twitch_id: &'a str,
}

/// Why a connection stays what it was.
enum Failure {
    /// To be answered.
    Answer(Error),
    /// Not to be answered: a game throws its refresh token away at any error (`spec 1.4`).
    Silent(Error),
}

impl GameConnection {
    pub(super) async fn authenticate(
        &mut self,
        request: Authenticate,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Flow {
        if request
            .client_id
            .as_ref()
            .is_some_and(|named| named != self.client_id.as_str())
        {
            let error = Error::invalid("client_id", "must be the one in the path");
            echo.error(session, &error);
            return Flow::Continue;
        }
        let (caller, paired) = match self.credential(&request).await {
            Ok(authenticated) => authenticated,
            Err(failure) => return self.refuse(failure, echo, session),
        };
        let channel_id = caller.channel_id.clone().unwrap_or_default();
        self.become_caller(session, Arc::clone(&caller));
        echo.data(
            session,
            &Answer {
                jwt: &paired.jwt,
                refresh: paired.refresh.as_deref(),
                twitch_name: &channel_id,
                twitch_id: &channel_id,
            },
        );
        // A revocation between the check and now has found nobody here.
        if tokens::is_revoked(&self.edge.core, &caller.revocable) {
            return Flow::Close(CloseCode::POLICY, "revoked");
        }
        Flow::Continue
    }

    async fn credential(&self, request: &Authenticate) -> Result<(Arc<Caller>, Paired), Failure> {
        let (core, stage, client_id) = (&*self.edge.core, self.edge.stage, &self.client_id);
        let game_id = request.game_id.as_deref();
        match &request.credential {
            Credential::Pin(pin) => {
                let typed = (pin.as_str(), self.address);
                let redeemed = pairing::redeem_pin(core, stage, client_id, typed, game_id).await;
                let paired = redeemed.map_err(Failure::Answer)?;
                let caller = tokens::authorize_jwt(core, stage, client_id, &paired.jwt).await;
                Ok((caller.map_err(Failure::Answer)?, paired))
            }
            Credential::Refresh(refresh) => {
                let silent = |error: Error| {
                    if error.is_ours() {
                        Failure::Silent(error)
                    } else {
                        Failure::Answer(error)
                    }
                };
                let refreshed = tokens::refresh(core, stage, client_id, refresh, game_id).await;
                let paired = refreshed.map_err(silent)?;
                let caller = tokens::authorize_jwt(core, stage, client_id, &paired.jwt).await;
                Ok((caller.map_err(Failure::Silent)?, paired))
            }
            Credential::Jwt(jwt) => {
                let caller = tokens::authorize_jwt(core, stage, client_id, jwt).await;
                let caller = caller.map_err(|error| {
                    Failure::Answer(if error.is_ours() {
                        error
                    } else {
                        Error::JwtInvalid
                    })
                })?;
                if caller.role != Role::Broadcaster {
                    return Err(Failure::Answer(Error::JwtInvalid));
                }
                let paired = Paired {
                    jwt: jwt.clone(),
                    refresh: None,
                    channel_id: caller.channel_id.clone().unwrap_or_default(),
                    revocable: caller.revocable.clone(),
                    expires_at_ms: caller.expires_at_ms,
                };
                Ok((caller, paired))
            }
        }
    }

    fn refuse(&mut self, failure: Failure, echo: Echo<'_>, session: &Arc<Session>) -> Flow {
        let error = match failure {
            Failure::Answer(error) => error,
            Failure::Silent(error) => {
                tracing::error!(%error, session = session.id(), "a refresh failed; saying nothing");
                return Flow::Close(CloseCode::TRY_AGAIN_LATER, "try again later");
            }
        };
        echo.error(session, &error);
        if error == Error::PinInvalid {
            self.pin_failures += 1;
            if self.pin_failures >= self.edge.core.limits().pin_failures_connection_max {
                return Flow::Close(CloseCode::POLICY, "too many wrong PINs");
            }
        }
        Flow::Continue
    }
}
