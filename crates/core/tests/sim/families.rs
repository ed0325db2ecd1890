//! Games paired by a PIN that their extension showed: the PIN, its family and its tokens.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crowdlink_core::pairing::{self, Paired};
use crowdlink_core::{Core, Error, tokens};
use parking_lot::Mutex;

use crate::credentials::{self, Death, Life, Showings};
use crate::feature::{Feature, STAGE, Turn, broadcaster, client_id};
use crate::history::{Event, History};
use crate::linear::{self, Kind, Model};
use crate::node::Ground;

const CHANNEL: &str = "42";
/// PINs, and so games, of one seed.
const PINS_MAX: usize = 5;
/// A PIN is good for so long.
const PIN_MS: u64 = 5 * 60 * 1_000;
/// What wrong clocks may add to that or take from it.
const UNSURE_MS: u64 = 60_000;

#[derive(Clone, Debug)]
enum Call {
    Redeem,
    /// The refresh token of that number, and of the one it was given for.
    Refresh {
        token: usize,
        parent: Option<usize>,
    },
    /// By the broadcaster, or by an operator.
    Revoke {
        by_operator: bool,
    },
    /// Whether the game is in the list of the channel.
    Listed,
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    /// The number of the refresh token that was given.
    Given(usize),
    Done,
    Listed(bool),
}

/// What a PIN has become.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Game {
    Unpaired,
    /// The refresh token that was used last; none known where the answer was lost.
    Paired(Option<usize>),
    Ended,
}

/// A PIN made at a moment (true ms).
struct Plain(u64);

impl Plain {
    fn redeem(&self, game: &Game, event: &Event<Call, Answer>) -> Vec<Game> {
        let age_ms = |ms: u64| ms.saturating_sub(self.0);
        let end_ms = event.end.map_or(u64::MAX, |end| end.ms);
        let may_be_over = age_ms(end_ms) + UNSURE_MS >= PIN_MS;
        let must_be_over = age_ms(event.start.ms) >= PIN_MS + UNSURE_MS;
        match (&event.answer, game) {
            (Some(Ok(_)), Game::Unpaired) if !must_be_over => vec![Game::Paired(Some(0))],
            (None, Game::Unpaired) => vec![Game::Paired(None)],
            (Some(Err(Error::PinInvalid)), Game::Unpaired) if may_be_over => vec![game.clone()],
            (Some(Err(Error::PinInvalid)), Game::Paired(_) | Game::Ended) => vec![game.clone()],
            _ => Vec::new(),
        }
    }
}

impl Model for Plain {
    type State = Game;
    type Call = Call;
    type Answer = Answer;

    fn kind(&self, event: &Event<Call, Answer>) -> Kind {
        match event.call {
            Call::Listed => Kind::Read,
            Call::Redeem if matches!(event.answer, Some(Err(_))) => Kind::Read,
            _ => Kind::Write,
        }
    }

    fn apply(&self, game: &Game, event: &Event<Call, Answer>) -> Vec<Game> {
        match (&event.call, game, &event.answer) {
            (Call::Redeem, ..) => self.redeem(game, event),
            (Call::Refresh { token, parent }, Game::Paired(Some(head)), answer) => {
                let good = head == token || *parent == Some(*head);
                match answer {
                    None | Some(Ok(_)) if good => vec![Game::Paired(Some(*token))],
                    // A replay ends the family.
                    Some(Err(Error::RefreshInvalid)) | None if !good => vec![Game::Ended],
                    _ => Vec::new(),
                }
            }
            (Call::Refresh { .. }, Game::Ended, None | Some(Err(Error::RefreshInvalid)))
            | (Call::Revoke { .. }, Game::Paired(_), None | Some(Ok(_)))
            | (Call::Revoke { .. }, Game::Ended, None | Some(Err(Error::NotFound(_)))) => {
                vec![Game::Ended]
            }
            (Call::Listed, Game::Paired(_), Some(Ok(Answer::Listed(true))))
            | (Call::Listed, Game::Ended, Some(Ok(Answer::Listed(false)))) => vec![game.clone()],
            _ => Vec::new(),
        }
    }
}

