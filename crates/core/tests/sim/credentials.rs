//! When a credential must be refused and when it must not: revocation reaches every node within
//! five seconds, and never comes undone (`spec 1.4`).

use crowdlink_core::{Core, Error, TokenFault, tokens};

use crate::feature::{STAGE, Turn, client_id};
use crate::history::{Event, History};
use crate::trace::Moment;

/// A revocation is known on every node after this.
const REVOKED_MS: u64 = 5_000;
/// An access token ends so long after it was made.
const ACCESS_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// What clocks, and the tolerance for them, may add to that or take from it.
const UNSURE_MS: u64 = 120_000;

/// Somebody comes with a token.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// When it was made (true ms).
    pub made_ms: u64,
    /// When the store last failed the node, or it was not up, before it was asked.
    pub trouble_ms: u64,
}

/// What somebody with a token is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The channel that he acts for.
    Channel(String),
    Refused(TokenFault),
}

pub type Showings = History<Shown, Told>;

/// When a credential certainly was worth nothing any more, and where that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    pub at: Moment,
    /// The node that revoked it itself.
    pub node: Option<usize>,
}

/// What is known of the life of a credential.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// Before that nothing can have ended it.
    pub endangered: Option<Moment>,
    pub death: Option<Death>,
}

/// Shows a token to the node whose turn it is.
pub fn show(turn: &Turn<'_>, showings: &Showings, (jwt, made_ms): (String, u64)) {
    let shown = Shown {
        made_ms,
        trouble_ms: turn.node.trouble_ms,
    };
    let (core, open) = (
        turn.core.clone(),
        showings.begin(turn.clerk, turn.node.index, shown),
    );
    turn.spawn(async move { open.end(told(&core, &jwt).await) });
}

async fn told(core: &Core, jwt: &str) -> Result<Told, Error> {
    match tokens::authorize_jwt(core, STAGE, &client_id(), jwt).await {
        Ok(caller) => Ok(Told::Channel(caller.channel_id.clone().unwrap_or_default())),
        Err(Error::TokenInvalid(fault)) => Ok(Told::Refused(fault)),
        Err(error) => Err(error),
    }
}

/// Whether every showing was told what it must be.
pub fn check(events: &[Event<Shown, Told>], life: Life) -> Result<(), String> {
    for (index, event) in events.iter().enumerate() {
        let (Some(end), Some(answer)) = (event.end, &event.answer) else {
            continue;
        };
        let wrong = |why: &str| Err(format!("{why}: {event:?}\n{life:?}"));
        let made_ms = event.call.made_ms;
        let is_over = event.start.ms >= made_ms + ACCESS_MS + UNSURE_MS;
        let may_be_over = end.ms + UNSURE_MS >= made_ms + ACCESS_MS;
        match answer {
            Ok(Told::Channel(_)) if is_over => return wrong("a token never ends"),
            Ok(Told::Channel(_)) if must_know(event, life.death) => {
                return wrong("a revoked token is good");
            }
            Ok(Told::Channel(_)) => {
                let before = &events[..index];
                let refused = |earlier: &&Event<Shown, Told>| {
                    let revoked = Some(Ok(Told::Refused(TokenFault::Revoked)));
                    earlier.node == event.node
                        && earlier.answer == revoked
                        && earlier.end.is_some_and(|end| end < event.start)
                };
                if before.iter().any(|earlier| refused(&earlier)) {
                    return wrong("a revoked token is good again");
                }
            }
            Ok(Told::Refused(TokenFault::Expired)) if may_be_over => {}
            Ok(Told::Refused(TokenFault::Pending)) => {}
            Ok(Told::Refused(TokenFault::Revoked | TokenFault::Expired))
                if life.endangered.is_some_and(|moment| moment < end) => {}
            Ok(Told::Refused(_)) | Err(_) => return wrong("a good token is refused"),
        }
    }
    Ok(())
}

/// Whether the node of a showing must know that the credential is dead.
fn must_know(event: &Event<Shown, Told>, death: Option<Death>) -> bool {
    let Some(death) = death.filter(|death| death.at < event.start) else {
        return false;
    };
    let known_ms = death.at.ms.max(event.call.trouble_ms) + REVOKED_MS;
    death.node == Some(event.node) || event.start.ms >= known_ms
}
