//! Accounts, sessions, service keys and signing keys.

use async_trait::async_trait;
use secrecy::SecretString;
use uuid::Uuid;

use super::deed::Deed;
use super::ledger::LedgerError;
use crate::domain::{Actor, Role, Scope, Timestamp, UserId};

/// SHA-256 of a secret that is random itself.
pub type SecretHash = [u8; 32];

/// Why an identity was not changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IdentityError {
    /// Somebody has this name already.
    #[error("the name is taken")]
    Taken,
    /// Nobody has this name.
    #[error("there is no such name")]
    NotFound,
    /// The ledger is away.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// An account as a login needs it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Whose.
    pub user_id: UserId,
    /// Argon2id, as a PHC string.
    pub password_hash: SecretString,
    /// What they may do.
    pub role: Role,
    /// Nobody may log in to it.
    pub disabled: bool,
}

/// A login that begins.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its number, in every token of it.
    pub id: Uuid,
    /// Whose.
    pub user_id: UserId,
    /// The first refresh token.
    pub token: SecretHash,
    /// Length in seconds.
    pub seconds: u32,
}

/// What a refresh token was good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// The next one takes its place.
    Fresh {
        /// Of which session.
        session: Uuid,
        /// Whose.
        user_id: UserId,
        /// What they may do by now.
        role: Role,
        /// How long the session still lasts, in seconds.
        seconds_left: u32,
    },
    /// It had been used before: its session is over now.
    Reused {
        /// Whose.
        user_id: UserId,
    },
    /// It was never given out, or its session is over.
    Ended,
}

/// A key of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceKey {
    /// Its number.
    pub id: i64,
    /// Whose, such as `warehouse`.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: SecretHash,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is good for nothing.
    pub revoked_at: Option<Timestamp>,
}

/// What access tokens are signed with.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// Its name in the header of a token.
    pub kid: String,
    /// `HS256` or `EdDSA`.
    pub algorithm: String,
    /// The secret of HMAC, or the private key as PKCS#8.
    pub secret: secrecy::SecretSlice<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when tokens signed with it are believed.
    pub retires_at: Option<Timestamp>,
}

/// Who may do what. Everything that changes here is written to the audit log in the same transaction.
#[async_trait]
pub trait Identities: Send + Sync {
    /// Adds the account of a customer who registers. A name that has orders is taken: they would be
    /// whoever's comes first.
    async fn register(&self, account: &Account, by: &Actor) -> Result<(), IdentityError>;

    /// Adds an account of any role, also of a name that has orders; for those who know whose it is.
    async fn add_account(&self, account: &Account, by: &Actor) -> Result<(), IdentityError>;

    /// The account of a user.
    async fn account(&self, user: &UserId) -> Result<Option<Account>, IdentityError>;

    /// Disables an account, and ends its sessions; or enables it again.
    async fn disable(&self, user: &UserId, disabled: bool, by: &Actor)
    -> Result<(), IdentityError>;

    /// Begins a session, and forgets those of the same user that are over.
    async fn begin_session(&self, session: &NewSession, by: &Actor) -> Result<(), IdentityError>;

    /// Takes a refresh token in and gives `next` out in its place.
    async fn rotate(
        &self,
        token: &SecretHash,
        next: &SecretHash,
        origin: &str,
    ) -> Result<Rotated, IdentityError>;

    /// Ends the session of a refresh token, if it is one.
    async fn end_session(&self, token: &SecretHash, origin: &str) -> Result<(), IdentityError>;

    /// Adds a service key; its number.
    async fn add_service_key(
        &self,
        name: &str,
        hash: &SecretHash,
        scopes: &[Scope],
        by: &Actor,
    ) -> Result<i64, IdentityError>;

    /// Revokes the service key of this name.
    async fn revoke_service_key(&self, name: &str, by: &Actor) -> Result<(), IdentityError>;

    /// All service keys, revoked ones too, by number.
    async fn service_keys(&self) -> Result<Vec<ServiceKey>, IdentityError>;

    /// The signing keys that have not retired, newest first.
    async fn signing_keys(&self) -> Result<Vec<SigningKey>, IdentityError>;

    /// Adds a signing key, unless there is one of this algorithm that signs and `only_first` is set; the
    /// others of it retire `overlap_s` seconds from now.
    async fn add_signing_key(
        &self,
        key: &SigningKey,
        only_first: bool,
        overlap_s: u32,
        by: &Actor,
    ) -> Result<(), IdentityError>;

    /// Notes what was done, where nothing else is changed by it.
    async fn note(&self, by: &Actor, deed: &Deed) -> Result<(), IdentityError>;
}
