//! Actions that viewers use in the game, its texts and its name (`spec 2.13`).

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::game::Game;
use crate::link::Repeat;

/// The count of an action that never runs out.
pub const ACTION_COUNT_INFINITE: i64 = -1;

/// Whom an action helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionCategory {
    /// Nobody.
    Neutral,
    /// Makes it harder for the player.
    Hinder,
    /// Makes it easier.
    Help,
}

/// Whether an action is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionState {
    /// Seen, and cannot be used.
    Unavailable,
    /// Can be used.
    Available,
    /// Not seen.
    Hidden,
}

/// Something that a viewer may do to the game.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// Its id, which is the SKU of its purchases.
    pub id: String,
    /// Whom it helps.
    pub category: ActionCategory,
    /// Whether it is offered.
    pub state: ActionState,
    /// How much it changes, 0 to 5; its price depends on that unless the channel sets one.
    pub impact: u8,
    /// Its name for people.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The name of its picture.
    pub icon: String,
    /// How often it can be used at most, or [`ACTION_COUNT_INFINITE`].
    pub count: i64,
}

/// What is to change in one action; what is not named stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionChange {
    /// Whether it is offered.
    pub state: Option<ActionState>,
    /// How often it can be used at most.
    pub count: Option<i64>,
    /// How often it can still be used.
    pub inventory: Option<i64>,
    /// How much more often than before, or less.
    pub inventory_by: Option<i64>,
}

/// What viewers see the game called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GameMetadata {
    /// At most 256 bytes.
    pub name: String,
    /// A picture in base64, at most 1 MiB.
    pub logo: String,
    /// The name of a look.
    pub theme: String,
}

/// A text of the game that viewers see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GameText {
    /// What it is.
    pub label: String,
    /// What it says.
    pub value: String,
    /// The name of its picture.
    pub icon: String,
}

/// What viewers see of the game and may do to it.
#[derive(Clone, Copy, Debug)]
pub struct Gateway<'a>(pub(crate) &'a Game);

impl Gateway<'_> {
    /// Other actions in the place of those before. What was left of an action stays, up to its new count.
    pub async fn set_actions(&self, actions: &[Action]) -> Result<(), Error> {
        let data = json!({ "actions": actions });
        self.0
            .order("set", "gatewayActions", &data, Repeat::Never)
            .await
    }

    /// Changes one action.
    pub async fn change_action(&self, id: &str, change: ActionChange) -> Result<(), Error> {
        let fields = [
            ("id", Some(json!(id))),
            ("state", change.state.map(|state| json!(state))),
            ("count", change.count.map(Value::from)),
            ("inventory", change.inventory.map(Value::from)),
            (
                "delta_inventory",
                change.inventory_by.map(|by| json!({ "change": by })),
            ),
        ];
        let named = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
        let data: Map<String, Value> = fields.into_iter().filter_map(named).collect();
        self.0
            .order("set", "gatewayActionState", &data, Repeat::Never)
            .await
    }

    /// What the game is called.
    pub async fn set_metadata(&self, metadata: &GameMetadata) -> Result<(), Error> {
        self.0
            .order("set", "gameMetadata", metadata, Repeat::Never)
            .await
    }

    /// Other texts in the place of those before: channel state under `/game/text/game_data`.
    pub async fn set_texts(&self, texts: &[GameText]) -> Result<(), Error> {
        let patch = crate::patch::Patch::new().add("/game/text/game_data", json!(texts));
        self.0.channel_state().patch::<Value>(&patch).await?;
        Ok(())
    }
}
