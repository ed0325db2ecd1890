//! One game's connection: requests come in, one at a time, and are answered in order.

use std::net::IpAddr;
use std::sync::Arc;

use crowdlink_core::{Caller, Error, Present, pairing};
use crowdlink_protocol::{Call, CallError, ClientId, Credential, EnvelopeError, Request};
use serde_json::json;

use super::GameEdge;
use super::reply::{self, Echo};
use super::session::GameTag;
use crate::live::{
    AddressKey, CloseCode, CloseReason, Flow, Handler, Message, Permit, RateLimit, Session, Verdict,
};

/// Frames that are no JSON object, in a row, the last of which closes the connection.
const NOT_JSON_IN_A_ROW_MAX: u8 = 5;
/// How long before its token ends a connection is told.
const EXPIRING_MS: i64 = 60 * 60 * 1_000;

/// The answer to a request above the rate.
const TOO_FAST: Error = Error::RateLimited {
    retry_after_ms: 1_000,
};

pub(super) type Permits = (Permit<AddressKey>, Permit<ClientId>);

/// The state of one connection.
pub(super) struct GameConnection {
    pub(super) edge: Arc<GameEdge>,
    pub(super) client_id: ClientId,
    pub(super) address: IpAddr,
    pub(super) tag: Arc<GameTag>,
    /// The broadcaster that the connection is, once authenticated.
    authenticated: Option<Box<Authenticated>>,
    pub(super) pin_failures: u32,
    not_json_in_a_row: u8,
    rate: RateLimit,
    _permits: Permits,
}

/// Whom an authenticated connection acts for.
struct Authenticated {
    caller: Arc<Caller>,
    present: Option<Present>,
    told_expiring: bool,
}

impl GameConnection {
    pub(super) fn new(
        edge: Arc<GameEdge>,
        client_id: ClientId,
        address: IpAddr,
        permits: Permits,
    ) -> Self {
        Self {
            tag: GameTag::new(client_id.clone()),
            edge,
            client_id,
            address,
            authenticated: None,
            pin_failures: 0,
            not_json_in_a_row: 0,
            rate: RateLimit::new(),
            _permits: permits,
        }
    }

    /// From now on the connection is a broadcaster; what it subscribed to in another channel ends.
    pub(super) fn become_caller(&mut self, session: &Arc<Session>, caller: Arc<Caller>) {
        let before = self
            .authenticated
            .as_ref()
            .and_then(|held| held.caller.channel_id.clone());
        if before.is_some() && before != caller.channel_id {
            session.live().hub().unsubscribe_all(session);
        }
        let fam = caller.revocable.fam.as_deref();
        let present = fam.map(|fam| self.edge.core.presence().enter(fam));
        self.tag.set_credentials(caller.revocable.clone());
        let earlier = self.authenticated.replace(Box::new(Authenticated {
            caller,
            present,
            told_expiring: false,
        }));
        if let Some(left) = earlier.and_then(|held| held.present) {
            note_left(&self.edge, &self.client_id, left);
        }
        session.set_message_bytes_max(self.edge.limits.message_bytes_max);
        self.set_alarm(session);
    }

    fn set_alarm(&self, session: &Arc<Session>) {
        let Some(held) = &self.authenticated else {
            return;
        };
        let skew_ms = self.edge.core.lifetimes().clock_skew_ms;
        let end_ms = held.caller.expires_at_ms.saturating_add_unsigned(skew_ms);
        let next_ms = if held.told_expiring {
            end_ms
        } else {
            held.caller.expires_at_ms.saturating_sub(EXPIRING_MS)
        };
        let now_ms = session.live().clock().now_ms();
        session.set_alarm_in_ms(u64::try_from(next_ms.saturating_sub(now_ms)).unwrap_or(0));
    }

    async fn text(&mut self, text: &str, session: &Arc<Session>) -> Flow {
        let request = Request::parse(text);
        let now_ms = session.live().clock().monotonic_ms();
        let verdict = self.rate.check(now_ms, self.edge.limits.requests);
        if verdict == Verdict::RefusedTooLong {
            return Flow::Close(CloseCode::POLICY, "too many requests");
        }
        let request = match request {
            Ok(request) => request,
            Err(error) => return self.not_a_request(&error, verdict, session),
        };
        self.not_json_in_a_row = 0;
        let echo = Echo::of(&request);
        if verdict == Verdict::Refused {
            return too_fast(&request, echo, session);
        }
        if self.authenticated.is_none() && !Call::is_open(&request) {
            return unauthenticated(echo, session);
        }
        match Call::parse(&request) {
            Ok(call) => self.call(call, echo, session).await,
            Err(error @ (CallError::Unknown { .. } | CallError::Field { .. })) => {
                echo.refusal(session, 400, "Bad Request", &error.to_string());
                Flow::Continue
            }
        }
    }

    fn not_a_request(
        &mut self,
        error: &EnvelopeError,
        verdict: Verdict,
        session: &Arc<Session>,
    ) -> Flow {
        let echo = Echo::of_fault(error);
        if verdict == Verdict::Refused && *error != EnvelopeError::NotAnObject {
            echo.error(session, &TOO_FAST);
            return Flow::Continue;
        }
        echo.refusal(session, 400, "Bad Request", &error.to_string());
        if *error != EnvelopeError::NotAnObject {
            self.not_json_in_a_row = 0;
            return Flow::Continue;
        }
        self.not_json_in_a_row += 1;
        if self.not_json_in_a_row < NOT_JSON_IN_A_ROW_MAX {
            Flow::Continue
        } else {
            Flow::Close(CloseCode::UNSUPPORTED, "not JSON")
        }
    }

