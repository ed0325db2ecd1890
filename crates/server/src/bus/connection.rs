//! The connection to NATS: made again for ever, each time anew, so that nothing that waited in an
//! old one comes late.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, Subscriber};
use futures::StreamExt as _;
use tokio::sync::mpsc;

use super::link::{HEARTBEAT_MS, Link};
use super::outbound::Numbered;
use super::servers::Servers;
use super::wire::PART_BYTES_MAX;
use crate::backoff::jittered;

/// Longest time to connect to one server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A server that leaves two of these unanswered is gone.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// Messages that wait to be taken by us; more are dropped, and that is told.
const ARRIVED_MESSAGES_MAX: usize = 4_096;
/// Messages that wait within the client to be written.
const WRITTEN_MESSAGES_MAX: usize = 256;
/// Events of the client that wait for us: the end of the connection is told by its stream too.
const EVENTS_MAX: usize = 64;
/// First and longest pause before the next try to connect.
const BACKOFF_MS: (u64, u64) = (100, 5_000);

/// Keeps a link connected, until it is dropped.
pub(super) async fn run(link: Arc<Link>, servers: Servers) {
    let mut pause_ms = BACKOFF_MS.0;
    let mut told = false;
    loop {
        match Connection::open(&link, &servers).await {
            Ok(connection) => {
                tracing::info!(%servers, "the bus is connected");
                link.connected();
                (pause_ms, told) = (BACKOFF_MS.0, false);
                connection.serve(&link).await;
                tracing::warn!(%servers, "the bus has lost its connection");
            }
            Err(reason) => {
                let down_ms = link.disconnected();
                if std::mem::replace(&mut told, true) {
                    tracing::debug!(%servers, reason, down_ms, "the bus cannot connect");
                } else {
                    tracing::warn!(%servers, reason, "the bus cannot connect; trying for ever");
                }
            }
        }
        link.disconnected();
        link.clock.sleep_ms(jittered(pause_ms, &*link.random)).await;
        pause_ms = (pause_ms * 2).min(BACKOFF_MS.1);
    }
}

struct Connection {
    client: Client,
    arrived: Subscriber,
    events: mpsc::Receiver<Event>,
}

impl Connection {
    /// Connects and subscribes. The error says why not, and holds no secret.
    async fn open(link: &Link, servers: &Servers) -> Result<Self, String> {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let options = ConnectOptions::new()
            .name("crowdlink")
            .no_echo()
            .connection_timeout(CONNECT_TIMEOUT)
            .ping_interval(PING_INTERVAL)
            .subscription_capacity(ARRIVED_MESSAGES_MAX)
            .client_capacity(WRITTEN_MESSAGES_MAX)
            // Each server once; then we make a new connection ourselves.
            .max_reconnects(servers.addresses().len())
            .reconnect_delay_callback(|_| Duration::ZERO)
            .event_callback(move |event| {
                let sender = sender.clone();
                async move {
                    let _ = sender.try_send(event);
                }
            });
        let client = servers
            .introduce(options)
            .connect(servers.addresses())
            .await
            .map_err(|error| error.kind().to_string())?;
        let arrived = client
            .subscribe(link.subjects.all())
            .await
            .map_err(|_| "the subscription was refused".to_owned())?;
        client
            .flush()
            .await
            .map_err(|_| "the connection was lost".to_owned())?;
        Ok(Self {
            client,
            arrived,
            events,
        })
    }

    /// Carries messages both ways until the connection ends.
    async fn serve(self, link: &Link) {
        let Self {
            client,
            mut arrived,
            mut events,
        } = self;
        let reading = async {
            while let Some(message) = arrived.next().await {
                link.receive(message);
            }
        };
        let watching = async {
            while let Some(event) = events.recv().await {
                match event {
                    Event::Disconnected | Event::Closed => return,
                    Event::SlowConsumer(_) => link.overrun(),
                    Event::ServerError(_) | Event::ClientError(_) => {
                        tracing::warn!("the bus was refused something by its server");
                    }
                    Event::Connected | Event::LameDuckMode | Event::Draining => {}
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = watching => {}
            () = write(link, &client) => {}
            () = look(link) => {}
        }
    }
}

/// Looks for silent nodes, as often as they would speak.
async fn look(link: &Link) {
    loop {
        link.clock.sleep_ms(HEARTBEAT_MS).await;
        link.look();
    }
}

/// Writes what waits, and heartbeats, until that fails.
async fn write(link: &Link, client: &Client) {
    loop {
        if heartbeat(link, client).await.is_err() {
            return;
        }
        let mut due = link.clock.sleep_ms(HEARTBEAT_MS);
        loop {
            let batch = link.outbound.take();
            if batch.is_empty() {
                tokio::select! {
                    () = link.outbound.woken() => continue,
                    () = &mut due => break,
                }
            }
            if send(link, client, batch).await.is_err() {
                return;
            }
        }
    }
}

async fn heartbeat(link: &Link, client: &Client) -> Result<(), ()> {
    let headers = link.label(link.outbound.newest_gone(), (0, 1)).headers();
    client
        .publish_with_headers(link.subjects.heartbeat(), headers, bytes::Bytes::new())
        .await
        .map_err(|_| ())?;
    client.flush().await.map_err(|_| ())
}

async fn send(link: &Link, client: &Client, batch: Vec<Numbered>) -> Result<(), ()> {
    for (sequence, message) in batch {
        let Some(subject) = link.subjects.event(&message.topic) else {
            // Its number stays a gap.
            link.counts.dropped.add(1);
            continue;
        };
        let mut rest = message.payload;
        let parts = rest.len().div_ceil(PART_BYTES_MAX).max(1);
        for part in 0..parts {
            let bytes = rest.split_to(rest.len().min(PART_BYTES_MAX));
            let headers = link.label(sequence, (part, parts)).headers();
            client
                .publish_with_headers(subject.clone(), headers, bytes)
                .await
                .map_err(|_| ())?;
        }
    }
    client.flush().await.map_err(|_| ())
}
