//! Who acts, and what they may do.

use std::fmt;

use super::ids::UserId;

/// What a person with an account is to the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Buys for themself.
    Customer,
    /// Runs the shop.
    Operator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Customer, Self::Operator];

    /// The name in tokens and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Operator => "operator",
        }
    }

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// What another program may do with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Buy and hold for any user, and see what became of it.
    Purchases,
    /// See, cancel and fulfil any order.
    Orders,
    /// Add and change products and their stock.
    Products,
    /// Plan, change and call off sales.
    Sales,
    /// See, replay and discard dead letters.
    DeadLetters,
    /// See the audit, the audit log and the queue.
    Operations,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] = [
        Self::Purchases,
        Self::Orders,
        Self::Products,
        Self::Sales,
        Self::DeadLetters,
        Self::Operations,
    ];

    /// The name on the command line and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purchases => "purchases",
            Self::Orders => "orders",
            Self::Products => "products",
            Self::Sales => "sales",
            Self::DeadLetters => "dead-letters",
            Self::Operations => "operations",
        }
    }

    /// The scope of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who did something and from where, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Such as `user:zoe`, `service:warehouse`, `admin` or `cli:root`.
    pub name: String,
    /// The client's address; empty where there is none.
    pub origin: String,
}

impl Actor {
    /// An actor at this machine.
    pub fn local(name: impl Into<String>) -> Self {
        Self { name: name.into(), origin: String::new() }
    }

    /// A person with an account.
    pub fn user(user: &UserId, origin: impl Into<String>) -> Self {
        Self { name: format!("user:{user}"), origin: origin.into() }
    }
}
