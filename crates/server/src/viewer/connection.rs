//! The viewer socket, `GET /v1/viewer` (`spec 4.4`).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use crowdlink_core::{Caller, Error, note_listener, tokens};
use crowdlink_protocol::{ClientId, ErrorBody};
use serde::{Deserialize, Serialize};

use super::tag::{RestsOn, ViewerTag};
use super::upgrade::open;
use super::way::SOCKET;
use super::{ViewerEdge, topics};
use crate::events::Audience;
use crate::live::{
    AddressKey, CloseCode, CloseReason, Flow, Frame, Handler, Message, Permit, RateLimit, Session,
    SubscribeError, Verdict,
};

/// When one who found no room may come again.
const RETRY_AFTER_MS: u64 = 5_000;

pub(super) async fn upgrade(State(edge): State<Arc<ViewerEdge>>, request: Request) -> Response {
    open(&edge, request, |address| ViewerConnection {
        tag: ViewerTag::new(),
        edge: Arc::clone(&edge),
        authorized: None,
        rate: RateLimit::new(),
        _address: address,
    })
}

/// The state of one connection.
struct ViewerConnection {
    edge: Arc<ViewerEdge>,
    tag: Arc<ViewerTag>,
    authorized: Option<Box<Authorized>>,
    rate: RateLimit,
    _address: Permit<AddressKey>,
}

/// Who listens.
struct Authorized {
    caller: Arc<Caller>,
    topics: Vec<String>,
    extension: Permit<ClientId>,
}

/// The one frame that a viewer sends.
#[derive(Deserialize)]
struct Authorization {
    authorization: String,
}

#[derive(Serialize)]
struct Refused {
    error: ErrorBody,
}

impl ViewerConnection {
    async fn text(&mut self, text: &[u8], session: &Arc<Session>) -> Flow {
        let now_ms = session.live().clock().monotonic_ms();
        match self.rate.check(now_ms, self.edge.limits.requests) {
            Verdict::Allowed => {}
            Verdict::Refused => {
                tell(
                    session,
                    &Error::RateLimited {
                        retry_after_ms: 1_000,
                    },
                );
                return Flow::Continue;
            }
            Verdict::RefusedTooLong => return Flow::Close(CloseCode::POLICY, "too many requests"),
        }
        let Ok(Authorization { authorization }) = serde_json::from_slice(text) else {
            let expected = "must be `<client id> <jwt>`, in a JSON object";
            return refuse(session, &Error::invalid("authorization", expected));
        };
        // In a box: a connection at rest needs no room for it.
        match Box::pin(self.authorize(&authorization)).await {
            Ok(authorized) => self.admit(authorized, session),
            Err(error) => refuse(session, &error),
        }
    }

    async fn authorize(&mut self, header: &str) -> Result<Authorized, Error> {
        let edge = &*self.edge;
        let caller = tokens::authorize(&edge.core, edge.stage, Some(header)).await?;
        // Who whispers to the user id once this is answered reaches this viewer.
        note_listener(&edge.core, &caller).await;
        let held = self.authorized.take();
        let extension = held
            .filter(|held| held.caller.client_id() == caller.client_id())
            .map(|held| held.extension)
            .or_else(|| edge.per_extension.try_acquire(caller.client_id().clone()));
        let Some(extension) = extension else {
            tracing::warn!(stage = %edge.stage, client_id = %caller.client_id(), "too many viewers");
            return Err(Error::RateLimited {
                retry_after_ms: RETRY_AFTER_MS,
            });
        };
        Ok(Authorized {
            topics: topics_of(&caller),
            caller,
            extension,
        })
    }

