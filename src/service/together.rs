//! Work that is cheaper together: what comes while earlier work of the same key is being done waits, and is then done
//! at once. Whoever comes alone waits for nobody.
//!
//! The work runs in a task of its own, so that a request that is given up takes nobody else's work with it.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How many of those that wait are to be done at once now, when so many wait and so many workers are at work already.
/// With nobody at work it is at least one; with somebody it may be none: they wait for the worker that comes back first.
pub type Share = fn(waiting: usize, at_work: usize) -> usize;

type Batch<J, R> = Vec<(J, oneshot::Sender<R>)>;

/// The queue of a key.
struct Queue<J, R> {
    waiting: Batch<J, R>,
    at_work: usize,
}

impl<J, R> Queue<J, R> {
    /// What is to be done now, if anything.
    fn take(&mut self, share: Share) -> Option<Batch<J, R>> {
        let least = usize::from(self.at_work == 0);
        let number = share(self.waiting.len(), self.at_work).max(least).min(self.waiting.len());
        (number > 0).then(|| self.waiting.drain(..number).collect())
    }
}

type Queues<K, J, R> = Mutex<HashMap<K, Queue<J, R>>>;

/// A queue for each key with work under way; a key that is not in the map has none.
pub struct Together<K, J, R>(Arc<Queues<K, J, R>>);

impl<K, J, R> Default for Together<K, J, R> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, J, R> std::fmt::Debug for Together<K, J, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Together")
    }
}

impl<K, J, R> Together<K, J, R>
where
    K: Hash + Eq + Clone + Send + 'static,
    J: Send + 'static,
    R: Send + 'static,
{
    /// Does the job, together with others of the key that wait: `share` says how many go together, `work` does them and
    /// gives a result for each, in their order. `None` if the work broke off.
    pub async fn take_part<F, W>(&self, key: K, job: J, share: Share, work: W) -> Option<R>
    where
        W: Fn(Vec<J>) -> F + Send + 'static,
        F: Future<Output = Vec<R>> + Send,
    {
        let (answer, answered) = oneshot::channel();
        if let Some(batch) = self.enter(&key, (job, answer), share) {
            let mut worker = Worker { queues: Arc::clone(&self.0), key, is_done: false };
            tokio::spawn(async move {
                let mut batch = Some(batch);
                while let Some(jobs) = batch {
                    let (jobs, answers): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
                    for (answer, result) in answers.into_iter().zip(work(jobs).await) {
                        // Whoever has gone does not want to know.
                        let _ = answer.send(result);
                    }
                    batch = worker.next(share);
                }
            });
        }
        answered.await.ok()
    }

    /// Queues a job; gives what a new worker is to begin with, if there is to be one.
    fn enter(&self, key: &K, job: (J, oneshot::Sender<R>), share: Share) -> Option<Batch<J, R>> {
        let mut queues = lock(&self.0);
        let queue = queues.entry(key.clone()).or_insert_with(|| Queue { waiting: Vec::new(), at_work: 0 });
        queue.waiting.push(job);
        let batch = queue.take(share)?;
        queue.at_work += 1;
        Some(batch)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whoever works for a key. When the last one goes, for whatever reason, nobody waits for it any more.
struct Worker<K: Hash + Eq, J, R> {
    queues: Arc<Queues<K, J, R>>,
    key: K,
    /// Whether it has left the queue because nothing was left to do.
    is_done: bool,
}

impl<K: Hash + Eq, J, R> Worker<K, J, R> {
    /// What is to be done next; with `None` the worker has left.
    fn next(&mut self, share: Share) -> Option<Batch<J, R>> {
        let mut queues = lock(&self.queues);
        let queue = queues.get_mut(&self.key)?;
        queue.at_work -= 1;
        if let Some(batch) = queue.take(share) {
            queue.at_work += 1;
            return Some(batch);
        }
        if queue.at_work == 0 {
            queues.remove(&self.key);
        }
        self.is_done = true;
        None
    }
}

impl<K: Hash + Eq, J, R> Drop for Worker<K, J, R> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut queues = lock(&self.queues);
        if let Some(queue) = queues.get_mut(&self.key) {
            queue.at_work -= 1;
            if queue.at_work == 0 {
                queues.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn what_comes_meanwhile_is_done_at_once_and_each_gets_its_own_result() {
        let together: Together<u8, u32, (u32, usize)> = Together::default();
        let gate = Arc::new(Semaphore::new(0));
        let part = |key, job| {
            let gate = Arc::clone(&gate);
            together.take_part(
                key,
                job,
                |waiting, at_work| if at_work < 2 { waiting.min(3) } else { 0 },
                move |jobs| {
                    let gate = Arc::clone(&gate);
                    async move {
                        gate.acquire().await.expect("open").forget();
                        let number = jobs.len();
                        jobs.into_iter().map(|job| (job * 10, number)).collect()
                    }
                },
            )
        };
        let open = async {
            tokio::task::yield_now().await;
            gate.add_permits(100);
        };
        let (results, ()) = tokio::join!(join_all((0..6).map(|job| part(1, job))), open);
        let results: Vec<_> = results.into_iter().map(Option::unwrap).collect();
        let jobs: Vec<_> = results.iter().map(|(job, _)| *job).collect();
        assert_eq!(jobs, [0, 10, 20, 30, 40, 50]);
        assert!(results.iter().all(|(_, number)| *number <= 3));
        assert!(results.iter().any(|(_, number)| *number > 1), "{results:?}");
        assert!(lock(&together.0).is_empty(), "nobody is left");
    }

    #[tokio::test]
    async fn who_gives_up_takes_nobody_along_and_work_that_breaks_off_stops_nobody_for_good() {
        let together: Together<u8, u32, u32> = Together::default();
        let everybody: Share = |waiting, at_work| if at_work == 0 { waiting } else { 0 };
        let work = |jobs: Vec<u32>| async move {
            tokio::task::yield_now().await;
            assert!(!jobs.contains(&13), "breaks off");
            jobs
        };
        let given_up = together.take_part(1, 1, everybody, work);
        let stays = together.take_part(1, 2, everybody, work);
        {
            let mut given_up = std::pin::pin!(given_up);
            let once = std::future::poll_fn(|cx| {
                let _ = given_up.as_mut().poll(cx);
                std::task::Poll::Ready(())
            });
            once.await;
        }
        assert_eq!(stays.await, Some(2));
        assert_eq!(together.take_part(1, 13, everybody, work).await, None);
        assert_eq!(together.take_part(1, 3, everybody, work).await, Some(3));
    }
}
