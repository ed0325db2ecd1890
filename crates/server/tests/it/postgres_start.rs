//! A server that starts while its database is away (docs/operations.md).

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use services::{Postgres, Proxy};
use tempfile::TempDir;

use crate::harness::eventually;
use crate::harness::program::{Process, failed};

const PASSWORD: &str = "hunter2-s3cret";
const AWAY: &str = "the store is away: trying again";

/// A database behind a network, and the folder of a node.
struct Ground {
    postgres: Postgres,
    proxy: Proxy,
    folder: TempDir,
}

impl Ground {
    fn new() -> Self {
        let postgres = Postgres::start().unwrap();
        let proxy = Proxy::start(postgres.address()).unwrap();
        Self {
            postgres,
            proxy,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    fn url(&self) -> String {
        let address = self.proxy.address();
        format!("postgres://crowdlink:{PASSWORD}@{address}/crowdlink")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.data().join("log")).unwrap_or_default()
    }

    /// Starts a server and, once it waits, does something; the server when it is ready.
    async fn start_and(&self, then: impl FnOnce()) -> Process {
        let (data, url) = (self.data().to_owned(), self.url());
        let starting =
            tokio::task::spawn_blocking(move || Process::start(&data, &["serve", "--store", &url]));
        self.waits(2).await;
        then();
        starting.await.unwrap()
    }

    /// Waits for some tries that failed.
    async fn waits(&self, tries: usize) {
        eventually("the server waits", || async {
            self.log().matches(AWAY).count() >= tries
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_waits_until_its_database_is_there() {
    let ground = Ground::new();
    ground.postgres.stop().unwrap();
    let begin = || ground.postgres.start_again().unwrap();
    let server = ground.start_and(begin).await;
    let body = json!({ "identifier": "nobody" });
    let answer = server.http("sandbox-rest").post("/v1/e/pin", &body).await;
    answer.refused(400, "No such extension found");
    assert_eq!(server.http("ops").get("/readyz").await.status, 200);
    let log = ground.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains(AWAY)).collect();
    for line in told {
        assert!(line.contains("WARN") && line.contains("next_ms="), "{line}");
        assert!(line.contains("cannot open the store"), "{line}");
    }
    assert!(!log.contains(PASSWORD), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_cut_or_silent_is_waited_for() {
    let ground = Ground::new();
    ground.proxy.cut().unwrap();
    let heal = || ground.proxy.heal().unwrap();
    let mut server = ground.start_and(heal).await;
    server.terminate();
    assert!(tokio::task::block_in_place(|| server.ended()).success());
    std::fs::remove_file(ground.data().join("log")).unwrap();
    ground.proxy.stall().unwrap();
    let _server = ground.start_and(heal).await;
    assert!(
        ground.log().contains("no answer within"),
        "{}",
        ground.log()
    );
}

#[test]
fn waiting_ends_with_an_error_that_says_what_to_change() {
    let ground = Ground::new();
    ground.proxy.cut().unwrap();
    let url = ground.url();
    for (ms, waits) in [("300", true), ("0", false)] {
        let words = ["serve", "--store", &url, "--store-wait-ms-max", ms];
        let said = failed(ground.data(), &words);
        let error = said.lines().last().unwrap();
        assert_eq!(
            error.contains("ms for the store (store.wait_ms_max)"),
            waits,
            "{said}"
        );
        assert!(error.contains("cannot open the store"), "{said}");
        assert_eq!(said.contains(AWAY), waits, "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
    // Commands have somebody who waits for them.
    let said = failed(ground.data(), &["extension", "list", "--store", &url]);
    assert!(!said.contains(AWAY), "{said}");
}

#[test]
fn what_waiting_cannot_mend_ends_at_once() {
    let ground = Ground::new();
    let url = ground.url();
    let (server, _) = url.rsplit_once('/').unwrap();
    let unknown = format!("{server}/nobody_made_it");
    let nobody = url.replace("//crowdlink:", "//nobody:");
    for (url, why) in [(unknown, "3D000"), (nobody, "28000")] {
        let said = failed(ground.data(), &["serve", "--store", &url]);
        assert!(said.contains(why) && !said.contains(AWAY), "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

/// A process that need not become ready; killed at the end of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_ends_the_waiting() {
    for signal in [Signal::TERM, Signal::INT] {
        let ground = Ground::new();
        ground.proxy.cut().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_crowdlink"))
            .args(["serve", "--store", &ground.url()])
            .args(["--sandbox-rest=127.0.0.1:0", "--sandbox-gamelink=off"])
            .args(["--production-rest=off", "--production-gamelink=off"])
            .args(["--ops=off", "--store-wait-ms-max=3600000", "--data"])
            .arg(ground.data())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(ground.data().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut running = Running(child);
        ground.waits(3).await;
        kill_process(Pid::from_child(&running.0), signal).unwrap();
        let mut ended = None;
        eventually("it has ended", || {
            ended = ended.or(running.0.try_wait().unwrap());
            async move { ended.is_some() }
        })
        .await;
        assert!(ended.unwrap().success(), "{}", ground.log());
        assert!(ground.log().contains("ended before the store was there"));
    }
}
