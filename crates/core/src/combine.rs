//! Operations that wait for one key are applied together by one of those who brought them
//! (DESIGN 3): ten thousand callers at one key cost a few commits.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::Error;

/// Operations of one key that are applied as one batch.
const BATCH_OPERATIONS_MAX: usize = 256;
/// Operations of one key that may wait.
const WAITING_OPERATIONS_MAX: usize = 4_096;
/// Those of them that are kept for [`Combiner::submit_reserved`].
const RESERVED_OPERATIONS_MAX: usize = 64;
/// When an operation that found too many waiting may come again.
const RETRY_AFTER_MS: u64 = 1_000;

#[derive(Debug)]
struct Waiting<O, A> {
    operation: O,
    answer: oneshot::Sender<Result<A, Error>>,
}

/// What applies batches of operations on one key.
pub(crate) trait Apply<O, A>: Send + 'static {
    /// Applies operations in their order; answers the first of them, at least one, in the same
    /// order. The others are brought again once those have their answers.
    fn apply(&mut self, batch: &[O]) -> impl Future<Output = Vec<Result<A, Error>>> + Send;
}

/// Operations by the key that they wait for.
#[derive(Debug)]
pub(crate) struct Combiner<O, A> {
    /// A key is here while somebody works on it.
    waiting: Mutex<HashMap<String, Vec<Waiting<O, A>>>>,
}

impl<O, A> Combiner<O, A>
where
    O: Send + Sync + 'static,
    A: Send + 'static,
{
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
        })
    }

    /// Applies an operation together with others that wait for the same key. `apply` makes what
    /// applies them, where nobody works on the key yet.
    pub(crate) async fn submit<P: Apply<O, A>>(
        self: &Arc<Self>,
        key: String,
        operation: O,
        apply: impl FnOnce() -> P,
    ) -> Result<A, Error> {
        let waiting_max = WAITING_OPERATIONS_MAX - RESERVED_OPERATIONS_MAX;
        self.submit_within(waiting_max, key, operation, apply).await
    }

    /// The same for what must find room when others, however many, take all that is theirs.
    pub(crate) async fn submit_reserved<P: Apply<O, A>>(
        self: &Arc<Self>,
        key: String,
        operation: O,
        apply: impl FnOnce() -> P,
    ) -> Result<A, Error> {
        self.submit_within(WAITING_OPERATIONS_MAX, key, operation, apply)
            .await
    }

    async fn submit_within<P: Apply<O, A>>(
        self: &Arc<Self>,
        waiting_max: usize,
        key: String,
        operation: O,
        apply: impl FnOnce() -> P,
    ) -> Result<A, Error> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { operation, answer };
        if self.wait(&key, waiting, waiting_max)? {
            // In a task of its own: the caller may go away, those who wait behind it may not.
            let (combiner, apply) = (Arc::clone(self), apply());
            tokio::spawn(async move { combiner.work(&key, apply).await });
        }
        let gone = |_| Err(Error::Internal("who applied a batch is gone".to_owned()));
        answered.await.unwrap_or_else(gone)
    }

    /// Queues an operation; whether it is the first, and its caller is to begin work.
    fn wait(&self, key: &str, waiting: Waiting<O, A>, waiting_max: usize) -> Result<bool, Error> {
        let mut queues = self.waiting.lock();
        match queues.get_mut(key) {
            Some(queue) if queue.len() >= waiting_max => Err(Error::RateLimited {
                retry_after_ms: RETRY_AFTER_MS,
            }),
            Some(queue) => {
                queue.push(waiting);
                Ok(false)
            }
            None => {
                queues.insert(key.to_owned(), vec![waiting]);
                Ok(true)
            }
        }
    }

    /// Applies batches until nobody waits any more.
    async fn work<P: Apply<O, A>>(&self, key: &str, mut apply: P) {
        let _turn = Turn {
            combiner: self,
            key,
        };
        loop {
            // Those who just had their answers, and whoever else is ready, come before the next
            // batch: else it is of the few that came while the last one was applied.
            tokio::task::yield_now().await;
            let Some(batch) = self.next_batch(key) else {
                return;
            };
            let (operations, answers): (Vec<O>, Vec<_>) = batch
                .into_iter()
                .map(|waiting| (waiting.operation, waiting.answer))
                .unzip();
            let (mut applied, mut answers) = (0, answers.into_iter());
            while let Some(rest) = operations.get(applied..).filter(|rest| !rest.is_empty()) {
                if applied > 0 {
                    // Who has an answer may take it before those behind him get theirs.
                    tokio::task::yield_now().await;
                }
                let outcomes = apply.apply(rest).await;
                if outcomes.is_empty() {
                    break;
                }
                applied += outcomes.len();
                for (outcome, answer) in outcomes.into_iter().zip(answers.by_ref()) {
                    // Whoever has gone away does not hear of it.
                    let _ = answer.send(outcome);
                }
            }
        }
    }

    /// The next batch; `None`, and the key is free again, when nobody waits.
    fn next_batch(&self, key: &str) -> Option<Vec<Waiting<O, A>>> {
        let mut queues = self.waiting.lock();
        let queue = queues.get_mut(key)?;
        if queue.is_empty() {
            queues.remove(key);
            return None;
        }
        let rest = queue.split_off(queue.len().min(BATCH_OPERATIONS_MAX));
        Some(std::mem::replace(queue, rest))
    }
}

