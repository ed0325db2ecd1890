//! JSON Patch (RFC 6902), as state and configuration take it.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Changes that are made in order, all or none; at most 1,000 (`spec 5`). Paths are JSON Pointers,
/// such as `/players/0/name`; `add` makes missing parents on the way (`spec 2.4`).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Patch(Vec<Map<String, Value>>);

impl Patch {
    /// No changes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value, or replaces it; `-` at the end of a list.
    #[must_use]
    pub fn add(self, path: &str, value: impl Into<Value>) -> Self {
        self.op("add", path, ("value", value.into()))
    }

    /// Replaces what must be there.
    #[must_use]
    pub fn replace(self, path: &str, value: impl Into<Value>) -> Self {
        self.op("replace", path, ("value", value.into()))
    }

    /// Removes what must be there.
    #[must_use]
    pub fn remove(mut self, path: &str) -> Self {
        let op = [("op", "remove"), ("path", path)];
        self.0.push(
            op.map(|(name, text)| (name.to_owned(), json!(text)))
                .into_iter()
                .collect(),
        );
        self
    }

    /// Refuses the whole patch where something else is there.
    #[must_use]
    pub fn test(self, path: &str, value: impl Into<Value>) -> Self {
        self.op("test", path, ("value", value.into()))
    }

    /// Moves a value.
    #[must_use]
    pub fn move_to(self, from: &str, path: &str) -> Self {
        self.op("move", path, ("from", json!(from)))
    }

    /// Copies a value.
    #[must_use]
    pub fn copy_to(self, from: &str, path: &str) -> Self {
        self.op("copy", path, ("from", json!(from)))
    }

    fn op(mut self, op: &str, path: &str, (name, value): (&str, Value)) -> Self {
        let fields = [("op", json!(op)), ("path", json!(path)), (name, value)];
        self.0.push(
            fields
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
        );
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_the_form_of_the_rfc() {
        let patch = Patch::new()
            .add("/a", 1)
            .replace("/b", "x")
            .remove("/c")
            .test("/d", Value::Null)
            .move_to("/e", "/f")
            .copy_to("/g", "/h");
        assert_eq!(
            serde_json::to_value(patch).unwrap(),
            json!([
                { "op": "add", "path": "/a", "value": 1 },
                { "op": "replace", "path": "/b", "value": "x" },
                { "op": "remove", "path": "/c" },
                { "op": "test", "path": "/d", "value": null },
                { "op": "move", "path": "/f", "from": "/e" },
                { "op": "copy", "path": "/h", "from": "/g" },
            ])
        );
    }
}
