//! Each rule of the rhythm, by itself.

use super::track::{Now, PollRhythm, Seen, Telling, Track};
use crowdlink_core::polls::{PollEvent, PollTimes};
use crowdlink_protocol::PollStatus;

pub(super) const RHYTHM: PollRhythm = PollRhythm {
    games_ms_min: 1_000,
    tail_ms_max: 300_000,
    viewers_ms_min: 5_000,
    viewers_first_ms_max: 500,
};
const START_MS: i64 = 1_000_000;

/// One event to games.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at_ms: u64,
    pub(super) opening: (String, u64),
    pub(super) status: PollStatus,
    pub(super) votes_version: u64,
}

/// A poll, its track, and a pump that reads and sends in no time.
pub(super) struct Sim {
    pub(super) track: Track,
    pub(super) times: PollTimes,
    version: u64,
    pub(super) votes_version: u64,
    ms: u64,
    pub(super) games: Vec<Event>,
    pub(super) poll_updates: usize,
    /// When, of which run and with which votes.
    pub(super) vote_updates: Vec<(u64, String, u64)>,
}

impl Sim {
    /// A poll that nobody has heard of.
    pub(super) fn new() -> Self {
        Self {
            track: Track::default(),
            times: PollTimes {
                opening: ("run-0".to_owned(), 0),
                starts_at_ms: 0,
                ends_at_ms: 0,
                defined: true,
                version: 1,
            },
            version: 1,
            votes_version: 0,
            ms: 0,
            games: Vec::new(),
            poll_updates: 0,
            vote_updates: Vec::new(),
        }
    }

    fn created(starts_in_ms: i64, ends_in_ms: i64) -> Self {
        let mut sim = Self::new();
        sim.create(starts_in_ms, ends_in_ms, false);
        sim
    }

    pub(super) fn now(&self) -> Now {
        Now {
            unix_ms: self.unix_ms(),
            monotonic_ms: self.ms,
        }
    }

    pub(super) fn unix_ms(&self) -> i64 {
        START_MS.saturating_add_unsigned(self.ms)
    }

    pub(super) fn status(&self) -> PollStatus {
        self.times.status(self.unix_ms())
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            times: &self.times,
            newest: self.times.version.max(self.votes_version),
            votes_version: self.votes_version,
            at_ms: self.unix_ms(),
        }
    }

    fn hear(&mut self, event: PollEvent) {
        let now = self.now();
        self.track.hear(event, self.version, now, &RHYTHM);
        self.run_ms(0);
    }

    pub(super) fn vote(&mut self) {
        if self.status() == PollStatus::Active {
            self.version += 1;
            self.votes_version = self.version;
            self.hear(PollEvent::Voted);
        }
    }

    fn change(&mut self, starts_at_ms: i64, ends_at_ms: i64) {
        self.version += 1;
        self.times.version = self.version;
        self.times.starts_at_ms = starts_at_ms;
        self.times.ends_at_ms = ends_at_ms;
    }

    /// A negative moment is none.
    pub(super) fn create(&mut self, starts_in_ms: i64, ends_in_ms: i64, fresh: bool) {
        let at = |in_ms: i64| if in_ms < 0 { 0 } else { self.unix_ms() + in_ms };
        self.change(at(starts_in_ms), at(ends_in_ms));
        self.times.opening.1 += 1;
        if fresh {
            self.times.opening.0 = format!("run-{}", self.version);
            self.votes_version = 0;
        }
        self.hear(PollEvent::Created);
    }

    pub(super) fn stop(&mut self) {
        if self.status() != PollStatus::Expired {
            self.change(self.times.starts_at_ms, self.unix_ms());
            self.hear(PollEvent::Ended);
        }
    }

    pub(super) fn reopen(&mut self, ends_in_ms: i64) {
        if self.status() == PollStatus::Expired {
            self.change(0, self.unix_ms() + ends_in_ms);
            self.times.opening.1 += 1;
            self.hear(PollEvent::Opened);
        }
    }

    pub(super) fn reconfigure(&mut self) {
        self.change(self.times.starts_at_ms, self.times.ends_at_ms);
        self.hear(PollEvent::Reconfigured);
    }

    pub(super) fn doubt(&mut self) {
        let now = self.now();
        self.track.doubt(now, &RHYTHM);
        self.run_ms(0);
    }

    pub(super) fn run_ms(&mut self, ms: u64) {
        let until_ms = self.ms + ms;
        let mut looks = 0;
        while let Some(at_ms) = self.track.next_ms(self.now()).filter(|at| *at <= until_ms) {
            looks = if at_ms == self.ms { looks + 1 } else { 0 };
            assert!(looks < 10, "it looks without end: {:?}", self.track);
            self.ms = at_ms;
            self.look();
        }
        self.ms = until_ms;
    }

    fn look(&mut self) -> Telling {
        let now = self.now();
        let mut track = std::mem::take(&mut self.track);
        let told = track.tell(self.seen(), now, &RHYTHM);
        self.track = track;
        if told.games {
            self.games.push(Event {
                at_ms: self.ms,
                opening: self.times.opening.clone(),
                status: self.status(),
                votes_version: self.votes_version,
            });
        }
        self.poll_updates += usize::from(told.poll_update);
        if told.vote_update {
            let run = self.times.opening.0.clone();
            self.vote_updates.push((self.ms, run, self.votes_version));
        }
        told
    }

    fn told(&self) -> Vec<(u64, PollStatus)> {
        let of = |event: &Event| (event.at_ms, event.status);
        self.games.iter().map(of).collect()
    }
}

