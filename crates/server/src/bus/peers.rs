//! The other nodes, and what was heard of each: finds gaps, and puts parts together.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use crowdlink_core::Message;

use super::wire::Label;

/// How long a node is silent before it is believed to be gone: four heartbeats.
pub(super) const SILENT_MS_MAX: u64 = 2_000;
/// Nodes remembered; of more, the one that was silent longest is forgotten.
const PEERS_MAX: usize = 1_024;

/// A message of which more parts are to come.
#[derive(Debug)]
struct Partial {
    sequence: u64,
    topic: String,
    bytes: BytesMut,
    next: usize,
}

#[derive(Debug)]
struct Peer {
    /// The newest message that was heard, or is known to be gone.
    newest: u64,
    partial: Option<Partial>,
    heard_ms: u64,
}

/// What came of something that was heard.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// A message that is complete.
    pub(super) message: Option<Message>,
    /// Whether something before it is gone.
    pub(super) gap: bool,
    /// How many messages, as far as one can know.
    pub(super) gone: u64,
}

#[derive(Debug, Default)]
pub(super) struct Peers(HashMap<String, Peer>);

impl Peers {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A message came, or a part of one.
    pub(super) fn message(
        &mut self,
        label: &Label,
        (topic, payload): (String, Bytes),
        now_ms: u64,
    ) -> Heard {
        let sequence = label.sequence;
        let (peer, mut heard) = self.meet(label, sequence.saturating_sub(1), now_ms);
        if sequence <= peer.newest {
            return heard;
        }
        let (part, parts) = label.part;
        let continues = part > 0
            && peer
                .partial
                .as_ref()
                .is_some_and(|partial| partial.sequence == sequence && partial.next == part);
        if !continues {
            heard.skip(peer, sequence - 1);
            peer.partial = None;
        }
        if parts == 1 {
            peer.newest = sequence;
            heard.message = Some(Message { topic, payload });
            return heard;
        }
        if part > 0 && !continues {
            // Its beginning is gone, so all of it is.
            heard.skip(peer, sequence);
            return heard;
        }
        let partial = peer.partial.get_or_insert_with(|| Partial {
            sequence,
            topic,
            bytes: BytesMut::new(),
            next: 0,
        });
        partial.bytes.extend_from_slice(&payload);
        partial.next += 1;
        if partial.next == parts
            && let Some(partial) = peer.partial.take()
        {
            peer.newest = sequence;
            heard.message = Some(Message {
                topic: partial.topic,
                payload: partial.bytes.freeze(),
            });
        }
        heard
    }

    /// A heartbeat came: every message up to its number was sent before it.
    pub(super) fn heartbeat(&mut self, label: &Label, now_ms: u64) -> Heard {
        let (peer, mut heard) = self.meet(label, label.sequence, now_ms);
        heard.skip(peer, label.sequence);
        heard
    }

    /// Forgets those that are silent; how many. One that died may have committed what it told
    /// nobody.
    pub(super) fn forget_silent(&mut self, now_ms: u64) -> usize {
        let before = self.0.len();
        self.0
            .retain(|_, peer| now_ms < peer.heard_ms.saturating_add(SILENT_MS_MAX));
        before - self.0.len()
    }

    /// The silence until now was ours.
    pub(super) fn resume(&mut self, now_ms: u64) {
        for peer in self.0.values_mut() {
            peer.heard_ms = now_ms;
        }
    }

    /// The node of a label, as somebody new where it is: `newest` is what was sent before we
    /// listened, and all of that may be news.
    fn meet(&mut self, label: &Label, newest: u64, now_ms: u64) -> (&mut Peer, Heard) {
        let is_new = !self.0.contains_key(&label.node);
        if is_new && self.0.len() >= PEERS_MAX {
            let longest = self.0.iter().min_by_key(|(_, peer)| peer.heard_ms);
            if let Some(node) = longest.map(|(node, _)| node.clone()) {
                self.0.remove(&node);
            }
        }
        let peer = self.0.entry(label.node.clone()).or_insert_with(|| Peer {
            newest,
            partial: None,
            heard_ms: now_ms,
        });
        peer.heard_ms = now_ms;
        let heard = Heard {
            gap: is_new && newest > 0,
            ..Heard::default()
        };
        (peer, heard)
    }
}

