//! Authorised requests a second, as a ratio to a bare hyper server that answers the same bytes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::core_use;
use crate::load::{Figures, Load};
use crate::server::{self, CLIENT_ID, Server, Wanted};
use crate::statistics::median;

/// Callers; the connections share them.
const CALLERS: u32 = 16;
/// The document's size, in bytes.
const DOCUMENT_BYTES: usize = 1_024;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;

#[derive(Args)]
pub(crate) struct RestArguments {
    /// Connections, kept alive
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Length of one measurement, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often to measure each, in turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// Measures and prints each round and the medians. Both servers run on one core, the load on
/// another.
pub(crate) fn run(program: &Path, arguments: &RestArguments) -> Result<()> {
    let (for_servers, for_load) = core_use::two()?;
    core_use::stay_on(for_servers)?;
    let wanted = Wanted {
        edges: &["sandbox-rest"],
        tokens: CALLERS,
        secret: None,
        shared: None,
        flags: &[
            "--rates-rest-requests-per-s-max=1000000",
            "--rates-rest-requests-burst-max=1000000",
        ],
    };
    let server = Server::start(program, &wanted)?;
    let document = document();
    let answer = prepare(&server, &document)?;
    let bares = [Bare::start(&answer, false)?, Bare::start(&answer, true)?];
    core_use::stay_on(for_load)?;
    let load = Load {
        requests: requests(&server, "GET", ""),
        body: document.into_bytes(),
        connections: usize::try_from(arguments.connections)?,
        time: Duration::from_secs(arguments.seconds),
    };
    let mut ours = Vec::new();
    let mut theirs = [Vec::new(), Vec::new()];
    for round in 1..=arguments.rounds {
        let figures = load.run(server.address, server.id())?;
        print(&format!("round {round}: crowdlink"), figures);
        ours.push(figures);
        for (bare, theirs) in bares.iter().zip(&mut theirs) {
            let figures = load.run(bare.address, bare.child.id())?;
            print(&format!("round {round}: {}", bare.name()), figures);
            theirs.push(figures);
        }
    }
    let ours = medians(&ours)?;
    print("median: crowdlink", ours);
    for (bare, theirs) in bares.iter().zip(&theirs) {
        let theirs = medians(theirs)?;
        print(&format!("median: {}", bare.name()), theirs);
        println!(
            "rest: to {}: ratio {:.3} of requests/s, {:.3} of requests per core second",
            bare.name(),
            ours.per_s / theirs.per_s,
            ours.per_core_s / theirs.per_core_s
        );
    }
    Ok(())
}

fn print(what: &str, figures: Figures) {
    let Figures { per_s, per_core_s } = figures;
    println!("{what}: {per_s:.0} requests/s, {per_core_s:.0} per core second");
}

fn medians(figures: &[Figures]) -> Result<Figures> {
    Ok(Figures {
        per_s: median(figures, |figures| figures.per_s)?,
        per_core_s: median(figures, |figures| figures.per_core_s)?,
    })
}

/// A document as a game might keep it, of [`DOCUMENT_BYTES`].
fn document() -> String {
    let of = |filling: usize| json!({ "score": 7, "text": "x".repeat(filling) }).to_string();
    of(DOCUMENT_BYTES - of(0).len())
}

/// A request for the state of each caller's channel.
fn requests(server: &Server, method: &str, body: &str) -> Vec<Vec<u8>> {
    let request = |token: &String| {
        format!(
            "{method} /v1/e/channel_state HTTP/1.1\r\nhost: {}\r\n\
             authorization: {CLIENT_ID} {token}\r\ncontent-length: {}\r\n\r\n{body}",
            server.address,
            body.len()
        )
    };
    let whole = server.tokens.iter().map(request);
    whole.map(String::into_bytes).collect()
}

/// Writes everybody's document, and answers with one whole response to who reads it.
fn prepare(server: &Server, document: &str) -> Result<Vec<u8>> {
    for request in requests(server, "POST", document) {
        let answer = once(server.address, &request)?;
        anyhow::ensure!(
            answer.starts_with(b"HTTP/1.1 200 "),
            "not written: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    let requests = requests(server, "GET", "");
    once(server.address, requests.first().context("no callers")?)
}

fn once(to: SocketAddr, request: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    // An answer this small comes in one piece.
    let read = stream.read(&mut answer)?;
    answer.truncate(read);
    Ok(answer)
}

/// The bare server: this program, started anew.
struct Bare {
    /// Whether it puts head and body together before it writes, as ours does; hyper on its own
    /// has the system gather them.
    flat: bool,
    child: Child,
    address: SocketAddr,
    _response: NamedTempFile,
}

impl Bare {
    const fn name(&self) -> &'static str {
        if self.flat {
            "bare hyper that writes as ours"
        } else {
            "bare hyper"
        }
    }

    fn start(response: &[u8], flat: bool) -> Result<Self> {
        let mut file = NamedTempFile::new()?;
        file.write_all(response)?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("bare")
            .arg(file.path())
            .args(flat.then_some("--flat"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        match server::ready(&mut child, "bare") {
            Ok(address) => Ok(Self {
                flat,
                child,
                address,
                _response: file,
            }),
            Err(error) => {
                server::end(&mut child);
                Err(error)
            }
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        server::end(&mut self.child);
    }
}
