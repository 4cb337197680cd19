//! Accounts, sessions and keys.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use uuid::Uuid;

use super::EmbeddedLedger;
use crate::domain::{Actor, Order, Role, Scope, Timestamp, UserId};
use crate::ports::{
    Account, Deed, Identities, IdentityError, NewSession, Rotated, SecretHash, ServiceKey,
    SigningKey,
};

/// What is known of people and programs.
#[derive(Debug, Default)]
pub(super) struct Known {
    accounts: BTreeMap<UserId, Account>,
    sessions: HashMap<Uuid, Session>,
    tokens: HashMap<SecretHash, Token>,
    service_keys: Vec<ServiceKey>,
    /// Newest last.
    signing_keys: Vec<SigningKey>,
}

#[derive(Debug)]
struct Session {
    user_id: UserId,
    expires_at: Timestamp,
    revoked: bool,
}

#[derive(Debug)]
struct Token {
    session: Uuid,
    used: bool,
}

impl Known {
    /// The session that a token may still go on with.
    fn session_of(&self, token: &SecretHash, now: Timestamp) -> Option<(Uuid, &Account, i64)> {
        let id = self.tokens.get(token)?.session;
        let session = self.sessions.get(&id)?;
        let account = self.accounts.get(&session.user_id)?;
        let over = session.revoked || session.expires_at <= now || account.disabled;
        let left_ms = session.expires_at.millis() - now.millis();
        (!over).then_some((id, account, left_ms / 1_000))
    }

    fn revoke(&mut self, id: Uuid) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.revoked = true;
        }
    }
}

#[async_trait]
impl Identities for EmbeddedLedger {
    async fn register(&self, account: &Account, by: &Actor) -> Result<(), IdentityError> {
        let bought = |order: &Order| {
            order.terms.as_ref().is_some_and(|terms| terms.user_id == account.user_id)
        };
        if self.state().orders.values().any(bought) {
            return Err(IdentityError::Taken);
        }
        let customer = Account { role: Role::Customer, ..account.clone() };
        self.add_account(&customer, by).await
    }

    async fn add_account(&self, account: &Account, by: &Actor) -> Result<(), IdentityError> {
        let (mut state, now) = (self.state(), self.clock.now());
        if state.known.accounts.contains_key(&account.user_id) {
            return Err(IdentityError::Taken);
        }
        state.known.accounts.insert(account.user_id.clone(), account.clone());
        state.note(now, by, Deed::account_registered(account));
        Ok(())
    }

    async fn account(&self, user: &UserId) -> Result<Option<Account>, IdentityError> {
        Ok(self.state().known.accounts.get(user).cloned())
    }

