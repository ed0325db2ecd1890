//! The server's side of the game: pairing, the poll, cheers.

use std::time::Duration;

use crowdlink_client::{Connect, Error, Game, Paired, Poll, TokenFile};
use serde_json::json;
use tokio::sync::mpsc::Sender;

use crate::world::{MONSTERS, News, POLL_ID};

/// The paired game.
#[derive(Clone, Debug)]
pub struct Audience {
    game: Game,
    round: Duration,
}

/// How to connect, and how long viewers may vote.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The connection to be made.
    pub connect: Connect,
    /// Where its token is.
    pub tokens: TokenFile,
    /// The time for votes.
    pub round: Duration,
}

impl Gate {
    /// Pairs by a PIN, or by the token that was stored last. `news` gets everything that happens from
    /// then on.
    pub async fn open(&self, pin: Option<String>, news: Sender<News>) -> Result<Audience, Error> {
        let connect = self.connect.clone().store_tokens(self.tokens.clone());
        let Paired { game, name, .. } = match pin {
            Some(pin) => connect.pair_with_pin(&pin).await?,
            None => match self.tokens.load() {
                Ok(Some(token)) => connect.resume(token).await?,
                Ok(None) => return Err(Error::PairingNeeded),
                Err(error) => return Err(Error::TokenStore(error.to_string())),
            },
        };
        let mut polls = game.polls().subscribe(POLL_ID).await?;
        let mut sent = game.datastream().await?;
        let mut status = game.status();
        // The world is the only reader; once it has gone there is nobody to tell.
        let _ = news.send(News::Paired(name)).await;
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    Some(report) = polls.next() => News::Poll(report),
                    Some(Ok(sent)) = sent.next() => match sent.event.get("cheer") {
                        Some(who) => News::Cheer(plain(who.as_str().unwrap_or("Somebody"))),
                        None => continue,
                    },
                    changed = status.changed() => match changed {
                        Ok(()) => News::Status(*status.borrow_and_update()),
                        Err(_) => return,
                    },
                };
                let last = matches!(&next, News::Status(status) if status.is_final());
                if news.send(next).await.is_err() || last {
                    return;
                }
            }
        });
        let round = self.round;
        Ok(Audience { game, round })
    }
}

impl Audience {
    /// Asks the viewers who comes next.
    pub async fn ask(&self) -> Result<(), Error> {
        let poll = Poll::new(POLL_ID, "Who enters the arena?", MONSTERS);
        let poll = poll.ends_in(self.round).fresh();
        self.game.polls().create(&poll).await?;
        Ok(())
    }

    /// Tells the viewers how it went.
    pub async fn tell(&self, monster: &str, hearts: u32) -> Result<(), Error> {
        let data = json!({ "monster": monster, "hearts": hearts });
        self.game.broadcast("arena_round", &data).await
    }

    /// Says goodbye.
    pub async fn leave(&self) {
        self.game.close().await;
    }
}

/// What a viewer sent, fit for a terminal: short and without control characters.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|char| !char.is_control())
        .take(24)
        .collect()
}
