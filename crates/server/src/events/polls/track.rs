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

/// The two clocks, read at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Unix time in ms: polls begin and end by it.
    pub(super) unix_ms: i64,
    /// Monotonic ms: pauses are measured by it.
    pub(super) monotonic_ms: u64,
}

/// A poll as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) times: &'a PollTimes,
    /// The newest commit that it shows.
    pub(super) newest: u64,
    /// The newest commit of votes in its numbers.
    pub(super) votes_version: u64,
    /// The moment that its status is of (Unix ms).
    pub(super) at_ms: i64,
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

/// A life of a poll, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    opening: (String, u64),
    status: PollStatus,
}

/// What one side, games or viewers, knows of a poll.
#[derive(Clone, Debug, Default)]
struct Side {
    /// `None` where this node does not know what it knows.
    told: Option<Told>,
    /// The newest commit of votes whose numbers it has.
    votes_version: u64,
    /// Whether votes came that it may not have heard of.
    voted: bool,
    /// When it may hear again (monotonic ms).
    from_ms: u64,
}

impl Side {
    /// How far a poll is, to those who were told before: within one opening the end is the end,
    /// also where somebody sets the clock back.
    fn sees(&self, seen: Seen<'_>) -> Told {
        let (times, at_ms) = (seen.times, seen.at_ms);
        let ended = self.told.as_ref().is_some_and(|told| {
            told.status == PollStatus::Expired && told.opening == times.opening
        });
        Told {
            opening: times.opening.clone(),
            status: if ended {
                PollStatus::Expired
            } else {
                times.status(at_ms)
            },
        }
    }

    /// Whether there are votes that it has not heard of.
    const fn has_votes(&self, seen: Seen<'_>) -> bool {
        self.voted && seen.votes_version > self.votes_version
    }
}

/// Who asks a poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Of {
    /// A channel, or the extension.
    #[default]
    Channel,
    /// A match: games hear of it alone, and not before votes came (`spec 2.10`).
    Match,
}

/// One poll, as far as it was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    of: Of,
    games: Side,
    viewers: Side,
    /// Whether it began or ended, and games have not heard of it.
    turned: bool,
    /// Whether anything of it changed, and viewers have not heard of it.
    changed: bool,
    /// Word may have been lost: whatever is newer than what was told is news.
    doubted: bool,
    /// The version of the poll that was told.
    version: u64,
    /// The newest commits that were heard of: who reads older ones has not seen them.
    heard_change: u64,
    heard_votes: u64,
    /// How often anything was heard.
    heard: u64,
    /// When the poll begins or ends next (Unix ms).
    turn_ms: Option<i64>,
    /// When it is forgotten (monotonic ms).
    until_ms: u64,
    /// It could not be read, and is not looked at before (monotonic ms).
    not_before_ms: u64,
}

impl Track {
    /// A poll that somebody begins to watch: what it is now is no news.
    pub(super) fn watched(seen: Seen<'_>, now: Now, rhythm: &PollRhythm) -> Self {
        let side = Side::default();
        let side = Side {
            told: Some(side.sees(seen)),
            votes_version: seen.votes_version,
            ..side
        };
        Self {
            games: side.clone(),
            viewers: side,
            version: seen.times.version,
            turn_ms: seen.times.next_turn_ms(seen.at_ms),
            until_ms: now.monotonic_ms + rhythm.tail_ms_max,
            ..Self::default()
        }
    }

    /// A poll that nobody here knows, after word was lost: what is newer than this commit is news.
    pub(super) fn missed_since(version: u64, now: Now, rhythm: &PollRhythm) -> Self {
        let side = Side {
            votes_version: version,
            ..Side::default()
        };
        let mut track = Self {
            games: side.clone(),
            viewers: side,
            version,
            until_ms: now.monotonic_ms + rhythm.tail_ms_max,
            ..Self::default()
        };
        track.doubt(now, rhythm);
        track
    }

    /// The same for the poll of a match. Its viewers wait for nothing: of them each channel's own
    /// track takes care.
    pub(super) const fn of_match(mut self) -> Self {
        self.of = Of::Match;
        self.viewers.voted = false;
        self
    }

    /// Takes note of what happened.
    pub(super) fn hear(&mut self, event: PollEvent, version: u64, now: Now, rhythm: &PollRhythm) {
        self.heard += 1;
        match event {
            PollEvent::Voted => {
                self.heard_votes = self.heard_votes.max(version);
                self.expect_votes(now, rhythm);
            }
            PollEvent::Created
            | PollEvent::Opened
            | PollEvent::Ended
            | PollEvent::Reconfigured
            | PollEvent::Deleted => {
                self.heard_change = self.heard_change.max(version);
                self.changed = true;
                self.turned |= matches!(
                    event,
                    PollEvent::Created | PollEvent::Opened | PollEvent::Ended
                );
            }
        }
        self.until_ms = now.monotonic_ms + rhythm.tail_ms_max;
    }

    /// Word may have been lost.
    pub(super) fn doubt(&mut self, now: Now, rhythm: &PollRhythm) {
        self.heard += 1;
        self.doubted = true;
        self.expect_votes(now, rhythm);
    }

