//! Where calls wait for the explorer.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::world::{Call, Director, Fate, Node};

/// Calls whose place in time can change nothing that matters: they touch nothing that others read
/// in this world.
fn is_free(call: Call) -> bool {
    matches!(call, Call::Bus(_) | Call::Queue("consume" | "next"))
}

/// The tasks of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Task {
    Settling,
    Announcing,
}

/// Which task calls, and whether it begins anew when the call has succeeded.
fn task(call: Call) -> (Task, bool) {
    match call {
        Call::Gate("sync") => (Task::Announcing, false),
        Call::Ledger("clear_dues") => (Task::Announcing, true),
        call => (Task::Settling, call == Call::Queue("ack")),
    }
}

/// The stage, shared by the programs and the explorer.
#[derive(Clone, Default)]
pub(super) struct Stage(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    /// What waits, in an order that does not depend on who came first.
    waiting: BTreeMap<(String, Call), oneshot::Sender<Fate>>,
    /// What each task of a program was told since it last began anew: with the servers' state, that
    /// is where it stands.
    told: BTreeMap<(String, Task), u64>,
    /// From now on everything goes on at once.
    open: bool,
}

impl Stage {
    /// The calls that wait.
    pub(super) fn waiting(&self) -> Vec<(String, Call)> {
        self.calls().waiting.keys().cloned().collect()
    }

    /// Lets a call go on.
    pub(super) fn let_go(&self, who: &(String, Call), fate: Fate) {
        let waiting = self.calls().waiting.remove(who);
        if let Some(waiting) = waiting {
            if fate != Fate::Clean {
                // To its caller an error is an error, whether or not the deed was done.
                self.tell(&who.0, who.1, &"error");
            }
            let _ = waiting.send(fate);
        }
    }

    /// Lets everything go on from now on.
    pub(super) fn open(&self) {
        let mut calls = self.calls();
        calls.open = true;
        for (_, waiting) in std::mem::take(&mut calls.waiting) {
            let _ = waiting.send(Fate::Clean);
        }
    }

    /// Where all living programs stand.
    pub(super) fn hash_places(&self, living: &[String], hasher: &mut impl Hasher) {
        let calls = self.calls();
        for ((name, task), told) in &calls.told {
            if living.contains(name) {
                (name, task, told).hash(hasher);
            }
        }
        for (name, call) in calls.waiting.keys() {
            (name, call).hash(hasher);
        }
    }

    fn tell(&self, name: &str, call: Call, what: &dyn fmt::Debug) {
        let mut calls = self.calls();
        let told = calls.told.entry((name.to_owned(), task(call).0)).or_default();
        let mut hasher = DefaultHasher::new();
        (*told, call, format!("{what:?}")).hash(&mut hasher);
        *told = hasher.finish();
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Director for Stage {
    async fn meet(&self, node: &Node, call: Call) -> Fate {
        if is_free(call) {
            return Fate::Clean;
        }
        let decided = {
            let mut calls = self.calls();
            if calls.open {
                return Fate::Clean;
            }
            let (decide, decided) = oneshot::channel();
            calls.waiting.insert((node.name.clone(), call), decide);
            decided
        };
        decided.await.unwrap_or(Fate::Clean)
    }

    async fn done(&self, node: &Node, call: Call, reply: &(dyn fmt::Debug + Send + Sync)) {
        if is_free(call) {
            return;
        }
        let (task, ends) = task(call);
        if ends {
            self.calls().told.remove(&(node.name.clone(), task));
        } else {
            self.tell(&node.name, call, reply);
        }
    }
}
