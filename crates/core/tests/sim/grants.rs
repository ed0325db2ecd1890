//! Games that show a PIN themselves, typed into the extension by a broadcaster.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crowdlink_core::pairing;
use crowdlink_core::{Core, Error, TokenFault};
use parking_lot::Mutex;

use crate::credentials::{self, Death, Life, Showings, Told};
use crate::feature::{CLIENT, Feature, STAGE, Turn, broadcaster};
use crate::history::{Event, History};
use crate::linear::{self, Kind, Model};
use crate::node::Ground;

const CHANNELS: [&str; 2] = ["b0", "b1"];
const PINS_MAX: usize = 4;
const PIN_MS: u64 = 5 * 60 * 1_000;
const UNSURE_MS: u64 = 60_000;

#[derive(Clone, Debug)]
enum Call {
    /// Whoever runs the channel types the PIN.
    Type { channel: usize },
    /// Whoever runs the channel ends all that it has granted.
    RevokeAll { channel: usize },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Grant {
    Pending,
    Active(usize),
    Ended,
}

/// A grant made at a moment (true ms).
struct Plain(u64);

impl Model for Plain {
    type State = Grant;
    type Call = Call;
    type Answer = ();

    fn kind(&self, event: &Event<Call, ()>) -> Kind {
        match event.answer {
            Some(Err(_)) => Kind::Read,
            _ => Kind::Write,
        }
    }

    fn apply(&self, grant: &Grant, event: &Event<Call, ()>) -> Vec<Grant> {
        let age_ms = |ms: u64| ms.saturating_sub(self.0);
        let end_ms = event.end.map_or(u64::MAX, |end| end.ms);
        let may_be_over = age_ms(end_ms) + UNSURE_MS >= PIN_MS;
        let must_be_over = age_ms(event.start.ms) >= PIN_MS + UNSURE_MS;
        match (&event.call, grant, &event.answer) {
            (Call::Type { channel }, Grant::Pending, None | Some(Ok(()))) if !must_be_over => {
                vec![Grant::Active(*channel)]
            }
            (Call::Type { .. }, Grant::Pending, Some(Err(Error::PinInvalid))) if may_be_over => {
                vec![grant.clone()]
            }
            (Call::Type { .. }, Grant::Active(_) | Grant::Ended, Some(Err(Error::PinInvalid))) => {
                vec![grant.clone()]
            }
            (Call::RevokeAll { channel }, Grant::Active(of), None | Some(Ok(())))
                if channel == of =>
            {
                vec![Grant::Ended]
            }
            (Call::RevokeAll { .. }, _, None | Some(Ok(()))) => vec![grant.clone()],
            _ => Vec::new(),
        }
    }
}

struct Pin {
    text: String,
    token: String,
    made_ms: u64,
    history: History<Call, ()>,
    showings: Showings,
}

/// PINs of games and what they were granted.
#[derive(Default)]
pub struct Grants {
    pins: Arc<Mutex<Vec<Pin>>>,
    made: History<(), ()>,
    begun: usize,
    tries: u32,
}

async fn call(core: &Core, pin: &str, address: IpAddr, call: &Call) -> Result<(), Error> {
    match call {
        Call::Type { channel } => {
            let owner = broadcaster(core, CHANNELS[*channel]).await;
            pairing::validate_pin(core, &owner, pin, address).await
        }
        Call::RevokeAll { channel } => {
            let owner = broadcaster(core, CHANNELS[*channel]).await;
            pairing::revoke_game_pins(core, &owner).await
        }
    }
}

impl Grants {
    pub fn new() -> Self {
        Self {
            made: History::new("pin of a game"),
            ..Self::default()
        }
    }

    fn address(&mut self) -> IpAddr {
        self.tries += 1;
        IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + (self.tries << 8)))
    }

    fn make(&mut self, turn: &Turn<'_>) {
        self.begun += 1;
        let name = format!("grant {}", self.begun);
        let address = self.address();
        let (pins, core, made_ms) = (
            Arc::clone(&self.pins),
            Arc::clone(&turn.core),
            turn.now_ms(),
        );
        let open = self.made.begin(turn.clerk, turn.node.index, ());
        turn.spawn(async move {
            let made = pairing::create_game_pin(&core, STAGE, CLIENT, address).await;
            if let Ok(pin) = &made {
                pins.lock().push(Pin {
                    text: pin.pin.clone(),
                    token: pin.token.clone(),
                    made_ms,
                    showings: History::new(format!("{name} shows its token")),
                    history: History::new(name),
                });
            }
            open.end(made.map(drop));
        });
    }

    fn type_in(&mut self, turn: &Turn<'_>, which: usize, channel: usize) {
        let address = self.address();
        let pins = self.pins.lock();
        let (core, text) = (Arc::clone(&turn.core), pins[which].text.clone());
        let begun = Call::Type { channel };
        let open = pins[which]
            .history
            .begin(turn.clerk, turn.node.index, begun.clone());
        turn.spawn(async move { open.end(call(&core, &text, address, &begun).await) });
    }

    /// One call that concerns every grant there is.
    fn revoke_all(&mut self, turn: &Turn<'_>, channel: usize) {
        let address = self.address();
        let core = Arc::clone(&turn.core);
        let begun = Call::RevokeAll { channel };
        let pins = self.pins.lock();
        let begin = |pin: &Pin| {
            pin.history
                .begin(turn.clerk, turn.node.index, begun.clone())
        };
        let open: Vec<_> = pins.iter().map(begin).collect();
        turn.spawn(async move {
            let done = call(&core, "", address, &begun).await;
            for open in open {
                open.end(done.clone());
            }
        });
    }
}

