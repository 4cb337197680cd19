//! Register, login, refresh, logout.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use shared::config::Auth;
use shared::domain::{Actor, Role, Timestamp, UserId};
use shared::ports::{
    Account, Clock, Deed, Identities, IdentityError, NewSession, Rotated, SecretHash,
};
use uuid::Uuid;

use super::gatekeeper::Gatekeeper;
use super::passwords::Passwords;
use super::tokens::{Claims, sign};
use crate::problem::{Problem, kind};

/// Bytes of a refresh token before it is written as base64url.
const REFRESH_BYTES: usize = 32;

/// What a login or a refresh gives out.
#[derive(Debug)]
pub struct Tokens {
    /// Sent with every request.
    pub access: String,
    /// For how long, in seconds.
    pub access_seconds: u32,
    /// Good for one refresh.
    pub refresh: SecretString,
    /// For how long, in seconds.
    pub refresh_seconds: u32,
    /// Whose.
    pub user_id: UserId,
    /// What they may do.
    pub role: Role,
}

/// Logs people in and out.
pub struct Sessions {
    gatekeeper: Arc<Gatekeeper>,
    identities: Arc<dyn Identities>,
    /// The machine's time: a token says when it ends.
    clock: Arc<dyn Clock>,
    passwords: Passwords,
    auth: Auth,
}

impl Sessions {
    /// Sessions over the accounts in `identities`, with tokens signed by the gatekeeper's keys.
    pub fn new(
        gatekeeper: Arc<Gatekeeper>,
        identities: Arc<dyn Identities>,
        clock: Arc<dyn Clock>,
        auth: Auth,
    ) -> Self {
        let passwords = Passwords::new(auth.passwords_at_once.get());
        Self { gatekeeper, identities, clock, passwords, auth }
    }

    /// Adds a customer.
    pub async fn register(
        &self,
        user_id: UserId,
        password: SecretString,
        origin: IpAddr,
    ) -> Result<(), Problem> {
        self.here()?;
        let password_hash = self.passwords.hash(password).await?;
        let by = Actor::user(&user_id, origin.to_string());
        let account = Account { user_id, password_hash, role: Role::Customer, disabled: false };
        Ok(self.identities.register(&account, &by).await?)
    }

    /// Begins a session. A wrong password and a name that nobody has are the same to whoever asks.
    pub async fn login(
        &self,
        user_id: UserId,
        password: SecretString,
        origin: IpAddr,
    ) -> Result<Tokens, Problem> {
        self.here()?;
        let account = self.identities.account(&user_id).await?;
        let hashed = account.as_ref().map(|account| account.password_hash.clone());
        let right = self.passwords.is(password, hashed).await?;
        let by = Actor::user(&user_id, origin.to_string());
        let Some(account) = account.filter(|account| right && !account.disabled) else {
            self.note(&by, &Deed::login_refused(&user_id)).await;
            return Err(Problem::new(kind::UNAUTHENTICATED, "The user or the password is wrong."));
        };
        let (refresh, token) = secret();
        let (id, seconds) = (Uuid::new_v4(), self.auth.session_seconds.get());
        let session = NewSession { id, user_id: user_id.clone(), token, seconds };
        self.identities.begin_session(&session, &by).await?;
        self.tokens(id, user_id, account.role, refresh, seconds)
    }

    /// Gives the next pair of tokens for a refresh token.
    pub async fn refresh(&self, token: &SecretString, origin: IpAddr) -> Result<Tokens, Problem> {
        self.here()?;
        let (refresh, next) = secret();
        match self.identities.rotate(&hash(token), &next, &origin.to_string()).await? {
            Rotated::Fresh { session, user_id, role, seconds_left } => {
                self.tokens(session, user_id, role, refresh, seconds_left)
            }
            Rotated::Reused { .. } => {
                let detail =
                    "The refresh token was used before: its session is over. Log in again.";
                Err(Problem::new(kind::UNAUTHENTICATED, detail))
            }
            Rotated::Ended => {
                let detail =
                    "The refresh token is not valid, or its session is over. Log in again.";
                Err(Problem::new(kind::UNAUTHENTICATED, detail))
            }
        }
    }

    /// Ends the session of a refresh token.
    pub async fn logout(&self, token: &SecretString, origin: IpAddr) -> Result<(), Problem> {
        Ok(self.identities.end_session(&hash(token), &origin.to_string()).await?)
    }

    /// Accounts of an issuer outside are not here; and before tokens can be signed nothing is begun or used
    /// up for them.
    fn here(&self) -> Result<(), Problem> {
        if !self.auth.jwks.is_empty() {
            let detail = "Accounts are kept by the issuer of the tokens.";
            return Err(Problem::new(kind::NOT_FOUND, detail));
        }
        match self.gatekeeper.tokens.ring().signer() {
            Some(_) => Ok(()),
            None => Err(no_key()),
        }
    }

    fn tokens(
        &self,
        session: Uuid,
        user_id: UserId,
        role: Role,
        refresh: SecretString,
        refresh_seconds: u32,
    ) -> Result<Tokens, Problem> {
        let ring = self.gatekeeper.tokens.ring();
        let signer = ring.signer().ok_or_else(no_key)?;
        let now = seconds(self.clock.now());
        // No longer than the session: what was ended ends.
        let access_seconds = self.auth.access_seconds.get().min(refresh_seconds);
        let claims = Claims {
            iss: self.auth.issuer.clone(),
            aud: vec![self.auth.audience.clone()],
            sub: user_id.as_str().to_owned(),
            iat: now,
            nbf: now,
            exp: now + u64::from(access_seconds),
            jti: Uuid::new_v4().simple().to_string(),
            sid: Some(session),
            role: Some(role.as_str().to_owned()),
        };
        let access = sign(&claims, &signer.kid, signer.algorithm, &signer.key)
            .map_err(|_| Problem::plain(kind::INTERNAL))?;
        Ok(Tokens { access, access_seconds, refresh, refresh_seconds, user_id, role })
    }

    /// A log that cannot be written must not tell whether an account is there.
    async fn note(&self, by: &Actor, deed: &Deed) {
        if let Err(error) = self.identities.note(by, deed).await {
            tracing::warn!(%error, action = deed.action, "not in the audit log");
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Taken => Self::plain(kind::USER_TAKEN),
            IdentityError::NotFound => Self::plain(kind::NOT_FOUND),
            IdentityError::Ledger(error) => error.into(),
        }
    }
}

fn no_key() -> Problem {
    Problem::new(kind::UNAVAILABLE, "The keys for tokens are not loaded yet.")
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.millis() / 1_000).unwrap_or_default()
}

/// A new secret and its hash.
fn secret() -> (SecretString, SecretHash) {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let bytes: [u8; REFRESH_BYTES] = rand::random();
    let text = SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let hashed = hash(&text);
    (text, hashed)
}

fn hash(secret: &SecretString) -> SecretHash {
    Sha256::digest(secret.expose_secret()).into()
}
