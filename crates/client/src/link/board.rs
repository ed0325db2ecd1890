//! Who hears what.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crowdlink_protocol::{PollStatus, PollTopic};

use crate::event::Event;
use crate::polls::PollReport;
use crate::queue::Queue;
use crate::topic::Topic;

/// Streams of one game at a time.
pub const STREAMS_MAX: usize = 1_000;
/// Polls whose last report is remembered, to tell after a reconnect what changed.
const POLLS_REMEMBERED_MAX: usize = 1_000;

#[derive(Debug)]
struct Listener {
    topic: Option<Topic>,
    queue: Arc<Queue>,
}

/// The streams of a game.
#[derive(Debug, Default)]
pub(crate) struct Board {
    listeners: Vec<Listener>,
    polls: HashMap<String, PollReport>,
}

impl Board {
    /// Adds a stream; `false` where there are [`STREAMS_MAX`] already.
    pub(crate) fn add(&mut self, topic: Option<Topic>, queue: Arc<Queue>) -> bool {
        let room = self.listeners.len() < STREAMS_MAX;
        if room {
            self.listeners.push(Listener { topic, queue });
        }
        room
    }

    /// Takes a stream off that never began.
    pub(crate) fn remove(&mut self, queue: &Arc<Queue>) {
        self.listeners
            .retain(|listener| !Arc::ptr_eq(&listener.queue, queue));
    }

    /// Takes off streams that nobody reads any more; the topics that nobody hears now.
    pub(crate) fn prune(&mut self) -> Vec<Topic> {
        let (left, kept) = std::mem::take(&mut self.listeners)
            .into_iter()
            .partition::<Vec<_>, _>(|listener| listener.queue.is_left());
        self.listeners = kept;
        let heard: HashSet<Topic> = self.topics().into_iter().collect();
        let mut silent: Vec<Topic> = left.into_iter().filter_map(|left| left.topic).collect();
        let mut seen = HashSet::new();
        silent.retain(|topic| !heard.contains(topic) && seen.insert(topic.clone()));
        if !heard.iter().any(|topic| matches!(topic, Topic::Poll(_))) {
            self.polls.clear();
        }
        silent
    }

    /// Every topic that somebody hears, once.
    pub(crate) fn topics(&self) -> Vec<Topic> {
        let mut seen = HashSet::new();
        let topics = self
            .listeners
            .iter()
            .filter_map(|listener| listener.topic.clone());
        topics.filter(|topic| seen.insert(topic.clone())).collect()
    }

    /// The connection is there again: what has to be read to know what is now.
    pub(crate) fn reconnected(&self) -> Vec<Topic> {
        for listener in &self.listeners {
            listener.queue.reconnected();
        }
        let mut topics = self.topics();
        if topics.contains(&Topic::Poll(PollTopic::All)) {
            let running = self.polls.iter().filter(|(_, report)| !is_over(report));
            let known = running.map(|(id, _)| Topic::Poll(PollTopic::One(id.clone())));
            topics.extend(known);
        }
        let mut seen = HashSet::new();
        topics.retain(|topic| topic.reread().is_some() && seen.insert(topic.clone()));
        topics
    }

    /// Tells everybody whom it concerns.
    pub(crate) fn tell(&mut self, event: &Event, bytes: usize) {
        if let Event::Poll(report) = event {
            self.remember(report);
        }
        for Listener { topic, queue } in &self.listeners {
            if topic.as_ref().is_none_or(|topic| topic.hears(event)) {
                queue.push(event.clone(), bytes);
            }
        }
    }

    /// The same for what was read after a reconnect: a poll is told only where it changed.
    pub(crate) fn tell_reread(&mut self, event: &Event, bytes: usize) {
        if let Event::Poll(report) = event {
            let known = self.polls.get(&report.poll.poll_id);
            if known.is_some_and(|known| known == report || is_over(known)) {
                return;
            }
        }
        self.tell(event, bytes);
    }

    /// A topic can be heard no more: the server refused it.
    pub(crate) fn end_topic(&mut self, topic: &Topic) {
        let ended = |listener: &Listener| listener.topic.as_ref() == Some(topic);
        for listener in self.listeners.iter().filter(|listener| ended(listener)) {
            listener.queue.end();
        }
        self.listeners.retain(|listener| !ended(listener));
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self) {
        for listener in self.listeners.drain(..) {
            listener.queue.end();
        }
    }

    fn remember(&mut self, report: &PollReport) {
        let id = &report.poll.poll_id;
        if self.polls.len() >= POLLS_REMEMBERED_MAX && !self.polls.contains_key(id) {
            // One that is over is needed least: at worst its end is told twice.
            let over = self.polls.iter().find(|(_, report)| is_over(report));
            let victim = over.or_else(|| self.polls.iter().next());
            if let Some(victim) = victim.map(|(id, _)| id.clone()) {
                self.polls.remove(&victim);
            }
        }
        self.polls.insert(id.clone(), report.clone());
    }
}

fn is_over(report: &PollReport) -> bool {
    report.poll.status == PollStatus::Expired
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Keep;

    fn report(id: &str, status: &str) -> Event {
        let head = format!(r#"{{"poll_id":"{id}","status":"{status}"}}"#);
        let report = serde_json::from_str(&format!(r#"{{"poll":{head}}}"#)).unwrap();
        Event::Poll(report)
    }

    fn listening(topic: Topic) -> (Board, Arc<Queue>) {
        let mut board = Board::default();
        let queue = Arc::new(Queue::new(Keep::Newest));
        assert!(board.add(Some(topic), Arc::clone(&queue)));
        (board, queue)
    }

    #[test]
    fn no_more_polls_are_remembered_than_the_bound_and_running_ones_longest() {
        let (mut board, _queue) = listening(Topic::Poll(PollTopic::All));
        board.tell(&report("over", "expired"), 1);
        for number in 0..POLLS_REMEMBERED_MAX {
            board.tell(&report(&number.to_string(), "active"), 1);
        }
        assert_eq!(board.reconnected().len(), POLLS_REMEMBERED_MAX);
        assert!(!board.polls.contains_key("over"));
        board.tell(&report("one more", "active"), 1);
        assert_eq!(board.polls.len(), POLLS_REMEMBERED_MAX);
    }

    #[test]
    fn when_nobody_hears_of_polls_any_more_they_are_forgotten() {
        let topic = Topic::Poll(PollTopic::One("a".into()));
        let (mut board, queue) = listening(topic.clone());
        board.tell(&report("a", "active"), 1);
        queue.leave();
        assert_eq!(board.prune(), [topic]);
        assert!(board.polls.is_empty() && board.topics().is_empty());
        assert_eq!(board.prune(), []);
    }

    #[test]
    fn the_end_of_a_poll_is_told_once() {
        let (mut board, queue) = listening(Topic::Poll(PollTopic::All));
        board.tell(&report("a", "expired"), 1);
        board.tell_reread(&report("a", "expired"), 1);
        board.tell_reread(&report("a", "active"), 1);
        queue.end();
        let waker = futures::task::noop_waker();
        let mut context = std::task::Context::from_waker(&waker);
        assert!(matches!(
            queue.poll_next(&mut context),
            std::task::Poll::Ready(Some(_))
        ));
        assert!(matches!(
            queue.poll_next(&mut context),
            std::task::Poll::Ready(None)
        ));
    }
}
