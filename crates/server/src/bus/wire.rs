//! What stands in the headers of a message.

use std::str::FromStr;

use async_nats::HeaderMap;

const NODE: &str = "Crowdlink-Node";
const SEQUENCE: &str = "Crowdlink-Sequence";
const PART: &str = "Crowdlink-Part";

/// Bytes of one part of a payload: NATS takes 1 MiB a message, and less where somebody says so.
pub(super) const PART_BYTES_MAX: usize = 256 * 1024;
/// Parts of one message, and so its bytes: 16 MiB.
pub(super) const PARTS_MAX: usize = 64;
/// Longest name of a node.
const NODE_BYTES_MAX: usize = 64;

/// Who sent what is heard, and as what in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// The publisher; one that starts anew has a new name.
    pub(super) node: String,
    /// Which of its messages, from 1; in a heartbeat the newest.
    pub(super) sequence: u64,
    /// Which part of it, from 0, and of how many.
    pub(super) part: (usize, usize),
}

impl Label {
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(NODE, self.node.as_str());
        headers.insert(SEQUENCE, self.sequence.to_string());
        let (part, parts) = self.part;
        if parts > 1 {
            headers.insert(PART, format!("{part}/{parts}"));
        }
        headers
    }

    /// `None` where somebody else made the message.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let get = |name| headers.get(name).map(async_nats::HeaderValue::as_str);
        let node = get(NODE).filter(|node| !node.is_empty() && node.len() <= NODE_BYTES_MAX)?;
        let part = match get(PART) {
            None => (0, 1),
            Some(text) => {
                let (part, parts) = text.split_once('/')?;
                let (part, parts) = (number(part)?, number(parts)?);
                if part >= parts || parts > PARTS_MAX {
                    return None;
                }
                (part, parts)
            }
        };
        Some(Self {
            node: node.to_owned(),
            sequence: number(get(SEQUENCE)?)?,
            part,
        })
    }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(sequence: u64, part: (usize, usize)) -> Label {
        Label {
            node: "n".to_owned(),
            sequence,
            part,
        }
    }

    #[test]
    fn a_label_comes_back_from_its_headers() {
        for label in [
            label(1, (0, 1)),
            label(u64::MAX, (63, 64)),
            label(0, (1, 2)),
        ] {
            assert_eq!(Label::read(&label.headers()), Some(label));
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_no_label() {
        assert_eq!(Label::read(&HeaderMap::new()), None);
        let wrong = [
            (SEQUENCE, "-1"),
            (SEQUENCE, "18446744073709551616"),
            (PART, "1"),
            (PART, "2/2"),
            (PART, "0/65"),
            (PART, "0/0"),
            (NODE, ""),
        ];
        for (name, value) in wrong {
            let mut headers = label(1, (0, 1)).headers();
            headers.insert(name, value);
            assert_eq!(Label::read(&headers), None, "{name}: {value}");
        }
    }
}
