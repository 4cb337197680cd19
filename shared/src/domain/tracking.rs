//! The tracking ID: a `UUIDv8` that proves by itself that we issued it.
//!
//! ```text
//!  48 bits    milliseconds since the epoch: rows and index pages stay in time order
//!  22 bits    counter: one process never collides with itself, and its IDs rise strictly
//!  20 bits    random node part of the process: names the issuing instance
//!  32 bits    SipHash-2-4 over the 90 bits above, keyed: issued by us, or not
//! ```
//!
//! (RFC 9562 section 5.8 fixes four version and two variant bits in between.) Anyone holding the
//! key can tell *issued, not yet settled* from *never issued* without a write on the accept path.
//! Nothing secret hangs on it.

use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;
use uuid::Uuid;

use super::time::Timestamp;

const COUNTER_BITS: u32 = 22;
const NODE_BITS: u32 = 20;

/// The tracking ID of a purchase, which is its order ID and its reservation ID too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackingId(pub Uuid);

/// The text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID such as 019a9d2e-3c00-8000-8000-9f0c6a1b2c3d")]
pub struct InvalidTrackingId;

impl TrackingId {
    /// The moment the ID was issued, as the issuing machine saw it.
    pub fn issued_at(self) -> Timestamp {
        Timestamp::from_millis((self.0.as_u128() >> 80) as i64)
    }
}

impl FromStr for TrackingId {
    type Err = InvalidTrackingId;

    /// Accepts the hyphenated form only, the one that is given out.
    fn from_str(text: &str) -> Result<Self, InvalidTrackingId> {
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(InvalidTrackingId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidTrackingId)
    }
}

impl fmt::Display for TrackingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The key of the 32-bit MAC in every tracking ID; all instances share it.
#[derive(Clone, PartialEq, Eq)]
pub struct TrackingKey([u8; 16]);

impl TrackingKey {
    /// A key of exactly these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The key that a secret text stands for: 32 hexadecimal digits are the key itself, of any other
    /// text it is the beginning of the SHA-256.
    pub fn from_secret(text: &str) -> Self {
        Self::from_hex(text).unwrap_or_else(|| {
            let digest: [u8; 32] = Sha256::digest(text).into();
            let mut key = [0; 16];
            key.copy_from_slice(&digest[..16]);
            Self(key)
        })
    }

    /// Parses 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten()
            .map(|bits| Self(bits.to_be_bytes()))
    }

    /// The key as 32 hexadecimal digits, the form in which the ledger keeps it.
    pub fn to_hex(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// Another key, for another purpose; it tells nothing of this one.
    pub fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        // As HKDF-Expand with one block (RFC 5869), of a key that is random already.
        let mut derived = [0; 32];
        if let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.0) {
            derived = mac.chain_update(purpose).chain_update([1]).finalize().into_bytes().into();
        }
        derived
    }

    /// True if `id` was made with this key.
    pub fn verify(&self, id: TrackingId) -> bool {
        let bits = id.0.as_u128();
        id.0.get_version_num() == 8 && (bits >> 62) & 0b11 == 0b10 && self.mac(bits) == bits as u32
    }

    /// The MAC over all bits but the last 32.
    fn mac(&self, bits: u128) -> u32 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&(bits >> 32).to_be_bytes());
        hasher.finish() as u32
    }
}

impl fmt::Debug for TrackingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrackingKey(hidden)")
    }
}

/// Issues tracking IDs for one process.
#[derive(Debug)]
pub struct Minter {
    key: TrackingKey,
    node: u32,
    /// Milliseconds and counter of the last ID, packed, so that one atomic step issues the next.
    last: AtomicU64,
}

impl Minter {
    /// A minter with the shared `key` and this process's random `node` part (20 bits are used).
    pub fn new(key: TrackingKey, node: u32) -> Self {
        Self { key, node: node & ((1 << NODE_BITS) - 1), last: AtomicU64::new(0) }
    }

    /// The key this minter signs with.
    pub fn key(&self) -> &TrackingKey {
        &self.key
    }

    /// Issues an ID at `now`. IDs of one minter rise strictly, also when the clock steps back.
    pub fn mint(&self, now: Timestamp) -> TrackingId {
        let floor = (now.millis() as u64) << COUNTER_BITS;
        let next = |last: u64| Some(floor.max(last + 1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let ticket = floor.max(last.unwrap_or_default() + 1);
        TrackingId(Uuid::from_u128(self.assemble(ticket)))
    }

    fn assemble(&self, ticket: u64) -> u128 {
        let millis = u128::from(ticket >> COUNTER_BITS) & ((1 << 48) - 1);
        let unique =
            (u128::from(ticket) & ((1 << COUNTER_BITS) - 1)) << NODE_BITS | u128::from(self.node);
        let (high, low) = (unique >> 30, unique & ((1 << 30) - 1));
        let bits = millis << 80 | 8 << 76 | high << 64 | 0b10 << 62 | low << 32;
        bits | u128::from(self.key.mac(bits))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(seed: u8) -> TrackingKey {
        TrackingKey::new([seed; 16])
    }

    #[test]
    fn ids_of_one_process_rise_even_when_the_clock_steps_back() {
        let minter = Minter::new(key(1), 7);
        let moments = [5_000, 5_000, 4_000, 5_001, 0];
        let ids: Vec<_> = moments.map(|ms| minter.mint(Timestamp::from_millis(ms))).into();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }

    #[test]
    fn two_processes_differ_in_the_same_millisecond() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        assert_ne!(Minter::new(key(1), 1).mint(now), Minter::new(key(1), 2).mint(now));
    }

    #[test]
    fn the_hyphenated_form_is_the_only_one() {
        assert!("019a9d2e3c00800080009f0c6a1b2c3d".parse::<TrackingId>().is_err());
        assert!("not-a-uuid".parse::<TrackingId>().is_err());
    }

    proptest! {
        #[test]
        fn an_issued_id_verifies_parses_and_tells_its_moment(ms in 0..1_i64 << 42, node: u32) {
            let minter = Minter::new(key(3), node);
            let id = minter.mint(Timestamp::from_millis(ms));
            prop_assert!(minter.key().verify(id));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.issued_at().millis(), ms.max(0));
        }

        #[test]
        fn a_changed_bit_or_another_key_is_found_out(ms in 0..1_i64 << 42, bit in 0_u32..128) {
            let minter = Minter::new(key(3), 9);
            let id = minter.mint(Timestamp::from_millis(ms));
            let forged = TrackingId(Uuid::from_u128(id.0.as_u128() ^ (1 << bit)));
            prop_assert!(!minter.key().verify(forged));
            prop_assert!(!key(4).verify(id));
        }

        #[test]
        fn a_key_survives_its_hexadecimal_form(bytes: [u8; 16]) {
            let key = TrackingKey::new(bytes);
            prop_assert_eq!(TrackingKey::from_hex(&key.to_hex()), Some(key.clone()));
            prop_assert_eq!(TrackingKey::from_secret(&key.to_hex()), key.clone());
            prop_assert_ne!(TrackingKey::from_secret("open sesame"), key);
        }
    }
}
