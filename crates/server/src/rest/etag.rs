//! Entity tags (RFC 9110, 8.8.3) of documents, and the conditions that callers put on them
//! (13.1.1, 13.1.2; `spec 3.2`).

use crowdlink_core::IfMatch;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Digits of a version, at most.
const VERSION_DIGITS_MAX: usize = 20;

/// The strong tag of a version: `"v7"`. What was never written has version 0 and a tag, too.
pub(super) fn etag(version: u64) -> String {
    // Every read of a document has one: digits without the machinery of formatting.
    let mut digits = [0; VERSION_DIGITS_MAX];
    let mut rest = version;
    let mut start = digits.len();
    for place in digits.iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    let mut tag = String::with_capacity(VERSION_DIGITS_MAX + 3);
    tag.push_str("\"v");
    let digits = digits.iter().skip(start);
    tag.extend(digits.map(|digit| char::from(*digit)));
    tag.push('"');
    tag
}

/// What `If-Match` or `If-None-Match` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// `*`: anything that exists.
    Any,
    /// These. None where the header came empty, which nothing matches.
    Tags(Vec<Tag>),
}

/// One entity tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    weak: bool,
    /// With its quotes.
    opaque: String,
}

/// A header that is not as RFC 9110 says. Its call is refused (400): to ignore `If-Match` would
/// overwrite what the caller wanted to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) HeaderName);

impl Condition {
    /// `If-Match`: the call goes ahead where this [names the version](Self::versions),
    /// else 412.
    pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Self>, Malformed> {
        Self::of(headers, IF_MATCH)
    }

    /// `If-None-Match`: for GET and HEAD 304 where this [matches weakly](Self::matches_weakly),
    /// for others 412.
    pub(super) fn if_none_match(headers: &HeaderMap) -> Result<Option<Self>, Malformed> {
        Self::of(headers, IF_NONE_MATCH)
    }

    /// A header that comes several times is one list (RFC 9110, 5.3).
    fn of(headers: &HeaderMap, name: HeaderName) -> Result<Option<Self>, Malformed> {
        let values: Vec<&HeaderValue> = headers.get_all(&name).iter().collect();
        if values.is_empty() {
            return Ok(None);
        }
        let joined = values
            .iter()
            .map(|value| value.as_bytes())
            .collect::<Vec<_>>()
            .join(&b","[..]);
        match parse(&joined) {
            Some(condition) => Ok(Some(condition)),
            None => Err(Malformed(name)),
        }
    }

    /// The versions whose tags match strongly (RFC 9110, 8.8.3.2: a weak tag never does); a tag that is none of ours matches nothing.
    pub(super) fn versions(&self) -> IfMatch {
        match self {
            Self::Any => IfMatch::Written,
            Self::Tags(tags) => {
                let strong = tags.iter().filter(|tag| !tag.weak);
                IfMatch::Versions(strong.filter_map(|tag| version(&tag.opaque)).collect())
            }
        }
    }

    /// Weak comparison: `W/"v7"` is `"v7"`.
    pub(super) fn matches_weakly(&self, current: Option<&str>) -> bool {
        self.matches(current, |_| true)
    }

    fn matches(&self, current: Option<&str>, counts: impl Fn(&Tag) -> bool) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::Tags(tags), Some(current)) => {
                tags.iter().any(|tag| counts(tag) && tag.opaque == current)
            }
        }
    }
}

