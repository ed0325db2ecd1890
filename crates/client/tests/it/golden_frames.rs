//! The recorded frames that the server's tests use as well: this library sends the requests and
//! reads the answers and events.

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crowdlink_client::{
    Action, ActionCategory, ActionChange, ActionState, ConfigTopic, Currency, DropStatus, Error,
    Event, Game, GameMetadata, Patch, Poll, PollConfig, PollStatus,
};
use serde_json::{Value, json};

use crate::harness::script::{Connection, Script};
use crate::harness::{connect, next, soon};

mod matches;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/frames")
}

fn golden(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {name}"));
    serde_json::from_str(&text).unwrap()
}

/// All golden frames of a kind.
fn names(kind: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let suffix = format!(".{kind}.json");
    names
        .filter_map(|name| name.strip_suffix(&suffix).map(str::to_owned))
        .collect()
}

/// A request without its id and without what counts as absent (`spec 2.2`).
fn meant(mut request: Value) -> Value {
    request["params"]["request_id"].take();
    absent_out(&mut request);
    request
}

fn absent_out(value: &mut Value) {
    if let Value::Object(fields) = value {
        for value in fields.values_mut() {
            absent_out(value);
        }
        fields.retain(|_, value| !value.is_null() && value != "" && *value != json!({}));
    }
}

struct Rig {
    connection: Connection,
    game: Game,
}

impl Rig {
    async fn start() -> Self {
        let script = Script::listen().await;
        let pairing = tokio::spawn(connect(&script.url()).pair_with_pin("ABCDEF"));
        let (connection, _) = script.welcome("one").await;
        let game = soon("pairing", pairing).await.unwrap().unwrap().game;
        Self { connection, game }
    }

    /// What the library sends must be the golden request; it gets the golden answer.
    async fn exchange<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &mut self,
        (request, answer): (&str, &str),
        call: impl FnOnce(Game) -> F,
    ) -> T {
        let calling = tokio::spawn(call(self.game.clone()));
        let sent = self.connection.request().await;
        let golden_request = golden(&format!("{request}.request"));
        assert_eq!(meant(sent.clone()), meant(golden_request), "{request}");
        let mut frame = golden(answer);
        frame["meta"]["request_id"] = sent["params"]["request_id"].clone();
        self.connection.send(&frame.to_string()).await;
        soon(request, calling).await.unwrap()
    }

    /// Dropping a stream must send the golden request.
    async fn left<T>(&mut self, request: &str, stream: T) {
        drop(stream);
        let nothing = |game: Game| async move { drop(game) };
        let answer = format!("{request}.answer");
        self.exchange((request, &answer), nothing).await;
    }
}

fn poll() -> Poll {
    let config = PollConfig::new()
        .user_id_voting(false)
        .distinct_options_per_user(1)
        .total_votes_per_user(1)
        .votes_per_option(1)
        .disabled(false)
        .starts_at_s(0)
        .ends_at_s(0)
        .starts_in(Duration::ZERO)
        .ends_in(Duration::from_mins(1));
    Poll::new(
        "favorite-color",
        "What is your favorite color?",
        ["Blue", "Red"],
    )
    .user_data(json!({ "round": 1 }))
    .config(config)
}

