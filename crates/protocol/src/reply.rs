//! Frames to a game (`spec 2.2`).

use serde::Serialize;

use crate::envelope::REQUEST_ID_NONE;

/// The head of every frame to a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Meta<'a> {
    /// The id of the request, or [`REQUEST_ID_NONE`].
    pub request_id: u16,
    /// Its action, `update` on events.
    pub action: &'a str,
    /// Its target.
    pub target: &'a str,
    /// Unix time in ms.
    pub timestamp: i64,
}

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorItem<'a> {
    /// The HTTP-like code.
    pub number: u16,
    /// The same, under the other name that clients read.
    pub status: u16,
    /// A short name of the code.
    pub title: &'a str,
    /// For people.
    pub detail: &'a str,
}

#[derive(Serialize)]
struct Data<'a, T> {
    meta: Meta<'a>,
    data: &'a T,
}

#[derive(Serialize)]
struct Errors<'a> {
    meta: Meta<'a>,
    errors: [ErrorItem<'a>; 1],
}

/// The answer to a request that was fulfilled.
pub fn encode_data<T: Serialize>(meta: Meta<'_>, data: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Data { meta, data })
}

/// The answer to a request that was refused.
pub fn encode_errors(
    meta: Meta<'_>,
    status: u16,
    title: &str,
    detail: &str,
) -> Result<String, serde_json::Error> {
    let errors = [ErrorItem {
        number: status,
        status,
        title,
        detail,
    }];
    serde_json::to_string(&Errors { meta, errors })
}

/// An event: nobody asked for it.
pub fn encode_event<T: Serialize>(
    target: &str,
    timestamp: i64,
    data: &T,
) -> Result<String, serde_json::Error> {
    let meta = Meta {
        request_id: REQUEST_ID_NONE,
        action: "update",
        target,
        timestamp,
    };
    encode_data(meta, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_look_as_shipped_clients_expect_them() {
        let meta = Meta {
            request_id: 17,
            action: "get",
            target: "state",
            timestamp: 1_583_777_221_501,
        };
        assert_eq!(
            encode_data(meta, &serde_json::json!({ "ok": true })).unwrap(),
            r#"{"meta":{"request_id":17,"action":"get","target":"state","timestamp":1583777221501},"data":{"ok":true}}"#
        );
        assert_eq!(
            encode_errors(meta, 403, "Forbidden", "requires authentication").unwrap(),
            r#"{"meta":{"request_id":17,"action":"get","target":"state","timestamp":1583777221501},"errors":[{"number":403,"status":403,"title":"Forbidden","detail":"requires authentication"}]}"#
        );
    }
}