/// The turn at a key. Should work on it end early, who waits is told and the key is free again.
struct Turn<'a, O, A> {
    combiner: &'a Combiner<O, A>,
    key: &'a str,
}

impl<O, A> Drop for Turn<'_, O, A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.combiner.waiting.lock().remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether nobody works on any key any more, soon.
    async fn is_idle<O, A>(combiner: &Combiner<O, A>) -> bool {
        for _ in 0..10 {
            tokio::task::yield_now().await;
            if combiner.waiting.lock().is_empty() {
                return true;
            }
        }
        false
    }

    /// Adds up; panics at a zero.
    struct Sum;

    impl Apply<u32, u32> for Sum {
        async fn apply(&mut self, batch: &[u32]) -> Vec<Result<u32, Error>> {
            tokio::task::yield_now().await;
            assert!(!batch.contains(&0), "a zero");
            let sum = batch.iter().sum();
            batch.iter().map(|_| Ok(sum)).collect()
        }
    }

    #[tokio::test]
    async fn what_waits_for_one_key_is_applied_together_and_in_order() {
        let combiner = Combiner::new();
        let submit = |operation| combiner.submit("k".to_owned(), operation, || Sum);
        let answers = tokio::join!(submit(1), submit(2), submit(3));
        // The first found nobody at work and began; the others came while it was.
        assert_eq!(answers, (Ok(6), Ok(6), Ok(6)));
        assert!(is_idle(&combiner).await);
    }

    /// Applies one at a time; answers how many came together.
    struct One;

    impl Apply<u32, usize> for One {
        async fn apply(&mut self, batch: &[u32]) -> Vec<Result<usize, Error>> {
            tokio::task::yield_now().await;
            vec![Ok(batch.len())]
        }
    }

    #[tokio::test]
    async fn what_was_not_applied_with_the_others_is_brought_again_once_they_have_their_answers() {
        let combiner = Combiner::new();
        let order = Mutex::new(Vec::new());
        let submit = async |operation| {
            let left = combiner.submit("k".to_owned(), operation, || One).await;
            order.lock().push(operation);
            left
        };
        let answers = tokio::join!(submit(1), submit(2), submit(3));
        assert_eq!(answers, (Ok(3), Ok(2), Ok(1)));
        assert_eq!(order.into_inner(), [1, 2, 3]);
        assert!(is_idle(&combiner).await);
    }

    #[tokio::test]
    async fn a_key_is_free_again_after_a_panic() {
        let combiner = Combiner::new();
        let failed = combiner.submit("k".to_owned(), 0, || Sum).await;
        assert!(matches!(failed, Err(Error::Internal(_))));
        assert_eq!(combiner.submit("k".to_owned(), 7, || Sum).await, Ok(7));
    }

    #[tokio::test]
    async fn more_than_may_wait_are_told_to_come_again() {
        let combiner: Arc<Combiner<u32, u32>> = Combiner::new();
        let unreserved = WAITING_OPERATIONS_MAX - RESERVED_OPERATIONS_MAX;
        let wait = |operation: usize| {
            let (answer, _) = oneshot::channel();
            let operation = u32::try_from(operation).unwrap();
            let waiting = Waiting { operation, answer };
            combiner.wait("k", waiting, WAITING_OPERATIONS_MAX).unwrap();
        };
        (0..unreserved).for_each(wait);
        let refused = combiner.submit("k".to_owned(), 1, || Sum).await;
        assert!(matches!(refused, Err(Error::RateLimited { .. })));
        (unreserved..WAITING_OPERATIONS_MAX).for_each(wait);
        let refused = combiner.submit_reserved("k".to_owned(), 1, || Sum);
        assert!(matches!(refused.await, Err(Error::RateLimited { .. })));
    }
}
