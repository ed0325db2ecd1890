//! The loop that puts world, terminal and audience together.

use std::thread;

use anyhow::Result;
use crowdlink_client::Error;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::audience::{Audience, Gate};
use crate::draw::draw;
use crate::world::{Key, News, Wish, World};

/// Keys that wait to be dealt with; further ones wait in the terminal.
const KEYS_MAX: usize = 64;
/// News that wait to be dealt with.
const NEWS_MAX: usize = 256;

/// Plays until the player leaves.
pub async fn play(gate: Gate, terminal: &mut DefaultTerminal) -> Result<()> {
    let resumes = gate.tokens.load()?.is_some();
    let mut world = World::new(resumes);
    let mut keys = keyboard();
    let (teller, mut news) = mpsc::channel(NEWS_MAX);
    let (let_in, mut entered) = mpsc::channel(1);
    let doors = Doors {
        gate,
        teller,
        let_in,
    };
    let mut audience: Option<Audience> = None;
    if resumes {
        doors.open(None);
    }
    loop {
        terminal.draw(|frame| draw(&world, frame))?;
        let wish = tokio::select! {
            key = keys.recv() => match key {
                Some(key) => world.press(key),
                None => Some(Wish::Quit),
            },
            Some(next) = news.recv() => world.hear(next),
            Some(new) = entered.recv() => {
                audience = Some(new);
                None
            }
        };
        match wish {
            None => {}
            Some(Wish::Quit) => break,
            Some(Wish::Pair(pin)) => doors.open(Some(pin)),
            Some(other) => doors.fulfil(other, audience.clone()),
        }
    }
    if let Some(audience) = audience {
        audience.leave().await;
    }
    Ok(())
}

/// What is done beside the loop, which never waits for a server.
struct Doors {
    gate: Gate,
    teller: Sender<News>,
    let_in: Sender<Audience>,
}

impl Doors {
    fn open(&self, pin: Option<String>) {
        let (gate, teller, let_in) = (self.gate.clone(), self.teller.clone(), self.let_in.clone());
        tokio::spawn(async move {
            // A send fails only when the game is over.
            match gate.open(pin, teller.clone()).await {
                Ok(audience) => drop(let_in.send(audience).await),
                Err(error) => {
                    if error == Error::PairingNeeded {
                        // The token is dead; if it stays, the next PIN puts another in its place.
                        drop(gate.tokens.forget());
                    }
                    let text = if let Error::Refused { detail, .. } = error {
                        detail
                    } else {
                        error.to_string()
                    };
                    drop(teller.send(News::NotPaired(text)).await);
                }
            }
        });
    }

    fn fulfil(&self, wish: Wish, audience: Option<Audience>) {
        let Some(audience) = audience else { return };
        let teller = self.teller.clone();
        tokio::spawn(async move {
            let done = match wish {
                Wish::Ask => audience.ask().await,
                Wish::Tell { monster, hearts } => audience.tell(&monster, hearts).await,
                Wish::Pair(_) | Wish::Quit => Ok(()),
            };
            if let Err(error) = done {
                drop(teller.send(News::Trouble(error.to_string())).await);
            }
        });
    }
}

/// The keys of the terminal, read by a thread that ends when nobody wants them.
fn keyboard() -> Receiver<Key> {
    let (sender, receiver) = mpsc::channel(KEYS_MAX);
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            let Event::Key(key) = event else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            let Some(key) = meant(key) else { continue };
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    });
    receiver
}

fn meant(key: KeyEvent) -> Option<Key> {
    if let KeyCode::Char(char) = key.code {
        // A terminal in raw mode leaves this to us.
        let interrupt = char == 'c' && key.modifiers.contains(KeyModifiers::CONTROL);
        return Some(if interrupt {
            Key::Escape
        } else {
            Key::Char(char)
        });
    }
    let known = [
        (KeyCode::Backspace, Key::Backspace),
        (KeyCode::Enter, Key::Enter),
        (KeyCode::Esc, Key::Escape),
    ];
    known
        .into_iter()
        .find(|(code, _)| *code == key.code)
        .map(|(_, key)| key)
}