    fn expect_votes(&mut self, now: Now, rhythm: &PollRhythm) {
        self.games.voted = true;
        if self.of == Of::Match {
            return;
        }
        if !self.viewers.voted {
            // Half of the time, so that reading and sending are done in the other.
            let first_ms = now.monotonic_ms + rhythm.viewers_first_ms_max / 2;
            self.viewers.from_ms = self.viewers.from_ms.max(first_ms);
        }
        self.viewers.voted = true;
    }

    /// When to look at it next (monotonic ms); `None` never again.
    pub(super) fn next_ms(&self, now: Now) -> Option<u64> {
        let turn_ms = self.turn_ms.map(|turn_ms| {
            let wait_ms = u64::try_from(turn_ms.saturating_sub(now.unix_ms)).unwrap_or(0);
            now.monotonic_ms.saturating_add(wait_ms)
        });
        let for_games = self.games.voted || self.turned;
        let games = for_games.then_some(self.games.from_ms);
        let viewers = self.viewers.voted.then_some(self.viewers.from_ms);
        let changed = (self.changed || self.doubted).then_some(0);
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
        self.viewers.told.is_some() || self.changed
    }

    /// How often anything was heard of it.
    pub(super) const fn heard(&self) -> u64 {
        self.heard
    }

    /// It is not looked at before that moment (monotonic ms).
    pub(super) const fn postpone(&mut self, at_ms: u64) {
        self.not_before_ms = at_ms;
    }

    /// Whether the end of the poll is still to be told.
    pub(super) fn ends_now(&self, seen: Seen<'_>) -> bool {
        let is_news = |side: &Side| {
            let sees = side.sees(seen);
            sees.status == PollStatus::Expired && side.told.as_ref() != Some(&sees)
        };
        is_news(&self.games) || (self.of == Of::Channel && is_news(&self.viewers))
    }

    /// What is to be told of a poll that was read; counts as told.
    pub(super) fn tell(&mut self, seen: Seen<'_>, now: Now, rhythm: &PollRhythm) -> Telling {
        if seen.times.version < self.heard_change {
            // Read before the change that was heard of meanwhile: it is looked at again at once.
            return Telling::default();
        }
        let is_newer = seen.times.version > self.version;
        if std::mem::take(&mut self.doubted) && is_newer {
            self.changed = true;
            self.turned = true;
        }
        self.version = seen.times.version;
        self.turn_ms = seen.times.next_turn_ms(seen.at_ms);
        let games = self.tell_games(seen, now, rhythm);
        let (poll_update, vote_update) = self.tell_viewers(seen, now, rhythm);
        Telling {
            games,
            poll_update,
            vote_update,
        }
    }

    fn tell_games(&mut self, seen: Seen<'_>, now: Now, rhythm: &PollRhythm) -> bool {
        let side = &mut self.games;
        let sees = side.sees(seen);
        let told = side.told.as_ref();
        let another_life = told.is_some_and(|told| told.opening != sees.opening);
        let turned = match told {
            Some(told) => *told != sees,
            // Nobody knows what games were told: by what happened.
            None => self.turned,
        };
        let wanted = match sees.status {
            PollStatus::Pending => false,
            PollStatus::Active => (turned && self.of == Of::Channel) || side.has_votes(seen),
            PollStatus::Expired => turned,
        };
        if another_life {
            // It has a rhythm of its own.
            side.from_ms = 0;
        }
        if wanted && now.monotonic_ms < side.from_ms {
            // It stays news until then.
            self.turned |= turned;
            return false;
        }
        side.told = Some(sees);
        side.voted = seen.newest < self.heard_votes;
        self.turned = false;
        if wanted {
            side.votes_version = seen.votes_version;
            side.from_ms = now.monotonic_ms + rhythm.games_ms_min;
        }
        wanted
    }

    fn tell_viewers(&mut self, seen: Seen<'_>, now: Now, rhythm: &PollRhythm) -> (bool, bool) {
        if self.of == Of::Match {
            self.changed = false;
            return (false, false);
        }
        let side = &mut self.viewers;
        let sees = side.sees(seen);
        let told = side.told.as_ref();
        let turned = told.is_some_and(|told| *told != sees);
        let another_run = told.is_some_and(|told| told.opening.0 != sees.opening.0);
        side.told = Some(sees);
        let poll_update = std::mem::take(&mut self.changed) || turned;
        if another_run {
            // Another poll of that id: its first vote waits for no pause of the old one.
            let first_ms = now.monotonic_ms + rhythm.viewers_first_ms_max / 2;
            side.from_ms = side.from_ms.min(first_ms);
        }
        let is_behind = seen.newest < self.heard_votes;
        if !side.has_votes(seen) {
            side.voted = is_behind;
            return (poll_update, false);
        }
        let vote_update = now.monotonic_ms >= side.from_ms;
        if vote_update {
            side.voted = is_behind;
            side.votes_version = seen.votes_version;
            side.from_ms = now.monotonic_ms + rhythm.viewers_ms_min;
        }
        (poll_update, vote_update)
    }
}
