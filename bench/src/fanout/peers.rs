//! The servers that are measured: how each is started, and how it is spoken to.

use std::fmt;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;

use super::pusher;
use crate::listening::{free_address, until_listening};
use crate::server::{self, CLIENT_ID, Server, Wanted};
use crate::socket;

/// Messages before the one that says that a subscription stands.
const GREETINGS_MAX: usize = 8;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Crowdlink,
    UWebSockets,
    Nats,
    Ws,
    Sockudo,
}

impl Kind {
    /// Whether events are published over HTTP, each with an answer.
    pub(super) fn answers(self) -> bool {
        matches!(self, Self::Crowdlink | Self::Sockudo)
    }

    /// Whether a publisher's connection ends with the answer.
    pub(super) const fn closes(self) -> bool {
        matches!(self, Self::Sockudo)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Crowdlink => "crowdlink",
            Self::UWebSockets => "uWebSockets",
            Self::Nats => "NATS",
            Self::Ws => "ws",
            Self::Sockudo => "sockudo",
        })
    }
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) crowdlink: PathBuf,
    pub(super) nats: PathBuf,
    /// The folder of the servers in JavaScript.
    pub(super) node_peers: PathBuf,
    pub(super) sockudo: PathBuf,
}

/// A server that runs; it ends when this is dropped.
pub(super) struct Peer {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    running: Running,
}

enum Running {
    Crowdlink(Box<Server>),
    Peer {
        child: Child,
        /// Kept until the server ends.
        _settings: Option<NamedTempFile>,
    },
}

impl Peer {
    /// Starts one on a free port of loopback.
    pub(super) fn start(kind: Kind, programs: &Programs) -> Result<Self> {
        match kind {
            Kind::Crowdlink => crowdlink(&programs.crowdlink),
            Kind::UWebSockets => node(kind, &programs.node_peers.join("uwebsockets.cjs")),
            Kind::Ws => node(kind, &programs.node_peers.join("ws.cjs")),
            Kind::Nats => nats(&programs.nats),
            Kind::Sockudo => sockudo(&programs.sockudo),
        }
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        match &self.running {
            Running::Crowdlink(server) => server.id(),
            Running::Peer { child, .. } => child.id(),
        }
    }

    fn token(&self) -> Result<&str> {
        match &self.running {
            Running::Crowdlink(server) => Ok(server.tokens.first().context("no token")?),
            Running::Peer { .. } => anyhow::bail!("a peer has no tokens"),
        }
    }

    /// A viewer that hears every event, as connection number `index`.
    pub(super) fn subscribe(&self, index: usize) -> Result<TcpStream> {
        let stream = socket::connect(self.address, index)?;
        self.listen(stream)
    }

    /// Makes a viewer of a connection.
    pub(super) fn listen(&self, mut stream: TcpStream) -> Result<TcpStream> {
        let (path, said, answer) = match self.kind {
            Kind::Crowdlink => {
                let token = self.token()?;
                let said = format!("{{\"authorization\":\"{CLIENT_ID} {token}\"}}");
                ("/v1/viewer", said, "{\"ok\":true}")
            }
            Kind::UWebSockets | Kind::Ws => ("/", "subscribe".to_owned(), "subscribed"),
            Kind::Nats => (
                "/",
                format!("{NATS_CONNECT}SUB viewers 1\r\nPING\r\n"),
                "PONG",
            ),
            Kind::Sockudo => (
                pusher::VIEWER_PATH,
                pusher::SUBSCRIBE.to_owned(),
                pusher::SUBSCRIBED,
            ),
        };
        socket::upgrade(&mut stream, path)?;
        if self.kind == Kind::Sockudo {
            self.hear(&mut stream, pusher::GREETING)?;
        }
        stream.write_all(&socket::text_frame(said.as_bytes())?)?;
        self.hear(&mut stream, answer)?;
        Ok(stream)
    }

    /// Reads up to a message that has this in it.
    fn hear(&self, stream: &mut TcpStream, wanted: &str) -> Result<()> {
        for _ in 0..GREETINGS_MAX {
            let heard = socket::read_frame(stream)?;
            if String::from_utf8_lossy(&heard).contains(wanted) {
                return Ok(());
            }
        }
        anyhow::bail!("{}: {wanted:?} did not come", self.kind)
    }

