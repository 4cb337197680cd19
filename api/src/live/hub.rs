//! Hubs: one for each thing that somebody watches, which tells all who watch it what is new.
//!
//! A hub follows one source, a stream that gives the newest state when it is asked for the next, and gives it
//! to every watcher as it is: what can be rendered once for all is rendered by the source. Nothing waits in
//! line. Who is slow gets the newest state when they come back for it, and has missed those in between.
//!
//! Watchers are told in groups, one group after the other at a common [`Pace`], so that a crowd of them is
//! told evenly over the time it takes, and whatever else the program does gets its turn in between.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::stream::{BoxStream, StreamExt};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::pace::Pace;

/// Nobody is told more often.
const PERIOD: Duration = Duration::from_millis(100);
/// Watchers who are told at once: a few milliseconds of work.
const GROUP_MAX: usize = 256;

/// What can name a thing that is watched.
pub trait Key: Clone + Eq + Hash + Send + Sync + 'static {}
impl<T: Clone + Eq + Hash + Send + Sync + 'static> Key for T {}

/// What can be told: something cheap to clone, such as an `Arc` or rendered bytes.
pub trait State: Clone + Send + Sync + 'static {}
impl<T: Clone + Send + Sync + 'static> State for T {}

/// Makes the source of a hub.
type Source<K, S> = Box<dyn Fn(&K) -> BoxStream<'static, S> + Send + Sync>;

/// The hubs of one kind. Each exists while somebody watches.
pub struct Hubs<K: Key, S: State>(Arc<Inner<K, S>>);

struct Inner<K: Key, S: State> {
    source: Source<K, S>,
    pace: Arc<Pace>,
    open: Mutex<HashMap<K, Weak<Hub<K, S>>>>,
}

struct Hub<K: Key, S: State> {
    key: K,
    of: Weak<Inner<K, S>>,
    groups: Mutex<Groups<S>>,
    task: OnceLock<AbortHandle>,
}

/// A state with its number in the hub's life.
type Told<S> = Option<(u64, S)>;

struct Groups<S> {
    newest: Told<S>,
    open: Vec<watch::Sender<Told<S>>>,
    /// The source has ended.
    over: bool,
}

impl<K: Key, S: State> Hubs<K, S> {
    /// Hubs that follow what `source` makes for them: a stream that, asked for the next state, gives the
    /// newest as soon as there is one that it has not given. It may be left in the middle of that.
    pub fn new(
        pace: Arc<Pace>,
        source: impl Fn(&K) -> BoxStream<'static, S> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner { source: Box::new(source), pace, open: Mutex::default() }))
    }

    /// Watches `key`. Must be called within a runtime: the first who does starts its hub.
    pub fn watch(&self, key: &K) -> Watching<K, S> {
        let mut open = lock(&self.0.open);
        let hub = open.get(key).and_then(Weak::upgrade).unwrap_or_else(|| {
            let hub = Hub::start(&self.0, key);
            open.insert(key.clone(), Arc::downgrade(&hub));
            hub
        });
        drop(open);
        Watching { states: hub.join(), _hub: hub }
    }

    /// How many hubs there are.
    pub fn len(&self) -> usize {
        lock(&self.0.open).len()
    }

    /// Whether nobody watches anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Something that is watched. The hub goes with the last who watches it.
pub struct Watching<K: Key, S: State> {
    states: watch::Receiver<Told<S>>,
    _hub: Arc<Hub<K, S>>,
}

impl<K: Key, S: State> Watching<K, S> {
    /// The newest state that was not given yet; the first time the one that holds now. `None` when there
    /// will be no more.
    pub async fn next(&mut self) -> Option<S> {
        loop {
            self.states.changed().await.ok()?;
            if let Some((_, state)) = &*self.states.borrow_and_update() {
                return Some(state.clone());
            }
        }
    }
}

impl<K: Key, S: State> Hub<K, S> {
    fn start(hubs: &Arc<Inner<K, S>>, key: &K) -> Arc<Self> {
        let hub = Arc::new(Self {
            key: key.clone(),
            of: Arc::downgrade(hubs),
            groups: Mutex::new(Groups { newest: None, open: vec![], over: false }),
            task: OnceLock::new(),
        });
        let states = (hubs.source)(key);
        let telling = tell(Arc::downgrade(&hub), states, Arc::clone(&hubs.pace));
        let _ = hub.task.set(tokio::spawn(telling).abort_handle());
        hub
    }

    /// A place in a group that has one.
    fn join(&self) -> watch::Receiver<Told<S>> {
        let mut groups = lock(&self.groups);
        let room = groups.open.iter().find(|group| group.receiver_count() < GROUP_MAX);
        let mut states = if let Some(group) = room {
            group.subscribe()
        } else {
            let (group, states) = watch::channel(groups.newest.clone());
            if !groups.over {
                groups.open.push(group);
            }
            states
        };
        drop(groups);
        states.mark_changed();
        states
    }

    /// Notes what is newest; the groups that have to be told.
    fn note(&self, newest: Told<S>) -> Vec<watch::Sender<Told<S>>> {
        let mut groups = lock(&self.groups);
        groups.newest = newest;
        groups.open.retain(|group| group.receiver_count() > 0);
        groups.open.clone()
    }

