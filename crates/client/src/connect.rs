//! How a game gets its connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::{Notify, mpsc, watch};

use crate::backoff::{Backoff, Tries};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::game::Game;
use crate::link::{COMMANDS_MAX, Credential, Ends, Opened, Opening, Shared, State, Task};
use crate::offset::TimeOffset;
use crate::server::Server;
use crate::status::Status;
use crate::token::{RefreshToken, TokenStore};

/// A connection to be made: see [`Game::connect`].
#[derive(Clone)]
pub struct Connect {
    server: Server,
    client_id: String,
    game_id: Option<String>,
    backoff: Backoff,
    connect_within: Duration,
    answer_within: Duration,
    store: Option<Arc<dyn TokenStore>>,
    clock: Arc<dyn Clock>,
    seed: Option<u64>,
}

/// A game that is paired with a channel.
#[derive(Debug)]
pub struct Paired {
    /// The connection.
    pub game: Game,
    /// The newest refresh token: what [`Connect::resume`] wants next time. Where a
    /// [token store](Connect::store_tokens) is set, it has it already.
    pub refresh: RefreshToken,
    /// The id of the channel.
    pub channel: String,
    /// The name of its broadcaster, as far as the server knows; else the id.
    pub name: String,
    /// Why the token could not be stored, if so: the game goes on, but has to be paired again next time
    /// unless `refresh` gets stored otherwise.
    pub store_error: Option<Error>,
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("server", &self.server)
            .field("client_id", &self.client_id)
            .field("game_id", &self.game_id)
            .finish_non_exhaustive()
    }
}

impl Connect {
    pub(crate) fn new(server: Server, client_id: String) -> Self {
        Self {
            server,
            client_id,
            game_id: None,
            backoff: Backoff::default(),
            connect_within: Duration::from_secs(30),
            answer_within: Duration::from_secs(10),
            store: None,
            clock: Arc::new(SystemClock),
            seed: None,
        }
    }

    /// What the broadcaster sees this game called; at most 256 bytes.
    #[must_use]
    pub fn game_id(mut self, game_id: impl Into<String>) -> Self {
        self.game_id = Some(game_id.into());
        self
    }

    /// Where every new refresh token goes before it is used. See [`TokenStore`] for what happens
    /// without one.
    #[must_use]
    pub fn store_tokens(mut self, store: impl TokenStore) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// How long to wait between tries to connect.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How long to try for the first connection; a try that is under way then still comes to its end.
    /// Default 30 s. A connection that was there once is
    /// tried for ever.
    #[must_use]
    pub fn connect_within(mut self, time: Duration) -> Self {
        self.connect_within = time;
        self
    }

    /// How long a request may wait for its answer, reconnects included. Default 10 s.
    #[must_use]
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.answer_within = time;
        self
    }

    /// Another clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The same chance in every run, for tests.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Pairs with the channel whose broadcaster was shown this PIN (`spec 1.3` A). White space around it
    /// does not matter; case does.
    ///
    /// Fails with [`Error::Refused`] where the PIN is wrong (400) or there were too many wrong ones
    /// (429), and with [`Error::Interrupted`] where the connection ended while the PIN was on its way:
    /// then it may be used up.
    pub async fn pair_with_pin(self, pin: &str) -> Result<Paired, Error> {
        self.open(Credential::Pin(pin.trim().to_owned())).await
    }

    /// Comes back with a token that was stored. Fails with [`Error::PairingNeeded`] where it is dead:
    /// then forget it and ask for a PIN.
    pub async fn resume(self, refresh: RefreshToken) -> Result<Paired, Error> {
        self.open(Credential::Refresh(refresh)).await
    }

    async fn open(self, credential: Credential) -> Result<Paired, Error> {
        let opening = Opening {
            url: self.server.path(&self.client_id)?,
            client_id: self.client_id,
            game_id: self.game_id,
            answer_within: self.answer_within,
            store: self.store,
            clock: self.clock,
        };
        // Chance only spreads the games; where the system has none, time does.
        let seed = self.seed.or_else(|| SysRng.try_next_u64().ok());
        let seed = seed.unwrap_or_else(|| opening.clock.now_ms().unsigned_abs());
        let mut tries = Tries::new(self.backoff, seed);
        let offset = TimeOffset::default();
        let patience = (&mut tries, self.connect_within);
        let opened = opening.persist(&credential, patience, &offset).await?;
        tries.worked();
        Ok(start(opening, opened, (tries, offset)))
    }
}

/// Starts the task that keeps the connection.
fn start(opening: Opening, opened: Opened, (tries, offset): (Tries, TimeOffset)) -> Paired {
    let answer_within = opening.answer_within;
    let (status, _) = watch::channel(Status::Connected);
    let (newest, _) = watch::channel(opened.newest.clone());
    let shared = Arc::new(Shared {
        status,
        newest,
        offset,
        left: Arc::new(Notify::new()),
    });
    let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
    let (close, ends) = watch::channel(false);
    let task = Task {
        opening,
        token: opened.usable,
        tries,
        commands: receiver,
        ends: Ends(ends),
        shared: Arc::clone(&shared),
        state: State::default(),
    };
    tokio::spawn(task.run(opened.socket));
    Paired {
        game: Game::new(commands, close, shared, answer_within),
        refresh: opened.newest,
        channel: opened.channel,
        name: opened.name,
        store_error: opened.store_error,
    }
}