impl Feature for Grants {
    fn act(&mut self, turn: &mut Turn<'_>) {
        let made = self.pins.lock().len();
        if made == 0 || (self.begun < PINS_MAX && turn.dice.chance(150)) {
            return self.make(turn);
        }
        let which = if turn.dice.chance(600) {
            made - 1
        } else {
            turn.dice.below(made)
        };
        let channel = turn.dice.below(CHANNELS.len());
        match turn.dice.below(12) {
            0..=3 => self.type_in(turn, which, channel),
            4 => self.revoke_all(turn, channel),
            _ => {
                let pins = self.pins.lock();
                let pin = &pins[which];
                credentials::show(turn, &pin.showings, (pin.token.clone(), pin.made_ms));
            }
        }
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        for pin in self.pins.lock().iter() {
            credentials::show(turn, &pin.showings, (pin.token.clone(), pin.made_ms));
        }
    }

    fn verify(&self, _: &Ground) -> Result<(), String> {
        for pin in self.pins.lock().iter() {
            let (events, showings) = (pin.history.events(), pin.showings.events());
            let wrong = |wrong: String| format!("{}: {wrong}", pin.history.name());
            linear::check(&Plain(pin.made_ms), Grant::Pending, &events).map_err(wrong)?;
            credentials::check(&showings, life(pin.made_ms, &events)).map_err(wrong)?;
            acts_for(&events, &showings).map_err(wrong)?;
        }
        Ok(())
    }
}

/// A grant ends by a revocation of its channel, or unredeemed with its PIN.
fn life(made_ms: u64, events: &[Event<Call, ()>]) -> Life {
    let typed = |event: &&Event<Call, ()>| {
        matches!(event.call, Call::Type { .. }) && event.answer == Some(Ok(()))
    };
    let typed = events.iter().find(typed);
    let revokes = |event: &&Event<Call, ()>| matches!(event.call, Call::RevokeAll { .. });
    let first = events.iter().filter(revokes).map(|event| event.start).min();
    let unredeemed = typed.is_none().then_some(crate::trace::Moment {
        seq: 0,
        ms: made_ms,
    });
    let death = |event: &Event<Call, ()>| {
        let (Call::Type { channel }, Some(active)) = (&typed?.call, typed?.end) else {
            return None;
        };
        let ends = matches!(&event.call, Call::RevokeAll { channel: of } if of == channel);
        let certain = ends && event.answer == Some(Ok(())) && active < event.start;
        // Another node may have ended it: this one need not have been the one that did.
        Some(Death {
            at: event.end?,
            node: None,
        })
        .filter(|_| certain)
    };
    Life {
        endangered: unredeemed.or(first),
        death: events.iter().filter_map(death).min_by_key(|death| death.at),
    }
}

/// A token acts for nobody until its PIN is typed, from then on for that channel alone; and it is
/// not pending any more.
fn acts_for(
    events: &[Event<Call, ()>],
    showings: &[Event<credentials::Shown, Told>],
) -> Result<(), String> {
    for showing in showings {
        let (Some(Ok(told)), Some(end)) = (&showing.answer, showing.end) else {
            continue;
        };
        let typed = |channel: &str| {
            events.iter().any(|event| match event.call {
                Call::Type { channel: of } => {
                    let counts = matches!(event.answer, None | Some(Ok(())));
                    counts && CHANNELS[of] == channel && event.start < end
                }
                Call::RevokeAll { .. } => false,
            })
        };
        let active = events.iter().any(|event| {
            let typed = matches!(event.call, Call::Type { .. }) && event.answer == Some(Ok(()));
            typed && event.end.is_some_and(|end| end < showing.start)
        });
        match told {
            Told::Channel(channel) if !typed(channel) => {
                return Err(format!("it acts for {channel}: {showing:?}"));
            }
            Told::Refused(TokenFault::Pending) if active => {
                return Err(format!("it is still pending: {showing:?}"));
            }
            Told::Channel(_) | Told::Refused(_) => {}
        }
    }
    Ok(())
}
