//! Topics, and the sessions that get what is published to them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use super::crier::{Crier, Part, Receivers};
use super::delivery::Way;
use super::frame::{CloseCode, Frame};
use super::outbound::SlotKey;
use super::roster::Roster;
use super::session::Session;

const SHARDS: usize = 64;
/// Up to this many receivers are written to by the publisher itself. For more, each session's own
/// task writes, which merges what comes meanwhile, and the publisher goes on; or, where there is
/// one worker, the [`Crier`].
const DIRECT_RECEIVERS_MAX: usize = 8;

/// Why a subscription is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// The session has as many as it may have.
    TooMany,
    /// The session is closing.
    Closed,
}

/// One topic; exists while it has subscribers.
#[derive(Debug)]
pub(super) struct Topic {
    name: Arc<str>,
    seated: Mutex<Seated>,
}

#[derive(Debug, Default)]
struct Seated {
    roster: Roster,
    /// Empty and removed from the map; whoever finds it there still looks again.
    gone: bool,
}

impl Topic {
    /// Who is subscribed; nobody joins or leaves meanwhile.
    pub(super) fn seated(&self) -> MappedMutexGuard<'_, Roster> {
        MutexGuard::map(self.seated.lock(), |seated| &mut seated.roster)
    }
}

/// The topics one session is subscribed to and its seat in each.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    topics: Vec<(Arc<Topic>, u32)>,
    closed: bool,
}

/// Maps topics to sessions. Cheap to publish to: a frame is encoded once and shared.
#[derive(Debug)]
pub struct Hub {
    keyed: RandomState,
    shards: Vec<Mutex<HashMap<Arc<str>, Arc<Topic>>>>,
    subscriptions_max: usize,
    crier: Option<Arc<Crier>>,
}

impl Hub {
    pub(super) fn new(subscriptions_max: usize) -> Self {
        Self {
            crier: Crier::for_one_worker(),
            keyed: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            subscriptions_max,
        }
    }

    /// Subscribes a session to a topic and tells whether that is new.
    ///
    /// # Errors
    /// See [`SubscribeError`].
    pub fn subscribe(&self, session: &Arc<Session>, topic: &str) -> Result<bool, SubscribeError> {
        let mut own = session.subscriptions().lock();
        if own.closed {
            return Err(SubscribeError::Closed);
        }
        if own.topics.iter().any(|(joined, _)| &*joined.name == topic) {
            return Ok(false);
        }
        if own.topics.len() >= self.subscriptions_max {
            return Err(SubscribeError::TooMany);
        }
        loop {
            let topic = self.topic(topic);
            let mut seated = topic.seated.lock();
            if !seated.gone {
                let seat = seated.roster.join(Arc::clone(session));
                drop(seated);
                own.topics.reserve_exact(1);
                own.topics.push((topic, seat));
                return Ok(true);
            }
        }
    }

    /// Ends a subscription and tells whether there was one.
    pub fn unsubscribe(&self, session: &Session, topic: &str) -> bool {
        let mut own = session.subscriptions().lock();
        let Some(index) = own
            .topics
            .iter()
            .position(|(joined, _)| &*joined.name == topic)
        else {
            return false;
        };
        let (topic, seat) = own.topics.swap_remove(index);
        drop(own);
        self.leave_topic(&topic, seat);
        true
    }

    /// The topics a session is subscribed to.
    pub fn topics_of(&self, session: &Session) -> Vec<Arc<str>> {
        let own = session.subscriptions().lock();
        own.topics
            .iter()
            .map(|(topic, _)| Arc::clone(&topic.name))
            .collect()
    }

    /// Ends all subscriptions of a session, which may subscribe again.
    pub fn unsubscribe_all(&self, session: &Session) {
        let topics = std::mem::take(&mut session.subscriptions().lock().topics);
        for (topic, seat) in topics {
            self.leave_topic(&topic, seat);
        }
    }

    /// Ends all subscriptions of a session for good.
    pub(super) fn leave(&self, session: &Session) {
        session.subscriptions().lock().closed = true;
        self.unsubscribe_all(session);
    }

    /// Sends a frame of a stream to all subscribers and tells how many took it. Frames of one
    /// topic reach each subscriber in the order of these calls.
    pub fn publish(&self, topic: &str, frame: &Frame) -> usize {
        self.fan_out(topic, frame, None)
    }

