//! One channel's messages on their way to the platform.

use std::sync::Arc;

use crowdlink_core::lease::{self, Last, LeaseOf, Standing};
use crowdlink_core::tokens;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::client::{Answer, Message, REQUEST_MS_MAX};
use super::figures::Outcome;
use super::pace::Pace;
use super::queue::{Next, Queue};
use super::way::{PlatformWay, Whom};
use crate::shutdown::{Phase, Shutdown};

/// For how long a lease is taken.
const LEASE_MS: u64 = 30_000;
/// After which it is renewed, while there is something to send.
const RENEW_MS: u64 = 10_000;
/// How long a lease is kept with nothing to send.
const REST_MS: u64 = 5_000;
/// How often a node without the lease looks for it while it holds something.
const LOOK_MS: u64 = 5_000;
/// When the store is asked again that did not answer.
const STORE_RETRY_MS: u64 = 1_000;
/// Pause after a first failure; doubled with each one more.
const BACKOFF_MS_MIN: u64 = 500;
/// Longest such pause.
const BACKOFF_MS_MAX: u64 = 30_000;

/// A channel of which something waits, or waited until lately.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) of: LeaseOf,
    pub(super) whom: Whom,
    pub(super) queue: Mutex<Queue>,
    pub(super) woken: Notify,
}

/// A lease held (monotonic ms).
#[derive(Clone, Copy, Debug)]
struct Hold {
    until_ms: u64,
    renew_ms: u64,
}

/// Who sends for a channel.
#[derive(Debug)]
pub(super) struct Worker {
    way: Arc<PlatformWay>,
    channel: Arc<Channel>,
    shutdown: Shutdown,
    pace: Pace,
    hold: Option<Hold>,
    /// Not before this time after a failure (monotonic ms).
    not_before_ms: u64,
    failures: u32,
}

impl Worker {
    pub(super) fn new(way: Arc<PlatformWay>, channel: Arc<Channel>, shutdown: Shutdown) -> Self {
        Self {
            pace: Pace::new(way.messages_per_min_max),
            way,
            channel,
            shutdown,
            hold: None,
            not_before_ms: 0,
            failures: 0,
        }
    }

    fn now_ms(&self) -> u64 {
        self.way.clock().monotonic_ms()
    }

    fn is_closing(&self) -> bool {
        self.shutdown.phase() > Phase::Running
    }

    /// Waits for some time; when the drain begins no longer, once.
    async fn sleep_until(&self, at_ms: u64) {
        let sleep = self
            .way
            .clock()
            .sleep_ms(at_ms.saturating_sub(self.now_ms()));
        if self.is_closing() {
            return sleep.await;
        }
        tokio::select! {
            () = sleep => {}
            () = self.shutdown.draining() => {}
        }
    }

    /// Sends until nothing waits, and the channel could as well be a new one.
    pub(super) async fn run(mut self) {
        loop {
            let stale = self.channel.queue.lock().drop_stale(self.now_ms());
            self.way.figures.count(Outcome::Stale, stale);
            if self.channel.queue.lock().is_empty() {
                if self.rest().await {
                    return;
                }
                continue;
            }
            if !self.take_lease().await {
                if self.is_closing() {
                    // Another node has it all.
                    return self.way.abandon(&self.channel);
                }
                continue;
            }
            if self.is_closing() && self.failures > 0 {
                self.give_back().await;
                return self.way.abandon(&self.channel);
            }
            let at_ms = self.not_before_ms.max(self.pace.next_ms());
            if at_ms > self.now_ms() {
                let renew_ms = self.hold.map_or(at_ms, |hold| hold.renew_ms);
                self.sleep_until(at_ms.min(renew_ms)).await;
                continue;
            }
            self.send().await;
        }
    }

    /// Nothing waits. Whether the work is over.
    async fn rest(&mut self) -> bool {
        let full_ms = self.pace.full_ms();
        let now_ms = self.now_ms();
        if self.hold.is_none() && (full_ms <= now_ms || self.is_closing()) {
            return self.way.forget(&self.channel);
        }
        if !self.is_closing() {
            let until_ms = match self.hold {
                Some(_) => now_ms + REST_MS,
                None => full_ms,
            };
            tokio::select! {
                () = self.channel.woken.notified() => return false,
                () = self.sleep_until(until_ms) => {}
            }
        }
        if self.channel.queue.lock().is_empty() {
            self.give_back().await;
        }
        false
    }

    async fn give_back(&mut self) {
        if self.hold.take().is_none() {
            return;
        }
        let at_ms = self.way.clock().now_ms();
        let done_until_ms = self.channel.queue.lock().done_until_ms(at_ms);
        let core = &self.way.core;
        if let Err(error) = lease::give_back(core, &self.channel.of, done_until_ms).await {
            tracing::debug!(%error, "a lease ends by itself");
        }
    }