#[tokio::test]
async fn polls_are_asked_for_and_read_as_recorded() {
    let mut rig = Rig::start().await;
    let id = "favorite-color";
    let create = |game: Game| async move { game.polls().create(&poll()).await };
    let created = rig
        .exchange(("poll_create", "poll_create.answer"), create)
        .await;
    assert_eq!(created.unwrap().stale_votes, 0);
    let created = rig
        .exchange(("poll_create", "poll_create_stale.answer"), create)
        .await;
    assert_eq!(created.unwrap().stale_votes, 4);
    let refused = rig
        .exchange(("poll_create", "poll_create_wrong.error"), create)
        .await;
    let Err(Error::Refused { detail, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(detail, "options must be a list of strings");
    let get = |game: Game| async move { game.polls().get(id).await };
    let report = rig
        .exchange(("poll_get", "poll_get.answer"), get)
        .await
        .unwrap();
    assert_eq!((report.results, report.count), (vec![3, 1], 4));
    assert_eq!(report.poll.status, PollStatus::Active);
    let missing = rig.exchange(("poll_get", "poll_get.error"), get).await;
    assert_eq!(missing.unwrap_err().number(), Some(404));
    let end = |game: Game| async move { game.polls().end(id).await };
    rig.exchange(("poll_reconfigure", "poll_reconfigure.answer"), end)
        .await
        .unwrap();
    let delete = |game: Game| async move { game.polls().delete(id).await };
    rig.exchange(("poll_delete", "poll_delete.answer"), delete)
        .await
        .unwrap();
    let all = |game: Game| async move { game.polls().subscribe_all().await };
    let all = rig
        .exchange(("poll_subscribe_all", "poll_subscribe.answer"), all)
        .await;
    let one = |game: Game| async move { game.polls().subscribe(id).await };
    let one = rig
        .exchange(("poll_subscribe", "poll_subscribe.answer"), one)
        .await;
    let mut all = all.unwrap();
    rig.left("poll_unsubscribe", one.unwrap()).await;
    rig.connection
        .send(&golden("poll_expired.event").to_string())
        .await;
    assert_eq!(next(&mut all).await.poll.status, PollStatus::Expired);
}

#[tokio::test]
async fn messages_are_sent_as_recorded() {
    let mut rig = Rig::start().await;
    let song = |game: Game| async move {
        let data = json!({ "artist": "Celine Dion", "year": 1997 });
        game.broadcast("new_song", &data).await
    };
    rig.exchange(("broadcast", "broadcast.answer"), song)
        .await
        .unwrap();
    let refused = rig
        .exchange(("broadcast", "broadcast_no_topic.error"), song)
        .await;
    assert_eq!(refused.unwrap_err().number(), Some(400));
    let ids = |game: Game| async move { game.whisper("secret", "psst", &["77", "U78"]).await };
    rig.exchange(("broadcast_ids", "broadcast_ids.answer"), ids)
        .await
        .unwrap();
}

#[tokio::test]
async fn authentication_is_asked_for_and_read_as_recorded() {
    for (name, refusal) in [
        ("pin", "authenticate_pin"),
        ("refresh", "authenticate_refresh"),
    ] {
        let script = Script::listen().await;
        let client_id = "i575hs2x9lb3u8hqujtezit03w1740";
        let connect = Game::connect(crowdlink_client::Server::at(script.url()), client_id);
        let connect = connect.game_id("My Game");
        let again = connect.clone();
        let open = |connect: crowdlink_client::Connect| async move {
            if name == "pin" {
                connect.pair_with_pin("PZV4SE").await
            } else {
                let token = crowdlink_client::RefreshToken::new("a-refresh-token");
                connect.resume(token).await
            }
        };
        let opening = tokio::spawn(open(connect));
        let mut connection = script.accept().await;
        let sent = connection.request().await;
        let request = golden(&format!("authenticate_{name}.request"));
        assert_eq!(meant(sent.clone()), meant(request));
        let mut answer = golden(&format!("authenticate_{name}.answer"));
        answer["meta"]["request_id"] = sent["params"]["request_id"].clone();
        connection.send(&answer.to_string()).await;
        let paired = soon("pairing", opening).await.unwrap().unwrap();
        assert_eq!(paired.channel, "42");
        assert_eq!(paired.refresh.expose(), answer["data"]["refresh"]);
        let subscribed = connection.request().await;
        let request = golden("subscribe_authentication.request");
        assert_eq!(meant(subscribed), meant(request));

        let opening = tokio::spawn(open(again));
        let mut connection = script.accept().await;
        let sent = connection.request().await;
        let mut answer = golden(&format!("{refusal}.error"));
        answer["meta"]["request_id"] = sent["params"]["request_id"].clone();
        connection.send(&answer.to_string()).await;
        let error = soon("the refusal", opening).await.unwrap().unwrap_err();
        let refused = matches!(error, Error::Refused { number: 400, .. });
        assert!(refused == (name == "pin"), "{error:?}");
        assert!(refused || error == Error::PairingNeeded, "{error:?}");
    }
}

#[tokio::test]
async fn every_recorded_event_is_understood() {
    let mut rig = Rig::start().await;
    let mut events = rig.game.events().await.unwrap();
    let names = names("event");
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let frame = golden(&format!("{name}.event"));
        rig.connection.send(&frame.to_string()).await;
        if name == "expiring" {
            let request = rig.connection.request().await;
            assert_eq!(request["action"], "authenticate");
        }
        let event = next(&mut events).await.unwrap();
        assert!(!matches!(event, Event::Unknown { .. }), "{name}: {event:?}");
    }
}

/// The id of every transaction in the recorded frames.
const SOLD: &str = "018bcfe5-6800-7000-8000-000000000001";

#[tokio::test]
async fn streams_are_subscribed_and_left_as_recorded() {
    let mut rig = Rig::start().await;
    let sent = |game: Game| async move { game.datastream().await };
    let names = ("subscribe_datastream", "subscribe_datastream.answer");
    let stream = rig.exchange(names, sent).await.unwrap();
    rig.left("unsubscribe_datastream", stream).await;
    let bought = |game: Game| async move { game.transactions().subscribe("*").await };
    let names = ("subscribe_purchases", "subscribe_purchases.answer");
    let stream = rig.exchange(names, bought).await.unwrap();
    rig.left("unsubscribe_purchases", stream).await;
    let came = |game: Game| async move { game.matchmaking().subscribe().await };
    let names = ("subscribe_matchmaking", "subscribe_matchmaking.answer");
    let stream = rig.exchange(names, came).await.unwrap();
    rig.left("unsubscribe_matchmaking", stream).await;
}

#[tokio::test]
async fn purchases_are_settled_as_recorded() {
    let mut rig = Rig::start().await;
    let open = |game: Game| async move { game.transactions().open("heal").await };
    let names = ("get_transactions", "get_transactions.answer");
    let open = rig.exchange(names, open).await.unwrap();
    assert_eq!(open[0].transaction_id, SOLD);
    assert_eq!((open[0].cost, &open[0].currency), (25, &Currency::Coins));
    let refund = |game: Game| async move { game.transactions().refund(SOLD, "77").await };
    let names = ("refund_transaction", "refund_transaction.answer");
    rig.exchange(names, refund).await.unwrap();
    let names = ("refund_transaction", "refund_transaction.error");
    let error = rig.exchange(names, refund).await.unwrap_err();
    assert_eq!(error.number(), Some(404));
    let latest = |game: Game| async move { game.transactions().refund_latest("heal", "77").await };
    rig.exchange(("refund_sku", "refund_transaction.answer"), latest)
        .await
        .unwrap();
    let given = |game: Game| async move { game.transactions().validate(SOLD, "given").await };
    let names = ("validate_transaction", "validate_transaction.answer");
    rig.exchange(names, given).await.unwrap();
}

#[tokio::test]
async fn drops_and_candidates_are_dealt_with_as_recorded() {
    let mut rig = Rig::start().await;
    let claimed = |game: Game| async move { game.drops().get(DropStatus::Claimed).await };
    let drops = rig
        .exchange(("get_drops", "get_drops.answer"), claimed)
        .await
        .unwrap();
    assert_eq!((&*drops[0].id, &*drops[0].service), ("d1", "twitch"));
    let any = |game: Game| async move { game.drops().get(DropStatus::Any).await };
    rig.exchange(("get_all_drops", "get_drops.answer"), any)
        .await
        .unwrap();
    let given = |game: Game| async move { game.drops().validate("d1").await };
    rig.exchange(("validate_drop", "validate_drop.answer"), given)
        .await
        .unwrap();
    let remove = |game: Game| async move { game.matchmaking().remove("77").await };
    let names = ("remove_matchmaking", "remove_matchmaking.answer");
    rig.exchange(names, remove).await.unwrap();
    let clear = |game: Game| async move { game.matchmaking().clear().await };
    let names = ("clear_matchmaking", "clear_matchmaking.answer");
    rig.exchange(names, clear).await.unwrap();
}

#[tokio::test]
async fn the_gateway_is_set_as_recorded() {
    let mut rig = Rig::start().await;
    let actions = |game: Game| async move {
        let heal = Action {
            id: "heal".into(),
            category: ActionCategory::Help,
            state: ActionState::Available,
            impact: 1,
            name: "A name".into(),
            description: "What it does".into(),
            icon: "sword".into(),
            count: 3,
        };
        game.gateway().set_actions(&[heal]).await
    };
    rig.exchange(("set_actions", "set_actions.answer"), actions)
        .await
        .unwrap();
    let error = rig
        .exchange(("set_actions", "set_actions.error"), actions)
        .await;
    assert_eq!(error.unwrap_err().number(), Some(400));
    let change = |game: Game| async move {
        let change = ActionChange {
            state: Some(ActionState::Available),
            count: Some(5),
            inventory: None,
            inventory_by: Some(-1),
        };
        game.gateway().change_action("heal", change).await
    };
    rig.exchange(("set_action_state", "set_action_state.answer"), change)
        .await
        .unwrap();
    let metadata = |game: Game| async move {
        let metadata = GameMetadata {
            name: "My Game".into(),
            logo: "aGk=".into(),
            theme: String::new(),
        };
        game.gateway().set_metadata(&metadata).await
    };
    rig.exchange(("set_metadata", "set_metadata.answer"), metadata)
        .await
        .unwrap();
}

#[tokio::test]
async fn documents_are_asked_for_and_read_as_recorded() {
    let mut rig = Rig::start().await;
    let (before, after) = (
        json!({ "level": 1 }),
        json!({ "level": 1, "players": { "red": 3 } }),
    );
    let hear = |game: Game| async move { game.channel_state().subscribe().await };
    let states = rig
        .exchange(("state_subscribe", "state_subscribe.answer"), hear)
        .await;
    let level = before.clone();
    let set = |game: Game| async move { game.channel_state().set(&level).await };
    rig.exchange(("state_set", "state_set.answer"), set)
        .await
        .unwrap();
    let patch = |game: Game| async move { game.channel_state().patch::<Value>(&red()).await };
    let state = rig
        .exchange(("state_patch", "state_patch.answer"), patch)
        .await;
    assert_eq!(state.unwrap(), after);
    let get = |game: Game| async move { game.channel_state().get::<Value>().await };
    let state = rig.exchange(("state_get", "state_get.answer"), get).await;
    assert_eq!(state.unwrap(), after);
    rig.left("state_unsubscribe", states.unwrap()).await;

    let topic = ConfigTopic::Channel;
    let hear = |game: Game| async move { game.config().subscribe(topic).await };
    let configs = rig
        .exchange(("config_subscribe", "config_subscribe.answer"), hear)
        .await;
    let set = |game: Game| async move { game.config().set(&before).await };
    rig.exchange(("config_set", "config_set.answer"), set)
        .await
        .unwrap();
    let patch = |game: Game| async move { game.config().patch::<Value>(&red()).await };
    let config = rig
        .exchange(("config_patch", "config_patch.answer"), patch)
        .await;
    assert_eq!(config.unwrap(), after);
    let get = |game: Game| async move { game.config().get::<Value>(topic).await };
    let config = rig.exchange(("config_get", "config_get.answer"), get).await;
    assert_eq!(config.unwrap(), after);
    let both = |game: Game| async move { game.config().combined::<Value, Value>().await };
    let both = rig
        .exchange(("config_combined", "config_combined.answer"), both)
        .await;
    let both = both.unwrap();
    assert_eq!((both.channel, both.extension), (after, json!({})));
    rig.left("config_unsubscribe", configs.unwrap()).await;
}

fn red() -> Patch {
    Patch::new().add("/players/red", 3)
}

/// Requests that this library has no reason to send.
const NOT_SENT: [&str; 5] = [
    "authenticate_jwt",
    "authenticate_nulls",
    "broadcast_message",
    "get_matchmaking",
    "poll_create_nulls",
];

#[test]
fn every_recorded_request_is_sent_by_a_test_or_has_no_place_here() {
    let source = concat!(
        include_str!("golden_frames.rs"),
        include_str!("golden_frames/matches.rs")
    );
    for name in names("request") {
        let sent = source.contains(&format!("\"{name}\""));
        let by_parts = ["authenticate_pin", "authenticate_refresh"].contains(&&*name)
            || source.contains(&format!("{name}.request"))
            || name == "unsubscribe_authentication";
        assert!(sent || by_parts || NOT_SENT.contains(&&*name), "{name}");
    }
}