    /// Sends a frame of a stream to whoever subscribed to any of some topics, once. Frames reach
    /// each subscriber in the order of these calls where they are made by one task.
    pub fn publish_to_any(&self, topics: &[String], frame: &Frame) -> usize {
        let mut receivers: Vec<Arc<Session>> = Vec::new();
        for topic in topics.iter().filter_map(|topic| self.find(topic)) {
            receivers.extend(topic.seated().iter().cloned());
        }
        receivers.sort_by_key(Arc::as_ptr);
        receivers.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let count = receivers.len();
        let to = self.hand_over(count, Receivers::Listed(receivers), frame, None);
        let Some(Receivers::Listed(receivers)) = to else {
            return count;
        };
        let way = Way::of(receivers.len() <= DIRECT_RECEIVERS_MAX);
        let offered = receivers.iter();
        offered
            .filter(|session| session.offer(frame, None, way, session.now_ms()))
            .count()
    }

    /// Sends a state to all subscribers: where an older frame of the same slot still waits, this
    /// one replaces it.
    pub fn publish_latest(&self, topic: &str, slot: SlotKey, frame: &Frame) -> usize {
        self.fan_out(topic, frame, Some(slot))
    }

    /// Closes all subscribers of a topic and tells how many those were.
    pub fn close_topic(&self, topic: &str, code: CloseCode, reason: &str) -> usize {
        let Some(topic) = self.find(topic) else {
            return 0;
        };
        self.settle();
        let sessions: Vec<_> = topic.seated().iter().cloned().collect();
        for session in &sessions {
            session.close(code, reason);
        }
        sessions.len()
    }

    /// How many sessions are subscribed to a topic.
    pub fn subscribers(&self, topic: &str) -> usize {
        let topic = self.find(topic);
        topic.map_or(0, |topic| topic.seated().len())
    }

    /// How many topics have subscribers.
    pub fn topics(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// The topics with subscribers whose names begin so.
    pub fn topics_under(&self, prefix: &str) -> Vec<Arc<str>> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let topics = shard.lock();
            found.extend(
                topics
                    .keys()
                    .filter(|name| name.starts_with(prefix))
                    .cloned(),
            );
        }
        found
    }

    fn fan_out(&self, topic: &str, frame: &Frame, slot: Option<SlotKey>) -> usize {
        let Some(topic) = self.find(topic) else {
            return 0;
        };
        let count = topic.seated().len();
        let to = self.hand_over(count, Receivers::Topic(Arc::clone(&topic)), frame, slot);
        if to.is_none() {
            return count;
        }
        // Held until the last one has it: this is what keeps the order of a topic.
        let seated = topic.seated();
        let way = Way::of(seated.len() <= DIRECT_RECEIVERS_MAX);
        let Some(now_ms) = seated.iter().next().map(|session| session.now_ms()) else {
            return 0;
        };
        let sessions = seated.iter();
        sessions
            .filter(|session| session.offer(frame, slot, way, now_ms))
            .count()
    }

    /// Sends what was published and is still on its way to many.
    pub(super) fn settle(&self) {
        if let Some(crier) = &self.crier {
            crier.settle();
        }
    }

    /// Leaves a publication to the crier; the receivers come back where that is not for it.
    fn hand_over(
        &self,
        count: usize,
        to: Receivers,
        frame: &Frame,
        slot: Option<SlotKey>,
    ) -> Option<Receivers> {
        let Some(crier) = &self.crier else {
            return Some(to);
        };
        let frame = frame.clone();
        crier.take(count > DIRECT_RECEIVERS_MAX, to, Part { frame, slot })
    }

    fn shard(&self, topic: &str) -> Option<&Mutex<HashMap<Arc<str>, Arc<Topic>>>> {
        let hash = usize::try_from(self.keyed.hash_one(topic) >> 32).unwrap_or(0);
        self.shards.get(hash % SHARDS)
    }

    fn find(&self, topic: &str) -> Option<Arc<Topic>> {
        self.shard(topic)?.lock().get(topic).cloned()
    }

    fn topic(&self, name: &str) -> Arc<Topic> {
        let new = || {
            Arc::new(Topic {
                name: name.into(),
                seated: Mutex::default(),
            })
        };
        let Some(shard) = self.shard(name) else {
            return new();
        };
        let mut topics = shard.lock();
        if let Some(topic) = topics.get(name) {
            return Arc::clone(topic);
        }
        let topic = new();
        topics.insert(Arc::clone(&topic.name), Arc::clone(&topic));
        topic
    }

    fn leave_topic(&self, topic: &Arc<Topic>, seat: u32) {
        let mut seated = topic.seated.lock();
        seated.roster.leave(seat);
        if !seated.roster.is_empty() {
            return;
        }
        seated.gone = true;
        drop(seated);
        if let Some(shard) = self.shard(&topic.name) {
            let mut topics = shard.lock();
            if topics
                .get(&topic.name)
                .is_some_and(|found| Arc::ptr_eq(found, topic))
            {
                topics.remove(&topic.name);
                if topics.len() < topics.capacity() / 8 {
                    topics.shrink_to_fit();
                }
            }
        }
    }
}