    /// A connection to publish over, as number `index`.
    pub(super) fn publisher(&self, index: usize) -> Result<TcpStream> {
        let mut stream = socket::connect(self.address, index)?;
        match self.kind {
            Kind::Crowdlink | Kind::Sockudo => {}
            Kind::UWebSockets | Kind::Ws => socket::upgrade(&mut stream, "/")?,
            Kind::Nats => {
                socket::upgrade(&mut stream, "/")?;
                stream.write_all(&socket::text_frame(NATS_CONNECT.as_bytes())?)?;
            }
        }
        Ok(stream)
    }

    /// What a publisher writes for an event with this text.
    pub(super) fn event(&self, text: &str) -> Result<Vec<u8>> {
        match self.kind {
            Kind::Crowdlink => self.broadcast("broadcast", text),
            Kind::UWebSockets | Kind::Ws => socket::text_frame(text.as_bytes()),
            Kind::Nats => {
                let length = text.len();
                socket::text_frame(format!("PUB viewers {length}\r\n{text}\r\n").as_bytes())
            }
            Kind::Sockudo => pusher::event(self.address, text),
        }
    }

    /// A request of ours that broadcasts a text to a target.
    pub(super) fn broadcast(&self, target: &str, text: &str) -> Result<Vec<u8>> {
        let body = format!(r#"{{"target":"{target}","event":"tick","data":"{text}"}}"#);
        let request = format!(
            "POST /v1/e/broadcast HTTP/1.1\r\nhost: {}\r\nauthorization: {CLIENT_ID} {}\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            self.token()?,
            body.len()
        );
        Ok(request.into_bytes())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Running::Peer { child, .. } = &mut self.running {
            server::end(child);
        }
    }
}

const NATS_CONNECT: &str =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"protocol\":1,\"echo\":false}\r\n";

fn crowdlink(program: &Path) -> Result<Peer> {
    let wanted = Wanted {
        edges: &["sandbox-rest"],
        tokens: 1,
        secret: None,
        shared: None,
        flags: &[
            "--log-level=warn",
            "--limits-connections-per-address-max=100000",
            "--rates-rest-requests-per-s-max=1000000",
            "--rates-rest-requests-burst-max=1000000",
            // Publishers may have nothing to say for a while.
            "--timeouts-request-head-ms-max=600000",
            // The load does not answer pings.
            "--timeouts-socket-ping-ms=1800000",
            "--timeouts-socket-silence-ms-max=3600000",
        ],
    };
    let server = Server::start(program, &wanted)?;
    Ok(Peer {
        kind: Kind::Crowdlink,
        address: server.address,
        running: Running::Crowdlink(Box::new(server)),
    })
}

fn node(kind: Kind, script: &Path) -> Result<Peer> {
    let mut child = Command::new("node")
        .arg(script)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("node does not start")?;
    match server::ready(&mut child, "peer") {
        Ok(address) => Ok(Peer {
            kind,
            address,
            running: Running::Peer {
                child,
                _settings: None,
            },
        }),
        Err(error) => {
            server::end(&mut child);
            Err(error)
        }
    }
}

fn nats(program: &Path) -> Result<Peer> {
    let address = free_address()?;
    let mut settings = NamedTempFile::new()?;
    write!(
        settings,
        "listen: \"127.0.0.1:-1\"\nping_interval: \"1h\"\n\
         websocket {{ listen: \"{address}\", no_tls: true, compression: false }}\n"
    )?;
    start(Kind::Nats, address, &mut Command::new(program), settings)
}

fn sockudo(program: &Path) -> Result<Peer> {
    let address = free_address()?;
    let mut settings = NamedTempFile::new()?;
    write!(settings, "{}", pusher::settings())?;
    let mut command = Command::new(program);
    // Its variables have such names that others' would be taken for them.
    command
        .env_clear()
        .env("HOST", address.ip().to_string())
        .env("PORT", address.port().to_string())
        .env("RUST_LOG", "warn");
    start(Kind::Sockudo, address, &mut command, settings)
}

/// Starts a server with its settings, and waits until it listens there.
fn start(
    kind: Kind,
    address: SocketAddr,
    command: &mut Command,
    settings: NamedTempFile,
) -> Result<Peer> {
    let child = command
        .arg("--config")
        .arg(settings.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{kind} does not start"))?;
    let peer = Peer {
        kind,
        address,
        running: Running::Peer {
            child,
            _settings: Some(settings),
        },
    };
    until_listening(kind, address)?;
    Ok(peer)
}