    /// Nothing more will come: all who watch see the end.
    fn end(&self) {
        let mut groups = lock(&self.groups);
        groups.over = true;
        groups.open.clear();
    }
}

impl<K: Key, S: State> Drop for Hub<K, S> {
    fn drop(&mut self) {
        self.task.get().into_iter().for_each(AbortHandle::abort);
        let Some(hubs) = self.of.upgrade() else { return };
        let mut open = lock(&hubs.open);
        // Another one may have taken its place.
        if open.get(&self.key).is_some_and(|hub| hub.strong_count() == 0) {
            open.remove(&self.key);
        }
    }
}

/// Tells the watchers of a hub what is new, for as long as there are any.
async fn tell<K: Key, S: State>(
    hub: Weak<Hub<K, S>>,
    states: BoxStream<'static, S>,
    pace: Arc<Pace>,
) {
    let mut states = states.fuse();
    let note = |newest: &(u64, S)| Some(hub.upgrade()?.note(Some(newest.clone())));
    let mut newest = match states.next().await {
        Some(first) => (1, first),
        None => return hub.upgrade().into_iter().for_each(|hub| hub.end()),
    };
    loop {
        // A round: each group is told the newest there is when its turn comes.
        let Some(groups) = note(&newest) else { return };
        let (began_with, mut asked_at) = (newest.0, Instant::now());
        for group in groups {
            if asked_at.elapsed() >= PERIOD {
                asked_at = Instant::now();
                if let Some(Some(newer)) = states.next().now_or_never() {
                    newest = (newest.0 + 1, newer);
                    note(&newest);
                }
            }
            pace.take(group.receiver_count()).await;
            group.send_if_modified(|told| {
                let new = told.as_ref().is_none_or(|(number, _)| *number < newest.0);
                if new {
                    *told = Some(newest.clone());
                }
                new
            });
            pace.rest().await;
        }
        tokio::time::sleep(PERIOD).await;
        // Those who had their turn before something newer came are told in the next round.
        let behind = newest.0 > began_with;
        let newer =
            if behind { states.next().now_or_never().flatten() } else { states.next().await };
        match newer {
            Some(state) => newest = (newest.0 + 1, state),
            None if behind => {}
            None => return hub.upgrade().into_iter().for_each(|hub| hub.end()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use shared::config::{Config, DEFAULT_TOML};
    use tokio::sync::mpsc;

    use super::*;

    fn pace(frames_per_second: u32) -> Arc<Pace> {
        let mut config: Config = toml::from_str(DEFAULT_TOML).unwrap();
        config.live.frames_per_second = frames_per_second.try_into().unwrap();
        Arc::new(Pace::new(&config.live))
    }

    /// Hubs of which each shows what is in one cell.
    fn hubs(frames_per_second: u32) -> (watch::Sender<u32>, Hubs<u8, u32>) {
        let cell = watch::channel(0).0;
        let source = cell.subscribe();
        let hubs = Hubs::new(pace(frames_per_second), move |_| {
            let states = stream::unfold(source.clone(), async |mut cell| {
                cell.changed().await.ok()?;
                let state = *cell.borrow_and_update();
                Some((state, cell))
            });
            states.boxed()
        });
        (cell, hubs)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_late_is_told_what_holds_now() {
        let (cell, hubs) = hubs(1_000);
        let mut early = hubs.watch(&1);
        tokio::task::yield_now().await;
        cell.send_replace(7);
        assert_eq!(early.next().await, Some(7));
        assert_eq!(hubs.watch(&1).next().await, Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_told_more_often_than_each_period_and_all_are_told_the_last() {
        let (cell, hubs) = hubs(1_000);
        let mut watching = hubs.watch(&1);
        tokio::task::yield_now().await;
        let writer = tokio::spawn(async move {
            for state in 1..=1_000 {
                cell.send_replace(state);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            cell
        });
        let (began, mut told) = (Instant::now(), 0);
        while watching.next().await.unwrap() < 1_000 {
            told += 1;
        }
        let periods = began.elapsed().as_millis() / PERIOD.as_millis();
        assert!((9..=periods + 1).contains(&told), "{told} in {periods} periods");
        drop(writer.await.unwrap());
        // The source is gone, and so is the hub's last word.
        assert_eq!(watching.next().await, None);
        assert_eq!(hubs.watch(&1).next().await, Some(1_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_told_at_the_common_pace_and_all_within_one_turn() {
        const CROWD: usize = 3_000;
        let (cell, hubs) = hubs(10_000);
        let (heard, mut all) = mpsc::unbounded_channel();
        for _ in 0..CROWD {
            let (mut watching, heard) = (hubs.watch(&1), heard.clone());
            tokio::spawn(async move {
                while let Some(state) = watching.next().await {
                    heard.send((state, Instant::now())).unwrap();
                }
            });
        }
        tokio::task::yield_now().await;
        let began = Instant::now();
        cell.send_replace(1);
        let mut last = began;
        for _ in 0..CROWD {
            last = all.recv().await.unwrap().1;
        }
        // All but the first groups have waited for their turn.
        let took = last - began;
        assert!((200..=350).contains(&took.as_millis()), "{took:?}");
        // In the middle of a round something newer comes: the later groups are told it at once.
        cell.send_replace(2);
        tokio::time::sleep(Duration::from_millis(150)).await;
        cell.send_replace(3);
        let mut threes = 0;
        while threes < CROWD {
            threes += usize::from(all.recv().await.unwrap().0 == 3);
        }
        assert!(all.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_hub_that_nobody_watches_is_gone() {
        let (cell, hubs) = hubs(1_000);
        let (one, two, other) = (hubs.watch(&1), hubs.watch(&1), hubs.watch(&2));
        assert_eq!(hubs.len(), 2);
        drop((one, other));
        assert_eq!(hubs.len(), 1);
        drop(two);
        tokio::task::yield_now().await;
        assert!(hubs.is_empty());
        assert_eq!(cell.receiver_count(), 1, "a source is left");
    }
}
