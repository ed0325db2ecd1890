//! State and configuration: what was patched stays, in one order, and caches are a second behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use crowdlink_core::config::{self, ConfigId, ConfigOf};
use crowdlink_core::state::{self, StateId, StateOf};
use crowdlink_core::{
    Core, DocumentKind, Error, IfMatch, Parents, Place, Scope, Snapshot, Written,
};
use crowdlink_protocol::Role;
use serde_json::value::RawValue;

use crate::dice::Dice;
use crate::feature::{Feature, STAGE, Turn, broadcaster, caller, client_id, server};
use crate::history::{Event, History};
use crate::linear::{self, Kind, Model};
use crate::node::Ground;

const CHANNEL: &str = "42";
const VIEWERS: [&str; 2] = ["v0", "v1"];
/// Documents that one seed plays with.
const DOCUMENTS_MAX: usize = 3;
/// State is gone so long after its last write.
const STATE_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// A document, or the two that can be patched together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    State(StateId),
    Config(ConfigId),
    /// The states of both viewers in all channels.
    Pair,
}

const ALL: [Which; 7] = [
    Which::State(StateId::Extension),
    Which::State(StateId::Channel),
    Which::State(StateId::Viewer),
    Which::State(StateId::Hidden),
    Which::Config(ConfigId::Extension),
    Which::Config(ConfigId::Channel),
    Which::Pair,
];

impl Which {
    const fn lifetime_ms(self) -> u64 {
        match self {
            Self::Config(_) => u64::MAX,
            Self::State(_) | Self::Pair => STATE_MS,
        }
    }

    const fn count(self) -> usize {
        match self {
            Self::Pair => 2,
            Self::State(_) | Self::Config(_) => 1,
        }
    }
}

/// The places that are subscribed to.
pub fn places() -> Vec<Place> {
    let place = |kind, scope| Place {
        stage: STAGE,
        client_id: client_id(),
        kind,
        scope,
    };
    let channel = || Scope::Channel(CHANNEL.to_owned());
    vec![
        place(DocumentKind::State, Scope::Extension),
        place(DocumentKind::State, channel()),
        place(DocumentKind::Config, channel()),
        place(
            DocumentKind::ExtensionViewerState,
            Scope::Viewer(VIEWERS[0].to_owned()),
        ),
    ]
}

#[derive(Clone, Debug)]
enum Call {
    /// Adds a field named by a number nobody else uses, and says who was last.
    Patch {
        at: usize,
        tag: u64,
    },
    /// Another document, of this field alone.
    Replace {
        at: usize,
        tag: u64,
        only_at: Option<u64>,
    },
    /// Both at once.
    PatchBoth {
        tag: u64,
    },
    Read {
        at: usize,
    },
    ReadBoth,
}

/// A document's fields.
type Content = BTreeMap<String, u64>;

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Document(Content, u64),
    Both([(Content, u64); 2]),
    Done,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Document {
    fields: Content,
    /// None where the answer to the write was lost.
    version: Option<u64>,
    written_ms: u64,
}

struct Documents(Which);

impl Document {
    fn never_written() -> Self {
        Self {
            version: Some(0),
            ..Self::default()
        }
    }

    fn add(&mut self, tag: u64) {
        self.fields.insert(format!("t{tag}"), tag);
        self.fields.insert("last".to_owned(), tag);
    }

    fn is(&self, (fields, version): &(Content, u64)) -> bool {
        self.fields == *fields && self.version.is_none_or(|known| known == *version)
    }
}

type State = Vec<Document>;

impl Documents {
    fn write(state: &State, event: &Event<Call, Answer>) -> Option<State> {
        let (mut state, mut touched) = (state.clone(), Vec::new());
        match &event.call {
            Call::Patch { at, tag } => {
                state[*at].add(*tag);
                touched.push(*at);
            }
            Call::Replace { at, tag, only_at } => {
                let document = &mut state[*at];
                let fits =
                    only_at.is_none_or(|wanted| document.version.is_none_or(|v| v == wanted));
                if !fits {
                    return None;
                }
                document.fields.clear();
                document.add(*tag);
                touched.push(*at);
            }
            Call::PatchBoth { tag } => {
                for document in &mut state {
                    document.add(*tag);
                }
                touched.extend([0, 1]);
            }
            Call::Read { .. } | Call::ReadBoth => {}
        }
        for at in touched {
            state[at].written_ms = event.start.ms;
            state[at].version = None;
            if let Some(Ok(Answer::Document(fields, version))) = &event.answer {
                state[at].version = Some(*version);
                if !state[at].is(&(fields.clone(), *version)) {
                    return None;
                }
            }
        }
        Some(state)
    }
}

