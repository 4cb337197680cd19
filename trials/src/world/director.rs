//! Who decides what a call meets.

use std::fmt;

use async_trait::async_trait;

use shared::domain::Purchase;

use super::Node;

/// A call of a program to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Call {
    /// `Ledger`
    Ledger(&'static str),
    /// `StockGate`
    Gate(&'static str),
    /// `IdempotencyMap`
    Map(&'static str),
    /// `PurchaseQueue`
    Queue(&'static str),
    /// `EventBus`
    Bus(&'static str),
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger(name) => write!(f, "ledger.{name}"),
            Self::Gate(name) => write!(f, "gate.{name}"),
            Self::Map(name) => write!(f, "map.{name}"),
            Self::Queue(name) => write!(f, "queue.{name}"),
            Self::Bus(name) => write!(f, "bus.{name}"),
        }
    }
}

/// What a call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fate {
    /// It is carried out and answered.
    Clean,
    /// It is not carried out, and the caller is told so.
    ErrorBefore,
    /// It is carried out, and the caller is told that it was not.
    ErrorAfter,
    /// The program dies before it is carried out.
    CrashBefore,
    /// The program dies when it is carried out.
    CrashAfter,
}

/// Decides.
#[async_trait]
pub(crate) trait Director: Send + Sync {
    /// What `call` of `node` meets. The call waits until this returns.
    async fn meet(&self, node: &Node, call: Call) -> Fate;

    /// Called when the deed is done and before its caller is answered. `reply` shows the answer.
    async fn done(&self, node: &Node, call: Call, reply: &(dyn fmt::Debug + Send + Sync));

    /// How many messages a subscriber is given before the one that is next; 0 keeps their order.
    fn hold_back(&self) -> usize {
        0
    }

    /// Whether the ledger refuses these purchases for their own sake.
    fn poisons(&self, _: &[Purchase]) -> bool {
        false
    }

    /// Whether a message is delivered twice.
    fn repeats(&self) -> bool {
        false
    }
}
