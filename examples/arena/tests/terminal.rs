//! The arena as its player sees it: the program in a terminal, against the real server.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    dead_code
)]

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use serde_json::json;

#[path = "../../../crates/client/tests/it/harness/http.rs"]
mod http;
#[path = "../../../crates/client/tests/it/harness/program.rs"]
mod program;

use http::Http;
use program::Program;

const EXTENSION: &str = "test-extension";
/// Rows and columns.
const SIZE: (NonZero<u16>, NonZero<u16>) = (
    NonZero::new(24).expect("24 rows"),
    NonZero::new(80).expect("80 columns"),
);
/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);

/// A terminal of 80 by 24 with the arena in it.
struct Screen {
    child: Child,
    pty: std::sync::Arc<Pty>,
    output: Receiver<Vec<u8>>,
    terminal: vt100::Parser,
}

impl Screen {
    fn start(url: &str, token: &Path) -> Self {
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(SIZE.0.get(), SIZE.1.get())).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_arena"))
            .arg(format!("--server={url}"))
            .arg(format!("--client-id={EXTENSION}"))
            .arg("--token")
            .arg(token)
            .arg("--round-s=4")
            .env("TERM", "xterm-256color")
            .spawn(pts)
            .unwrap();
        let pty = std::sync::Arc::new(pty);
        let (sender, output) = channel();
        let reader = std::sync::Arc::clone(&pty);
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(count) = (&*reader).read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            pty,
            output,
            terminal: vt100::Parser::new(SIZE.0, SIZE.1, 0),
        }
    }

    fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this stands on the screen.
    fn shows(&mut self, part: &str) {
        while !self.terminal.screen().contents().contains(part) {
            let Ok(bytes) = self.output.recv_timeout(PATIENCE) else {
                panic!("no {part} in:\n{}", self.terminal.screen().contents());
            };
            self.terminal.process(&bytes);
        }
    }

    /// Waits until the program has ended well.
    fn ended(mut self) {
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.terminal.process(&bytes);
        }
        assert!(self.child.wait().unwrap().success());
        assert!(
            !self.terminal.screen().alternate_screen(),
            "the terminal is as it was"
        );
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_pairs_viewers_vote_and_next_time_no_pin_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path());
    let token = folder.path().join("arena-token");
    let mut screen = Screen::start(&program.url(), &token);
    screen.shows("Type the PIN");
    screen.press("AAAAAA\r");
    screen.shows("The provided PIN is invalid or expired");
    let pin = program.pin("1001").await;
    screen.press(&format!("{pin}\r"));
    screen.shows("paired with 1001 (connected)");
    let viewer = program.viewer("1001", "77").await;
    screen.press("n");
    screen.shows("Who enters the arena?");
    viewer
        .post("/v1/e/vote?id=arena-round", &json!({ "value": 2 }))
        .await;
    screen.shows("Kraken       1");
    screen.shows("A Kraken comes and hits for 3.");
    screen.shows("♥♥♥♥♥♥♥···  rounds 1");
    viewer
        .post("/v1/e/datastream", &json!({ "cheer": "Ann" }))
        .await;
    screen.shows("Ann cheers.");
    screen.shows("♥♥♥♥♥♥♥♥··");

    program.kill_9();
    screen.shows("(reconnecting)");
    program.kill_9_and_restart(folder.path());
    screen.shows("(connected)");
    screen.press("q");
    screen.ended();

    let mut screen = Screen::start(&program.url(), &token);
    screen.shows("paired with 1001 (connected)");
    screen.press("\u{3}");
    screen.ended();
}
