//! The time that a request's head may take, without a timer of the runtime for each request.
//!
//! hyper asks for a timer when it waits for a head and drops it when the head is there, which on a
//! busy connection enters and leaves the runtime's wheel with every request. Here a connection
//! keeps one timer. It stays where it was first set, and goes on to the deadline that counts by
//! then when it goes off: once in that time instead of once a request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;
use parking_lot::Mutex;

/// Of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct HeadTimer {
    kept: Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>,
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(HeadSleep {
            timer: self.clone(),
            deadline: deadline.into(),
        })
    }

    fn now(&self) -> Instant {
        TokioTimer::new().now()
    }
}

struct HeadSleep {
    timer: HeadTimer,
    deadline: tokio::time::Instant,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let mut kept = self.timer.kept.lock();
        let kept = kept.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if kept.deadline() > deadline {
            kept.as_mut().reset(deadline);
        }
        loop {
            ready!(kept.as_mut().poll(context));
            if kept.deadline() >= deadline {
                return Poll::Ready(());
            }
            kept.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kept_timer_goes_off_at_the_deadline_that_counts() {
        let timer = HeadTimer::default();
        let start = timer.now();
        let ms = Duration::from_millis;
        // A head that is there in time leaves the timer behind, set to 20 ms.
        let mut first = timer.sleep_until(start + ms(20));
        assert!(futures::poll!(&mut first).is_pending());
        drop(first);
        timer.sleep_until(start + ms(60)).await;
        assert!(timer.now() >= start + ms(60));
        // One that is far away does not hold up a nearer one.
        let mut far = timer.sleep(Duration::from_hours(1));
        assert!(futures::poll!(&mut far).is_pending());
        timer.sleep(ms(1)).await;
    }
}
