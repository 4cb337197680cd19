//! Who waits for news of what.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Those who wait, by what they wait for. To wake nobody costs next to nothing.
#[derive(Debug)]
pub(super) struct Watchers<K>(Mutex<HashMap<K, Watcher>>);

#[derive(Debug)]
struct Watcher {
    changed: Arc<Notify>,
    count: usize,
}

impl<K> Default for Watchers<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> Watchers<K> {
    /// Watches `key` from this moment on.
    pub(super) fn watch(self: &Arc<Self>, key: K) -> Watch<K> {
        let mut all = self.lock();
        let watcher =
            all.entry(key).or_insert_with(|| Watcher { changed: Arc::default(), count: 0 });
        watcher.count += 1;
        let changed = Arc::clone(&watcher.changed);
        drop(all);
        Watch { watchers: Arc::clone(self), key, changed }
    }

    /// Wakes those who wait for any of `changed`. Call it when the news can be read.
    pub(super) fn wake(&self, changed: impl IntoIterator<Item = K>) {
        let all = self.lock();
        if all.is_empty() {
            return;
        }
        for watcher in changed.into_iter().filter_map(|key| all.get(&key)) {
            watcher.changed.notify_waiters();
        }
    }

    fn leave(&self, key: K) {
        let mut all = self.lock();
        if let Some(watcher) = all.get_mut(&key) {
            watcher.count -= 1;
            if watcher.count == 0 {
                all.remove(&key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Watcher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is watched; dropping it ends the watch.
#[derive(Debug)]
pub struct Watch<K: Copy + Eq + Hash> {
    watchers: Arc<Watchers<K>>,
    key: K,
    changed: Arc<Notify>,
}

impl<K: Copy + Eq + Hash> Watch<K> {
    /// What is watched.
    pub fn key(&self) -> K {
        self.key
    }

    /// Resolves at the next change. Make the future before looking, so that no change between
    /// looking and waiting is missed.
    pub fn changed(&self) -> OwnedNotified {
        Arc::clone(&self.changed).notified_owned()
    }
}

impl<K: Copy + Eq + Hash> Drop for Watch<K> {
    fn drop(&mut self) {
        self.watchers.leave(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_is_woken_by_its_own_news_and_leaves_nothing_behind() {
        let watchers = Arc::new(Watchers::default());
        let (one, two) = (watchers.watch(1), watchers.watch(2));
        let (first, second) = (one.changed(), two.changed());
        watchers.wake([1, 3]);
        first.await;
        assert!(futures::FutureExt::now_or_never(second).is_none());
        drop((one, two));
        assert!(watchers.lock().is_empty());
    }
}
