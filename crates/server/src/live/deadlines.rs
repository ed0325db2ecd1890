//! What time does to a session (spec 2.1, spec 5).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::delivery::Way;
use super::frame::Frame;
use super::session::{CloseReason, Session};
use super::wheel::UNARMED;

impl Session {
    /// Does everything that is due, and arms for what is due next. `tick` is when the wheel was to
    /// look; an entry that a sooner one has replaced is ignored.
    pub(super) fn on_tick(self: &Arc<Self>, tick: u64, now_ms: u64) {
        if self.armed_tick.load(Ordering::Acquire) != tick {
            return;
        }
        self.armed_tick.store(UNARMED, Ordering::Release);
        let next_ms = [
            self.check_alarm(now_ms),
            self.check_silence(now_ms),
            self.check_slow(now_ms),
            self.check_closing(now_ms),
            self.check_ping(now_ms),
        ];
        if let Some(next_ms) = next_ms.into_iter().min()
            && !self.is_killed()
        {
            self.arm(next_ms);
        }
    }

    fn check_alarm(&self, now_ms: u64) -> u64 {
        let due_ms = self.alarm_ms.load(Ordering::Acquire);
        if now_ms < due_ms {
            return due_ms;
        }
        // A later alarm that is set right now stays.
        let taken =
            self.alarm_ms
                .compare_exchange(due_ms, u64::MAX, Ordering::AcqRel, Ordering::Acquire);
        match taken {
            Ok(_) => {
                self.alarmed.store(true, Ordering::Release);
                self.waker.wake();
                u64::MAX
            }
            Err(later_ms) => later_ms,
        }
    }

    fn check_silence(&self, now_ms: u64) -> u64 {
        // While the handler works nothing is read: that is not the peer's silence.
        if self.out.lock().busy {
            self.heard_ms.store(now_ms, Ordering::Release);
        }
        let heard_ms = self.heard_ms.load(Ordering::Acquire);
        let due_ms = heard_ms.saturating_add(self.live.limits().silence_ms_max);
        if now_ms >= due_ms {
            self.kill(CloseReason::Silent);
        }
        due_ms
    }

    fn check_slow(self: &Arc<Self>, now_ms: u64) -> u64 {
        let out = self.out.lock();
        let since_ms = out.waits_since_ms().min(self.io.owes_since_ms());
        let open = out.is_open();
        drop(out);
        let due_ms = since_ms.saturating_add(self.live.limits().behind_ms_max);
        if open && now_ms >= due_ms {
            self.give_up_slow();
            return u64::MAX;
        }
        if open { due_ms } else { u64::MAX }
    }

    fn check_closing(&self, now_ms: u64) -> u64 {
        let out = self.out.lock();
        let due_ms = out.close_by_ms;
        drop(out);
        if now_ms >= due_ms {
            self.kill(CloseReason::Lost);
        }
        due_ms
    }

    fn check_ping(self: &Arc<Self>, now_ms: u64) -> u64 {
        let mut out = self.out.lock();
        if !out.is_open() {
            return u64::MAX;
        }
        if now_ms < out.next_ping_ms {
            return out.next_ping_ms;
        }
        let next_ms = now_ms.saturating_add(self.live.limits().ping_interval_ms);
        out.next_ping_ms = next_ms;
        drop(out);
        self.offer(&Frame::ping(), None, Way::Direct, now_ms);
        next_ms
    }
}
