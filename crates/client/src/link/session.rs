//! One connection, from its authentication to its end.

use std::pin::{Pin, pin};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::value::RawValue;
use tokio::time::{Sleep, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use super::Command;
use super::flight::Pending;
use super::opening::Credential;
use super::pace::Pace;
use super::socket::Socket;
use super::task::Task;
use crate::error::Error;
use crate::event::{AuthenticationEvent, Event};
use crate::frame::Frame;
use crate::token::RefreshToken;
use crate::topic::Topic;

/// A server that says nothing for so long is gone: it pings every 30 s (`spec 2.1`).
const SILENCE_MAX: Duration = Duration::from_secs(75);
/// A connection that lasted so long, in ms, was a good one: after its loss the tries begin anew. Before,
/// a server that takes games in and throws them out again would be asked without end.
const STABLE_MS: i64 = 10_000;
/// How long a frame may take to be written, and the server to answer a close.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By the server or on the way: come back.
    Lost,
    /// By the game.
    Closed,
    /// The refresh token is dead.
    Refused,
}

type Step = Result<(), End>;

impl Task {
    /// Serves a connection to its end.
    pub(crate) async fn serve(&mut self, socket: Socket) -> End {
        let since_ms = self.opening.clock.now_ms();
        let end = self.converse(socket).await;
        let lasted_ms = self.opening.clock.now_ms().saturating_sub(since_ms);
        if lasted_ms >= STABLE_MS {
            self.tries.worked();
        }
        end
    }

    async fn converse(&mut self, mut socket: Socket) -> End {
        let mut pace = Pace::new();
        let mut silence = pin!(sleep(SILENCE_MAX));
        loop {
            match self.step(&mut socket, &mut pace, silence.as_mut()).await {
                Ok(()) => {}
                Err(End::Closed) => {
                    close(socket).await;
                    return End::Closed;
                }
                Err(end) => return end,
            }
        }
    }

    /// Whatever comes next.
    async fn step(
        &mut self,
        socket: &mut Socket,
        pace: &mut Pace,
        mut silence: Pin<&mut Sleep>,
    ) -> Step {
        self.send_waiting(socket, pace).await?;
        let takes = self.state.outbox.is_empty() && self.state.flight.has_room() && pace.is_open();
        let left = std::sync::Arc::clone(&self.shared.left);
        tokio::select! {
            () = self.ends.wait() => Err(End::Closed),
            message = socket.next() => {
                silence.set(sleep(SILENCE_MAX));
                self.heard(message).await
            }
            Some(command) = self.commands.recv(), if takes => {
                self.take(command);
                Ok(())
            }
            () = left.notified() => {
                let silent = self.state.board.prune().into_iter();
                self.state.outbox.extend(silent.map(Pending::Unsubscribe));
                Ok(())
            }
            () = pace.step() => Ok(()),
            () = silence.as_mut() => Err(End::Lost),
        }
    }

    /// Sends what waits, as far as pace and flight allow.
    async fn send_waiting(&mut self, socket: &mut Socket, pace: &mut Pace) -> Step {
        while pace.is_open() && self.state.flight.has_room() {
            let Some(pending) = self.state.outbox.pop_front() else {
                break;
            };
            if pending.is_abandoned() {
                if let Pending::Subscribe { queue, .. } = &pending {
                    self.state.board.remove(queue);
                }
                continue;
            }
            let id = self.state.flight.free_id();
            let Some(text) = pending.ask().and_then(|ask| ask.encode(id).ok()) else {
                pending.fail(Error::Unsendable("no JSON".to_owned()));
                continue;
            };
            pace.take();
            let now_ms = self.opening.clock.now_ms();
            self.state.flight.depart(id, now_ms, pending);
            let sent = timeout(WRITE_MAX, socket.send(Message::text(text))).await;
            if !matches!(sent, Ok(Ok(()))) {
                return Err(End::Lost);
            }
        }
        Ok(())
    }

