//! What of one poll is to be told when: the rhythm of `spec 2.6` and `spec 4.3`, without I/O.

use crowdlink_core::polls::{PollEvent, PollTimes};
use crowdlink_protocol::PollStatus;

/// How often polls are told of, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollRhythm {
    /// Time between two events of one poll to games.
    pub games_ms_min: u64,
    /// How long a poll without an end is remembered after its last news.
    pub tail_ms_max: u64,
    /// Time between two `vote_update` of one poll to viewers.
    pub viewers_ms_min: u64,
    /// Time from a first vote to its `vote_update`.
    pub viewers_first_ms_max: u64,
}

/// A life of a poll, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    opening: (String, u64),
    status: PollStatus,
}

impl Told {
    fn of(times: &PollTimes, now_ms: i64) -> Self {
        Self {
            opening: times.opening.clone(),
            status: times.status(now_ms),
        }
    }
}

/// The two clocks, read at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Unix time in ms: polls begin and end by it.
    pub(super) unix_ms: i64,
    /// Monotonic ms: pauses are measured by it.
    pub(super) monotonic_ms: u64,
}

/// What is to be told now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Telling {
    /// A `poll` event to games.
    pub(super) games: bool,
    /// `poll_update` to viewers.
    pub(super) poll_update: bool,
    /// `vote_update` to viewers.
    pub(super) vote_update: bool,
}

/// One poll, as far as it was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    /// What games know of it; `None` where this node does not know what they know.
    games: Option<Told>,
    viewers: Option<Told>,
    /// News that games have not heard, with and without a change of the poll itself.
    games_votes: bool,
    opened: bool,
    ended: bool,
    /// News that viewers have not heard.
    viewers_votes: bool,
    changed: bool,
    /// The version of the newest news: who reads an older poll has not seen it.
    heard_version: u64,
    /// When each may hear again (monotonic ms).
    games_from_ms: u64,
    viewers_from_ms: u64,
    /// When the poll begins or ends next (Unix ms).
    turn_ms: Option<i64>,
    /// When it is forgotten (monotonic ms).
    until_ms: u64,
    /// It could not be read, and is not looked at before (monotonic ms).
    not_before_ms: u64,
}

impl Track {
    /// A poll that somebody begins to watch: what it is now is no news.
    pub(super) fn watched(times: &PollTimes, now: Now, rhythm: &PollRhythm) -> Self {
        let told = Told::of(times, now.unix_ms);
        Self {
            games: Some(told.clone()),
            viewers: Some(told),
            turn_ms: times.next_turn_ms(now.unix_ms),
            until_ms: now.monotonic_ms + rhythm.tail_ms_max,
            ..Self::default()
        }
    }

    /// Takes note of what happened.
    pub(super) fn hear(&mut self, event: PollEvent, version: u64, now: Now, rhythm: &PollRhythm) {
        self.heard_version = self.heard_version.max(version);
        match event {
            PollEvent::Voted => {
                if !self.viewers_votes {
                    // Half of the time, so that reading and sending are done in the other.
                    let first_ms = now.monotonic_ms + rhythm.viewers_first_ms_max / 2;
                    self.viewers_from_ms = self.viewers_from_ms.max(first_ms);
                }
                self.games_votes = true;
                self.viewers_votes = true;
            }
            PollEvent::Created | PollEvent::Opened => {
                self.opened = true;
                self.changed = true;
            }
            PollEvent::Ended => {
                self.ended = true;
                self.changed = true;
            }
            PollEvent::Reconfigured | PollEvent::Deleted => self.changed = true,
        }
        self.until_ms = now.monotonic_ms + rhythm.tail_ms_max;
    }

    /// When to look at it next (monotonic ms); `None` never again.
    pub(super) fn next_ms(&self, now: Now) -> Option<u64> {
        let turn_ms = self.turn_ms.map(|turn_ms| {
            let wait_ms = u64::try_from(turn_ms.saturating_sub(now.unix_ms)).unwrap_or(0);
            now.monotonic_ms.saturating_add(wait_ms)
        });
        let games = self.has_game_news().then_some(self.games_from_ms);
        let viewers = self.viewers_votes.then_some(self.viewers_from_ms);
        let changed = self.changed.then_some(0);
        let news = [games, viewers, changed, turn_ms]
            .into_iter()
            .flatten()
            .min();
        match news {
            Some(at_ms) => Some(at_ms.max(now.monotonic_ms).max(self.not_before_ms)),
            None => Some(self.until_ms).filter(|at_ms| *at_ms > now.monotonic_ms),
        }
    }

