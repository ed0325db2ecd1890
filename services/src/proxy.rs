//! A network that breaks when a test says so.

use std::net::SocketAddr;
use std::sync::mpsc as answers;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::link;
use crate::port::Port;

/// Connections through one proxy at a time. One more is closed at once.
pub const CONNECTIONS_MAX: usize = 256;

#[derive(Clone, Copy)]
enum State {
    Healthy,
    Cut,
    Stalled,
}

struct Order {
    state: State,
    done: answers::Sender<Result<()>>,
}

/// A TCP proxy on loopback in front of one server.
pub struct Proxy {
    address: SocketAddr,
    orders: Mutex<Option<mpsc::Sender<Order>>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one that carries every connection to `upstream`, which need not be there yet: a
    /// connection that cannot be carried on is closed.
    ///
    /// # Errors
    /// When no port or thread is left.
    pub fn start(upstream: SocketAddr) -> Result<Self> {
        let port = Port::reserve()?;
        let address = port.address();
        // Orders are given one at a time, each is waited for.
        let (orders, ordered) = mpsc::channel(1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let thread = thread::Builder::new()
            .name("proxy".to_owned())
            .spawn(move || runtime.block_on(serve(port, upstream, ordered)))?;
        let proxy = Self {
            address,
            orders: Mutex::new(Some(orders)),
            thread: Some(thread),
        };
        proxy.heal()?;
        Ok(proxy)
    }

    /// Where clients connect to, the same for its whole life.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection and refuses new ones.
    ///
    /// # Errors
    /// When the proxy's thread is gone.
    pub fn cut(&self) -> Result<()> {
        self.order(State::Cut)
    }

    /// Keeps every connection open, takes new ones, and moves no byte: when this returns, the
    /// last one has moved. A side that closes is not told to the other either.
    ///
    /// # Errors
    /// When the port cannot be listened on, or the proxy's thread is gone.
    pub fn stall(&self) -> Result<()> {
        self.order(State::Stalled)
    }

    /// Carries connections again: what a stall held back goes on, after a cut clients connect
    /// anew.
    ///
    /// # Errors
    /// When the port cannot be listened on, or the proxy's thread is gone.
    pub fn heal(&self) -> Result<()> {
        self.order(State::Healthy)
    }

    fn order(&self, state: State) -> Result<()> {
        let orders = self.orders.lock();
        let (done, answer) = answers::channel();
        let sent = orders
            .as_ref()
            .map(|orders| orders.try_send(Order { state, done }));
        sent.context("the proxy has ended")??;
        answer.recv().context("the proxy has ended")?
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.orders.lock().take());
        if let Some(thread) = self.thread.take() {
            // A panic of it was shown already.
            let _ = thread.join();
        }
    }
}

async fn serve(port: Port, upstream: SocketAddr, mut ordered: mpsc::Receiver<Order>) {
    let (gate, gated) = watch::channel(true);
    let mut listener: Option<TcpListener> = None;
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            order = ordered.recv() => {
                let Some(order) = order else { return };
                let done = match order.state {
                    State::Cut => {
                        listener = None;
                        links.shutdown().await;
                        Ok(())
                    }
                    State::Stalled | State::Healthy => listen(&port, &mut listener),
                };
                gate.send_replace(!matches!(order.state, State::Stalled));
                // Who ordered waits for it.
                let _ = order.done.send(done);
            }
            client = accept(listener.as_ref()) => {
                if let Some(client) = client && links.len() < CONNECTIONS_MAX {
                    links.spawn(link::carry(client, upstream, gated.clone()));
                }
            }
            Some(_) = links.join_next() => {}
        }
    }
}

fn listen(port: &Port, listener: &mut Option<TcpListener>) -> Result<()> {
    if listener.is_none() {
        *listener = Some(TcpListener::from_std(port.listen()?)?);
    }
    Ok(())
}

/// The next client; never, where nobody listens.
async fn accept(listener: Option<&TcpListener>) -> Option<tokio::net::TcpStream> {
    match listener {
        // A client may be gone before it is taken.
        Some(listener) => listener.accept().await.ok().map(|(client, _)| client),
        None => std::future::pending().await,
    }
}