/// Undoes [`etag`].
fn version(opaque: &str) -> Option<u64> {
    let digits = opaque.strip_prefix("\"v")?.strip_suffix('"')?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

/// `"*" / #entity-tag`. Empty elements of a list are ignored (RFC 9110, 5.6.1.2).
fn parse(value: &[u8]) -> Option<Condition> {
    if value.trim_ascii() == b"*" {
        return Some(Condition::Any);
    }
    let mut tags = Vec::new();
    let mut rest = value.trim_ascii_start();
    loop {
        while let [b',', after @ ..] = rest {
            rest = after.trim_ascii_start();
        }
        if rest.is_empty() {
            return Some(Condition::Tags(tags));
        }
        let (tag, after) = tag(rest)?;
        tags.push(tag);
        rest = after.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
}

/// `[ W/ ] DQUOTE *etagc DQUOTE` at the start, and what comes after. A comma may be inside.
fn tag(text: &[u8]) -> Option<(Tag, &[u8])> {
    let (weak, quoted) = match text.strip_prefix(b"W/") {
        Some(quoted) => (true, quoted),
        None => (false, text),
    };
    let inside = quoted.strip_prefix(b"\"")?;
    let end = inside.iter().position(|byte| *byte == b'"')?;
    let (inside, after) = inside.split_at(end);
    let visible = |byte: &u8| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..=0xff);
    if !inside.iter().all(visible) {
        return None;
    }
    // Our own tags are ASCII: what is not UTF-8 matches none, however it is shown.
    let opaque = format!("\"{}\"", String::from_utf8_lossy(inside));
    Some((Tag { weak, opaque }, after.strip_prefix(b"\"")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let values = values
            .iter()
            .map(|value| HeaderValue::from_bytes(value.as_bytes()));
        values.map(|value| (name.clone(), value.unwrap())).collect()
    }

    fn if_match(values: &[&str]) -> Result<Option<Condition>, Malformed> {
        Condition::if_match(&headers(&IF_MATCH, values))
    }

    /// Whether strongly, and whether weakly.
    fn matches(value: &str, current: Option<&str>) -> (bool, bool) {
        let headers = headers(&IF_NONE_MATCH, &[value]);
        let condition = Condition::if_none_match(&headers).unwrap().unwrap();
        (
            condition.matches(current, |tag| !tag.weak),
            condition.matches_weakly(current),
        )
    }

    #[test]
    fn a_condition_names_versions_by_strong_tags_of_ours() {
        let versions = |value| if_match(&[value]).unwrap().unwrap().versions();
        assert_eq!(versions("*"), IfMatch::Written);
        assert_eq!(
            versions(r#""v7", W/"v8", "x9", "v+1", "v""#),
            IfMatch::Versions(vec![7])
        );
    }

    #[test]
    fn a_version_has_a_strong_tag() {
        for version in [0, 7, 10, 99, 100, 1_234_567_890, u64::MAX] {
            assert_eq!(etag(version), format!("\"v{version}\""));
        }
        assert_eq!(matches(&etag(7), Some(&etag(7))), (true, true));
        assert_eq!(matches(&etag(7), Some(&etag(70))), (false, false));
        assert!(HeaderValue::from_str(&etag(u64::MAX)).is_ok());
    }

    #[test]
    fn without_the_header_there_is_no_condition() {
        assert_eq!(if_match(&[]), Ok(None));
        assert_eq!(
            Condition::if_none_match(&headers(&IF_MATCH, &["*"])),
            Ok(None)
        );
    }

    #[test]
    fn a_star_matches_what_exists() {
        assert_eq!(if_match(&[" * "]), Ok(Some(Condition::Any)));
        assert_eq!(matches("*", Some("\"v1\"")), (true, true));
        assert_eq!(matches("*", None), (false, false));
    }

    #[test]
    fn a_weak_tag_matches_weakly_alone() {
        assert_eq!(matches("W/\"v1\"", Some("\"v1\"")), (false, true));
        assert_eq!(matches("W/\"v1\"", Some("\"v2\"")), (false, false));
    }

    #[test]
    fn one_of_a_list_is_enough() {
        for value in [
            r#""v1", "v2""#,
            r#""v1","v2""#,
            "\"v1\"\t,\t\"v2\" ",
            r#", ,"v1",,"v2","#,
            r#""a,b", W/"v2", "v2", """#,
        ] {
            assert_eq!(matches(value, Some("\"v2\"")), (true, true), "{value}");
            assert_eq!(matches(value, Some("\"v3\"")), (false, false), "{value}");
            assert_eq!(matches(value, None), (false, false), "{value}");
        }
    }

    #[test]
    fn a_header_that_comes_twice_is_one_list() {
        let condition = if_match(&["\"v1\"", "\"v2\""]).unwrap().unwrap();
        assert!(condition.matches(Some("\"v1\""), |tag| !tag.weak));
        assert!(condition.matches(Some("\"v2\""), |tag| !tag.weak));
    }

    #[test]
    fn a_comma_inside_a_tag_does_not_divide_it() {
        assert_eq!(matches("\"v1,v2\"", Some("\"v1,v2\"")), (true, true));
        assert_eq!(matches("\"v1,v2\"", Some("\"v1\"")), (false, false));
    }

    #[test]
    fn an_empty_header_matches_nothing() {
        assert_eq!(if_match(&[""]), Ok(Some(Condition::Tags(vec![]))));
        assert_eq!(matches("", Some("\"v1\"")), (false, false));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for value in [
            "v1",
            "\"v1",
            "v1\"",
            "w/\"v1\"",
            "W/v1",
            "W/ \"v1\"",
            "\"v1\" \"v2\"",
            "\"v1\"x",
            "*, \"v1\"",
            "\"v1\", *",
            "\"v 1\"",
            "'v1'",
        ] {
            assert_eq!(if_match(&[value]), Err(Malformed(IF_MATCH)), "{value}");
        }
        assert_eq!(if_match(&["*", "*"]), Err(Malformed(IF_MATCH)));
    }

    #[test]
    fn bytes_beyond_ascii_are_allowed_and_match_nothing_of_ours() {
        assert_eq!(matches("\"é\"", Some("\"v1\"")), (false, false));
    }
}
