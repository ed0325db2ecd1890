//! Servers to play against.

mod http;
pub mod program;
pub mod script;

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crowdlink_client::{Backoff, Connect, EventStream, Game, RefreshToken, Server, TokenStore};

pub use http::Http;

/// The extension of every test.
pub const EXTENSION: &str = "test-extension";
/// How long a condition may take to come true.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A game of the test extension that comes back fast.
pub fn connect(url: &str) -> Connect {
    Game::connect(Server::at(url), EXTENSION)
        .game_id("My Game")
        .seed(1)
        .answer_within(PATIENCE)
        .backoff(Backoff {
            first_ms: 5,
            longest_ms: 100,
        })
}

/// What must come true soon.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("never happened: {what}"))
}

/// The next event of a stream.
pub async fn next<T>(stream: &mut EventStream<T>) -> T {
    soon("an event", stream.next())
        .await
        .expect("the stream ended")
}

/// A place for tokens that remembers all of them, and can be made to fail.
#[derive(Clone, Default)]
pub struct Shelf {
    tokens: Arc<Mutex<Vec<RefreshToken>>>,
    broken: Arc<Mutex<bool>>,
}

impl Shelf {
    /// From now on it fails, or does not.
    pub fn set_broken(&self, broken: bool) {
        *self.broken.lock().unwrap() = broken;
    }

    /// Everything it was given to store.
    pub fn all(&self) -> Vec<RefreshToken> {
        self.tokens.lock().unwrap().clone()
    }

    /// What a game would find after a crash.
    pub fn newest(&self) -> RefreshToken {
        self.all().last().unwrap().clone()
    }
}

impl TokenStore for Shelf {
    fn store(&self, token: &RefreshToken) -> io::Result<()> {
        if *self.broken.lock().unwrap() {
            return Err(io::Error::other("the disk is full"));
        }
        self.tokens.lock().unwrap().push(token.clone());
        Ok(())
    }
}