/// What the game was given.
#[derive(Default)]
struct Kept {
    family: Option<String>,
    /// Refresh tokens, and the number of the one that each was given for.
    refresh: Vec<(String, Option<usize>)>,
    /// Access tokens, and when they were made (true ms).
    access: Vec<(String, u64)>,
}

impl Kept {
    fn keep(&mut self, paired: Paired, parent: Option<usize>, made_ms: u64) -> Answer {
        self.family = paired.revocable.fam;
        self.access.push((paired.jwt, made_ms));
        self.refresh.push((paired.refresh.unwrap(), parent));
        Answer::Given(self.refresh.len() - 1)
    }
}

struct Pin {
    text: String,
    made_ms: u64,
    history: History<Call, Answer>,
    showings: Showings,
    kept: Arc<Mutex<Kept>>,
}

/// PINs and the games that they paired.
#[derive(Default)]
pub struct Families {
    pins: Arc<Mutex<Vec<Pin>>>,
    begun: usize,
    made: History<(), ()>,
    tries: u32,
}

async fn call(
    core: &Core,
    (pin, address, made_ms): (&str, IpAddr, u64),
    kept: &Mutex<Kept>,
    call: &Call,
) -> Result<Answer, Error> {
    let (client_id, owner) = (client_id(), broadcaster(core, CHANNEL).await);
    let family = kept.lock().family.clone().unwrap_or_default();
    match call {
        Call::Redeem => {
            let typed = (pin, address);
            let paired = pairing::redeem_pin(core, STAGE, &client_id, typed, None).await?;
            Ok(kept.lock().keep(paired, None, made_ms))
        }
        Call::Refresh { token, .. } => {
            let text = kept.lock().refresh[*token].0.clone();
            let paired = tokens::refresh(core, STAGE, &client_id, &text, None).await?;
            Ok(kept.lock().keep(paired, Some(*token), made_ms))
        }
        Call::Revoke { by_operator } => {
            if *by_operator {
                tokens::revoke_family_by_id(core, STAGE, &client_id, &family).await?;
            } else {
                pairing::revoke_one(core, &owner, &family).await?;
            }
            Ok(Answer::Done)
        }
        Call::Listed => {
            let grants = pairing::grants(core, &owner).await?;
            Ok(Answer::Listed(
                grants.iter().any(|grant| grant.id == family),
            ))
        }
    }
}

impl Families {
    pub fn new() -> Self {
        Self {
            made: History::new("pin"),
            ..Self::default()
        }
    }

    fn make(&mut self, turn: &Turn<'_>) {
        self.begun += 1;
        let name = format!("game {}", self.begun);
        let (pins, core, made_ms) = (
            Arc::clone(&self.pins),
            Arc::clone(&turn.core),
            turn.now_ms(),
        );
        let open = self.made.begin(turn.clerk, turn.node.index, ());
        turn.spawn(async move {
            let owner = broadcaster(&core, CHANNEL).await;
            let pin = pairing::create_pin(&core, &owner).await;
            if let Ok(text) = &pin {
                pins.lock().push(Pin {
                    text: text.clone(),
                    made_ms,
                    showings: History::new(format!("{name} shows a token")),
                    history: History::new(name),
                    kept: Arc::default(),
                });
            }
            open.end(pin.map(drop));
        });
    }

    fn begin(&mut self, turn: &Turn<'_>, which: usize, begun: Call) {
        self.tries += 1;
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + (self.tries << 8)));
        let pins = self.pins.lock();
        let pin = &pins[which];
        let (core, kept) = (Arc::clone(&turn.core), Arc::clone(&pin.kept));
        let (text, made_ms) = (pin.text.clone(), turn.now_ms());
        let open = pin
            .history
            .begin(turn.clerk, turn.node.index, begun.clone());
        turn.spawn(async move {
            let done = call(&core, (&text, address, made_ms), &kept, &begun).await;
            open.end(done);
        });
    }
}

