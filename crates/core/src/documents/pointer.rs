//! JSON Pointer (RFC 6901).

use std::borrow::Cow;

/// A pointer whose syntax has been checked. Kept as it came: its tokens are read one by one, so
/// that a long one takes no more memory than its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer(Box<str>);

/// Why a text is no pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerFault {
    /// Neither empty nor `/…`.
    #[error("it must be empty or begin with /")]
    NoSlash,
    /// A `~` that neither 0 nor 1 follows.
    #[error("after ~ there must be 0 or 1")]
    Escape,
}

impl Pointer {
    pub(super) fn parse(text: &str) -> Result<Self, PointerFault> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(PointerFault::NoSlash);
        }
        let escapes = text.split('~').skip(1);
        for after in escapes {
            if !after.starts_with(['0', '1']) {
                return Err(PointerFault::Escape);
            }
        }
        Ok(Self(text.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the whole document.
    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// How many steps it takes from the root.
    pub(super) fn len(&self) -> usize {
        self.0.bytes().filter(|byte| *byte == b'/').count()
    }

    /// Whether it points to something inside what `other` points to. Texts compare as their tokens
    /// do, for there is one way only to escape each.
    pub(super) fn is_inside(&self, other: &Self) -> bool {
        self.0
            .strip_prefix(&*other.0)
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

/// The first token of `/a/b`, and the rest that begins with `/` or is empty.
pub(super) fn split(pointer: &str) -> Option<(Cow<'_, str>, &str)> {
    let path = pointer.strip_prefix('/')?;
    let (token, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    // In this order: `~01` is `~1`.
    let token = if token.contains('~') {
        Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(token)
    };
    Some((token, rest))
}

/// An index as RFC 6901 writes it: digits without leading zeros. One too big for this machine is
/// an index all the same, beyond every list.
pub(super) fn index(token: &str) -> Option<usize> {
    let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (token == "0" || !token.starts_with('0'));
    canonical.then(|| token.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(mut text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        while let Some((token, rest)) = split(text) {
            tokens.push(token.into_owned());
            text = rest;
        }
        tokens
    }

    #[test]
    fn the_pointers_of_rfc_6901_section_5_read_as_it_says() {
        for (pointer, expected) in [
            ("", &[][..]),
            ("/foo", &["foo"]),
            ("/foo/0", &["foo", "0"]),
            ("/", &[""]),
            ("/a~1b", &["a/b"]),
            ("/c%d", &["c%d"]),
            ("/i\\j", &["i\\j"]),
            ("/ ", &[" "]),
            ("/m~0n", &["m~n"]),
            ("/~01", &["~1"]),
            ("//", &["", ""]),
        ] {
            assert!(Pointer::parse(pointer).is_ok());
            assert_eq!(tokens(pointer), expected, "{pointer}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for (text, fault) in [
            ("a", PointerFault::NoSlash),
            ("a/b", PointerFault::NoSlash),
            ("#/a", PointerFault::NoSlash),
            ("/~", PointerFault::Escape),
            ("/~2", PointerFault::Escape),
            ("/a~/b", PointerFault::Escape),
            ("/~~0", PointerFault::Escape),
        ] {
            assert_eq!(Pointer::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn an_index_has_no_leading_zeros_and_no_sign() {
        assert_eq!(
            (index("0"), index("10"), index("99999999999999999999999")),
            (Some(0), Some(10), Some(usize::MAX))
        );
        for token in ["", "00", "01", "-1", "+1", "1e0", " 1", "1.0", "-", "١"] {
            assert_eq!(index(token), None, "{token}");
        }
    }

    #[test]
    fn inside_is_by_token_and_not_by_text() {
        let inside = |a: &str, b: &str| {
            Pointer::parse(a)
                .unwrap()
                .is_inside(&Pointer::parse(b).unwrap())
        };
        assert!(inside("/a/b", "/a") && inside("/a", "") && inside("/a/", "/a"));
        assert!(!inside("/ab", "/a") && !inside("/a", "/a") && !inside("/a", "/a/b"));
    }
}