use PollStatus::{Active, Expired};

#[test]
fn a_poll_that_starts_and_ends_without_votes_gives_two_events() {
    let mut sim = Sim::created(3_000, 5_000);
    sim.run_ms(1_000_000);
    assert_eq!(sim.told(), [(3_000, Active), (5_000, Expired)]);
    assert_eq!((sim.poll_updates, sim.vote_updates.len()), (3, 0));
    assert_eq!(sim.track.next_ms(sim.now()), None);
}

#[test]
fn a_poll_with_neither_votes_nor_an_end_gives_one_event() {
    let mut sim = Sim::created(-1, -1);
    sim.run_ms(1_000_000);
    assert_eq!(sim.told(), [(0, Active)]);
}

#[test]
fn the_poll_of_a_match_is_told_with_votes_and_at_its_end_and_never_to_viewers() {
    let mut sim = Sim::new();
    sim.track = Track::default().of_match();
    sim.create(1_000, 5_000, false);
    sim.run_ms(2_000);
    sim.vote();
    sim.vote();
    sim.run_ms(100);
    sim.doubt();
    sim.run_ms(10_000);
    let told = [(2_000, Active), (3_000, Active), (5_000, Expired)];
    assert_eq!(sim.told(), told);
    // Opened again it waits for a vote; nobody votes.
    sim.reopen(1_000);
    sim.reconfigure();
    sim.run_ms(1_000_000);
    assert_eq!(sim.told()[3..], [(13_100, Expired)]);
    assert_eq!((sim.poll_updates, sim.vote_updates.len()), (0, 0));
    assert_eq!(sim.track.next_ms(sim.now()), None);
}

#[test]
fn the_poll_of_a_match_that_word_was_lost_of_is_told_once_and_then_left_alone() {
    let mut sim = Sim::created(-1, -1);
    sim.vote();
    let missed = Track::missed_since(1, sim.now(), &RHYTHM);
    sim.track = missed.of_match();
    sim.games.clear();
    sim.run_ms(1_000_000);
    assert_eq!(sim.told(), [(0, Active)]);
    assert_eq!(sim.track.next_ms(sim.now()), None);
}

#[test]
fn votes_are_told_at_once_after_quiet_then_a_second_apart() {
    let mut sim = Sim::created(-1, -1);
    sim.run_ms(2_000);
    for _ in 0..25 {
        sim.vote();
        sim.run_ms(100);
    }
    sim.run_ms(10_000);
    let at: Vec<u64> = sim.games.iter().map(|event| event.at_ms).collect();
    assert_eq!(at, [0, 2_000, 3_000, 4_000, 5_000]);
    let numbers: Vec<u64> = sim.games.iter().map(|event| event.votes_version).collect();
    assert_eq!(numbers.last(), Some(&sim.votes_version));
}

#[test]
fn viewers_hear_the_first_vote_within_500_ms_the_next_5_s_later_and_the_last_always() {
    let mut sim = Sim::created(-1, -1);
    for _ in 0..70 {
        sim.vote();
        sim.run_ms(100);
    }
    sim.run_ms(20_000);
    let told: Vec<(u64, u64)> = sim.vote_updates.iter().map(|t| (t.0, t.2)).collect();
    let at: Vec<u64> = told.iter().map(|told| told.0).collect();
    assert_eq!(at, [250, 5_250, 10_250]);
    assert_eq!(told[2].1, sim.votes_version);
    sim.vote();
    sim.run_ms(499);
    assert_eq!(sim.vote_updates.len(), 4);
}

#[test]
fn an_end_keeps_its_distance_and_comes_once_however_often_it_is_stopped() {
    let mut sim = Sim::created(-1, -1);
    sim.run_ms(5_000);
    sim.vote();
    sim.run_ms(300);
    sim.stop();
    sim.run_ms(100);
    sim.stop();
    sim.reconfigure();
    sim.run_ms(10_000);
    sim.stop();
    sim.run_ms(1_000_000);
    assert_eq!(sim.told(), [(0, Active), (5_000, Active), (6_000, Expired)]);
}

#[test]
fn another_opening_is_told_at_once() {
    let mut sim = Sim::created(-1, -1);
    sim.run_ms(10);
    sim.create(-1, -1, false);
    sim.run_ms(10);
    sim.create(-1, -1, true);
    sim.run_ms(5_000);
    sim.stop();
    sim.reopen(60_000);
    assert_eq!(
        sim.told(),
        [
            (0, Active),
            (10, Active),
            (20, Active),
            (5_020, Expired),
            (5_020, Active)
        ]
    );
    // Created again to start soon: the start waits for nothing of the life before.
    sim.create(200, -1, false);
    sim.run_ms(200);
    assert_eq!(sim.told().last(), Some(&(5_220, Active)));
}

