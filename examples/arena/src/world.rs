//! The rules: what keys and viewers do to the arena.

use std::collections::VecDeque;

use crowdlink_client::{PollReport, PollStatus, Status};

/// What may come through the gate; the later, the worse.
pub const MONSTERS: [&str; 3] = ["Goblin", "Troll", "Kraken"];
/// The poll of every round.
pub const POLL_ID: &str = "arena-round";
/// What a healthy hero has.
pub const HEARTS_MAX: u32 = 10;
/// The newest lines that are shown.
pub const LINES_MAX: usize = 8;
/// The longest PIN that can be typed, in characters.
pub const PIN_CHARS_MAX: usize = 12;

/// What the player presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Takes back the last character.
    Backspace,
    /// Done.
    Enter,
    /// Leaves.
    Escape,
}

/// What happened outside.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The game is paired, with this broadcaster.
    Paired(String),
    /// It is not, and why.
    NotPaired(String),
    /// A poll.
    Poll(PollReport),
    /// A viewer cheers.
    Cheer(String),
    /// The connection is lost, back, or over.
    Status(Status),
    /// Something did not work.
    Trouble(String),
}

/// What the arena wants from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Pair by this PIN.
    Pair(String),
    /// Ask the viewers.
    Ask,
    /// Tell the viewers how it went.
    Tell {
        /// What came.
        monster: String,
        /// What the hero has left.
        hearts: u32,
    },
    /// Leave.
    Quit,
}

/// What is on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    /// A PIN is being typed.
    Pin {
        /// So far.
        typed: String,
        /// Why the last one did not work.
        fault: Option<String>,
    },
    /// It is being paired.
    Pairing,
    /// The game itself.
    Arena,
}

/// The whole game.
#[derive(Clone, Debug)]
pub struct World {
    /// What is on the screen.
    pub screen: Screen,
    /// The broadcaster.
    pub name: String,
    /// What the hero has left.
    pub hearts: u32,
    /// Rounds that the hero survived.
    pub rounds: u32,
    /// The poll of this round.
    pub poll: Option<PollReport>,
    /// The newest lines, the oldest first.
    pub lines: VecDeque<String>,
    /// How it is connected.
    pub status: Status,
}

impl World {
    /// A new game, which asks for a PIN, or comes back without.
    pub fn new(resumes: bool) -> Self {
        Self {
            screen: if resumes {
                Screen::Pairing
            } else {
                Screen::Pin {
                    typed: String::new(),
                    fault: None,
                }
            },
            name: String::new(),
            hearts: HEARTS_MAX,
            rounds: 0,
            poll: None,
            lines: VecDeque::new(),
            status: Status::Connected,
        }
    }

    /// The player pressed a key.
    pub fn press(&mut self, key: Key) -> Option<Wish> {
        if key == Key::Escape {
            return Some(Wish::Quit);
        }
        match &mut self.screen {
            Screen::Pin { typed, .. } => match key {
                Key::Char(char) if char.is_ascii_alphanumeric() => {
                    if typed.len() < PIN_CHARS_MAX {
                        typed.push(char);
                    }
                    None
                }
                Key::Backspace => {
                    typed.pop();
                    None
                }
                Key::Enter if !typed.is_empty() => {
                    let pin = std::mem::take(typed);
                    self.screen = Screen::Pairing;
                    Some(Wish::Pair(pin))
                }
                Key::Char(_) | Key::Enter | Key::Escape => None,
            },
            Screen::Pairing => None,
            Screen::Arena => match key {
                Key::Char('q') => Some(Wish::Quit),
                Key::Char('n') if !self.is_asking() => Some(Wish::Ask),
                Key::Char(_) | Key::Backspace | Key::Enter | Key::Escape => None,
            },
        }
    }

    /// Something happened outside.
    pub fn hear(&mut self, news: News) -> Option<Wish> {
        match news {
            News::Paired(name) => {
                self.say(format!("The gates of {name}'s arena open."));
                self.name = name;
                self.screen = Screen::Arena;
            }
            News::NotPaired(fault) => self.ask_pin(fault),
            News::Poll(report) => return self.voted(report),
            News::Cheer(who) => {
                if self.hearts < HEARTS_MAX {
                    self.hearts += 1;
                }
                self.say(format!("{who} cheers."));
            }
            News::Status(status) => {
                self.status = status;
                if status == Status::PairingNeeded {
                    self.ask_pin("The broadcaster took the game off. A new PIN, please.".into());
                }
            }
            News::Trouble(text) => self.say(text),
        }
        None
    }

    /// Whether viewers are voting.
    pub fn is_asking(&self) -> bool {
        let status = self.poll.as_ref().map(|poll| poll.poll.status);
        matches!(status, Some(PollStatus::Active | PollStatus::Pending))
    }

    fn ask_pin(&mut self, fault: String) {
        self.screen = Screen::Pin {
            typed: String::new(),
            fault: Some(fault),
        };
    }

    fn voted(&mut self, report: PollReport) -> Option<Wish> {
        let ended = report.poll.status == PollStatus::Expired && self.is_asking();
        let winner = report
            .winner()
            .map(|(place, name)| (place, name.to_owned()));
        self.poll = Some(report);
        if !ended {
            return None;
        }
        let Some((place, monster)) = winner else {
            self.say("Nobody chose. The gate stays shut.".into());
            return None;
        };
        let hit = u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1);
        self.hearts = self.hearts.saturating_sub(hit);
        self.say(format!("A {monster} comes and hits for {hit}."));
        if self.hearts == 0 {
            self.say(format!("The hero falls after {} rounds.", self.rounds));
            self.hearts = HEARTS_MAX;
            self.rounds = 0;
        } else {
            self.rounds += 1;
        }
        let hearts = self.hearts;
        Some(Wish::Tell { monster, hearts })
    }

    fn say(&mut self, line: String) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}