    async fn call(&mut self, call: Call<'_>, echo: Echo<'_>, session: &Arc<Session>) -> Flow {
        match call {
            Call::Authenticate(authenticate) => {
                self.authenticate(authenticate, echo, session).await
            }
            Call::SubscribeAuthentication => {
                self.tag.set_authentication_events(true);
                echo.data(session, &json!({ "ok": true }));
                Flow::Continue
            }
            Call::UnsubscribeAuthentication => {
                self.tag.set_authentication_events(false);
                echo.data(session, &json!({ "ok": true }));
                Flow::Continue
            }
            call @ (Call::State(_)
            | Call::Config(_)
            | Call::Broadcast(_)
            | Call::Poll(_)
            | Call::Datastream(_)
            | Call::Purchases(_)
            | Call::Match(_)
            | Call::Matchmaking(_)
            | Call::Drops(_)
            | Call::Gateway(_)) => {
                let Some(caller) = self.caller() else {
                    return unauthenticated(echo, session);
                };
                // In a box: a connection at rest needs no room for it.
                let outcome = Box::pin(self.played(call, &caller, echo, session)).await;
                answered(outcome, echo, session)
            }
        }
    }

    fn caller(&self) -> Option<Arc<Caller>> {
        self.authenticated
            .as_ref()
            .map(|held| Arc::clone(&held.caller))
    }
}

fn unauthenticated(echo: Echo<'_>, session: &Arc<Session>) -> Flow {
    echo.error(session, &Error::Forbidden("requires authentication".into()));
    Flow::Continue
}

/// Tells of a refusal; a success has been told.
fn answered(outcome: Result<(), Error>, echo: Echo<'_>, session: &Arc<Session>) -> Flow {
    if let Err(error) = outcome {
        echo.error(session, &error);
    }
    Flow::Continue
}

/// Refuses a request above the rate. For a refresh that means to say nothing: at any error a game
/// throws its token away (`spec 1.4`).
fn too_fast(request: &Request<'_>, echo: Echo<'_>, session: &Arc<Session>) -> Flow {
    if request.action == "authenticate"
        && let Ok(Call::Authenticate(authenticate)) = Call::parse(request)
        && matches!(authenticate.credential, Credential::Refresh(_))
    {
        return Flow::Close(CloseCode::TRY_AGAIN_LATER, "try again later");
    }
    echo.error(session, &TOO_FAST);
    Flow::Continue
}

/// Notes until when a game was there. Best effort, and nothing that anybody waits for.
fn note_left(edge: &Arc<GameEdge>, client_id: &ClientId, present: Present) {
    let (edge, client_id) = (Arc::clone(edge), client_id.clone());
    let fam = present.fam().to_owned();
    drop(present);
    tokio::spawn(async move {
        if let Err(error) = pairing::note_seen(&edge.core, edge.stage, &client_id, &fam).await {
            tracing::debug!(%error, "when a game was last seen could not be noted");
        }
    });
}

impl Handler for GameConnection {
    fn opened(&mut self, session: &Arc<Session>) {
        session.set_tag(self.tag.clone());
        session.set_alarm_in_ms(self.edge.limits.unauthenticated_ms_max);
    }

    async fn message(&mut self, message: Message<'_>, session: &Arc<Session>) -> Flow {
        match message {
            Message::Text(text) => self.text(text, session).await,
            // A binary frame that holds text is treated as text (spec 2.1).
            Message::Binary(bytes) => match simdutf8::basic::from_utf8(bytes) {
                Ok(text) => self.text(text, session).await,
                Err(_) => {
                    self.not_a_request(&EnvelopeError::NotAnObject, Verdict::Allowed, session)
                }
            },
        }
    }

    async fn alarm(&mut self, session: &Arc<Session>) -> Flow {
        let Some(held) = &mut self.authenticated else {
            return Flow::Close(CloseCode::POLICY, "not authenticated in time");
        };
        let now_ms = session.live().clock().now_ms();
        let skew_ms = self.edge.core.lifetimes().clock_skew_ms;
        let expires_at_ms = held.caller.expires_at_ms;
        if now_ms >= expires_at_ms.saturating_add_unsigned(skew_ms) {
            return Flow::Close(CloseCode::POLICY, "token expired");
        }
        // An alarm set before this authentication may still come, and clocks may be put back.
        if held.told_expiring || now_ms < expires_at_ms.saturating_sub(EXPIRING_MS) {
            self.set_alarm(session);
            return Flow::Continue;
        }
        held.told_expiring = true;
        if self.tag.wants_authentication_events() {
            let data = json!({ "event": "expiring", "expires_at": expires_at_ms });
            reply::event(session, "authentication", &data);
        }
        self.set_alarm(session);
        Flow::Continue
    }

    fn closed(&mut self, _session: &Arc<Session>, _reason: CloseReason) {
        let present = self.authenticated.take().and_then(|held| held.present);
        if let Some(present) = present {
            note_left(&self.edge, &self.client_id, present);
        }
    }
}
