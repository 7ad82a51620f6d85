//! Work that is cheaper together: what comes while earlier work of the same key is being done waits, and is then done
//! at once. Whoever comes alone waits for nobody.
//!
//! The work runs in a task of its own, so that a request that is given up takes nobody else's work with it.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

type Waiting<J, R> = Vec<(J, oneshot::Sender<R>)>;

/// A queue for each key with work under way; a key that is not in the map has none.
pub struct Together<K, J, R>(Arc<Mutex<HashMap<K, Waiting<J, R>>>>);

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
    /// Does the job, together with others of the key that wait: `share` says how many of so many go together, `work`
    /// does them and gives a result for each, in their order. `None` if the work broke off.
    pub async fn take_part<F, W>(&self, key: K, job: J, share: fn(usize) -> usize, work: W) -> Option<R>
    where
        W: Fn(Vec<J>) -> F + Send + 'static,
        F: Future<Output = Vec<R>> + Send,
    {
        let (answer, answered) = oneshot::channel();
        let is_first = match lock(&self.0).entry(key.clone()) {
            std::collections::hash_map::Entry::Occupied(mut queue) => {
                queue.get_mut().push((job, answer));
                false
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(vec![(job, answer)]);
                true
            }
        };
        if is_first {
            let mut worker = Worker { queues: Arc::clone(&self.0), key, is_done: false };
            tokio::spawn(async move {
                while let Some(batch) = worker.next(share) {
                    let (jobs, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
                    for (answer, result) in answers.into_iter().zip(work(jobs).await) {
                        // Whoever has gone does not want to know.
                        let _ = answer.send(result);
                    }
                }
            });
        }
        answered.await.ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whoever works for a key. When it goes, for whatever reason, nobody waits for it any more.
struct Worker<K: Hash + Eq, J, R> {
    queues: Arc<Mutex<HashMap<K, Waiting<J, R>>>>,
    key: K,
    /// Whether it went because nothing was left to do.
    is_done: bool,
}

impl<K: Hash + Eq, J, R> Worker<K, J, R> {
    /// What is to be done next; `None` if nothing is, and then the key has no queue any more.
    fn next(&mut self, share: fn(usize) -> usize) -> Option<Waiting<J, R>> {
        let mut queues = lock(&self.queues);
        let waiting = queues.get_mut(&self.key)?;
        if waiting.is_empty() {
            queues.remove(&self.key);
            self.is_done = true;
            return None;
        }
        let number = share(waiting.len()).clamp(1, waiting.len());
        Some(waiting.drain(..number).collect())
    }
}

impl<K: Hash + Eq, J, R> Drop for Worker<K, J, R> {
    fn drop(&mut self) {
        if !self.is_done {
            lock(&self.queues).remove(&self.key);
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
                |waiting| waiting.min(3),
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
        let work = |jobs: Vec<u32>| async move {
            tokio::task::yield_now().await;
            assert!(!jobs.contains(&13), "breaks off");
            jobs
        };
        let given_up = together.take_part(1, 1, |waiting| waiting, work);
        let stays = together.take_part(1, 2, |waiting| waiting, work);
        {
            let mut given_up = std::pin::pin!(given_up);
            let once = std::future::poll_fn(|cx| {
                let _ = given_up.as_mut().poll(cx);
                std::task::Poll::Ready(())
            });
            once.await;
        }
        assert_eq!(stays.await, Some(2));
        assert_eq!(together.take_part(1, 13, |waiting| waiting, work).await, None);
        assert_eq!(together.take_part(1, 3, |waiting| waiting, work).await, Some(3));
    }
}
