//! Turns: whoever changes one thing on this node waits for whoever does so already before a connection to the database
//! is taken, not with one in hand.
//!
//! An IdP that pushes a large group sends many changes of it at once, and each holds the group's row until it commits; so
//! it is with a user whom a client changes over and over without waiting for answers.
//! Waiting inside the database, they would take up all connections of the pool, and everybody else, of every other
//! organization, would find none (rule 18). What is right is still decided by the row's lock, on all nodes together;
//! this only says where to queue.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, Weak};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Keys beyond which those that nobody waits for any more are looked for.
const FORGET_FROM: usize = 64;

/// A queue for each key; first come, first served.
pub struct Turns<K>(std::sync::Mutex<Queues<K>>);

struct Queues<K> {
    by_key: HashMap<K, Weak<Mutex<()>>>,
    /// How many there may be before the next look, so that looking costs nothing on average.
    forget_at: usize,
}

/// Somebody's turn; ends with this handle. Take it before a transaction begins, never within one.
#[must_use = "the turn ends at once"]
pub struct Turn {
    _held: OwnedMutexGuard<()>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(std::sync::Mutex::new(Queues { by_key: HashMap::new(), forget_at: FORGET_FROM }))
    }
}

impl<K> std::fmt::Debug for Turns<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Turns")
    }
}

impl<K: Hash + Eq> Turns<K> {
    /// Waits for the turn of this key. Whoever gives up waiting leaves the queue.
    pub async fn take(&self, key: K) -> Turn {
        Turn { _held: self.queue(key).lock_owned().await }
    }

    fn queue(&self, key: K) -> Arc<Mutex<()>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.by_key.get(&key).and_then(Weak::upgrade) {
            return queue;
        }
        if queues.by_key.len() >= queues.forget_at {
            queues.by_key.retain(|_, queue| queue.strong_count() > 0);
            queues.forget_at = FORGET_FROM.max(2 * queues.by_key.len());
        }
        let queue = Arc::new(Mutex::new(()));
        queues.by_key.insert(key, Arc::downgrade(&queue));
        queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn one_key_has_one_turn_at_a_time_and_others_do_not_wait() {
        let turns = Turns::default();
        let first = turns.take(1).await;
        let mut second = Box::pin(turns.take(1));
        assert!(second.as_mut().now_or_never().is_none(), "somebody has the turn");
        assert!(turns.take(2).now_or_never().is_some());
        drop(first);
        assert!(second.now_or_never().is_some());
    }

    #[tokio::test]
    async fn whom_nobody_waits_for_is_forgotten() {
        let turns = Turns::default();
        let held = turns.take(0).await;
        for key in 1..10_000 {
            drop(turns.take(key).await);
        }
        assert!(turns.0.lock().unwrap().by_key.len() <= 2 * FORGET_FROM);
        assert!(turns.take(0).now_or_never().is_none(), "who is waited for is not");
        drop(held);
    }
}
