//! Drops (`spec 2.12`).

use serde::Deserialize;
use serde_json::json;

use crate::error::Error;
use crate::frame::or_default;
use crate::game::Game;
use crate::link::Repeat;

/// Which drops are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropStatus {
    /// Not yet given to the viewer.
    Claimed,
    /// Given.
    Fulfilled,
    /// Both.
    Any,
}

/// Something that a viewer may claim in the game.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GameDrop {
    /// What [`Drops::validate`] wants.
    pub id: String,
    /// What it is.
    #[serde(default, deserialize_with = "or_default")]
    pub benefit_id: String,
    /// Whose.
    #[serde(default, deserialize_with = "or_default")]
    pub user_id: String,
    /// In which game.
    #[serde(default, deserialize_with = "or_default")]
    pub game_id: String,
    /// `CLAIMED` or `FULFILLED`.
    #[serde(default, deserialize_with = "or_default")]
    pub fulfillment_status: String,
    /// Where it comes from.
    #[serde(default, deserialize_with = "or_default")]
    pub service: String,
    /// RFC 3339.
    #[serde(default, deserialize_with = "or_default")]
    pub last_updated: String,
}

/// What viewers may claim.
#[derive(Clone, Copy, Debug)]
pub struct Drops<'a>(pub(crate) &'a Game);

#[derive(Deserialize)]
struct List {
    #[serde(default, deserialize_with = "or_default")]
    drops: Vec<GameDrop>,
}

impl Drops<'_> {
    /// The drops that the channel's games see.
    pub async fn get(&self, status: DropStatus) -> Result<Vec<GameDrop>, Error> {
        let status = match status {
            DropStatus::Claimed => "CLAIMED",
            DropStatus::Fulfilled => "FULFILLED",
            DropStatus::Any => "*",
        };
        let data = json!({ "status": status });
        let list: List = self.0.call("get", "drops", &data, Repeat::Always).await?;
        Ok(list.drops)
    }

    /// Says that a viewer got one. 404 where there is no such drop.
    pub async fn validate(&self, id: &str) -> Result<(), Error> {
        let data = json!({ "id": id });
        self.0
            .order("validate", "drops", &data, Repeat::Always)
            .await
    }
}
