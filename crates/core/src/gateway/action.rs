//! Actions, and how a game changes them.

use serde::{Deserialize, Serialize};

use super::ActionChange;
use crate::error::{Error, Refusal};

/// Actions of a channel.
const ACTIONS_MAX: usize = 256;
/// All actions of a channel, as JSON.
const ACTIONS_BYTES_MAX: usize = 256 * 1024;
/// Longest id.
const ID_BYTES_MAX: usize = 128;
/// The counts that stand for no end (`spec 2.13`).
const ENDLESS: [i64; 2] = [-1, 65_535];

/// What an action does to the game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Neither of the others.
    Neutral,
    /// Makes it harder.
    Hinder,
    /// Makes it easier.
    Help,
}

/// Whether an action is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionState {
    /// Shown, not for sale.
    Unavailable,
    /// For sale.
    Available,
    /// Not shown.
    Hidden,
}

/// How many there are of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inventory {
    /// There is no end of them.
    Endless,
    /// So many.
    Left(i64),
}

/// What a viewer can have done to the game.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its id, which is its SKU.
    pub id: String,
    /// What it does.
    pub category: Category,
    /// Whether it is offered.
    pub state: ActionState,
    /// How much it does, 0 to 5.
    pub impact: u8,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What it does, in words.
    #[serde(default)]
    pub description: String,
    /// Its picture.
    #[serde(default)]
    pub icon: String,
    /// The most there can be: −1 or 65535 for no end.
    #[serde(default = "endless")]
    pub count: i64,
    /// How many there are.
    #[serde(default = "unset")]
    pub inventory: Inventory,
}

const fn endless() -> i64 {
    -1
}

const fn unset() -> Inventory {
    Inventory::Endless
}

/// The actions of a channel, as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Actions {
    pub(crate) actions: Vec<Action>,
}

/// What a game does to its actions.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Replace(Actions),
    One(String, ActionChange),
}

/// An action as a game sends it.
#[derive(Deserialize)]
struct Sent {
    id: Option<String>,
    category: Option<Category>,
    state: Option<ActionState>,
    impact: Option<u8>,
    name: Option<String>,
    description: Option<String>,
    icon: Option<String>,
    count: Option<i64>,
}

impl Sent {
    fn action(self, index: usize) -> Result<Action, Error> {
        let wrong = |field: &str, expected: String| {
            Error::invalid(format!("actions[{index}].{field}"), expected)
        };
        let id = self.id.unwrap_or_default();
        if id.is_empty() || id.len() > ID_BYTES_MAX || id.chars().any(char::is_control) {
            let expected = format!("must be 1 to {ID_BYTES_MAX} bytes without control characters");
            return Err(wrong("id", expected));
        }
        let missing = |field| wrong(field, "is required".to_owned());
        let impact = self.impact.ok_or_else(|| missing("impact"))?;
        if impact > 5 {
            return Err(wrong("impact", "must be from 0 to 5".to_owned()));
        }
        let count = self.count.unwrap_or_else(endless);
        check_count(count).map_err(|expected| wrong("count", expected.to_owned()))?;
        Ok(Action {
            id,
            category: self.category.ok_or_else(|| missing("category"))?,
            state: self.state.ok_or_else(|| missing("state"))?,
            impact,
            name: self.name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            icon: self.icon.unwrap_or_default(),
            count,
            inventory: most(count),
        })
    }
}

fn check_count(count: i64) -> Result<(), &'static str> {
    if (-1..=65_535).contains(&count) {
        Ok(())
    } else {
        Err("must be from -1 to 65535")
    }
}

fn most(count: i64) -> Inventory {
    if ENDLESS.contains(&count) {
        Inventory::Endless
    } else {
        Inventory::Left(count)
    }
}

impl Action {
    /// Another most: what there is goes down to it, and is filled up to it where there was no end.
    fn set_count(&mut self, count: i64) {
        self.count = count;
        self.inventory = match (most(count), self.inventory) {
            (Inventory::Endless, _) => Inventory::Endless,
            (Inventory::Left(most), Inventory::Endless) => Inventory::Left(most),
            (Inventory::Left(most), Inventory::Left(left)) => Inventory::Left(left.min(most)),
        };
    }

