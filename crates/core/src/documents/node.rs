//! The parts of a document.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::Number;

use super::measure::{Measure, Shape, Work};
use super::parts::{List, Object};

/// Any JSON value. What can be big is shared: a clone costs the same for all.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(Arc<Text>),
    List(Arc<List>),
    Object(Arc<Object>),
}

impl Node {
    /// How big it is.
    pub(super) fn measure(&self) -> Measure {
        match self {
            Self::Null | Self::Bool(true) => Measure::plain("true".len()),
            Self::Bool(false) => Measure::plain("false".len()),
            Self::Number(number) => Measure::plain(number_bytes(number)),
            Self::Text(text) => Measure::plain(text.bytes),
            Self::List(list) => list.measure(),
            Self::Object(object) => object.measure(),
        }
    }

    /// The same without the bytes, which of a number cost some work.
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => Shape::PLAIN,
            Self::List(list) => list.measure().shape,
            Self::Object(object) => object.measure().shape,
        }
    }

    /// `{}`
    pub(super) fn empty_object() -> Self {
        Self::Object(Arc::default())
    }
}

/// A text with the length of its JSON, quotes and escapes included.
#[derive(Debug, PartialEq)]
pub(super) struct Text {
    text: Box<str>,
    bytes: usize,
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            bytes: text_bytes(text),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Length of a text as JSON. As serde_json writes: short escapes where there are any, `\u00XX` for
/// the other control characters, everything else as it is.
pub(super) fn text_bytes(text: &str) -> usize {
    let escaped: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
            0..=0x1f => r"\u00XX".len() - 1,
            _ => 0,
        })
        .sum();
    text.len() + escaped + 2
}

fn number_bytes(number: &Number) -> usize {
    struct Length(usize);
    impl Write for Length {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut length = Length(0);
    // Counting cannot fail.
    let _ = write!(length, "{number}");
    length.0
}

/// A part to write to: itself if nobody else holds it, else a copy of its top level.
pub(super) fn own<'a, T: Clone>(
    shared: &'a mut Arc<T>,
    len: impl FnOnce(&T) -> usize,
    work: &mut Work,
) -> &'a mut T {
    if Arc::get_mut(shared).is_none() {
        work.children += len(shared);
    }
    Arc::make_mut(shared)
}