    /// Whether anybody was told of the poll, or is to be.
    pub(super) const fn knew_of_it(&self) -> bool {
        self.viewers.is_some() || self.changed
    }

    /// Nothing is told before that moment (monotonic ms).
    pub(super) fn postpone(&mut self, at_ms: u64) {
        self.games_from_ms = self.games_from_ms.max(at_ms);
        self.viewers_from_ms = self.viewers_from_ms.max(at_ms);
        self.not_before_ms = at_ms;
    }

    const fn has_game_news(&self) -> bool {
        self.games_votes || self.opened || self.ended
    }

    /// Whether the end of the poll is still to be told.
    pub(super) fn ends_now(&self, times: &PollTimes, now: Now) -> bool {
        let now_is = Told::of(times, now.unix_ms);
        now_is.status == PollStatus::Expired
            && (self.games.as_ref() != Some(&now_is) || self.viewers.as_ref() != Some(&now_is))
    }

    /// What is to be told of a poll that is so now, read at a version; counts as told.
    pub(super) fn tell(
        &mut self,
        (times, version): (&PollTimes, u64),
        now: Now,
        rhythm: &PollRhythm,
    ) -> Telling {
        if version < self.heard_version {
            return self.tell_numbers(times, now, rhythm);
        }
        let now_is = Told::of(times, now.unix_ms);
        self.turn_ms = times.next_turn_ms(now.unix_ms);
        let moved = self.viewers.as_ref().is_some_and(|told| *told != now_is);
        let telling = Telling {
            games: self.tell_games(&now_is, now, rhythm),
            poll_update: self.changed || moved,
            vote_update: self.viewers_votes && now.monotonic_ms >= self.viewers_from_ms,
        };
        self.viewers = Some(now_is);
        self.changed = false;
        if telling.vote_update {
            self.viewers_votes = false;
            self.viewers_from_ms = now.monotonic_ms + rhythm.viewers_ms_min;
        }
        telling
    }

    /// What is to be told where newer news came while the poll was read: its numbers, in their
    /// rhythm, and that they are news still.
    fn tell_numbers(&mut self, times: &PollTimes, now: Now, rhythm: &PollRhythm) -> Telling {
        let now_is = Told::of(times, now.unix_ms);
        let same = now_is.status == PollStatus::Active && self.games.as_ref() == Some(&now_is);
        let games = same && self.games_votes && now.monotonic_ms >= self.games_from_ms;
        let vote_update = self.viewers_votes && now.monotonic_ms >= self.viewers_from_ms;
        if games {
            self.games_from_ms = now.monotonic_ms + rhythm.games_ms_min;
        }
        if vote_update {
            self.viewers_from_ms = now.monotonic_ms + rhythm.viewers_ms_min;
        }
        Telling {
            games,
            poll_update: false,
            vote_update,
        }
    }

    fn tell_games(&mut self, now_is: &Told, now: Now, rhythm: &PollRhythm) -> bool {
        let another_life = self
            .games
            .as_ref()
            .is_none_or(|told| told.opening != now_is.opening);
        let has_turned = match &self.games {
            Some(told) if !another_life => told.status != now_is.status,
            // Nobody knows what games were told: by what happened.
            None => self.opened || self.ended,
            Some(_) => true,
        };
        let wanted = match now_is.status {
            PollStatus::Pending => false,
            PollStatus::Active => has_turned || self.games_votes,
            PollStatus::Expired => has_turned,
        };
        // Another life of the poll has another rhythm.
        let may = now.monotonic_ms >= self.games_from_ms || (another_life && self.games.is_some());
        if wanted && !may {
            // It stays news until then.
            self.ended |= now_is.status == PollStatus::Expired;
            self.opened |= now_is.status == PollStatus::Active && has_turned;
            return false;
        }
        self.games = Some(now_is.clone());
        (self.games_votes, self.opened, self.ended) = (false, false, false);
        if wanted {
            self.games_from_ms = now.monotonic_ms + rhythm.games_ms_min;
        }
        wanted
    }
}