    /// From now on the connection hears what its token lets it hear, and nothing else.
    fn admit(&mut self, authorized: Authorized, session: &Arc<Session>) -> Flow {
        let hub = session.live().hub();
        let caller = Arc::clone(&authorized.caller);
        self.tag.set(RestsOn {
            extensions: vec![caller.client_id().clone()],
            token: Some(caller.revocable.clone()),
        });
        for topic in hub.topics_of(session) {
            if !authorized.topics.iter().any(|wanted| **wanted == *topic) {
                hub.unsubscribe(session, &topic);
            }
        }
        // The answer comes before the first event, and nothing that happens after it is missed.
        session.cork(true);
        session.send(&Frame::text(r#"{"ok":true}"#));
        for topic in &authorized.topics {
            if hub.subscribe(session, topic) == Err(SubscribeError::TooMany) {
                return Flow::Close(CloseCode::POLICY, "too many subscriptions");
            }
        }
        self.authorized = Some(Box::new(authorized));
        self.set_alarm(&caller, session);
        // A revocation between the check and now has found nobody here.
        if tokens::is_revoked(&self.edge.core, &caller.revocable) {
            return Flow::Close(CloseCode::POLICY, "revoked");
        }
        Flow::Continue
    }

    fn end_ms(&self, caller: &Caller) -> i64 {
        let skew_ms = self.edge.core.lifetimes().clock_skew_ms;
        caller.expires_at_ms.saturating_add_unsigned(skew_ms)
    }

    fn set_alarm(&self, caller: &Caller, session: &Arc<Session>) {
        let left_ms = self.end_ms(caller) - session.live().clock().now_ms();
        session.set_alarm_in_ms(u64::try_from(left_ms).unwrap_or(0));
    }
}

/// What a caller hears: its channel, all of the extension, and its own whispers in both.
fn topics_of(caller: &Caller) -> Vec<String> {
    let audience = |channel| Audience {
        stage: caller.stage,
        client_id: caller.client_id().clone(),
        channel,
    };
    let own = caller
        .channel_id
        .clone()
        .map(|channel| audience(Some(channel)));
    let listener = caller.opaque_user_id.as_ref().or(caller.user_id.as_ref());
    let mut topics = Vec::with_capacity(4);
    for audience in own.into_iter().chain([audience(None)]) {
        topics.push(topics::everybody(&audience));
        if let Some(listener) = listener {
            topics.push(topics::whisper(&audience, listener));
        }
    }
    topics
}

fn tell(session: &Arc<Session>, error: &Error) {
    if let Error::Internal(detail) = error {
        tracing::error!(%detail, session = session.id(), "a viewer was not authorized");
    }
    let refused = Refused {
        error: ErrorBody {
            reason: error.reason().into_owned(),
            info: error.info().into_owned(),
            status: error.status(),
        },
    };
    match Frame::json(&refused) {
        Ok(frame) => {
            session.send(&frame);
        }
        Err(error) => tracing::error!(%error, "a refusal could not be encoded"),
    }
}

/// Refuses for good; only what is our fault or our lack of room is worth another try.
fn refuse(session: &Arc<Session>, error: &Error) -> Flow {
    tell(session, error);
    let again = error.is_ours() || error.retry_after_s().is_some();
    if again {
        Flow::Close(CloseCode::TRY_AGAIN_LATER, "try again later")
    } else {
        Flow::Close(CloseCode::POLICY, "not authorized")
    }
}

impl Handler for ViewerConnection {
    fn opened(&mut self, session: &Arc<Session>) {
        self.edge.metrics.connections.get_or_create(&SOCKET).inc();
        session.set_tag(self.tag.clone());
        session.set_alarm_in_ms(self.edge.limits.authorization_ms_max);
    }

    async fn message(&mut self, message: Message<'_>, session: &Arc<Session>) -> Flow {
        let text = match message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        };
        self.text(text, session).await
    }

    async fn alarm(&mut self, session: &Arc<Session>) -> Flow {
        let Some(held) = &self.authorized else {
            tell(session, &Error::HeaderMalformed);
            return Flow::Close(CloseCode::POLICY, "not authorized in time");
        };
        let now_ms = session.live().clock().now_ms();
        if now_ms >= self.end_ms(&held.caller) {
            return Flow::Close(CloseCode::POLICY, "token expired");
        }
        // An alarm set before the last renewal may still come, and clocks may be put back.
        self.set_alarm(&held.caller, session);
        Flow::Continue
    }

    fn closed(&mut self, _session: &Arc<Session>, _reason: CloseReason) {
        self.edge.metrics.connections.get_or_create(&SOCKET).dec();
    }
}
