//! The program on a PostgreSQL database: several nodes, commands beside them, and a database that
//! goes away (DESIGN 2).

use std::path::Path;
use std::sync::Arc;

use crowdlink_store::{PostgresOptions, PostgresStore, Store, SystemClock};
use serde_json::json;
use services::Postgres;
use tempfile::TempDir;

use crate::harness::program::{Process, crowdlink, done, failed};
use crate::harness::{Http, eventually};

const PASSWORD: &str = "hunter2-s3cret";
const VALUE: &str = "/v1/e/json_store?id=k";

/// A database, and folders for the nodes on it.
struct Cluster {
    postgres: Postgres,
    folders: Vec<TempDir>,
}

impl Cluster {
    fn new(nodes: usize) -> Self {
        Self {
            postgres: Postgres::start().unwrap(),
            folders: (0..nodes).map(|_| tempfile::tempdir().unwrap()).collect(),
        }
    }

    /// With a password, which the database takes without looking at it.
    fn url(&self) -> String {
        let user = format!("crowdlink:{PASSWORD}@");
        self.postgres.url().replace("crowdlink@", &user)
    }

    fn data(&self, node: usize) -> &Path {
        self.folders[node].path()
    }

    fn start(&self, node: usize, command: &str) -> Process {
        let url = self.url();
        let words = [command, "--store", &url, "--log-level", "trace"];
        Process::start(self.data(node), &words)
    }

    fn command(&self, words: &[&str]) -> String {
        let url = self.url();
        done(self.data(0), &[words, &["--store", &url]].concat())
    }

    async fn store(&self) -> Arc<PostgresStore> {
        let clock = Arc::new(SystemClock::new());
        let options = PostgresOptions::default();
        PostgresStore::open(&self.url(), clock, options)
            .await
            .unwrap()
    }

    /// The numbers that nodes hold.
    async fn numbers(&self) -> Vec<String> {
        let page = self.store().await.scan("cluster/nodes/", None, 10).await;
        let page = page.unwrap().into_iter();
        page.map(|entry| entry.key.rsplit('/').next().unwrap().to_owned())
            .collect()
    }
}

