//! Passwords: Argon2id, a few at a time, off the threads that answer requests.

use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::problem::{Problem, kind};

/// Shorter ones are guessed (NIST SP 800-63B, section 3.1.1.2, asks for no less), longer ones cost us.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=128;
/// 19 MiB, two passes, one lane: the least that OWASP's Password Storage Cheat Sheet recommends.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Who would wait behind more than this is answered 503.
const WAITING_MAX: usize = 256;

/// Checked where there is no account, so that it takes as long as where there is one.
static NOBODYS: LazyLock<Option<SecretString>> = LazyLock::new(|| hash("nobody's").ok());

/// Hashes and checks passwords.
pub struct Passwords {
    /// Each takes a processor and [`MEMORY_KIB`] of memory.
    at_once: Arc<Semaphore>,
    in_line: Semaphore,
}

impl Passwords {
    /// As many at once as asked for.
    pub fn new(at_once: usize) -> Self {
        let at_once = Arc::new(Semaphore::new(at_once));
        Self { at_once, in_line: Semaphore::new(WAITING_MAX) }
    }

    /// The hash of a new password, as a PHC string.
    pub async fn hash(&self, password: SecretString) -> Result<SecretString, Problem> {
        self.run(move || hash(password.expose_secret())).await?.map_err(|()| defect())
    }

    /// Whether it is the password of this hash; never, but as slowly, where there is none.
    pub async fn is(
        &self,
        password: SecretString,
        hashed: Option<SecretString>,
    ) -> Result<bool, Problem> {
        self.run(move || {
            let known = hashed.is_some();
            let Some(hashed) = hashed.as_ref().or(NOBODYS.as_ref()) else { return false };
            verify(password.expose_secret(), hashed) && known
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _place =
            self.in_line.try_acquire().map_err(|_| Problem::try_again(kind::OVERLOADED))?;
        let at_once = Arc::clone(&self.at_once);
        let turn = at_once.acquire_owned().await.map_err(|_| defect())?;
        // The turn is over when the work is, also where nobody waits for it any more.
        let done = spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        done.await.map_err(|_| defect())
    }
}

fn defect() -> Problem {
    Problem::plain(kind::INTERNAL)
}

fn argon2() -> Result<Argon2<'static>, ()> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(drop)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<SecretString, ()> {
    let hash = argon2()?.hash_password(password.as_bytes()).map_err(drop)?;
    Ok(hash.to_string().into())
}

fn verify(password: &str, hashed: &SecretString) -> bool {
    let Ok(hashed) = PasswordHash::new(hashed.expose_secret()) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &hashed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other() {
        let passwords = Passwords::new(1);
        let hashed = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hashed.expose_secret().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.is("correct horse".into(), Some(hashed.clone())).await.unwrap());
        assert!(!passwords.is("battery".into(), Some(hashed)).await.unwrap());
        assert!(!passwords.is("nobody's".into(), None).await.unwrap());
    }
}
