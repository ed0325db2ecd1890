//! The recorded frames that the server's tests use as well: this library sends the requests and
//! reads the answers and events.

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crowdlink_client::{Error, Event, Game, Poll, PollConfig, PollStatus};
use serde_json::{Value, json};

use crate::harness::script::{Connection, Script};
use crate::harness::{connect, next, soon};

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
    seen: BTreeSet<String>,
}

impl Rig {
    async fn start() -> Self {
        let script = Script::listen().await;
        let pairing = tokio::spawn(connect(&script.url()).pair_with_pin("ABCDEF"));
        let (connection, _) = script.welcome("one").await;
        let game = soon("pairing", pairing).await.unwrap().unwrap().game;
        let seen = BTreeSet::new();
        Self {
            connection,
            game,
            seen,
        }
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
        self.seen.insert(request.to_owned());
        soon(request, calling).await.unwrap()
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
    drop(one.unwrap());
    let stay = |game: Game| async move { drop(game) };
    rig.exchange(("poll_unsubscribe", "poll_unsubscribe.answer"), stay)
        .await;
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
