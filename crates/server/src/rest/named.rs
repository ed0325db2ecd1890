//! A body that is an object whose keys name what its values are for.

use std::fmt;
use std::marker::PhantomData;

use crowdlink_core::Error;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Names and values, in the order of the body; of duplicate names the last value.
pub(super) struct Named<V>(pub(super) Vec<(String, V)>);

impl<'a, V: Deserialize<'a>> Named<V> {
    /// `None` where the body is no object.
    pub(super) fn of(body: &'a [u8]) -> Result<Option<Self>, Error> {
        if !body.trim_ascii().starts_with(b"{") {
            return Ok(None);
        }
        let named = serde_json::from_slice(body);
        named
            .map(Some)
            .map_err(|_| Error::invalid("body", "must be JSON"))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Named<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

struct NamedVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for NamedVisitor<V> {
    type Value = Named<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<V>, A::Error> {
        let mut places = std::collections::HashMap::new();
        let mut named: Vec<(String, V)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, V>()? {
            let place = places
                .get(&name)
                .and_then(|index: &usize| named.get_mut(*index));
            if let Some(place) = place {
                place.1 = value;
            } else {
                places.insert(name.clone(), named.len());
                named.push((name, value));
            }
        }
        Ok(Named(named))
    }
}
