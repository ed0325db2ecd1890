//! Who may call what (`spec 3`), for explanations. The rules themselves are in core.

use crowdlink_core::tokens::Requires;

/// Where REST paths begin.
const PREFIX: &str = "/v1/e/";

/// What a REST call wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// No token.
    Nothing,
    /// A token of one of these.
    Token(Requires),
}

/// What a call wants; `None` where the path is not known.
pub(super) fn wants(method: &str, path: &str) -> Option<Wants> {
    use Requires::{Anyone, Broadcaster, BroadcasterOrTrusted, Trusted};
    let route = path.strip_prefix(PREFIX)?.trim_end_matches('/');
    let reads = matches!(method, "GET" | "HEAD");
    let unless_read = |requires| if reads { Anyone } else { requires };
    let requires = match route {
        "pin" if method == "DELETE" => Broadcaster,
        "authtoken" | "token" | "pin" | "unauthed/pin" | "unauthed/validate_pin" => {
            return Some(Wants::Nothing);
        }
        "validate_pin" | "pin_token_exists" | "gamelink/pin" | "gamelink/token"
        | "gamelink/grants" => Broadcaster,
        "user_ids"
        | "extension_hidden_state"
        | "vote_logs"
        | "codes"
        | "codes/mark_from_list"
        | "codes/mark_from_poll" => Trusted,
        "vote_modifier" => BroadcasterOrTrusted,
        "extension_state" | "channel_state" | "config/channel" | "channel_config"
        | "config/extension" | "extension_config" | "json_store" | "vote_config" => {
            unless_read(BroadcasterOrTrusted)
        }
        "accumulate" if reads => BroadcasterOrTrusted,
        "rank" if method != "POST" => BroadcasterOrTrusted,
        "vote" if method == "DELETE" => BroadcasterOrTrusted,
        "user_info"
        | "viewer_state"
        | "extension_viewer_state"
        | "all_state"
        | "config"
        | "all_config"
        | "accumulate"
        | "rank"
        | "codes/eligible"
        | "codes/eligibility"
        | "codes/redeemed"
        | "codes/redeem"
        | "vote" => Anyone,
        _ => return None,
    };
    Some(Wants::Token(requires))
}