impl Heard {
    /// Messages up to a number will not come any more.
    fn skip(&mut self, peer: &mut Peer, through: u64) {
        if through > peer.newest {
            self.gap = true;
            self.gone += through - peer.newest;
            peer.newest = through;
            peer.partial = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(node: &str, sequence: u64, part: (usize, usize)) -> Label {
        Label {
            node: node.to_owned(),
            sequence,
            part,
        }
    }

    fn hear(peers: &mut Peers, sequence: u64, part: (usize, usize)) -> Heard {
        let payload = Bytes::from(format!("{sequence}.{} ", part.0));
        peers.message(&label("n", sequence, part), ("t".to_owned(), payload), 0)
    }

    fn whole(text: &str) -> Message {
        Message {
            topic: "t".to_owned(),
            payload: Bytes::copy_from_slice(text.as_bytes()),
        }
    }

    fn gap(gone: u64, message: impl Into<Option<Message>>) -> Heard {
        Heard {
            message: message.into(),
            gap: true,
            gone,
        }
    }

    fn fine(message: impl Into<Option<Message>>) -> Heard {
        Heard {
            message: message.into(),
            ..Heard::default()
        }
    }

    #[test]
    fn a_gap_between_two_messages_is_seen_at_the_second() {
        let mut peers = Peers::default();
        assert_eq!(hear(&mut peers, 1, (0, 1)), fine(whole("1.0 ")));
        assert_eq!(hear(&mut peers, 2, (0, 1)), fine(whole("2.0 ")));
        assert_eq!(hear(&mut peers, 5, (0, 1)), gap(2, whole("5.0 ")));
        assert_eq!(hear(&mut peers, 5, (0, 1)), fine(None));
    }

    #[test]
    fn a_lost_tail_is_seen_at_the_next_heartbeat() {
        let mut peers = Peers::default();
        hear(&mut peers, 1, (0, 1));
        assert_eq!(peers.heartbeat(&label("n", 1, (0, 1)), 0), fine(None));
        assert_eq!(peers.heartbeat(&label("n", 4, (0, 1)), 0), gap(3, None));
        assert_eq!(peers.heartbeat(&label("n", 4, (0, 1)), 0), fine(None));
    }

    #[test]
    fn what_a_node_sent_before_it_was_met_may_be_news() {
        let mut peers = Peers::default();
        assert_eq!(peers.heartbeat(&label("silent", 0, (0, 1)), 0), fine(None));
        assert_eq!(peers.heartbeat(&label("busy", 7, (0, 1)), 0), gap(0, None));
        assert_eq!(hear(&mut peers, 3, (0, 1)), gap(0, whole("3.0 ")));
        // One that starts again has another name, and begins at 1.
        let again = label("again", 1, (0, 1));
        let heard = peers.message(&again, ("t".to_owned(), Bytes::new()), 0);
        assert_eq!((heard.gap, peers.len()), (false, 4));
    }

    #[test]
    fn parts_become_one_message_unless_one_is_missing() {
        let mut peers = Peers::default();
        assert_eq!(hear(&mut peers, 1, (0, 3)), fine(None));
        assert_eq!(hear(&mut peers, 1, (1, 3)), fine(None));
        assert_eq!(hear(&mut peers, 1, (2, 3)), fine(whole("1.0 1.1 1.2 ")));
        // The middle is missing.
        assert_eq!(hear(&mut peers, 2, (0, 3)), fine(None));
        assert_eq!(hear(&mut peers, 2, (2, 3)), gap(1, None));
        // The beginning is missing.
        assert_eq!(hear(&mut peers, 3, (1, 3)), gap(1, None));
        assert_eq!(hear(&mut peers, 3, (2, 3)), fine(None));
        // The end is missing.
        assert_eq!(hear(&mut peers, 4, (0, 2)), fine(None));
        assert_eq!(hear(&mut peers, 5, (0, 1)), gap(1, whole("5.0 ")));
        assert_eq!(hear(&mut peers, 6, (0, 2)), fine(None));
        assert_eq!(peers.heartbeat(&label("n", 6, (0, 1)), 0), gap(1, None));
    }

    #[test]
    fn a_silent_node_is_forgotten_unless_nobody_could_hear_it() {
        let mut peers = Peers::default();
        hear(&mut peers, 1, (0, 1));
        assert_eq!(peers.forget_silent(SILENT_MS_MAX - 1), 0);
        peers.resume(SILENT_MS_MAX);
        assert_eq!(peers.forget_silent(SILENT_MS_MAX), 0);
        assert_eq!(peers.forget_silent(2 * SILENT_MS_MAX), 1);
        assert_eq!(peers.len(), 0);
    }

    #[test]
    fn so_many_nodes_are_remembered() {
        let mut peers = Peers::default();
        for n in 0..=PEERS_MAX {
            peers.heartbeat(&label(&n.to_string(), 0, (0, 1)), n as u64);
        }
        assert_eq!(peers.len(), PEERS_MAX);
        assert!(!peers.0.contains_key("0"));
    }
}
