//! For whom a caller acts, and whose things they may see.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use shared::domain::{Actor, Order, Role, Scope, UserId};

use crate::problem::{Problem, kind};
use crate::state::Shared;

/// Who sent a request, as far as its credentials prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular.
    Anyone,
    /// A person with an access token.
    Person {
        /// Who.
        user_id: UserId,
        /// What they are to the shop.
        role: Role,
    },
    /// Another program, with its key.
    Service {
        /// Which.
        name: Arc<str>,
        /// What it may do.
        scopes: Arc<[Scope]>,
    },
    /// Whoever has the operators' key of the configuration.
    Admin,
}

/// A caller who was let in. The edge puts it into every request; handlers take it as an argument.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who.
    pub caller: Caller,
    /// The client's address.
    pub origin: IpAddr,
    /// Who says who they are is believed (`auth.mode = "open"`).
    pub open: bool,
}

impl Access {
    /// Whom something is bought for, where the request names `named`: a person buys for themself only.
    pub fn buyer(&self, named: Option<UserId>) -> Result<Option<UserId>, Problem> {
        let Caller::Person { user_id, .. } = &self.caller else { return Ok(named) };
        match named {
            Some(named) if named != *user_id => {
                let detail = "The access token is another user's than the one named.";
                Err(Problem::new(kind::FORBIDDEN, detail))
            }
            _ => Ok(Some(user_id.clone())),
        }
    }

    /// Whether it is known for whom they buy, without their saying it.
    pub fn buys_for_themself(&self) -> bool {
        matches!(self.caller, Caller::Person { .. })
    }

    /// Whose order it must be that they change or list, where the request names `named`; `None` is
    /// anybody's.
    pub fn owner(&self, named: Option<UserId>) -> Result<Option<UserId>, Problem> {
        match &self.caller {
            Caller::Person { role: Role::Customer, .. } => self.buyer(named),
            _ => Ok(named),
        }
    }

    /// Whether they may know everything about an order.
    pub fn sees(&self, order: &Order) -> bool {
        match &self.caller {
            Caller::Anyone => self.open,
            Caller::Person { role: Role::Customer, user_id } => {
                // Of one that is not settled yet nothing is known that is anybody's.
                order.terms.as_ref().is_none_or(|terms| terms.user_id == *user_id)
            }
            Caller::Person { role: Role::Operator, .. } | Caller::Admin => true,
            Caller::Service { scopes, .. } => {
                scopes.contains(&Scope::Orders) || scopes.contains(&Scope::Purchases)
            }
        }
    }

    /// Whether other people's things are as good as not there: who may not touch them must not learn of
    /// them either.
    pub fn hides_others(&self) -> bool {
        matches!(self.caller, Caller::Person { role: Role::Customer, .. })
    }

    /// Who is to be named in the audit log for what becomes of an order: nobody who minds their own.
    pub fn noted(&self) -> Option<Actor> {
        let own =
            matches!(self.caller, Caller::Anyone | Caller::Person { role: Role::Customer, .. });
        (!own).then(|| self.actor())
    }

    /// The name and the address for the audit log.
    pub fn actor(&self) -> Actor {
        let name = match &self.caller {
            Caller::Anyone => "anyone".to_owned(),
            Caller::Person { user_id, .. } => format!("user:{user_id}"),
            Caller::Service { name, .. } => format!("service:{name}"),
            Caller::Admin => "admin".to_owned(),
        };
        Actor { name, origin: self.origin.to_string() }
    }
}

impl FromRequestParts<Shared> for Access {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        // A route that the edge did not let anybody into lets nobody in.
        parts.extensions.remove::<Self>().ok_or_else(|| Problem::plain(kind::FORBIDDEN))
    }
}