    async fn disable(
        &self,
        user: &UserId,
        disabled: bool,
        by: &Actor,
    ) -> Result<(), IdentityError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let account = state.known.accounts.get_mut(user).ok_or(IdentityError::NotFound)?;
        account.disabled = disabled;
        if disabled {
            let theirs = state.known.sessions.values_mut().filter(|s| s.user_id == *user);
            theirs.for_each(|session| session.revoked = true);
        }
        state.note(now, by, Deed::account_disabled(user, disabled));
        Ok(())
    }

    async fn begin_session(&self, new: &NewSession, by: &Actor) -> Result<(), IdentityError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let known = &mut state.known;
        known.sessions.retain(|_, session| {
            session.user_id != new.user_id || (!session.revoked && session.expires_at >= now)
        });
        let Known { sessions, tokens, .. } = known;
        tokens.retain(|_, token| sessions.contains_key(&token.session));
        let expires_at = now.plus_millis(i64::from(new.seconds) * 1_000);
        let session = Session { user_id: new.user_id.clone(), expires_at, revoked: false };
        sessions.insert(new.id, session);
        tokens.insert(new.token, Token { session: new.id, used: false });
        state.note(now, by, Deed::session_begun(new.id));
        Ok(())
    }

    async fn rotate(
        &self,
        token: &SecretHash,
        next: &SecretHash,
        origin: &str,
    ) -> Result<Rotated, IdentityError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let Some((session, account, left)) = state.known.session_of(token, now) else {
            return Ok(Rotated::Ended);
        };
        let (user_id, role): (UserId, Role) = (account.user_id.clone(), account.role);
        let used = state
            .known
            .tokens
            .get_mut(token)
            .is_none_or(|token| std::mem::replace(&mut token.used, true));
        if used {
            state.known.revoke(session);
            let by = Actor::user(&user_id, origin);
            state.note(now, &by, Deed::session_reused(session));
            return Ok(Rotated::Reused { user_id });
        }
        state.known.tokens.insert(*next, Token { session, used: false });
        let seconds_left = u32::try_from(left).unwrap_or_default();
        Ok(Rotated::Fresh { session, user_id, role, seconds_left })
    }

    async fn end_session(&self, token: &SecretHash, origin: &str) -> Result<(), IdentityError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let found = state.known.session_of(token, now);
        let Some((id, by)) =
            found.map(|(id, account, _)| (id, Actor::user(&account.user_id, origin)))
        else {
            return Ok(());
        };
        state.known.revoke(id);
        state.note(now, &by, Deed::session_ended(id));
        Ok(())
    }

    async fn add_service_key(
        &self,
        name: &str,
        hash: &SecretHash,
        scopes: &[Scope],
        by: &Actor,
    ) -> Result<i64, IdentityError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let keys = &mut state.known.service_keys;
        if keys.iter().any(|key| key.name == name && key.revoked_at.is_none()) {
            return Err(IdentityError::Taken);
        }
        let id = keys.last().map_or(0, |key| key.id) + 1;
        keys.push(ServiceKey {
            id,
            name: name.to_owned(),
            hash: *hash,
            scopes: scopes.to_vec(),
            created_at: now,
            revoked_at: None,
        });
        state.note(now, by, Deed::service_key_created(name, id, scopes));
        Ok(id)
    }

    async fn revoke_service_key(&self, name: &str, by: &Actor) -> Result<(), IdentityError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let mut keys = state.known.service_keys.iter_mut();
        let key = keys.find(|key| key.name == name && key.revoked_at.is_none());
        key.ok_or(IdentityError::NotFound)?.revoked_at = Some(now);
        state.note(now, by, Deed::service_key_revoked(name));
        Ok(())
    }

    async fn service_keys(&self) -> Result<Vec<ServiceKey>, IdentityError> {
        Ok(self.state().known.service_keys.clone())
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>, IdentityError> {
        let (state, now) = (self.state(), self.clock.now());
        let keys = state.known.signing_keys.iter().rev();
        Ok(keys.filter(|key| key.retires_at.is_none_or(|at| at > now)).cloned().collect())
    }

    async fn add_signing_key(
        &self,
        key: &SigningKey,
        only_first: bool,
        overlap_s: u32,
        by: &Actor,
    ) -> Result<(), IdentityError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let keys = &mut state.known.signing_keys;
        let signs = |known: &&mut SigningKey| {
            known.retires_at.is_none() && known.algorithm == key.algorithm
        };
        if only_first && keys.iter_mut().any(|known| signs(&known)) {
            return Ok(());
        }
        let retires_at = now.plus_millis(i64::from(overlap_s) * 1_000);
        keys.iter_mut().filter(signs).for_each(|known| known.retires_at = Some(retires_at));
        keys.push(SigningKey { created_at: now, retires_at: None, ..key.clone() });
        state.note(now, by, Deed::signing_key_created(key));
        Ok(())
    }

    async fn note(&self, by: &Actor, deed: &Deed) -> Result<(), IdentityError> {
        let (mut state, now) = (self.state(), self.clock.now());
        state.note(now, by, deed.clone());
        Ok(())
    }
}
