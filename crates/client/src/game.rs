//! A connected game.

use std::sync::Arc;
use std::time::Duration;

use crowdlink_protocol::StateTopic;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::config::Config;
use crate::connect::Connect;
use crate::drops::Drops;
use crate::error::Error;
use crate::event::Event;
use crate::frame::{Ask, typed};
use crate::gateway::Gateway;
use crate::link::{Command, Repeat, Shared};
use crate::matches::Match;
use crate::matchmaking::Matchmaking;
use crate::polls::Polls;
use crate::purchases::Transactions;
use crate::queue::{Gap, Keep, Queue, Told};
use crate::server::Server;
use crate::state::State;
use crate::status::Status;
use crate::stream::EventStream;
use crate::token::RefreshToken;
use crate::topic::Topic;

/// A game that is paired with a channel. Clones share one connection, which ends when the last of
/// them is dropped.
///
/// **Lost connections** are made again by themselves, with the refresh token; all subscriptions are
/// restored, and what is subscribed is read anew. A request that had no answer is sent again where
/// doing it twice is the same as once (reads, deleting, settling); otherwise its caller gets
/// [`Error::Interrupted`]. Requests made meanwhile wait, for
/// [`answer_within`](Connect::answer_within) at most.
///
/// **Too many requests** are not sent: above a burst of 150 they go at 80 a second, for a server
/// refuses what is faster (`spec 5`), and at most 256 are on their way. Callers just wait.
#[derive(Clone, Debug)]
pub struct Game {
    commands: mpsc::Sender<Command>,
    close: Arc<watch::Sender<bool>>,
    shared: Arc<Shared>,
    answer_within: Duration,
}

impl Game {
    /// A connection to a server for a game of an extension. Nothing happens before one of
    /// [`pair_with_pin`](Connect::pair_with_pin) and [`resume`](Connect::resume), which need a tokio
    /// runtime.
    pub fn connect(server: Server, client_id: impl Into<String>) -> Connect {
        Connect::new(server, client_id.into())
    }

    pub(crate) fn new(
        commands: mpsc::Sender<Command>,
        close: watch::Sender<bool>,
        shared: Arc<Shared>,
        answer_within: Duration,
    ) -> Self {
        Self {
            commands,
            close: Arc::new(close),
            shared,
            answer_within,
        }
    }

    /// The channel's shared state.
    pub fn channel_state(&self) -> State<'_> {
        let topic = StateTopic::Channel;
        State { game: self, topic }
    }

    /// The extension's shared state, alike in all channels.
    pub fn extension_state(&self) -> State<'_> {
        let topic = StateTopic::Extension;
        State { game: self, topic }
    }

    /// Configuration.
    pub fn config(&self) -> Config<'_> {
        Config(self)
    }

    /// Polls.
    pub fn polls(&self) -> Polls<'_> {
        Polls(self)
    }

    /// Purchases.
    pub fn transactions(&self) -> Transactions<'_> {
        Transactions(self)
    }

    /// A match by its id, whether it exists or not.
    pub fn match_of<'a>(&'a self, id: &'a str) -> Match<'a> {
        Match { game: self, id }
    }

    /// Viewers who want to play.
    pub fn matchmaking(&self) -> Matchmaking<'_> {
        Matchmaking(self)
    }

    /// Drops.
    pub fn drops(&self) -> Drops<'_> {
        Drops(self)
    }

    /// Actions, texts and metadata.
    pub fn gateway(&self) -> Gateway<'_> {
        Gateway(self)
    }

    /// Every event that comes because of any subscription, and those that nobody subscribed to.
    pub async fn events(&self) -> Result<EventStream<Result<Event, Gap>>, Error> {
        self.listen((None, Keep::All), everything).await
    }

    /// How it is connected, now and later.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    /// The newest refresh token, now and later. A [token store](Connect::store_tokens) is simpler and
    /// safer.
    pub fn refresh_tokens(&self) -> watch::Receiver<RefreshToken> {
        self.shared.newest.subscribe()
    }

    /// The server's clock minus this machine's, in ms: the best guess from the newest answers. Add it to
    /// this machine's time to get the server's.
    pub fn time_offset_ms(&self) -> i64 {
        self.shared.offset.ms()
    }

    /// Ends the connection, also for clones; waits until it has ended.
    pub async fn close(&self) {
        self.close.send_replace(true);
        let mut status = self.status();
        // An error cannot be: the sender is in `shared`.
        let _ = status.wait_for(|status| status.is_final()).await;
    }

    /// A request whose answer says something.
    pub(crate) async fn call<D: Serialize, T: DeserializeOwned>(
        &self,
        action: &'static str,
        target: &'static str,
        data: &D,
        repeat: Repeat,
    ) -> Result<T, Error> {
        let ask = Ask::new(action, target, data)?;
        let (answer, answered) = oneshot::channel();
        let call = Command::Call {
            ask,
            repeat,
            answer,
        };
        let data = self.ask(call, answered).await?;
        typed(data.as_deref())
    }

    /// A request whose answer is that it was done.
    pub(crate) async fn order<D: Serialize>(
        &self,
        action: &'static str,
        target: &'static str,
        data: &D,
        repeat: Repeat,
    ) -> Result<(), Error> {
        let _: serde::de::IgnoredAny = self.call(action, target, data, repeat).await?;
        Ok(())
    }

    pub(crate) async fn subscribe<T>(
        &self,
        topic: Topic,
        read: fn(Told) -> Option<T>,
    ) -> Result<EventStream<T>, Error> {
        let keep = topic.keep();
        self.listen((Some(topic), keep), read).await
    }

    async fn listen<T>(
        &self,
        (topic, keep): (Option<Topic>, Keep),
        read: fn(Told) -> Option<T>,
    ) -> Result<EventStream<T>, Error> {
        let queue = Arc::new(Queue::new(keep));
        // From here on a caller who goes away takes the stream off the board.
        let stream = EventStream::new(Arc::clone(&queue), Arc::clone(&self.shared.left), read);
        let (answer, answered) = oneshot::channel();
        let listen = Command::Listen {
            topic,
            queue,
            answer,
        };
        self.ask(listen, answered).await?;
        Ok(stream)
    }

    async fn ask<T>(
        &self,
        command: Command,
        answered: oneshot::Receiver<Result<T, Error>>,
    ) -> Result<T, Error> {
        let asking = async {
            if self.commands.send(command).await.is_err() {
                return Err(self.ended());
            }
            answered.await.unwrap_or_else(|_| Err(self.ended()))
        };
        let asked = timeout(self.answer_within, asking).await;
        asked.unwrap_or(Err(Error::TimedOut))
    }

    /// Why there is no task any more.
    fn ended(&self) -> Error {
        match *self.shared.status.borrow() {
            Status::PairingNeeded => Error::PairingNeeded,
            Status::Connected | Status::Reconnecting { .. } | Status::Closed => Error::Closed,
        }
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the other streams leave some things out"
)]
fn everything(told: Told) -> Option<Result<Event, Gap>> {
    Some(match told {
        Told::Event(event) => Ok(event),
        Told::Gap(gap) => Err(gap),
    })
}