/// The call that a game makes next: the newest token mostly, an older one now and then.
fn draw(turn: &mut Turn<'_>, kept: &Kept) -> Option<Call> {
    let newest = kept.refresh.len().checked_sub(1)?;
    Some(match turn.dice.below(20) {
        0..=13 => {
            let older = turn.dice.chance(100);
            let token = if older {
                turn.dice.below(newest + 1)
            } else {
                newest
            };
            let parent = kept.refresh[token].1;
            Call::Refresh { token, parent }
        }
        14 | 15 => Call::Revoke {
            by_operator: turn.dice.chance(500),
        },
        _ => Call::Listed,
    })
}

impl Feature for Families {
    fn act(&mut self, turn: &mut Turn<'_>) {
        let made = self.pins.lock().len();
        if made == 0 || (self.begun < PINS_MAX && turn.dice.chance(200)) {
            return self.make(turn);
        }
        // The newest most of all, so that several come together.
        let which = if turn.dice.chance(600) {
            made - 1
        } else {
            turn.dice.below(made)
        };
        let kept = Arc::clone(&self.pins.lock()[which].kept);
        let access = kept.lock().access.clone();
        if !access.is_empty() && turn.dice.chance(350) {
            let (jwt, made_ms) = access[turn.dice.below(access.len())].clone();
            credentials::show(turn, &self.pins.lock()[which].showings, (jwt, made_ms));
            return;
        }
        let next = draw(turn, &kept.lock()).filter(|_| turn.dice.chance(850));
        self.begin(turn, which, next.unwrap_or(Call::Redeem));
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        let made = self.pins.lock().len();
        for which in 0..made {
            let kept = Arc::clone(&self.pins.lock()[which].kept);
            let access = kept.lock().access.clone();
            if access.is_empty() {
                continue;
            }
            self.begin(turn, which, Call::Listed);
            for token in access {
                credentials::show(turn, &self.pins.lock()[which].showings, token);
            }
        }
    }

    fn verify(&self, _: &Ground) -> Result<(), String> {
        for pin in self.pins.lock().iter() {
            let events = pin.history.events();
            let name = pin.history.name();
            let games = linear::check(&Plain(pin.made_ms), Game::Unpaired, &events)
                .map_err(|wrong| format!("{name}: {wrong}"))?;
            credentials::check(&pin.showings.events(), life(&events, &games))
                .map_err(|wrong| format!("{name}: {wrong}"))?;
        }
        Ok(())
    }
}

/// When the family was first in danger, and when it was certainly dead.
fn life(events: &[Event<Call, Answer>], games: &HashSet<Game>) -> Life {
    let ends = |event: &&Event<Call, Answer>| match (&event.call, &event.answer) {
        (Call::Revoke { .. }, answer) => !matches!(answer, Some(Err(_))),
        (Call::Refresh { .. }, answer) => !matches!(answer, Some(Ok(_))),
        _ => false,
    };
    let endangered = events.iter().filter(ends).map(|event| event.start).min();
    let death = |event: &Event<Call, Answer>| {
        let node = match (&event.call, &event.answer) {
            (Call::Revoke { .. }, Some(Ok(_))) => Some(event.node),
            (Call::Revoke { .. }, Some(Err(Error::NotFound(_))))
            | (Call::Refresh { .. }, Some(Err(Error::RefreshInvalid))) => None,
            _ => return None,
        };
        Some(Death {
            at: event.end?,
            node,
        })
    };
    let certain = games.iter().all(|game| *game == Game::Ended);
    let deaths = events.iter().filter_map(death).filter(|_| certain);
    Life {
        endangered,
        death: deaths.min_by_key(|death| death.at),
    }
}
