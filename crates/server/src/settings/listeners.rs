//! A setting that names listeners.

use serde::{Serialize, Serializer};

use super::setting::Kind;
use super::value::SettingValue;
use crate::listen::EdgeName;

/// Some of the listeners, in the order of the ready line, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners(Vec<EdgeName>);

impl Listeners {
    /// All that the public may reach.
    pub(super) fn public() -> Self {
        Self::those(|name| name != EdgeName::Ops)
    }

    fn those(wanted: impl Fn(EdgeName) -> bool) -> Self {
        let all = EdgeName::ALL.into_iter();
        Self(all.filter(|name| wanted(*name)).collect())
    }

    /// Which they are.
    pub fn names(&self) -> &[EdgeName] {
        &self.0
    }
}

impl Serialize for Listeners {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|name| name.as_str()))
    }
}

impl SettingValue for Listeners {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Option<Self> {
        let words = text.split(',').map(str::trim);
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        let known = |word: &&str| EdgeName::ALL.iter().any(|name| name.as_str() == *word);
        words
            .iter()
            .all(known)
            .then(|| Self::those(|name| words.contains(&name.as_str())))
    }

    fn expected() -> String {
        let names = EdgeName::ALL.map(EdgeName::as_str);
        format!("some of {}", names.join(", "))
    }

    fn show(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|name| name.as_str()).collect();
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_listeners_is_read_in_any_order_and_shown_in_one() {
        let read = |text| Listeners::from_text(text).map(|listeners| listeners.show());
        let both = Some("sandbox-rest,ops".to_owned());
        assert_eq!(read("ops, sandbox-rest,ops"), both);
        assert_eq!(read(""), Some(String::new()));
        assert_eq!(read("ops,rest"), None);
        assert!(!Listeners::public().names().contains(&EdgeName::Ops));
        assert_eq!(Listeners::public().names().len(), 4);
    }
}