    fn take(&mut self, command: Command) {
        let state = &mut self.state;
        match command {
            Command::Call {
                ask,
                repeat,
                answer,
            } => state.outbox.push_back(Pending::Call {
                ask,
                repeat,
                answer,
            }),
            Command::Listen {
                topic,
                queue,
                answer,
            } => {
                if !state.board.add(topic.clone(), queue.clone()) {
                    let text = "too many streams at a time".to_owned();
                    drop(answer.send(Err(Error::Unsendable(text))));
                    return;
                }
                match topic {
                    None => drop(answer.send(Ok(()))),
                    Some(topic) => state.outbox.push_back(Pending::Subscribe {
                        topic,
                        queue,
                        answer,
                    }),
                }
            }
        }
    }

    async fn heard(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> Step {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            // A frame that a server has no reason to send is none of ours.
            Some(Ok(
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => return Ok(()),
            // Whatever the code: if the pairing is over, the refresh token will be refused.
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Lost),
        };
        let Some(frame) = Frame::read(&text) else {
            return Ok(());
        };
        if frame.is_event {
            for event in Event::read(&frame.target, frame.body.ok().flatten()) {
                self.told(&event, text.len());
            }
            return Ok(());
        }
        let Some((sent_ms, pending)) = self.state.flight.arrive(frame.request_id) else {
            return Ok(());
        };
        if let Some(server_ms) = frame.timestamp {
            let now_ms = self.opening.clock.now_ms();
            self.shared.offset.note(sent_ms, now_ms, server_ms);
        }
        self.answered(pending, frame.body, text.len()).await
    }

    fn told(&mut self, event: &Event, bytes: usize) {
        if let Event::Authentication(AuthenticationEvent::Expiring { .. }) = event {
            let credential = Credential::Refresh(self.token.clone());
            if let Ok(ask) = self.opening.authenticate(&credential) {
                self.state.outbox.push_front(Pending::Reauthenticate(ask));
            }
        }
        self.state.board.tell(event, bytes);
    }

    async fn answered(
        &mut self,
        pending: Pending,
        body: Result<Option<&RawValue>, Error>,
        bytes: usize,
    ) -> Step {
        match pending {
            Pending::Call { answer, .. } => {
                drop(answer.send(body.map(|data| data.map(RawValue::to_owned))));
                Ok(())
            }
            Pending::Subscribe { queue, answer, .. } => {
                if body.is_err() {
                    self.state.board.remove(&queue);
                }
                drop(answer.send(body.map(|_| ())));
                Ok(())
            }
            Pending::Resubscribe(topic) => self.resubscribed(&topic, body.err()),
            Pending::Unsubscribe(_) => Ok(()),
            Pending::Reread(topic) => {
                match body {
                    Ok(data) => {
                        for event in Event::read(topic.event_target(), data) {
                            self.state.board.tell_reread(&event, bytes);
                        }
                    }
                    Err(error) if error.is_transient() => return Err(End::Lost),
                    // Such as a poll that is gone.
                    Err(_) => {}
                }
                Ok(())
            }
            Pending::Reauthenticate(_) => self.reauthenticated(body).await,
        }
    }

    fn resubscribed(&mut self, topic: &Topic, error: Option<Error>) -> Step {
        match error {
            None => Ok(()),
            Some(error) if error.is_transient() => Err(End::Lost),
            Some(_) => {
                self.state.board.end_topic(topic);
                Ok(())
            }
        }
    }

    async fn reauthenticated(&mut self, body: Result<Option<&RawValue>, Error>) -> Step {
        let data = match body {
            Ok(data) => data,
            Err(error) if matches!(error.number(), Some(400..=403)) => return Err(End::Refused),
            // The token at hand still works for a while; the connection ends with it.
            Err(_) => return Ok(()),
        };
        let Ok(Some(newest)) = refreshed(data) else {
            return Ok(());
        };
        let (usable, _) = self.opening.keep(&newest, Some(self.token.clone())).await;
        self.token = usable;
        self.shared.newest.send_replace(newest);
        Ok(())
    }
}

fn refreshed(data: Option<&RawValue>) -> Result<Option<RefreshToken>, Error> {
    #[derive(serde::Deserialize)]
    struct Refreshed {
        refresh: String,
    }
    let Refreshed { refresh } = crate::frame::typed(data)?;
    Ok((!refresh.is_empty()).then(|| RefreshToken::new(refresh)))
}

/// Says goodbye and waits a moment for the other side to do so.
async fn close(mut socket: Socket) {
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    let leaving = async {
        if socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // A server that is gone cannot be said goodbye to.
    let _ = timeout(WRITE_MAX, leaving).await;
}