impl Model for Documents {
    type State = State;
    type Call = Call;
    type Answer = Answer;

    fn kind(&self, event: &Event<Call, Answer>) -> Kind {
        match &event.call {
            Call::Read { .. } => Kind::CachedRead,
            Call::ReadBoth => Kind::Read,
            _ if matches!(event.answer, Some(Err(_))) => Kind::Read,
            _ => Kind::Write,
        }
    }

    fn concerns(&self, read: &Call, write: &Call) -> bool {
        match (read, write) {
            (Call::Read { at }, Call::Patch { at: of, .. } | Call::Replace { at: of, .. }) => {
                at == of
            }
            _ => true,
        }
    }

    fn apply(&self, state: &State, event: &Event<Call, Answer>) -> Vec<State> {
        let mut state = state.clone();
        for document in &mut state {
            if event.start.ms.saturating_sub(document.written_ms) >= self.0.lifetime_ms() {
                *document = Document::never_written();
            }
        }
        let fits = match (&event.call, &event.answer) {
            (Call::Read { at }, Some(Ok(Answer::Document(fields, version)))) => {
                state[*at].is(&(fields.clone(), *version))
            }
            (Call::ReadBoth, Some(Ok(Answer::Both(both)))) => state
                .iter()
                .zip(both)
                .all(|(document, read)| document.is(read)),
            (
                Call::Replace {
                    at,
                    only_at: Some(wanted),
                    ..
                },
                Some(Err(error)),
            ) => *error == Error::PreconditionFailed && state[*at].version != Some(*wanted),
            (_, Some(Err(_))) => false,
            _ => return Self::write(&state, event).into_iter().collect(),
        };
        if fits { vec![state] } else { Vec::new() }
    }
}

fn parsed(json: &[u8]) -> Content {
    serde_json::from_slice(json).unwrap()
}

fn read(snapshot: &Snapshot) -> Answer {
    Answer::Document(parsed(&snapshot.json), snapshot.version)
}

fn written(written: &Written) -> Answer {
    Answer::Document(
        parsed(&written.document.to_json().unwrap()),
        written.version,
    )
}

fn patch(tag: u64) -> String {
    format!(
        r#"[{{"op":"add","path":"/t{tag}","value":{tag}}},{{"op":"add","path":"/last","value":{tag}}}]"#
    )
}

