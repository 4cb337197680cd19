//! A tap: where the world comes between a program and a server.

use std::fmt;
use std::sync::Arc;

use super::{Call, Fate, Node, World};

/// The taps of one program.
#[derive(Clone)]
pub(crate) struct Tap {
    pub(super) world: Arc<World>,
    pub(super) node: Arc<Node>,
}

impl Tap {
    pub(super) fn new(world: Arc<World>, node: Arc<Node>) -> Self {
        Self { world, node }
    }

    /// Lets the world say what a call meets. `error` makes the error that the caller is told.
    pub(super) async fn call<T, E>(
        &self,
        call: Call,
        error: impl Fn(&str) -> E,
        deed: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E>
    where
        T: fmt::Debug + Send + Sync,
        E: fmt::Debug + Send + Sync,
    {
        self.node.running().await;
        let fate = self.world.director.meet(&self.node, call).await;
        self.node.running().await;
        let name = &self.node.name;
        match fate {
            Fate::ErrorBefore => {
                self.world.trace(format_args!("{name} {call}: not done"));
                return Err(error("simulated: not done"));
            }
            Fate::CrashBefore => {
                self.world.trace(format_args!("{name} dies before {call}"));
                return self.die().await;
            }
            Fate::Clean | Fate::ErrorAfter | Fate::CrashAfter => {}
        }
        let done = deed.await;
        if matches!(call, Call::Ledger(_)) {
            self.world.watch_stock();
        }
        let outcome = if done.is_ok() { "done" } else { "refused" };
        self.world.trace(format_args!("{name} {call}: {outcome}"));
        match fate {
            Fate::CrashAfter => {
                self.world.trace(format_args!("{name} dies after {call}"));
                return self.die().await;
            }
            Fate::ErrorAfter => {
                self.world.trace(format_args!("{name} {call}: its reply is lost"));
                return Err(error("simulated: reply lost"));
            }
            Fate::Clean | Fate::ErrorBefore | Fate::CrashBefore => {}
        }
        self.world.director.done(&self.node, call, &done).await;
        self.node.running().await;
        done
    }

    async fn die<T>(&self) -> T {
        self.node.kill();
        std::future::pending().await
    }
}