/// A page of a broadcaster or viewer of channel 42.
async fn page(node: &Process, role: &str, user: &str) -> Http {
    let http = node.http("sandbox-rest");
    let body = json!({ "app_id": "mine", "channel_id": "42", "user_id": user, "role": role });
    let answer = http.post("/v1/e/authtoken", &body).await.ok();
    http.with("mine", answer["token"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_what_they_store_and_a_killed_one_loses_nothing() {
    let cluster = Cluster::new(2);
    let (one, two) = (cluster.start(0, "dev"), cluster.start(1, "dev"));
    let writer = page(&one, "broadcaster", "42").await;
    for n in 0..50 {
        let written = writer.post(VALUE, &json!({ "n": n })).await;
        written.ok();
    }
    drop(one);
    let reader = page(&two, "viewer", "7").await;
    // The other node may have read before, and believes that for a second.
    eventually("the last value is there", || async {
        reader.get(VALUE).await.json() == json!({ "n": 49 })
    })
    .await;
    let again = cluster.start(0, "dev");
    let reader = page(&again, "viewer", "7").await;
    assert_eq!(reader.get(VALUE).await.ok(), json!({ "n": 49 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_on_two_nodes_add_up_in_a_tally_each() {
    let cluster = Cluster::new(2);
    let nodes = [cluster.start(0, "dev"), cluster.start(1, "dev")];
    for user in 0..20 {
        let node = &nodes[user % 2];
        let voter = page(node, "viewer", &format!("{}", 100 + user)).await;
        let vote = json!({ "value": user % 3 });
        voter.post("/v1/e/vote?id=p", &vote).await.ok();
    }
    for node in &nodes {
        let viewer = page(node, "viewer", "7").await;
        eventually("every vote is seen", || async {
            viewer.get("/v1/e/vote?id=p").await.json()["count"] == 20
        })
        .await;
    }
    let store = cluster.store().await;
    let page = store.scan("sandbox/mine/tally/", None, 10).await.unwrap();
    let tallies: Vec<_> = page.into_iter().map(|entry| entry.key).collect();
    let ends: Vec<_> = tallies.iter().map(|key| &key[key.len() - 2..]).collect();
    assert_eq!(ends, ["/0", "/1"], "{tallies:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_hold_the_lowest_numbers_and_give_them_back() {
    let cluster = Cluster::new(3);
    let mut first = cluster.start(0, "serve");
    let second = cluster.start(1, "serve");
    assert_eq!(cluster.numbers().await, ["0000", "0001"]);
    first.terminate();
    assert!(tokio::task::block_in_place(|| first.ended()).success());
    assert_eq!(cluster.numbers().await, ["0001"]);
    let _third = cluster.start(2, "serve");
    assert_eq!(cluster.numbers().await, ["0000", "0001"]);
    // One that was killed keeps its number until the lease ends.
    drop(second);
    let _again = cluster.start(1, "serve");
    assert_eq!(cluster.numbers().await, ["0000", "0001", "0002"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_work_beside_a_running_server() {
    let cluster = Cluster::new(1);
    let server = cluster.start(0, "serve");
    let add = ["extension", "add", "--client-id", "mine", "--owner", "900"];
    assert!(cluster.command(&add).contains("added mine"));
    assert!(cluster.command(&["extension", "list"]).contains("mine"));
    let mint = [
        "token",
        "mint",
        "--client-id",
        "mine",
        "--stage",
        "sandbox",
        "--role",
        "viewer",
        "--channel",
        "42",
        "--user",
        "7",
    ];
    let token = cluster.command(&mint);
    let http = server.http("sandbox-rest").with("mine", token.trim());
    eventually("the server knows the extension", || async {
        http.get("/v1/e/user_info").await.status == 200
    })
    .await;
    let header = format!("mine {}", token.trim());
    let report = cluster.command(&["doctor", "--stage", "sandbox", &header]);
    assert!(report.contains("viewer"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_follows_the_database_and_service_comes_back() {
    let cluster = Cluster::new(1);
    let server = cluster.start(0, "dev");
    let writer = page(&server, "broadcaster", "42").await;
    writer.post(VALUE, &json!({ "n": 1 })).await.ok();
    let ops = server.http("ops");
    assert_eq!(ops.get("/readyz").await.ok()["store"], "ok");

    cluster.postgres.stop().unwrap();
    let report = ops.get("/readyz").await;
    assert_eq!(report.status, 503);
    let told = report.json()["store"].clone();
    assert!(told == "failed" || told == "slow", "{told}");
    assert_eq!(writer.post(VALUE, &json!({ "n": 2 })).await.status, 500);
    let metrics = ops.get("/metrics").await.body;
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    assert!(metrics.contains(r#"outcome="unavailable""#), "{metrics}");

    cluster.postgres.start_again().unwrap();
    eventually("ready again", || async {
        ops.get("/readyz").await.status == 200
    })
    .await;
    writer.post(VALUE, &json!({ "n": 3 })).await.ok();
    assert_eq!(writer.get(VALUE).await.ok(), json!({ "n": 3 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_is_shown_nowhere() {
    let cluster = Cluster::new(1);
    let mut server = cluster.start(0, "dev");
    let writer = page(&server, "broadcaster", "42").await;
    writer.post(VALUE, &json!({ "n": 1 })).await.ok();
    cluster.postgres.stop().unwrap();
    writer.post(VALUE, &json!({ "n": 2 })).await;
    server.terminate();
    tokio::task::block_in_place(|| server.ended());
    let log = std::fs::read_to_string(cluster.data(0).join("log")).unwrap();
    assert!(log.contains("commits failed"), "{log}");
    assert!(!log.contains(PASSWORD) && !server.hello.contains(PASSWORD));

    let url = cluster.url();
    let broken = format!("postgres://crowdlink:{PASSWORD}@127.0.0.1:no-port/x");
    let unknown = format!("mysql://crowdlink:{PASSWORD}@127.0.0.1/x");
    for url in [&url, &broken, &unknown] {
        for words in [["serve"].as_slice(), &["extension", "list"]] {
            let at_once = ["--store", url, "--store-wait-ms-max", "0"];
            let said = failed(cluster.data(0), &[words, &at_once].concat());
            assert!(said.contains("cannot open the store"), "{said}");
            assert!(!said.contains(PASSWORD), "{said}");
        }
    }
}

#[tokio::test]
async fn a_data_directory_with_a_store_is_not_passed_over() {
    let cluster = Cluster::new(1);
    let data = cluster.data(0);
    done(data, &["extension", "list"]);
    let url = cluster.url();
    for words in [
        ["serve"].as_slice(),
        &["extension", "list"],
        &["doctor", "x"],
    ] {
        let said = failed(data, &[words, &["--store", &url]].concat());
        assert!(said.contains("two stores are given"), "{said}");
    }
    for words in [["backup", "copy"], ["restore", "copy"]] {
        let said = failed(data, &[words.as_slice(), &["--store", &url]].concat());
        assert!(said.contains("pg_dump"), "{said}");
    }
}

#[tokio::test]
async fn doctor_makes_no_store() {
    let cluster = Cluster::new(1);
    let url = cluster.url();
    let words = ["doctor", "mine x.y.z", "--store", &url];
    let output = crowdlink(cluster.data(0), &words);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("no Crowdlink store"), "{said}");
    // It would have made one otherwise.
    let again = crowdlink(cluster.data(0), &words);
    assert_eq!(String::from_utf8(again.stdout).unwrap(), said);
}