    /// Whether this node sends for the channel now. Waits a while if not.
    async fn take_lease(&mut self) -> bool {
        let now_ms = self.now_ms();
        if self.hold.is_some_and(|hold| now_ms < hold.renew_ms) {
            return true;
        }
        let at_ms = self.way.clock().now_ms();
        let done_until_ms = self.channel.queue.lock().done_until_ms(at_ms);
        let taken = lease::take(&self.way.core, &self.channel.of, LEASE_MS, done_until_ms).await;
        let pause_ms = match taken {
            Ok(Standing::Held(last)) => {
                self.hold = Some(Hold {
                    until_ms: now_ms + LEASE_MS,
                    renew_ms: now_ms + RENEW_MS,
                });
                if let Some(last) = last.filter(|last| !last.was_me) {
                    self.follow(last);
                }
                return true;
            }
            Ok(Standing::Other(last)) => {
                self.hold = None;
                self.channel.queue.lock().drop_done(last.done_until_ms);
                LOOK_MS
            }
            Err(error) => {
                tracing::debug!(%error, "a lease could not be taken");
                let is_safe =
                    |hold: &Hold| now_ms + STORE_RETRY_MS + REQUEST_MS_MAX < hold.until_ms;
                self.hold = self.hold.filter(is_safe);
                if let Some(hold) = &mut self.hold {
                    hold.renew_ms = now_ms + STORE_RETRY_MS;
                    return true;
                }
                STORE_RETRY_MS
            }
        };
        if !self.channel.queue.lock().is_empty() {
            self.sleep_until(now_ms + pause_ms).await;
        }
        false
    }

    /// Takes over from another node.
    fn follow(&mut self, last: Last) {
        self.pace.take_over(self.now_ms());
        self.channel.queue.lock().drop_done(last.done_until_ms);
    }

    async fn send(&mut self) {
        let way = Arc::clone(&self.way);
        let Ok(_place) = way.places.acquire().await else {
            return;
        };
        let now_ms = self.now_ms();
        // A message must be over before the lease is.
        let is_safe = |hold: Hold| now_ms + REQUEST_MS_MAX <= hold.until_ms;
        if !self.hold.is_some_and(is_safe) {
            self.hold = None;
            return;
        }
        let Some(next) = self.channel.queue.lock().next() else {
            return;
        };
        let (client_id, channel) = &self.channel.whom;
        let channel = channel.as_deref();
        // A new one for each message: made with the secret that is the newest by now.
        let jwt = match tokens::platform_token(&way.core, client_id, channel, &next.target) {
            Ok(jwt) => jwt,
            Err(error) => {
                self.channel.queue.lock().give_up(&next);
                return way.figures.trouble(Outcome::Refused, error.to_string());
            }
        };
        let message = Message {
            client_id: client_id.as_str(),
            channel,
            target: &next.target,
            text: next.message(),
        };
        self.pace.take(now_ms);
        let answer = way.endpoint.send(message, &jwt).await;
        self.answered(&next, answer);
    }

    fn answered(&mut self, sent: &Next, answer: Answer) {
        let way = Arc::clone(&self.way);
        let now_ms = self.now_ms();
        match answer {
            Answer::Taken { left } => {
                self.channel.queue.lock().went(sent);
                if let Some(left) = left {
                    self.pace.leave(now_ms, left);
                }
                self.failures = 0;
                way.delivered();
            }
            Answer::TooMany { pause_ms } => {
                self.pace.leave(now_ms, 0);
                self.back_off();
                if let Some(pause_ms) = pause_ms {
                    self.not_before_ms = self.not_before_ms.max(now_ms + pause_ms);
                }
                way.figures.trouble(Outcome::Limited, "status 429".into());
            }
            Answer::Unauthorized => {
                self.back_off();
                let why = "status 401: is the newest secret known to the platform?";
                way.figures.trouble(Outcome::Unauthorized, why.into());
            }
            Answer::Failed(why) => {
                self.back_off();
                way.figures.trouble(Outcome::Failed, why);
            }
            Answer::Refused(status) => {
                self.channel.queue.lock().give_up(sent);
                self.failures = 0;
                let why = format!("status {status}");
                way.figures.trouble(Outcome::Refused, why);
            }
        }
    }

    /// A pause, a quarter shorter or longer by chance, so that channels do not come all at once.
    fn back_off(&mut self) {
        let doubled = BACKOFF_MS_MIN.saturating_mul(1 << self.failures.min(16));
        let pause_ms = doubled.min(BACKOFF_MS_MAX);
        let mut chance = [0];
        self.way.core.world().random.fill(&mut chance);
        let [chance] = chance;
        let pause_ms = pause_ms * 3 / 4 + pause_ms * u64::from(chance) / 512;
        self.failures += 1;
        self.not_before_ms = self.now_ms() + pause_ms;
    }
}
