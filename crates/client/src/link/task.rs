//! The life of a game's connection: serve, lose, come back, until it ends.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep;

use super::board::Board;
use super::flight::{Flight, Pending};
use super::opening::{Credential, Failure, Opened, Opening};
use super::session::End;
use super::socket::Socket;
use super::{Answer, Command};
use crate::backoff::Tries;
use crate::error::Error;
use crate::offset::TimeOffset;
use crate::status::Status;
use crate::token::RefreshToken;

/// What the task shares with the game's handles.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) status: watch::Sender<Status>,
    pub(crate) newest: watch::Sender<RefreshToken>,
    pub(crate) offset: TimeOffset,
    /// A stream was dropped.
    pub(crate) left: Arc<Notify>,
}

/// How the task hears that it shall end.
pub(crate) struct Ends(pub(crate) watch::Receiver<bool>);

impl Ends {
    /// Ends when the game is closed, or nobody has it any more.
    pub(crate) async fn wait(&mut self) {
        // An error means that the last handle is gone.
        let _ = self.0.wait_for(|closed| *closed).await;
    }
}

/// The task.
pub(crate) struct Task {
    pub(crate) opening: Opening,
    pub(crate) token: RefreshToken,
    pub(crate) tries: Tries,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) ends: Ends,
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: State,
}

/// What outlives a connection.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) board: Board,
    pub(crate) flight: Flight,
    /// What is to be sent before any new command.
    pub(crate) outbox: VecDeque<Pending>,
}

impl Task {
    /// Runs to the end, which the status tells.
    pub(crate) async fn run(mut self, first: Socket) {
        let mut socket = first;
        self.state
            .outbox
            .push_back(Pending::Resubscribe(crate::topic::Topic::Authentication));
        let last = loop {
            self.tell(Status::Connected);
            match self.serve(socket).await {
                End::Lost => {}
                End::Closed => break Status::Closed,
                End::Refused => break Status::PairingNeeded,
            }
            self.state.interrupt();
            socket = match self.reopen().await {
                Ok(socket) => socket,
                Err(last) => break last,
            };
            self.state.restore();
        };
        let error = match last {
            Status::PairingNeeded => Error::PairingNeeded,
            Status::Connected | Status::Reconnecting { .. } | Status::Closed => Error::Closed,
        };
        self.tell(last);
        self.finish(&error).await;
    }

    fn tell(&self, status: Status) {
        self.shared.status.send_replace(status);
    }

    /// Tries until there is a connection again; the last status where there will be none.
    async fn reopen(&mut self) -> Result<Socket, Status> {
        loop {
            let wait = self.tries.next_wait();
            self.tell(Status::Reconnecting {
                tries: self.tries.made(),
            });
            let credential = Credential::Refresh(self.token.clone());
            let attempt = async {
                sleep(wait).await;
                self.opening.open(&credential, &self.shared.offset).await
            };
            let attempted = tokio::select! {
                () = self.ends.wait() => return Err(Status::Closed),
                attempted = attempt => attempted,
            };
            match attempted {
                Ok(opened) => return Ok(self.adopt(opened)),
                Err(Failure::Final(Error::PairingNeeded)) => return Err(Status::PairingNeeded),
                // An extension that is unknown now may be known again when its server is set right.
                Err(Failure::Final(_) | Failure::Passing(_)) => {}
            }
        }
    }

    fn adopt(&mut self, opened: Opened) -> Socket {
        self.token = opened.usable;
        if !opened.newest.expose().is_empty() {
            self.shared.newest.send_replace(opened.newest);
        }
        opened.socket
    }

    /// Nobody waits in vain.
    async fn finish(mut self, error: &Error) {
        self.state.board.end();
        let outbox = self.state.outbox.drain(..);
        for pending in self.state.flight.take_all().into_iter().chain(outbox) {
            pending.fail(error.clone());
        }
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            match command {
                Command::Call { answer, .. } => refuse(answer, error),
                Command::Listen { answer, .. } => refuse(answer, error),
            }
        }
    }
}

fn refuse<T>(answer: Answer<T>, error: &Error) {
    // Who has gone does not want to know.
    drop(answer.send(Err(error.clone())));
}

impl State {
    /// The connection ended.
    fn interrupt(&mut self) {
        let mut kept = self.flight.interrupt();
        // What was never sent stays, but for what belonged to the connection.
        kept.extend(
            self.outbox.drain(..).filter(|pending| {
                matches!(pending, Pending::Call { .. } | Pending::Subscribe { .. })
            }),
        );
        self.outbox = kept;
    }

    /// The connection is there again: all subscriptions, then what is now, then what was asked.
    fn restore(&mut self) {
        let reread = self.board.reconnected();
        let topics = std::iter::once(crate::topic::Topic::Authentication);
        let topics = topics.chain(self.board.topics());
        let again = topics.map(Pending::Resubscribe);
        let reread = reread.into_iter().map(Pending::Reread);
        let mut outbox: VecDeque<Pending> = again.chain(reread).collect();
        outbox.append(&mut self.outbox);
        self.outbox = outbox;
    }
}