    fn set_inventory(&mut self, inventory: i64) {
        self.inventory = match most(self.count) {
            Inventory::Left(most) => Inventory::Left(inventory.clamp(0, most)),
            Inventory::Endless => most(inventory),
        };
    }

    /// So many more, between none and the most.
    fn add(&mut self, change: i64) {
        if let Inventory::Left(left) = self.inventory {
            let left = left.saturating_add(change).max(0);
            self.inventory = Inventory::Left(match most(self.count) {
                Inventory::Left(most) => left.min(most),
                Inventory::Endless => left,
            });
        }
    }

    /// Takes one for a buyer.
    pub(crate) fn take(&mut self) -> Result<(), Refusal> {
        match (self.state, self.inventory) {
            (ActionState::Unavailable | ActionState::Hidden, _) => Err(Refusal::NotAvailable),
            (ActionState::Available, Inventory::Left(left)) if left <= 0 => Err(Refusal::SoldOut),
            (ActionState::Available, _) => {
                self.add(-1);
                Ok(())
            }
        }
    }

    /// Gives one back that was paid for.
    pub(crate) fn give_back(&mut self) {
        self.add(1);
    }
}

impl Actions {
    /// Reads the list of a game.
    pub(crate) fn parse(json: &str) -> Result<Self, Error> {
        let expected = format!("must be at most {ACTIONS_BYTES_MAX} bytes");
        if json.len() > ACTIONS_BYTES_MAX {
            return Err(Error::invalid("actions", expected));
        }
        let sent: Vec<serde_json::Value> = serde_json::from_str(json)
            .map_err(|_| Error::invalid("actions", "must be a list of objects"))?;
        if sent.len() > ACTIONS_MAX {
            let expected = format!("must be at most {ACTIONS_MAX}");
            return Err(Error::invalid("actions", expected));
        }
        let mut ids = std::collections::HashSet::new();
        let mut actions = Vec::with_capacity(sent.len());
        for (index, sent) in sent.into_iter().enumerate() {
            // What serde says names values, not paths, and is cut short by ourselves.
            let sent: Sent = serde_json::from_value(sent).map_err(|error| {
                let why: String = error.to_string().chars().take(200).collect();
                Error::invalid(format!("actions[{index}]"), format!("is wrong: {why}"))
            })?;
            let action = sent.action(index)?;
            if !ids.insert(action.id.clone()) {
                let field = format!("actions[{index}].id");
                return Err(Error::invalid(field, "is there twice"));
            }
            actions.push(action);
        }
        Ok(Self { actions })
    }

    pub(crate) fn find(&mut self, id: &str) -> Option<&mut Action> {
        self.actions.iter_mut().find(|action| action.id == id)
    }

    /// The actions after a change.
    pub(crate) fn changed(mut self, change: &Change) -> Result<Self, Error> {
        match change {
            Change::Replace(new) => {
                let mut new = new.clone();
                for action in &mut new.actions {
                    let (count, before) = (action.count, self.find(&action.id));
                    if let Some(before) = before {
                        before.set_count(count);
                        action.inventory = before.inventory;
                    }
                }
                Ok(new)
            }
            Change::One(id, change) => {
                let unknown = || Error::NotFound("There is no action of this id".into());
                let action = self.find(id).ok_or_else(unknown)?;
                if let Some(state) = change.state {
                    action.state = state;
                }
                if let Some(count) = change.count {
                    check_count(count).map_err(|expected| Error::invalid("count", expected))?;
                    action.set_count(count);
                }
                if let Some(inventory) = change.inventory {
                    check_count(inventory)
                        .map_err(|expected| Error::invalid("inventory", expected))?;
                    action.set_inventory(inventory);
                }
                if let Some(delta) = change.delta {
                    action.add(delta);
                }
                Ok(self)
            }
        }
    }
}
