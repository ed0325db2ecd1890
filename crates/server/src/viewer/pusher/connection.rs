//! One Pusher connection.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::response::Response;
use crowdlink_protocol::ClientId;
use serde::Deserialize;

use super::super::tag::ViewerTag;
use super::super::upgrade::open;
use super::super::{ViewerEdge, topics};
use super::channel::audience_of;
use super::frames::{self, Incoming};
use super::way::PUSHER;
use crate::live::{
    AddressKey, CloseCode, CloseReason, Flow, Handler, Message, Permit, RateLimit, Session,
    SubscribeError, Verdict,
};

/// The version of the protocol.
const PROTOCOL: &str = "7";
/// Closed for good: the application is disabled.
const DISABLED: u16 = 4_003;
/// Closed for good: a version that is not spoken.
const UNSUPPORTED_PROTOCOL: u16 = 4_007;
/// Closed: try again later.
const OVER_CAPACITY: u16 = 4_100;
/// Closed: reconnect at once.
const RECONNECT: u16 = 4_200;
/// Closed: no sign of life.
const NO_PONG: u16 = 4_201;
/// Told, not closed: too many messages.
const TOO_FAST: u16 = 4_301;

#[derive(Default, Deserialize)]
struct Version {
    protocol: Option<String>,
}

/// Takes any key: the library's is fixed.
pub(in super::super) async fn upgrade(
    State(edge): State<Arc<ViewerEdge>>,
    request: Request,
) -> Response {
    let version: Version = match Query::try_from_uri(request.uri()) {
        Ok(Query(version)) => version,
        Err(_) => Version::default(),
    };
    let spoken = version.protocol.is_none_or(|version| version == PROTOCOL);
    open(&edge, request, |address| PusherConnection {
        tag: ViewerTag::new(),
        edge: Arc::clone(&edge),
        extensions: Vec::new(),
        channels: 0,
        rate: RateLimit::new(),
        heard_ms: edge.live.clock().monotonic_ms(),
        asked: false,
        spoken,
        _address: address,
    })
}

/// The state of one connection.
struct PusherConnection {
    edge: Arc<ViewerEdge>,
    tag: Arc<ViewerTag>,
    /// The extensions of its channels.
    extensions: Vec<Permit<ClientId>>,
    /// How many channels it is on.
    channels: usize,
    rate: RateLimit,
    /// Monotonic ms of its last message.
    heard_ms: u64,
    /// Whether it was asked for a sign of life since.
    asked: bool,
    /// Whether it speaks our version.
    spoken: bool,
    _address: Permit<AddressKey>,
}

fn code(number: u16) -> CloseCode {
    CloseCode::new(number).unwrap_or(CloseCode::NORMAL)
}

impl PusherConnection {
    async fn text(&mut self, text: &str, session: &Arc<Session>) -> Flow {
        let now_ms = session.live().clock().monotonic_ms();
        (self.heard_ms, self.asked) = (now_ms, false);
        match self.rate.check(now_ms, self.edge.limits.requests) {
            Verdict::Allowed => {}
            Verdict::Refused => {
                session.send(&frames::error(Some(TOO_FAST), "too many messages"));
                return Flow::Continue;
            }
            Verdict::RefusedTooLong => return Flow::Close(CloseCode::POLICY, "too many messages"),
        }
        match Incoming::parse(text) {
            Some(Incoming::Ping) => {
                session.send(&frames::pong());
            }
            Some(Incoming::Pong) => {}
            Some(Incoming::Subscribe(channel)) => {
                // In a box: a connection at rest needs no room for it.
                return Box::pin(self.subscribe(&channel, session)).await;
            }
            Some(Incoming::Unsubscribe(channel)) => self.unsubscribe(&channel, session),
            Some(Incoming::Unknown) => {
                session.send(&frames::error(None, "there is no such event here"));
            }
            None => {
                session.send(&frames::error(None, "not a message of this protocol"));
            }
        }
        Flow::Continue
    }