#[test]
fn a_new_configuration_is_news_to_viewers_alone() {
    let mut sim = Sim::created(-1, -1);
    sim.run_ms(2_000);
    sim.reconfigure();
    sim.run_ms(2_000);
    assert_eq!((sim.games.len(), sim.poll_updates), (1, 2));
}

#[test]
fn what_is_there_when_somebody_begins_to_watch_is_no_news() {
    let mut sim = Sim::new();
    sim.votes_version = 1;
    sim.track = Track::watched(sim.seen(), sim.now(), &RHYTHM);
    sim.run_ms(1_000);
    // Told late of a vote that was counted before.
    sim.track.hear(PollEvent::Voted, 1, sim.now(), &RHYTHM);
    sim.run_ms(10_000);
    sim.doubt();
    sim.run_ms(10_000);
    assert!(sim.games.is_empty() && sim.vote_updates.is_empty() && sim.poll_updates == 0);
    sim.vote();
    sim.run_ms(10_000);
    assert_eq!((sim.games.len(), sim.vote_updates.len()), (1, 1));
}

#[test]
fn after_lost_word_all_that_is_newer_is_told_once() {
    let mut sim = Sim::created(-1, -1);
    sim.run_ms(5_000);
    // Nobody told of a vote and of a new configuration.
    sim.version += 1;
    sim.votes_version = sim.version;
    sim.change(0, 0);
    sim.doubt();
    sim.run_ms(10_000);
    sim.doubt();
    sim.run_ms(10_000);
    assert_eq!(sim.told(), [(0, Active), (5_000, Active)]);
    assert_eq!((sim.poll_updates, sim.vote_updates.len()), (2, 1));
}

#[test]
fn of_polls_that_nobody_knew_only_what_is_newer_than_the_loss_is_told() {
    let mut old = Sim::new();
    old.track = Track::missed_since(1, old.now(), &RHYTHM);
    old.run_ms(10_000);
    assert!(old.games.is_empty() && old.poll_updates == 0);
    let mut new = Sim::new();
    new.change(0, 0);
    new.track = Track::missed_since(1, new.now(), &RHYTHM);
    new.run_ms(10_000);
    assert_eq!((new.told(), new.poll_updates), (vec![(0, Active)], 1));
}

#[test]
fn a_poll_read_before_its_change_is_read_again_and_nothing_is_told_of_the_old_one() {
    let mut sim = Sim::created(-1, -1);
    let before = sim.times.clone();
    sim.run_ms(2_000);
    sim.change(0, sim.unix_ms());
    let ended = std::mem::replace(&mut sim.times, before);
    sim.track
        .hear(PollEvent::Ended, sim.version, sim.now(), &RHYTHM);
    assert_eq!(sim.look(), Telling::default());
    assert_eq!(sim.track.next_ms(sim.now()), Some(sim.ms));
    sim.times = ended;
    sim.run_ms(0);
    assert_eq!(sim.told(), [(0, Active), (2_000, Expired)]);
}

#[test]
fn a_poll_read_just_before_its_end_is_told_as_it_was_and_its_end_after_it() {
    let mut sim = Sim::created(-1, 5_000);
    sim.run_ms(4_999);
    sim.vote();
    let told = sim.games.len();
    sim.run_ms(0);
    // Read a millisecond before the end, told after it.
    let (times, read_at_ms) = (sim.times.clone(), sim.unix_ms() - 1_500);
    sim.ms += 1_000;
    let seen = Seen {
        times: &times,
        newest: sim.version,
        votes_version: sim.votes_version,
        at_ms: read_at_ms,
    };
    sim.track.tell(seen, sim.now(), &RHYTHM);
    sim.run_ms(5_000);
    let ends = sim.games[told..].iter().filter(|e| e.status == Expired);
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_clock_that_is_set_back_ends_no_poll_twice() {
    let mut sim = Sim::created(-1, 5_000);
    sim.run_ms(6_000);
    let times = sim.times.clone();
    for at_ms in [START_MS + 1_000, START_MS + 7_000] {
        sim.track.doubt(sim.now(), &RHYTHM);
        let seen = Seen {
            times: &times,
            newest: sim.version,
            votes_version: 0,
            at_ms,
        };
        assert!(!sim.track.tell(seen, sim.now(), &RHYTHM).games);
        sim.ms += 2_000;
    }
    assert_eq!(sim.told(), [(0, Active), (5_000, Expired)]);
}

#[test]
fn a_poll_that_cannot_be_read_is_left_alone_until_then() {
    let mut sim = Sim::created(-1, -1);
    sim.track.hear(PollEvent::Voted, 2, sim.now(), &RHYTHM);
    sim.track.postpone(7_000);
    assert_eq!(sim.track.next_ms(sim.now()), Some(7_000));
}