async fn call(core: &Core, which: Which, call: &Call) -> Result<Answer, Error> {
    let at = match call {
        Call::Patch { at, .. } | Call::Replace { at, .. } | Call::Read { at } => *at,
        Call::PatchBoth { .. } | Call::ReadBoth => 0,
    };
    let viewer = caller(core, Role::Viewer, CHANNEL, VIEWERS[at]).await;
    let (owner, server) = (
        broadcaster(core, CHANNEL).await,
        server(core, CHANNEL).await,
    );
    let (id, caller) = match which {
        Which::State(StateId::Viewer) => (StateId::Viewer, &viewer),
        Which::State(StateId::Channel) => (StateId::Channel, &owner),
        Which::State(id) => (id, &server),
        Which::Pair => (StateId::ExtensionViewer, &viewer),
        Which::Config(_) => (StateId::Channel, &server),
    };
    let state = StateOf { id, channel: None };
    let config = match which {
        Which::Config(id) => Some(ConfigOf { id, channel: None }),
        Which::State(_) | Which::Pair => None,
    };
    match call {
        Call::Read { .. } => {
            let snapshot = match config {
                Some(of) => config::read(core, caller, of).await?,
                None => state::read(core, caller, state).await?,
            };
            Ok(read(&snapshot))
        }
        Call::Patch { tag, .. } => {
            let json = patch(*tag);
            let patch = (json.as_bytes(), Parents::Required);
            let done = match config {
                Some(of) => config::patch(core, caller, of, patch, None).await?,
                None => state::patch(core, caller, state, patch, None).await?,
            };
            Ok(written(&done))
        }
        Call::Replace { tag, only_at, .. } => {
            let json = format!(r#"{{"t{tag}":{tag},"last":{tag}}}"#);
            let if_match = only_at.map(|version| IfMatch::Versions(vec![version]));
            let done = match config {
                Some(of) => config::replace(core, caller, of, json.as_bytes(), if_match).await?,
                None => state::replace(core, caller, state, json.as_bytes(), if_match).await?,
            };
            Ok(written(&done))
        }
        Call::PatchBoth { tag } => {
            let patch = RawValue::from_string(patch(*tag)).unwrap();
            let patches = VIEWERS.map(|viewer| (viewer.to_owned(), &*patch));
            state::patch_viewers(core, &server, &patches).await?;
            Ok(Answer::Done)
        }
        Call::ReadBoth => {
            let viewers = VIEWERS.map(str::to_owned);
            let found = state::read_viewers(core, &server, &viewers).await?;
            let of = |viewer: &str| {
                let found = found.iter().find(|(id, _)| id == viewer);
                found.map_or_else(Default::default, |(_, state)| {
                    (parsed(&state.json), state.version)
                })
            };
            Ok(Answer::Both(VIEWERS.map(of)))
        }
    }
}

struct One {
    which: Which,
    history: History<Call, Answer>,
}

/// All documents of the simulation.
pub struct SharedDocuments {
    all: Vec<One>,
    tags: u64,
}

impl SharedDocuments {
    /// Three of them in each seed.
    pub fn new(dice: &mut Dice) -> Self {
        let one = |which: &Which| One {
            which: *which,
            history: History::new(format!("{which:?}")),
        };
        let mut all: Vec<One> = ALL.iter().map(one).collect();
        while all.len() > DOCUMENTS_MAX {
            all.remove(dice.below(all.len()));
        }
        Self { all, tags: 0 }
    }

    fn begin(&self, turn: &Turn<'_>, which: usize, begun: Call) {
        let One { which, history } = &self.all[which];
        let (which, core) = (*which, Arc::clone(&turn.core));
        let open = history.begin(turn.clerk, turn.node.index, begun.clone());
        turn.spawn(async move { open.end(call(&core, which, &begun).await) });
    }

    fn draw(&mut self, turn: &mut Turn<'_>, which: usize) -> Call {
        let One { which, history } = &self.all[which];
        let at = turn.dice.below(which.count());
        self.tags += 1;
        let tag = self.tags;
        match turn.dice.below(12) {
            0..=4 => Call::Read { at },
            5..=8 => Call::Patch { at, tag },
            9 => Call::Replace {
                at,
                tag,
                only_at: None,
            },
            10 => {
                // A version that somebody was told, most likely the newest.
                let told = |event: &Event<Call, Answer>| match (&event.call, &event.answer) {
                    (
                        Call::Read { at: of } | Call::Patch { at: of, .. },
                        Some(Ok(Answer::Document(_, version))),
                    ) if *of == at => Some(*version),
                    _ => None,
                };
                let only_at = history.events().iter().rev().find_map(told);
                Call::Replace { at, tag, only_at }
            }
            _ if which.count() == 1 => Call::Patch { at, tag },
            _ if turn.dice.chance(500) => Call::PatchBoth { tag },
            _ => Call::ReadBoth,
        }
    }
}

impl Feature for SharedDocuments {
    fn act(&mut self, turn: &mut Turn<'_>) {
        let which = turn.dice.below(self.all.len());
        let call = self.draw(turn, which);
        self.begin(turn, which, call);
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        for (index, one) in self.all.iter().enumerate() {
            for at in 0..one.which.count() {
                self.begin(turn, index, Call::Read { at });
            }
        }
    }

    fn verify(&self, _: &Ground) -> Result<(), String> {
        for One { which, history } in &self.all {
            let events = history.events();
            let initial = vec![Document::never_written(); which.count()];
            linear::check(&Documents(*which), initial, &events)
                .map_err(|wrong| format!("{}: {wrong}", history.name()))?;
            forward(history.name(), which.count(), &events)?;
        }
        Ok(())
    }
}

/// On one node versions never go back from one call to the next, and one version is one document.
fn forward(name: &str, count: usize, events: &[Event<Call, Answer>]) -> Result<(), String> {
    let version = |event: &Event<Call, Answer>, at: usize| match (&event.call, &event.answer) {
        (
            Call::Read { at: of } | Call::Patch { at: of, .. } | Call::Replace { at: of, .. },
            Some(Ok(Answer::Document(_, version))),
        ) if *of == at => Some(*version),
        _ => None,
    };
    for at in 0..count {
        for (index, later) in events.iter().enumerate() {
            let Some(new) = version(later, at).filter(|version| *version != 0) else {
                continue;
            };
            for earlier in &events[..index] {
                let before = earlier.end.is_some_and(|end| end < later.start);
                let old = version(earlier, at).unwrap_or(0);
                if before && earlier.node == later.node && old > new {
                    return Err(format!("{name} went from {old} back to {new}: {later:?}"));
                }
            }
        }
    }
    Ok(())
}
