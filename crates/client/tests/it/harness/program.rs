//! The real program, as a process on a data directory of its own.

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::Http;

/// The program: what `CROWDLINK_BIN` names, else what was built beside this test, else it is built.
fn binary() -> PathBuf {
    if let Some(path) = env::var_os("CROWDLINK_BIN") {
        return path.into();
    }
    let test = env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let built = folder.join(format!("crowdlink{}", env::consts::EXE_SUFFIX));
    if !built.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "-p", "crowdlink-server", "--bin", "crowdlink"]);
        assert!(cargo.status().unwrap().success());
    }
    built
}

/// A running server with a sandbox. Killed on drop.
pub struct Program {
    child: Child,
    rest: SocketAddr,
    gamelink: SocketAddr,
}

impl Program {
    /// Starts on free ports.
    pub fn start(data: &Path) -> Self {
        Self::start_at(data, "127.0.0.1:0", "127.0.0.1:0")
    }

    /// The same with settings of the test's own.
    pub fn start_with(data: &Path, flags: &[String]) -> Self {
        Self::launch(data, "127.0.0.1:0", "127.0.0.1:0", flags)
    }

    fn start_at(data: &Path, rest: &str, gamelink: &str) -> Self {
        Self::launch(data, rest, gamelink, &[])
    }

    fn launch(data: &Path, rest: &str, gamelink: &str, flags: &[String]) -> Self {
        let log = File::options()
            .create(true)
            .append(true)
            .open(data.join("log"))
            .unwrap();
        let mut child = Command::new(binary())
            .arg("dev")
            .arg(format!("--sandbox-rest={rest}"))
            .arg(format!("--sandbox-gamelink={gamelink}"))
            .args([
                "--production-rest=off",
                "--production-gamelink=off",
                "--ops=off",
            ])
            .args(flags)
            .arg("--data")
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.starts_with("ready "));
        let ready = ready.unwrap_or_else(|| {
            let log = std::fs::read_to_string(data.join("log")).unwrap();
            panic!("ended before it was ready: {log}")
        });
        let address = |name: &str| {
            let (_, rest) = ready.split_once(&format!("{name}=")).unwrap();
            let url = rest.split(' ').next().unwrap();
            let (_, address) = url.split_once("://").unwrap_or(("", url));
            address.parse().unwrap()
        };
        Self {
            rest: address("sandbox-rest"),
            gamelink: address("sandbox-gamelink"),
            child,
        }
    }

    /// Ends it without warning, and starts another on the same data and ports.
    pub fn kill_9_and_restart(&mut self, data: &Path) {
        self.kill_9();
        let (rest, gamelink) = (self.rest.to_string(), self.gamelink.to_string());
        *self = Self::start_at(data, &rest, &gamelink);
    }

    /// Ends it without warning.
    pub fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Where games connect.
    pub fn url(&self) -> String {
        format!("ws://{}", self.gamelink)
    }

    /// The same over TLS.
    pub fn secure_url(&self) -> String {
        format!("wss://{}", self.gamelink)
    }

    /// A page of a role in a channel.
    pub async fn page(&self, role: &str, channel: &str) -> Http {
        Http::page(self.rest, role, channel).await
    }

    /// A viewer's page.
    pub async fn viewer(&self, channel: &str, user: &str) -> Http {
        Http::page_of(self.rest, "viewer", channel, user).await
    }

    /// A PIN for a game of a channel.
    pub async fn pin(&self, channel: &str) -> String {
        self.page("broadcaster", channel).await.pin().await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