    async fn subscribe(&mut self, name: &str, session: &Arc<Session>) -> Flow {
        let refused = |message| {
            session.send(&frames::error(None, message));
            Flow::Continue
        };
        let Some(audience) = audience_of(name) else {
            return refused("there is no such channel");
        };
        let edge = &*self.edge;
        let client_id = match edge.core.extension(edge.stage, &audience.client_id).await {
            Ok(Some(extension)) => extension.client_id.clone(),
            Ok(None) => return refused("there is no such channel"),
            Err(error) => {
                tracing::error!(%error, session = session.id(), "a subscription failed");
                return Flow::Close(CloseCode::TRY_AGAIN_LATER, "try again later");
            }
        };
        if self.channels >= session.live().limits().subscriptions_max {
            return refused("too many channels");
        }
        if !self.extensions.iter().any(|held| *held.key() == client_id) {
            let Some(permit) = edge.per_extension.try_acquire(client_id.clone()) else {
                tracing::warn!(%client_id, "too many connections");
                return Flow::Close(CloseCode::TRY_AGAIN_LATER, "too many connections");
            };
            self.extensions.push(permit);
            self.tag.add_extension(client_id);
        }
        // The answer comes before the first event, and nothing that happens after it is missed.
        session.cork(true);
        session.send(&frames::subscribed(name));
        let hub = session.live().hub();
        match hub.subscribe(session, &topics::pusher(&audience)) {
            Ok(new) => self.channels += usize::from(new),
            // Counted here, so that it never comes to that; nobody hears of it in a closed one.
            Err(SubscribeError::TooMany | SubscribeError::Closed) => {}
        }
        Flow::Continue
    }

    fn unsubscribe(&mut self, name: &str, session: &Arc<Session>) {
        let hub = session.live().hub();
        if let Some(audience) = audience_of(name)
            && hub.unsubscribe(session, &topics::pusher(&audience))
        {
            self.channels = self.channels.saturating_sub(1);
        }
    }
}

impl Handler for PusherConnection {
    /// The protocol's ranges: 4000–4099 never again, 4100–4199 later, 4200–4299 at once.
    fn close_code(told: CloseCode) -> CloseCode {
        match told {
            CloseCode::GOING_AWAY => code(RECONNECT),
            CloseCode::TRY_AGAIN_LATER | CloseCode::INTERNAL => code(OVER_CAPACITY),
            CloseCode::POLICY => code(DISABLED),
            other => other,
        }
    }

    fn opened(&mut self, session: &Arc<Session>) {
        self.edge.metrics.connections.get_or_create(&PUSHER).inc();
        if !self.spoken {
            let message = "this server speaks version 7 of the protocol";
            session.send(&frames::error(Some(UNSUPPORTED_PROTOCOL), message));
            session.close(code(UNSUPPORTED_PROTOCOL), message);
            return;
        }
        session.set_tag(self.tag.clone());
        let socket_id = format!("{}.{}", session.opened_at_ms(), session.id());
        let activity_ms = self.edge.limits.pusher_activity_ms;
        session.send(&frames::established(&socket_id, activity_ms / 1_000));
        session.set_alarm_in_ms(activity_ms);
    }

    async fn message(&mut self, message: Message<'_>, session: &Arc<Session>) -> Flow {
        match message {
            Message::Text(text) => self.text(text, session).await,
            Message::Binary(_) => Flow::Close(CloseCode::UNSUPPORTED, "text only"),
        }
    }

    async fn alarm(&mut self, session: &Arc<Session>) -> Flow {
        let now_ms = session.live().clock().monotonic_ms();
        let silent_ms = now_ms.saturating_sub(self.heard_ms);
        let limits = &self.edge.limits;
        if silent_ms < limits.pusher_activity_ms {
            session.set_alarm_in_ms(limits.pusher_activity_ms - silent_ms);
        } else if self.asked {
            return Flow::Close(code(NO_PONG), "no sign of life");
        } else {
            self.asked = true;
            session.send(&frames::ping());
            session.set_alarm_in_ms(limits.pusher_pong_ms_max);
        }
        Flow::Continue
    }

    fn closed(&mut self, _session: &Arc<Session>, _reason: CloseReason) {
        self.edge.metrics.connections.get_or_create(&PUSHER).dec();
    }
}
