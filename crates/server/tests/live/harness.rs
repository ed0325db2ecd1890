//! A server on port 0 with a clock that tests move, and clients polite and hostile.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crowdlink_server::live::{
    CloseCode, CloseReason, Flow, Frame, Handler, Live, LiveLimits, Message, Session, upgrade,
};
use crowdlink_store::ManualClock;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_tungstenite::tungstenite::Message as Wire;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Long enough for anything on loopback; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("did not happen in time")
}

pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    in_time(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(crate) struct Server {
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) addr: SocketAddr,
    /// Lets a handler that waits go on.
    pub(crate) gate: Arc<Notify>,
    opened: Mutex<mpsc::UnboundedReceiver<Arc<Session>>>,
    closed: Mutex<mpsc::UnboundedReceiver<(u64, CloseReason)>>,
}

/// Does what the message says, else echoes it.
struct Probe {
    opened: mpsc::UnboundedSender<Arc<Session>>,
    closed: mpsc::UnboundedSender<(u64, CloseReason)>,
    gate: Arc<Notify>,
}

impl Handler for Probe {
    fn opened(&mut self, session: &Arc<Session>) {
        self.opened.send(Arc::clone(session)).unwrap();
    }

    async fn message(&mut self, message: Message<'_>, session: &Arc<Session>) -> Flow {
        match message {
            Message::Text("panic") => panic!("as asked"),
            Message::Text("close") => return Flow::Close(CloseCode::POLICY, "as asked"),
            Message::Text("raise") => session.set_message_bytes_max(2 * 1024 * 1024),
            Message::Text("alarm") => session.set_alarm_in_ms(1_000),
            Message::Text("wait") => {
                session.send(&Frame::text("waiting"));
                self.gate.notified().await;
            }
            Message::Text(_) | Message::Binary(_) => {}
        }
        session.send(&match message {
            Message::Text(text) => Frame::text(text),
            Message::Binary(bytes) => Frame::binary(bytes),
        });
        Flow::Continue
    }

    async fn alarm(&mut self, session: &Arc<Session>) -> Flow {
        session.send(&Frame::text("alarm!"));
        Flow::Continue
    }

    fn closed(&mut self, session: &Arc<Session>, reason: CloseReason) {
        // The receiver is gone when a whole runtime is dropped.
        let _ = self.closed.send((session.id(), reason));
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(LiveLimits::default()).await
    }

    pub(crate) async fn start_with(limits: LiveLimits) -> Self {
        let clock = ManualClock::new(1_700_000_000_000);
        let live = Live::start(Arc::clone(&clock) as _, limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let gate = Arc::new(Notify::new());
        let (opened, opened_rx) = mpsc::unbounded_channel();
        let (closed, closed_rx) = mpsc::unbounded_channel();
        let (engine, handler_gate) = (Arc::clone(&live), Arc::clone(&gate));
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let probe = || Probe {
                    opened: opened.clone(),
                    closed: closed.clone(),
                    gate: Arc::clone(&handler_gate),
                };
                tokio::spawn(serve(stream, peer, Arc::clone(&engine), probe()));
            }
        });
        Self {
            live,
            clock,
            addr,
            gate,
            opened: Mutex::new(opened_rx),
            closed: Mutex::new(closed_rx),
        }
    }

    /// A polite client and the server's side of it.
    pub(crate) async fn client(&self) -> (Client, Arc<Session>) {
        let url = format!("ws://{}/", self.addr);
        let (client, _) = in_time(Box::pin(tokio_tungstenite::connect_async(url)))
            .await
            .unwrap();
        (client, self.session().await)
    }

    /// A socket that has shaken hands and may now send anything.
    pub(crate) async fn raw(&self) -> (TcpStream, Arc<Session>) {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let head = handshake(self.addr, "13");
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_head(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        (stream, self.session().await)
    }

    pub(crate) async fn session(&self) -> Arc<Session> {
        let mut opened = self.opened.lock().await;
        in_time(opened.recv()).await.unwrap()
    }

    /// How the next session that ends does so.
    pub(crate) async fn next_closed(&self) -> (u64, CloseReason) {
        let mut closed = self.closed.lock().await;
        in_time(closed.recv()).await.unwrap()
    }

    /// Whether no handler was told of an end that nobody asked for.
    pub(crate) async fn none_closed(&self) -> bool {
        self.closed.lock().await.try_recv().is_err()
    }

    /// Lets time pass, tick by tick, each seen by the timers. For runtimes of one thread.
    pub(crate) async fn pass_ms(&self, ms: u64) {
        for _ in 0..ms / self.live.limits().tick_ms {
            self.clock.advance_ms(self.live.limits().tick_ms);
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, live: Arc<Live>, probe: Probe) {
    let probe = std::sync::Mutex::new(Some(probe));
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let response = match upgrade(&mut request, None) {
            Ok(accepted) => {
                let probe = probe.lock().unwrap().take().unwrap();
                accepted.socket.open(Arc::clone(&live), peer, probe);
                accepted.response
            }
            Err(refusal) => refusal.response(),
        };
        ready(Ok::<Response<Empty<Bytes>>, Infallible>(
            response.map(|()| Empty::new()),
        ))
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    let _ = connection.with_upgrades().await;
}

pub(crate) fn handshake(addr: SocketAddr, version: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: {addr}\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: {version}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(in_time(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A client's frame; the mask is zero, so the payload shows.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    if payload.len() < 126 {
        bytes.push(0x80 | u8::try_from(payload.len()).unwrap());
    } else {
        bytes.push(0xff);
        bytes.extend((payload.len() as u64).to_be_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// Everything a socket still gives until its end, reset or not.
pub(crate) async fn read_rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = vec![0; 65_536];
    loop {
        match in_time(stream.read(&mut part)).await {
            Ok(0) | Err(_) => return all,
            Ok(count) => all.extend_from_slice(&part[..count]),
        }
    }
}

/// The next text, skipping the server's pings.
pub(crate) async fn text(client: &mut Client) -> String {
    loop {
        match in_time(client.next()).await.unwrap().unwrap() {
            Wire::Text(text) => return text.to_string(),
            Wire::Ping(_) => {}
            other @ (Wire::Binary(_) | Wire::Pong(_) | Wire::Close(_) | Wire::Frame(_)) => {
                panic!("{other:?}")
            }
        }
    }
}

/// The code of the close frame, after anything else.
pub(crate) async fn close_code(client: &mut Client) -> u16 {
    loop {
        match in_time(client.next()).await.unwrap().unwrap() {
            Wire::Close(frame) => return frame.map_or(1005, |frame| frame.code.into()),
            Wire::Text(_) | Wire::Binary(_) | Wire::Ping(_) | Wire::Pong(_) | Wire::Frame(_) => {}
        }
    }
}
