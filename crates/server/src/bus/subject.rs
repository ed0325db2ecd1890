//! NATS subjects: `<prefix>.event.<topic>` and `<prefix>.heartbeat`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What a token of a subject holds as it is; dots, wildcards, white space and all else that NATS
/// gives a meaning to, or may, is written as `%XX`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
/// What an empty topic is written as: a token has a character at least.
const EMPTY: &str = "%";
/// Longest topic as it is written; NATS takes a line of 4,096 bytes.
const TOPIC_BYTES_MAX: usize = 1_024;
/// Longest prefix.
const PREFIX_BYTES_MAX: usize = 128;

/// Whether subjects can begin like that: words with dots between them.
pub(super) fn is_prefix(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(fits);
    text.len() <= PREFIX_BYTES_MAX && text.split('.').all(is_word)
}

/// The subjects of one cluster.
#[derive(Debug)]
pub(super) struct Subjects {
    prefix: String,
}

/// What a subject is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A message of a topic.
    Event(String),
    /// A sign of life.
    Heartbeat,
}

impl Subjects {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// Everything of the cluster.
    pub(super) fn all(&self) -> String {
        format!("{}.>", self.prefix)
    }

    pub(super) fn heartbeat(&self) -> String {
        format!("{}.heartbeat", self.prefix)
    }

    /// The subject of a topic; `None` where it is too long.
    pub(super) fn event(&self, topic: &str) -> Option<String> {
        let mut token = utf8_percent_encode(topic, ESCAPED).to_string();
        if token.is_empty() {
            EMPTY.clone_into(&mut token);
        }
        (token.len() <= TOPIC_BYTES_MAX).then(|| format!("{}.event.{token}", self.prefix))
    }

    /// What a subject is for; `None` where it is none of ours.
    pub(super) fn read(&self, subject: &str) -> Option<Subject> {
        let name = subject.strip_prefix(&self.prefix)?.strip_prefix('.')?;
        if name == "heartbeat" {
            return Some(Subject::Heartbeat);
        }
        let token = name.strip_prefix("event.")?;
        if token == EMPTY {
            return Some(Subject::Event(String::new()));
        }
        let topic = percent_decode_str(token).decode_utf8().ok()?;
        Some(Subject::Event(topic.into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_topic_comes_back_from_a_subject_that_nats_takes(topic in ".{0,80}") {
            let subjects = Subjects::new("crowdlink");
            if let Some(subject) = subjects.event(&topic) {
                prop_assert_eq!(subject.split('.').count(), 3);
                prop_assert!(subject.split('.').all(|token| !token.is_empty()));
                prop_assert!(subject.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!subject.contains(['*', '>']));
                prop_assert_eq!(subjects.read(&subject), Some(Subject::Event(topic)));
            }
        }
    }

    #[test]
    fn a_topic_has_a_bound_as_it_is_written() {
        let subjects = Subjects::new("crowdlink");
        assert!(subjects.event(&"a".repeat(TOPIC_BYTES_MAX)).is_some());
        assert_eq!(subjects.event(&"a".repeat(TOPIC_BYTES_MAX + 1)), None);
        assert_eq!(subjects.event(&".".repeat(TOPIC_BYTES_MAX / 3 + 1)), None);
    }

    #[test]
    fn subjects_of_another_cluster_are_not_ours() {
        let subjects = Subjects::new("crowdlink");
        for foreign in [
            "crowdlink2.heartbeat",
            "crowdlink.other",
            "heartbeat",
            "crowdlink.",
        ] {
            assert_eq!(subjects.read(foreign), None, "{foreign}");
        }
        assert_eq!(
            subjects.read(&subjects.heartbeat()),
            Some(Subject::Heartbeat)
        );
    }

    #[test]
    fn a_prefix_is_words_with_dots_between_them() {
        for prefix in ["crowdlink", "a.b-c.D_1"] {
            assert!(is_prefix(prefix), "{prefix}");
        }
        for prefix in ["", ".", "a.", ".a", "a..b", "a b", "*", "a.>", "ä"] {
            assert!(!is_prefix(prefix), "{prefix}");
        }
        assert!(!is_prefix(&"a".repeat(PREFIX_BYTES_MAX + 1)));
    }
}
