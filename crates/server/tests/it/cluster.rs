//! Two servers over one store, and NATS between them (DESIGN 3).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crowdlink_core::{Bus, Random, SeededRandom};
use crowdlink_server::bus;
use crowdlink_server::listen::EdgeName;
use crowdlink_server::settings;
use crowdlink_store::{Clock, SystemClock};
use serde_json::{Value, json};
use services::Nats;

use crate::harness::program::Process;
use crate::harness::{Http, Server, Viewer, eventually};

struct Cluster {
    nats: Nats,
    one: Server,
    other: Server,
}

/// A bus on a NATS server. Its heartbeats go by real time, whatever the servers' clock shows.
fn open(url: &str, seed: u64) -> bus::Opened {
    let settings = settings::Bus {
        url: settings::ConnectionUrl::new(url).unwrap(),
        ..settings::Bus::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let random: Arc<dyn Random> = Arc::new(SeededRandom::from_seed(seed));
    bus::open(&settings, &clock, &random).unwrap()
}

fn bus_of(server: &Server) -> &Arc<dyn Bus> {
    &server.app.core.world().bus
}

impl Cluster {
    async fn start() -> Self {
        let nats = Nats::start().unwrap();
        let [first, second] = [1, 2].map(|seed| open(&nats.url(), seed));
        let one = Server::start_on_bus(first.within()).await;
        first.show(&one.app.metrics);
        let other = one.start_node_on(second.within()).await;
        second.show(&other.app.metrics);
        let cluster = Self { nats, one, other };
        cluster.meet().await;
        cluster
    }

    /// Waits until the nodes hear each other.
    async fn meet(&self) {
        eventually("the nodes hear each other", || async {
            figure(&self.one, "peers").await == 1 && figure(&self.other, "peers").await == 1
        })
        .await;
    }

    async fn part(&self) {
        self.nats.stop().unwrap();
        eventually("the nodes know that they are cut off", || async {
            !bus_of(&self.one).is_up() && !bus_of(&self.other).is_up()
        })
        .await;
    }
}

/// A figure of the bus, as operators see it.
async fn figure(server: &Server, name: &str) -> u64 {
    let page = Http::new(server.address(EdgeName::Ops))
        .get("/metrics")
        .await;
    let name = format!("crowdlink_bus_{name} ");
    let text = std::str::from_utf8(&page.body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.expect("no such figure").parse().unwrap()
}

/// The newest of each event that a viewer is told, until all of these came.
async fn newest(viewer: &mut Viewer, events: &BTreeMap<&str, Value>) {
    let mut missing = events.clone();
    while !missing.is_empty() {
        let (event, data) = viewer.event().await;
        missing.retain(|name, expected| *name != event || *expected != data);
    }
}

/// What comes while the servers' time goes on.
async fn as_time_goes_by<T>(server: &Server, coming: impl Future<Output = T>) -> T {
    let mut coming = std::pin::pin!(coming);
    loop {
        let soon = Duration::from_millis(20);
        if let Ok(came) = tokio::time::timeout(soon, coming.as_mut()).await {
            return came;
        }
        server.advance_ms(100);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_on_one_node_is_heard_on_the_other() {
    let Cluster { nats, one, other } = Cluster::start().await;
    let mut viewer = Viewer::of(&other, Some("42")).await;
    let (mut game, _) = one.paired_game("42").await;
    let (mut beside, _) = other.paired_game("42").await;
    for game in [&mut game, &mut beside] {
        game.done("subscribe", "state", json!({ "topic_id": "channel" }))
            .await;
        game.done("subscribe", "datastream", json!({})).await;
    }
    let broadcaster = one.page("broadcaster", "42").await;
    let state = json!({ "hp": 7 });
    broadcaster.post("/v1/e/channel_state", &state).await.ok();
    let told = ("channel_state_update".to_owned(), json!({ "hp": 7 }));
    assert_eq!(viewer.event().await, told);
    for game in [&mut game, &mut beside] {
        assert_eq!(game.event("channel").await["state"], state);
    }

    let page = other.page("viewer", "42").await;
    page.post("/v1/e/datastream", &json!({ "jump": 1 }))
        .await
        .ok();
    let batch = game.event("datastream").await;
    assert_eq!(batch["events"][0]["event"], json!({ "jump": 1 }));

    let written = json!({ "a": 1 });
    broadcaster
        .post("/v1/e/json_store?id=k", &written)
        .await
        .ok();
    let told = json!({ "id": "k", "value": written });
    assert_eq!(
        viewer.event().await,
        ("json_store_update:k".to_owned(), told)
    );
    let sent = json!({ "target": "broadcast", "event": "hello", "data": [1, "x".repeat(60_000)] });
    broadcaster.post("/v1/e/broadcast", &sent).await.ok();
    assert_eq!(
        viewer.event().await,
        ("hello".to_owned(), sent["data"].clone())
    );
    assert_eq!(figure(&one, "missed_total").await, 0);
    drop(nats);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listened_while_nats_was_away_is_told_the_newest() {
    let cluster = Cluster::start().await;
    let (one, other) = (&cluster.one, &cluster.other);
    let mut viewer = Viewer::of(other, Some("42")).await;
    let (mut game, _) = other.paired_game("42").await;
    for (target, of) in [
        ("state", json!({ "topic_id": "channel" })),
        ("config", json!({ "config_id": "channel" })),
        ("poll", json!({ "topic_id": "p" })),
    ] {
        game.done("subscribe", target, of).await;
    }
    cluster.part().await;
    let page = one.page("broadcaster", "42").await;
    for n in 1..=3 {
        let body = json!({ "n": n });
        page.post("/v1/e/channel_state", &body).await.ok();
        page.post("/v1/e/channel_config", &body).await.ok();
        page.post("/v1/e/json_store?id=k", &body).await.ok();
    }
    one.page("viewer", "42")
        .await
        .post("/v1/e/vote?id=p", &json!({ "value": 1 }))
        .await
        .ok();
    // What was written is read, once what the other node holds is a second old.
    other.advance_ms(1_001);
    let beside = other.page("viewer", "42").await;
    let read = beside.get("/v1/e/channel_state").await.ok();
    assert_eq!(read, json!({ "n": 3 }));

    cluster.nats.start_again().unwrap();
    cluster.meet().await;
    let told = json!({ "n": 3 });
    let expected = BTreeMap::from([
        ("channel_state_update", told.clone()),
        ("channel_config_update", told.clone()),
        ("json_store_update:k", json!({ "id": "k", "value": told })),
    ]);
    newest(&mut viewer, &expected).await;
    let mut missing = vec!["channel".to_owned(), "config".to_owned(), "poll".to_owned()];
    while !missing.is_empty() {
        // Votes are told of when their time has come.
        let frame = as_time_goes_by(other, game.frame()).await;
        let target = frame["meta"]["target"].as_str().unwrap();
        missing.retain(|one| one != target);
        if target == "channel" {
            assert_eq!(frame["data"]["state"], told);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_nats_viewers_and_games_are_told_all_the_same() {
    let cluster = Cluster::start().await;
    let (one, other) = (&cluster.one, &cluster.other);
    let mut viewer = Viewer::of(other, Some("42")).await;
    let (mut game, _) = other.paired_game("42").await;
    game.done("subscribe", "state", json!({ "topic_id": "channel" }))
        .await;
    cluster.part().await;
    let page = one.page("broadcaster", "42").await;
    page.post("/v1/e/channel_state", &json!({ "n": 1 }))
        .await
        .ok();
    let told = ("channel_state_update".to_owned(), json!({ "n": 1 }));
    assert_eq!(as_time_goes_by(other, viewer.event()).await, told);
    assert_eq!(game.event("channel").await["state"], json!({ "n": 1 }));
    let losses = figure(other, "losses_total").await;
    assert_eq!(figure(other, "connected").await, 0);
    cluster.nats.start_again().unwrap();
    cluster.meet().await;
    eventually("the loss is counted", || async {
        figure(other, "losses_total").await > losses
    })
    .await;
    assert_eq!(figure(other, "connected").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_revoked_on_one_node_closes_its_sockets_on_the_other() {
    let Cluster { nats, one, other } = Cluster::start().await;
    let (mut game, answer) = other.paired_game("42").await;
    let page = one.page("broadcaster", "42").await;
    page.delete("/v1/e/gamelink/token").await.ok();
    assert!(answer["jwt"].is_string());
    // No time passes: word of it came.
    assert_eq!(game.closed().await, Some(1008));
    drop(nats);
}

#[tokio::test]
async fn a_server_whose_bus_nobody_answers_serves_and_says_so() {
    let data = tempfile::tempdir().unwrap();
    let bus = "--bus=nats://crowdlink:hidden@127.0.0.1:1";
    let mut server = Process::start(data.path(), &["serve", bus, "--log-level=trace"]);
    let ready = server.http("ops").get("/readyz").await;
    assert_eq!(ready.status, 200);
    let report: Value = serde_json::from_slice(&ready.body).unwrap();
    assert_eq!(report["bus"], "degraded");
    let told = || std::fs::read_to_string(data.path().join("log")).unwrap();
    eventually("the log says so", || async {
        told().contains("the bus cannot connect")
    })
    .await;
    assert!(!told().contains("hidden"), "{}", told());
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_repeating_it() {
    let data = tempfile::tempdir().unwrap();
    let wrong = [
        "--bus=http://u:hidden@h",
        "--bus=nats://u:hidden@h:port",
        "--bus-subject=a.*",
    ];
    for flag in wrong {
        let words = ["serve", "--bus=nats://127.0.0.1:1", flag];
        let words = if flag.starts_with("--bus=") {
            &[words[0], flag][..]
        } else {
            &words
        };
        let told = crate::harness::program::failed(data.path(), words);
        assert!(told.contains("bus"), "{told}");
        assert!(!told.contains("hidden"), "{told}");
    }
}
