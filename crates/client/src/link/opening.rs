//! From nothing to an authenticated connection (`spec 2.1`, `spec 2.3`).

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::socket::{self, Socket};
use crate::backoff::Tries;
use crate::clock::Clock;
use crate::error::Error;
use crate::frame::{Ask, Frame, or_default, typed};
use crate::offset::TimeOffset;
use crate::token::{RefreshToken, TokenStore};

/// The id of the request that authenticates: the first of its connection.
const AUTHENTICATE_ID: u16 = 0;

/// Everything that a connection is made with.
pub(crate) struct Opening {
    pub(crate) url: String,
    pub(crate) client_id: String,
    pub(crate) game_id: Option<String>,
    pub(crate) answer_within: Duration,
    pub(crate) store: Option<Arc<dyn TokenStore>>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What proves who the game is.
#[derive(Clone)]
pub(crate) enum Credential {
    Pin(String),
    Refresh(RefreshToken),
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Later it may work.
    Passing(String),
    /// It will not.
    Final(Error),
}

/// An authenticated connection.
pub(crate) struct Opened {
    pub(crate) socket: Socket,
    pub(crate) channel: String,
    pub(crate) name: String,
    /// The newest token.
    pub(crate) newest: RefreshToken,
    /// The token to come back with: the newest one that is known to be stored.
    pub(crate) usable: RefreshToken,
    /// Why the newest was not stored.
    pub(crate) store_error: Option<Error>,
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening(…)")
    }
}

#[derive(Deserialize)]
struct Authenticated {
    #[serde(default, deserialize_with = "or_default")]
    refresh: String,
    #[serde(default, deserialize_with = "or_default")]
    twitch_name: String,
    #[serde(default, deserialize_with = "or_default")]
    twitch_id: String,
}

impl Opening {
    /// Tries until it works, fails for good, or `within` is over.
    pub(crate) async fn persist(
        &self,
        credential: &Credential,
        (tries, within): (&mut Tries, Duration),
        offset: &TimeOffset,
    ) -> Result<Opened, Error> {
        // A try that is under way is not given up: its PIN may be used already.
        let mut over = pin!(sleep(within));
        loop {
            let last = match self.open(credential, offset).await {
                Ok(opened) => return Ok(opened),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(reason)) => reason,
            };
            tokio::select! {
                biased;
                () = &mut over => return Err(Error::Unreachable(last)),
                () = sleep(tries.next_wait()) => {}
            }
        }
    }

    /// One try.
    pub(crate) async fn open(
        &self,
        credential: &Credential,
        offset: &TimeOffset,
    ) -> Result<Opened, Failure> {
        let passing = |reason: &str| Failure::Passing(reason.to_owned());
        let opening = timeout(self.answer_within, socket::open(&self.url));
        let mut socket = opening.await.map_err(|_| passing("no answer in time"))??;
        let exchange = timeout(
            self.answer_within,
            self.exchange(&mut socket, credential, offset),
        );
        let answer = match exchange.await {
            Ok(answer) => answer,
            Err(_) => Err(passing("no answer in time")),
        };
        match (credential, answer) {
            (_, Ok(answer)) => Ok(self.opened(socket, credential, answer).await),
            // A PIN works once, and it may have been this time.
            (Credential::Pin(_), Err(Failure::Passing(_))) => {
                Err(Failure::Final(Error::Interrupted))
            }
            (_, Err(failure)) => Err(failure),
        }
    }

    /// The request that authenticates.
    pub(crate) fn authenticate(&self, credential: &Credential) -> Result<Ask, Error> {
        let (name, secret) = match credential {
            Credential::Pin(pin) => ("pin", pin.as_str()),
            Credential::Refresh(token) => ("refresh", token.expose()),
        };
        let mut data = json!({ "client_id": self.client_id });
        if let Value::Object(fields) = &mut data {
            fields.insert(name.to_owned(), json!(secret));
            if let Some(game_id) = &self.game_id {
                fields.insert("game_id".to_owned(), json!(game_id));
            }
        }
        Ask::new("authenticate", "", &data)
    }

    async fn exchange(
        &self,
        socket: &mut Socket,
        credential: &Credential,
        offset: &TimeOffset,
    ) -> Result<Authenticated, Failure> {
        let passing = |error: &dyn fmt::Display| Failure::Passing(error.to_string());
        let text = self
            .authenticate(credential)
            .and_then(|ask| ask.encode(AUTHENTICATE_ID))
            .map_err(Failure::Final)?;
        let sent_ms = self.clock.now_ms();
        let sending = socket.send(Message::text(text));
        sending.await.map_err(|error| passing(&error))?;
        loop {
            let text = match socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_))) | None => return Err(passing(&"closed")),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(passing(&error)),
            };
            let Some(frame) = Frame::read(&text) else {
                continue;
            };
            if frame.request_id != AUTHENTICATE_ID {
                continue;
            }
            if let Some(server_ms) = frame.timestamp {
                offset.note(sent_ms, self.clock.now_ms(), server_ms);
            }
            return match frame.body {
                Ok(data) => typed(data).map_err(|error| passing(&error)),
                Err(error) => Err(refusal(credential, error)),
            };
        }
    }

    async fn opened(
        &self,
        socket: Socket,
        credential: &Credential,
        answer: Authenticated,
    ) -> Opened {
        let newest = RefreshToken::new(answer.refresh);
        let before = match credential {
            Credential::Pin(_) => None,
            Credential::Refresh(token) => Some(token.clone()),
        };
        let (usable, store_error) = self.keep(&newest, before).await;
        Opened {
            socket,
            channel: answer.twitch_id,
            name: answer.twitch_name,
            newest,
            usable,
            store_error,
        }
    }

    /// Stores a new token. The one to come back with: the new one only if it is stored, or if there
    /// was none before.
    pub(crate) async fn keep(
        &self,
        newest: &RefreshToken,
        before: Option<RefreshToken>,
    ) -> (RefreshToken, Option<Error>) {
        let fallback = || before.unwrap_or_else(|| newest.clone());
        if newest.expose().is_empty() {
            return (fallback(), None);
        }
        let Some(store) = self.store.clone() else {
            return (fallback(), None);
        };
        let token = newest.clone();
        let storing = tokio::task::spawn_blocking(move || store.store(&token));
        let error = match storing.await {
            Ok(Ok(())) => return (newest.clone(), None),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        (fallback(), Some(Error::TokenStore(error)))
    }
}

/// What a refusal of `authenticate` means: a token that is refused is dead (`spec 1.4`), a fault of
/// the server is no reason to pair again.
fn refusal(credential: &Credential, error: Error) -> Failure {
    match (credential, error.number()) {
        (Credential::Pin(_), _) => Failure::Final(error),
        (Credential::Refresh(_), Some(400..=403)) => Failure::Final(Error::PairingNeeded),
        (Credential::Refresh(_), _) => Failure::Passing(error.to_string()),
    }
}
