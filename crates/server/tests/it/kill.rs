//! What was acknowledged survives `kill -9` (DESIGN 2; `spec 1.4`): the program itself on a
//! temporary folder, killed in the middle of its work.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Game, Http, Incoming, refusal};

const ROUNDS: usize = 10;
pub(crate) const CLIENT_ID: &str = "killed-again-and-again";

/// The program, with sandbox edges on free ports. Killed on drop.
pub(crate) struct Program {
    child: Child,
    pub(crate) rest: SocketAddr,
    gamelink: SocketAddr,
}

impl Program {
    fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// The same, with other settings.
    pub(crate) fn start_with(data: &Path, flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_crowdlink"))
            .arg("dev")
            .args([
                "--sandbox-rest=127.0.0.1:0",
                "--sandbox-gamelink=127.0.0.1:0",
            ])
            .args([
                "--production-rest=off",
                "--production-gamelink=off",
                "--ops=off",
            ])
            .args(flags)
            .arg("--data")
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines
            .map(Result::unwrap)
            .find(|line| line.starts_with("ready "));
        let ready = ready.expect("the program ended before it was ready");
        let address = |name: &str| {
            let (_, rest) = ready.split_once(&format!("{name}=")).unwrap();
            rest.split(' ').next().unwrap().parse().unwrap()
        };
        Self {
            rest: address("sandbox-rest"),
            gamelink: address("sandbox-gamelink"),
            child,
        }
    }

    /// Ends it without warning.
    pub(crate) fn kill_9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn game(&self) -> Game {
        Game::connect(self.gamelink, &format!("/0.0.1/{CLIENT_ID}")).await
    }

    pub(crate) async fn pin(&self, channel: &str) -> String {
        let body = json!({ "app_id": CLIENT_ID, "channel_id": channel, "role": "broadcaster" });
        let answer = Http::new(self.rest)
            .post("/v1/e/authtoken", &body)
            .await
            .ok();
        let page = Http::new(self.rest).with(CLIENT_ID, answer["token"].as_str().unwrap());
        page.pin().await
    }

    async fn refreshed(&self, token: &Value) -> Value {
        let answer = self
            .game()
            .await
            .authenticate(json!({ "refresh": token }))
            .await;
        assert!(answer["data"]["refresh"].is_string(), "{answer}");
        answer["data"]["refresh"].clone()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a game remembers when the server dies.
struct Kept {
    /// The refresh token it used last and got an answer for.
    parent: Value,
    /// The answer.
    newest: Value,
    pin: String,
}

/// Pairs and refreshes on a new server, which is then killed while a request is under way: with
/// `newest` presented in even rounds, with its parent in odd ones.
async fn live_and_die(program: Program, round: usize) -> Kept {
    let pin = program.pin(&format!("{}", 1_000 + round)).await;
    let mut game = program.game().await;
    let paired = game.authenticate(json!({ "pin": pin })).await;
    let mut parent = paired["data"]["refresh"].clone();
    let mut newest =
        game.authenticate(json!({ "refresh": parent })).await["data"]["refresh"].clone();
    for _ in 0..round * 3 {
        let next = game.authenticate(json!({ "refresh": newest })).await;
        parent = std::mem::replace(&mut newest, next["data"]["refresh"].clone());
    }
    let presented = if round.is_multiple_of(2) {
        &newest
    } else {
        &parent
    };
    game.send("authenticate", "", json!({ "refresh": presented }))
        .await;
    program.kill_9();
    if let Incoming::Frame(answer) = game.next().await {
        // It came before the end: then it is what the game holds.
        let born = answer["data"]["refresh"].clone();
        parent = presented.clone();
        newest = born;
    }
    Kept {
        parent,
        newest,
        pin,
    }
}

#[tokio::test]
async fn after_kill_9_acknowledged_refresh_tokens_work_and_no_pin_is_redeemed_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut before: Option<(Kept, bool)> = None;
    for round in 0..=ROUNDS {
        let program = Program::start(folder.path());
        if let Some((kept, parent_first)) = before.take() {
            let again = program
                .game()
                .await
                .authenticate(json!({ "pin": kept.pin }))
                .await;
            assert_eq!(
                refusal(&again, 400).1,
                "The provided PIN is invalid or expired"
            );
            if parent_first {
                program.refreshed(&kept.parent).await;
            }
            let next = program.refreshed(&kept.newest).await;
            program.refreshed(&next).await;
        }
        if round < ROUNDS {
            let kept = live_and_die(program, round).await;
            // Where the newest one was on its way, it may count as used: that retired its parent.
            before = Some((kept, round % 2 == 1));
        }
    }
}

#[tokio::test]
async fn of_two_who_type_a_pin_around_a_kill_9_one_at_most_is_paired() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let program = Program::start(folder.path());
        let pin = program.pin(&format!("{}", 2_000 + round)).await;
        let mut game = program.game().await;
        game.send("authenticate", "", json!({ "pin": pin })).await;
        program.kill_9();
        let first = match game.next().await {
            Incoming::Frame(answer) => answer["data"]["refresh"].is_string(),
            Incoming::Closed(_) => false,
        };
        let program = Program::start(folder.path());
        let answer = program
            .game()
            .await
            .authenticate(json!({ "pin": pin }))
            .await;
        let second = answer["data"]["refresh"].is_string();
        assert!(!(first && second), "both were paired");
    }
}
