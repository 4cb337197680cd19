//! Tokens that were verified a moment ago: a client sends the same one with every request, and its signature and
//! claims cost as much as the whole rest of an answer, or many times that where keys are asymmetric.

use std::hash::Hash;

use quick_cache::sync::Cache;
use rand::random;
use siphasher::sip128::{Hasher128, SipHasher24};

use super::keys::Ring;
use super::tokens::Verified;

/// Tokens remembered; some 250 bytes each.
const TOKENS_MAX: usize = 65_536;

/// What was found of tokens, by a hash of theirs.
pub struct VerifiedTokens {
    /// With a secret key, so that nobody can make a token with the hash of another's (`SipHash` is made as a
    /// message authentication code).
    hasher: SipHasher24,
    found: Cache<u128, Verified>,
}

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self {
            hasher: SipHasher24::new_with_keys(random(), random()),
            found: Cache::new(TOKENS_MAX),
        }
    }
}

impl VerifiedTokens {
    /// What was found of `token`, if that still holds at `now_s`; else what `verify` finds. What it refuses is
    /// not remembered: whoever sends nonsense must not push out what others send.
    pub fn get_or<E>(
        &self,
        token: &str,
        ring: &Ring,
        now_s: u64,
        verify: impl FnOnce() -> Result<Verified, E>,
    ) -> Result<Verified, E> {
        let hash = self.hash(token);
        if let Some(found) = self.found.get(&hash)
            && now_s <= found.valid_until_s
            && ring.has(&found.key)
        {
            return Ok(found);
        }
        let verified = verify()?;
        self.found.insert(hash, verified.clone());
        Ok(verified)
    }

    fn hash(&self, token: &str) -> u128 {
        let mut hasher = self.hasher;
        token.hash(&mut hasher);
        hasher.finish128().as_u128()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use jsonwebtoken::{Algorithm, DecodingKey};
    use shared::domain::{Role, UserId};

    use super::*;
    use crate::identity::tokens::Verifier;

    /// A ring of this one key.
    pub(in crate::identity) fn ring(secret: &[u8]) -> Ring {
        let key = DecodingKey::from_secret(secret);
        let verifier = Verifier::new(Algorithm::HS256, key, secret);
        Ring::outside([("k".to_owned(), verifier)].into())
    }

    fn verified(ring: &Ring) -> Verified {
        let key = ring.verifier("k").unwrap().thumbprint;
        let user_id = UserId::parse("zoe").unwrap();
        Verified { user_id, role: Role::Customer, valid_until_s: 100, key }
    }

    #[test]
    fn a_token_is_verified_once_for_as_long_as_it_and_its_key_are_good() {
        let (tokens, times, ours) = (VerifiedTokens::default(), Cell::new(0), ring(b"ours"));
        let ask = |token: &str, ring: &Ring, now_s| {
            let found: Result<_, ()> = tokens.get_or(token, ring, now_s, || {
                times.set(times.get() + 1);
                Ok(verified(ring))
            });
            assert_eq!(found.unwrap().user_id.as_str(), "zoe");
            times.get()
        };
        assert_eq!((ask("a", &ours, 1), ask("a", &ours, 100)), (1, 1));
        assert_eq!(ask("a", &ours, 101), 2, "it may have expired");
        assert_eq!(ask("b", &ours, 1), 3, "another token");
        assert_eq!(ask("a", &ring(b"ours"), 1), 3, "the same keys, read again");
        assert_eq!(ask("a", &ring(b"others"), 1), 4, "the same name, another key");
    }

    #[test]
    fn what_is_refused_is_not_remembered() {
        let (tokens, ring) = (VerifiedTokens::default(), ring(b"ours"));
        assert_eq!(tokens.get_or("a", &ring, 1, || Err("refused")), Err("refused"));
        assert!(tokens.get_or("a", &ring, 1, || Ok::<_, ()>(verified(&ring))).is_ok());
    }
}
