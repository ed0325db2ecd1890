//! Secrets of an extension: a new one is known everywhere soon, one that ended is refused.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crowdlink_core::registry::{self, AddExtension};
use crowdlink_core::{Core, Error, Secret, TokenFault, tokens};
use crowdlink_protocol::ClientId;
use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use serde_json::json;

use crate::feature::{Feature, STAGE, Turn};
use crate::history::{Event, History};
use crate::node::Ground;

/// Another extension than everything else is about.
const EXTENSION: &str = "secrets";
/// A node that the store answers knows of a change of the registry after this.
const KNOWN_MS: u64 = 5_000;
/// An extension has sixteen secrets at most.
const ROTATIONS_MAX: usize = 12;

#[derive(Clone, Debug)]
enum Call {
    /// Makes a new secret; the older ones stay, or end at once.
    Rotate { ends_old: bool },
    /// Shows a token that the secret of that number signed, to a node that had trouble last at
    /// that time (true ms).
    Show { secret: usize, trouble_ms: u64 },
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    /// The number of the new one.
    Made(usize),
    Good,
    Refused,
}

type Made = Arc<Mutex<Vec<Secret>>>;

/// The secrets of one extension, and who shows tokens that they signed.
pub struct Secrets {
    offsets_ms: Vec<i64>,
    history: History<Call, Answer>,
    made: Made,
    rotations: usize,
}

fn extension() -> ClientId {
    ClientId::new(EXTENSION).unwrap()
}

fn token(secret: &Secret) -> String {
    let claims = json!({
        "exp": 90_000_000_000_u64,
        "allowed_stage": "sandbox",
        "role": "viewer",
        "channel_id": "42",
        "user_id": "7",
    });
    let key = EncodingKey::from_secret(&STANDARD.decode(secret.to_base64()).unwrap());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
}

async fn call(core: &Core, made: &Made, call: &Call) -> Result<Answer, Error> {
    match call {
        Call::Rotate { ends_old } => {
            let retire_ms = ends_old.then_some(0);
            let rotated = registry::rotate_secret(core.world(), &extension(), retire_ms).await?;
            let mut made = made.lock();
            made.push(rotated.secret);
            Ok(Answer::Made(made.len() - 1))
        }
        Call::Show { secret, .. } => {
            let jwt = token(&made.lock()[*secret]);
            match tokens::authorize_jwt(core, STAGE, &extension(), &jwt).await {
                Ok(_) => Ok(Answer::Good),
                Err(Error::TokenInvalid(TokenFault::Signature) | Error::ExtensionUnknown) => {
                    Ok(Answer::Refused)
                }
                Err(error) => Err(error),
            }
        }
    }
}

impl Secrets {
    pub fn new(offsets_ms: Vec<i64>) -> Self {
        Self {
            offsets_ms,
            history: History::new("secrets"),
            made: Arc::default(),
            rotations: 0,
        }
    }

    fn begin(&self, turn: &Turn<'_>, begun: Call) {
        let (core, made) = (Arc::clone(&turn.core), Arc::clone(&self.made));
        let open = self
            .history
            .begin(turn.clerk, turn.node.index, begun.clone());
        turn.spawn(async move { open.end(call(&core, &made, &begun).await) });
    }

    fn show(&self, turn: &Turn<'_>, secret: usize) {
        let trouble_ms = turn.node.trouble_ms;
        self.begin(turn, Call::Show { secret, trouble_ms });
    }

    /// Whether a token of a secret must be good, or must not.
    fn check(
        &self,
        events: &[Event<Call, Answer>],
        shown: &Event<Call, Answer>,
    ) -> Result<(), String> {
        let (Call::Show { secret, trouble_ms }, Some(end)) = (&shown.call, shown.end) else {
            return Ok(());
        };
        let known = |event: &Event<Call, Answer>| {
            event.end.is_some_and(|end| {
                end < shown.start && shown.start.ms >= end.ms.max(*trouble_ms) + KNOWN_MS
            })
        };
        let birth = events
            .iter()
            .find(|event| event.answer == Some(Ok(Answer::Made(*secret))));
        let ends = |event: &&Event<Call, Answer>| {
            let ends_old = matches!(event.call, Call::Rotate { ends_old: true });
            let others = event.answer != Some(Ok(Answer::Made(*secret)));
            ends_old && others && !matches!(event.answer, Some(Err(_)))
        };
        let endangered = events.iter().filter(ends).any(|event| event.start < end);
        let clock_ms = |ms: u64, node: usize| i64::try_from(ms).unwrap() + self.offsets_ms[node];
        let ended = |event: &Event<Call, Answer>| {
            let after = birth.is_none_or(|birth| birth.end.is_some_and(|end| end < event.start));
            let over = event.end.is_some_and(|end| {
                clock_ms(end.ms, event.node) <= clock_ms(shown.start.ms, shown.node)
            });
            event.answer.is_some() && after && over && known(event)
        };
        let wrong = |why: &str| Err(format!("{why}: {shown:?}"));
        match &shown.answer {
            Some(Ok(Answer::Good)) if events.iter().filter(ends).any(ended) => {
                wrong("a secret that ended is good")
            }
            Some(Ok(Answer::Refused)) if !endangered && birth.is_none_or(known) => {
                wrong("a good secret is refused")
            }
            Some(Err(_)) => wrong("a token is refused for another reason"),
            _ => Ok(()),
        }
    }
}

impl Feature for Secrets {
    fn set_up(&mut self, core: Arc<Core>) -> BoxFuture<'static, Result<(), Error>> {
        let made = Arc::clone(&self.made);
        Box::pin(async move {
            let request = AddExtension::new(extension());
            let added = registry::add(core.world(), request).await?;
            made.lock().push(added.secrets[0].secret.clone());
            Ok(())
        })
    }

    fn act(&mut self, turn: &mut Turn<'_>) {
        if self.rotations < ROTATIONS_MAX && turn.dice.chance(200) {
            self.rotations += 1;
            let ends_old = turn.dice.chance(500);
            return self.begin(turn, Call::Rotate { ends_old });
        }
        let made = self.made.lock().len();
        let secret = turn.dice.below(made);
        self.show(turn, secret);
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        let made = self.made.lock().len();
        for secret in 0..made {
            self.show(turn, secret);
        }
    }

    fn verify(&self, _: &Ground) -> Result<(), String> {
        let events = self.history.events();
        for shown in &events {
            self.check(&events, shown)
                .map_err(|wrong| format!("{}: {wrong}", self.history.name()))?;
        }
        Ok(())
    }
}
