//! Echoes every message, on the connection loop of the real server. For conformance suites and
//! measurements only.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::sync::Arc;

use clap::Parser;
use crowdlink_server::live::{
    FilePermit, Flow, Frame, Handler, Live, LiveLimits, Message, OpenFiles, Session, upgrade,
};
use crowdlink_store::SystemClock;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// Largest message, in bytes: above what the suites send.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Echoes every message.
#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9001")]
    addr: SocketAddr,
}

/// Counts its connection for as long as it is open.
struct Echo {
    _permit: Arc<FilePermit>,
}

impl Handler for Echo {
    fn message(
        &mut self,
        message: Message<'_>,
        session: &Arc<Session>,
    ) -> impl Future<Output = Flow> + Send {
        session.send(&match message {
            Message::Text(text) => Frame::text(text),
            Message::Binary(bytes) => Frame::binary(bytes),
        });
        ready(Flow::Continue)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let files = OpenFiles::raise();
    let limits = LiveLimits {
        message_bytes_max: MESSAGE_BYTES_MAX,
        queue_bytes_max: 2 * MESSAGE_BYTES_MAX,
        ..LiveLimits::default()
    };
    let live = Live::start(Arc::new(SystemClock::new()), limits);
    let listener = TcpListener::bind(options.addr).await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        let Some(permit) = files.try_acquire() else {
            continue;
        };
        let live = Arc::clone(&live);
        tokio::spawn(serve(stream, peer, live, Arc::new(permit)));
    }
}

#[expect(clippy::print_stdout, reason = "whoever starts it waits for this line")]
fn announce(addr: SocketAddr) {
    println!("ready {addr}");
}

async fn serve(stream: TcpStream, peer: SocketAddr, live: Arc<Live>, permit: Arc<FilePermit>) {
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let response = match upgrade(&mut request, None) {
            Ok(accepted) => {
                let echo = Echo {
                    _permit: Arc::clone(&permit),
                };
                accepted.socket.open(Arc::clone(&live), peer, echo);
                accepted.response
            }
            Err(refusal) => refusal.response(),
        };
        ready(Ok::<Response<Empty<Bytes>>, Infallible>(
            response.map(|()| Empty::new()),
        ))
    });
    // An error ends this connection and concerns nobody else.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades()
        .await;
}
