//! Codes on their way in. A million of them come as one JSON text: they are taken from it one by
//! one and kept as one text, so that the memory they need is about the size of the body.

use std::borrow::Cow;
use std::fmt;

use crowdlink_protocol::PRIZES_MAX;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{CODE_CHARS_MAX, CODES_PER_SET_MAX, NAME_BYTES_MAX, check_index};
use crate::error::Error;

/// Codes in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeList {
    text: String,
    /// Where each code ends in the text.
    ends: Vec<usize>,
}

impl CodeList {
    /// The codes.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let code = |(start, end): (usize, &usize)| self.text.get(start..*end);
        starts.zip(&self.ends).filter_map(code)
    }

    fn push(&mut self, code: &str) -> Result<(), String> {
        // Most are plain, and there may be a million.
        let plain =
            code.len() <= CODE_CHARS_MAX && code.bytes().all(|byte| byte.is_ascii_graphic());
        let chars = code.chars().take(CODE_CHARS_MAX + 1);
        let fits = plain || chars.count() <= CODE_CHARS_MAX && !code.chars().any(char::is_control);
        if code.is_empty() || !fits {
            return Err(format!(
                "a code must have 1 to {CODE_CHARS_MAX} characters, none of them a control"
            ));
        }
        if self.ends.len() >= CODES_PER_SET_MAX {
            return Err(format!("a set must have at most {CODES_PER_SET_MAX} codes"));
        }
        self.text.push_str(code);
        self.ends.push(self.text.len());
        Ok(())
    }
}

/// A text that is borrowed where it holds no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}

impl<'de> Deserialize<'de> for CodeList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Codes;
        impl<'de> Visitor<'de> for Codes {
            type Value = CodeList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of codes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<CodeList, A::Error> {
                let mut codes = CodeList::default();
                while let Some(Text(code)) = seq.next_element()? {
                    codes.push(&code).map_err(A::Error::custom)?;
                }
                Ok(codes)
            }
        }
        deserializer.deserialize_seq(Codes)
    }
}

/// Codes for one set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCodes {
    /// The codes.
    pub codes: CodeList,
    /// The name that the set has from now on.
    pub name: String,
    /// The prize that they are for, where the call tells.
    pub index: Option<usize>,
}

/// The body of an upload (`spec 3.8`), in which all is as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// One to ten sets.
    pub sets: Vec<NewCodes>,
}

/// The fields of the body; of duplicate ones the last.
#[derive(Default)]
struct Fields {
    codes: Option<Vec<CodeList>>,
    names: Option<Vec<String>>,
    indices: Option<Vec<usize>>,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Body;
        impl<'de> Visitor<'de> for Body {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some(Text(name)) = map.next_key()? {
                    match &*name {
                        "codes" => fields.codes = Some(map.next_value::<AtMost<_>>()?.0),
                        "names" => fields.names = Some(map.next_value::<AtMost<_>>()?.0),
                        "indices" => {
                            let indices = map.next_value::<Option<AtMost<_>>>()?;
                            fields.indices = indices.map(|indices| indices.0);
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Body)
    }
}

/// A list of at most [`PRIZES_MAX`] things; a longer one is refused where it gets too long.
struct AtMost<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AtMost<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = AtMost<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AtMost<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == PRIZES_MAX {
                        return Err(A::Error::custom(format!("at most {PRIZES_MAX} sets")));
                    }
                    items.push(item);
                }
                Ok(AtMost(items))
            }
        }
        deserializer.deserialize_seq(Items(std::marker::PhantomData))
    }
}

impl Upload {
    /// Reads a body; one that was encoded twice is undone. Takes a while for a large one.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        if json.trim_ascii_start().starts_with(b"\"")
            && let Ok(inner) = serde_json::from_slice::<String>(json)
        {
            return Self::parse_once(inner.as_bytes());
        }
        Self::parse_once(json)
    }

    fn parse_once(json: &[u8]) -> Result<Self, Error> {
        let fields: Fields = serde_json::from_slice(json)
            .map_err(|error| Error::invalid("body", format!("is refused: {error}")))?;
        let codes = fields.codes.unwrap_or_default();
        let names = fields.names.unwrap_or_default();
        if codes.is_empty() || names.len() != codes.len() {
            return Err(Error::invalid("names", "must be one for each set of codes"));
        }
        let indices: Vec<Option<usize>> = match fields.indices {
            None => vec![None; codes.len()],
            Some(indices) => indices.into_iter().map(Some).collect(),
        };
        if indices.len() != codes.len() {
            return Err(Error::invalid(
                "indices",
                "must be one for each set of codes",
            ));
        }
        let mut sets = Vec::with_capacity(codes.len());
        for ((codes, name), index) in codes.into_iter().zip(names).zip(indices) {
            check_index("indices", index.unwrap_or(0))?;
            let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
            if !fits || name.chars().any(char::is_control) {
                let expected =
                    format!("must have 1 to {NAME_BYTES_MAX} bytes, no control character");
                return Err(Error::invalid("names", expected));
            }
            sets.push(NewCodes { codes, name, index });
        }
        Ok(Self { sets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(json: &str) -> Result<Vec<String>, Error> {
        let upload = Upload::parse(json.as_bytes())?;
        let first = upload.sets.into_iter().next().unwrap();
        Ok(first.codes.iter().map(str::to_owned).collect())
    }

    #[test]
    fn codes_are_taken_as_they_stand_also_with_escapes() {
        let body = r#"{"codes":[["A-1","ä\"\u00e4","x"]],"names":["n"],"other":[[1]]}"#;
        assert_eq!(codes(body).unwrap(), ["A-1", "ä\"ä", "x"]);
        let twice = serde_json::to_string(body).unwrap();
        assert_eq!(codes(&twice).unwrap(), ["A-1", "ä\"ä", "x"]);
        let last = r#"{"codes":[["A"]],"names":["n"],"codes":[["B"]],"indices":null}"#;
        assert_eq!(codes(last).unwrap(), ["B"]);
    }

    #[test]
    fn a_set_has_fewer_than_a_million_codes_of_fewer_than_64_characters() {
        let of = |count: usize, code: &str| {
            let codes = vec![format!("\"{code}\""); count].join(",");
            format!(r#"{{"codes":[[{codes}]],"names":["n"]}}"#)
        };
        assert_eq!(codes(&of(999_999, "a")).unwrap().len(), 999_999);
        assert!(codes(&of(1_000_000, "a")).is_err());
        assert!(codes(&of(1, &"ä".repeat(63))).is_ok());
        for code in [&*"ä".repeat(64), "", "a\\n", "\\u0000"] {
            assert!(codes(&of(1, code)).is_err(), "{code}");
        }
    }
}
