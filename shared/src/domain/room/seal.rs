//! Tickets and passes: small signed texts. Who has one proves a place in a line without anybody having
//! kept it.
//!
//! ```text
//! base64url( kind · sale · number · moment · user · HMAC-SHA256 of these, first 16 bytes )
//! ```
//!
//! The key is derived from the tracking key, which all instances share; each kind has its own, so that one
//! is never taken for another.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::domain::{SaleId, Timestamp, TrackingKey, UserId};

const MAC_BYTES: usize = 16;
/// Kind, sale, number, moment.
const FIXED_BYTES: usize = 1 + 8 + 8 + 8;
/// A user's name has 128 bytes at most; what is longer is none of ours.
const TEXT_MAX: usize = (FIXED_BYTES + 128 + MAC_BYTES).div_ceil(3) * 4;

/// A place in the line of a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Of which sale.
    pub sale_id: SaleId,
    /// Whose.
    pub user_id: UserId,
    /// How many had joined before.
    pub index: u64,
    /// When they joined.
    pub joined_at: Timestamp,
}

/// Leave to buy in a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Of which sale.
    pub sale_id: SaleId,
    /// Whose.
    pub user_id: UserId,
    /// The place that it was given for.
    pub index: u64,
    /// Good until just before this moment.
    pub expires_at: Timestamp,
}

/// It was not made here, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was not given out here")]
pub struct Forged;

/// Signs tickets and passes, and checks them.
#[derive(Clone)]
pub struct Seal {
    ticket: [u8; 32],
    pass: [u8; 32],
}

struct Sealed {
    sale_id: SaleId,
    user_id: UserId,
    index: u64,
    at: Timestamp,
}

impl Seal {
    /// The seal that belongs to a tracking key.
    pub fn new(key: &TrackingKey) -> Self {
        Self {
            ticket: key.derive(b"doorbuster waiting room ticket"),
            pass: key.derive(b"doorbuster waiting room pass"),
        }
    }

    /// The text of a ticket.
    pub fn ticket(&self, ticket: &Ticket) -> String {
        let Ticket { sale_id, user_id, index, joined_at } = ticket;
        seal(&self.ticket, b't', *sale_id, user_id, *index, *joined_at)
    }

    /// The ticket of a text.
    pub fn open_ticket(&self, text: &str) -> Result<Ticket, Forged> {
        let Sealed { sale_id, user_id, index, at } = open(&self.ticket, b't', text)?;
        Ok(Ticket { sale_id, user_id, index, joined_at: at })
    }

    /// The text of a pass.
    pub fn pass(&self, pass: &Pass) -> String {
        let Pass { sale_id, user_id, index, expires_at } = pass;
        seal(&self.pass, b'p', *sale_id, user_id, *index, *expires_at)
    }

    /// The pass of a text; that it is still good is for the caller to see.
    pub fn open_pass(&self, text: &str) -> Result<Pass, Forged> {
        let Sealed { sale_id, user_id, index, at } = open(&self.pass, b'p', text)?;
        Ok(Pass { sale_id, user_id, index, expires_at: at })
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(hidden)")
    }
}

fn mac(key: &[u8; 32]) -> Result<Hmac<Sha256>, Forged> {
    Hmac::new_from_slice(key).map_err(|_| Forged)
}

fn seal(
    key: &[u8; 32],
    kind: u8,
    sale: SaleId,
    user: &UserId,
    index: u64,
    at: Timestamp,
) -> String {
    let mut bytes = Vec::with_capacity(FIXED_BYTES + user.as_str().len() + MAC_BYTES);
    bytes.push(kind);
    bytes.extend(sale.0.to_be_bytes());
    bytes.extend(index.to_be_bytes());
    bytes.extend(at.millis().to_be_bytes());
    bytes.extend(user.as_str().as_bytes());
    let tag = mac(key).map(|mac| mac.chain_update(&bytes).finalize().into_bytes());
    bytes.extend(tag.iter().flatten().take(MAC_BYTES));
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn open(key: &[u8; 32], kind: u8, text: &str) -> Result<Sealed, Forged> {
    if text.len() > TEXT_MAX {
        return Err(Forged);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Forged)?;
    let end = bytes.len().checked_sub(MAC_BYTES).ok_or(Forged)?;
    let (said, tag) = bytes.split_at(end);
    mac(key)?.chain_update(said).verify_truncated_left(tag).map_err(|_| Forged)?;
    let (kind_said, rest) = said.split_first().ok_or(Forged)?;
    if *kind_said != kind {
        return Err(Forged);
    }
    let (sale, rest) = rest.split_first_chunk().ok_or(Forged)?;
    let (index, rest) = rest.split_first_chunk().ok_or(Forged)?;
    let (at, user) = rest.split_first_chunk().ok_or(Forged)?;
    let user = std::str::from_utf8(user).map_err(|_| Forged)?;
    Ok(Sealed {
        sale_id: SaleId(i64::from_be_bytes(*sale)),
        user_id: UserId::parse(user).map_err(|_| Forged)?,
        index: u64::from_be_bytes(*index),
        at: Timestamp::from_millis(i64::from_be_bytes(*at)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::tracking_key;

    fn ticket() -> Ticket {
        let user_id = UserId::parse("zoë").unwrap();
        let joined_at = Timestamp::from_millis(1_700_000_000_000);
        Ticket { sale_id: SaleId(7), user_id, index: 41, joined_at }
    }

    #[test]
    fn what_was_sealed_is_read_again() {
        let seal = Seal::new(&tracking_key());
        let text = seal.ticket(&ticket());
        assert_eq!(seal.open_ticket(&text), Ok(ticket()));
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
        let Ticket { sale_id, user_id, index, joined_at } = ticket();
        let pass = Pass { sale_id, user_id, index, expires_at: joined_at };
        assert_eq!(seal.open_pass(&seal.pass(&pass)), Ok(pass));
    }

    #[test]
    fn a_changed_byte_is_noticed_wherever_it_is() {
        let seal = Seal::new(&tracking_key());
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(seal.ticket(&ticket())).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let text = BASE64_URL_SAFE_NO_PAD.encode(&changed);
                assert_eq!(seal.open_ticket(&text), Err(Forged), "byte {at} bit {bit}");
            }
            let shorter = BASE64_URL_SAFE_NO_PAD.encode(&bytes[..at]);
            assert_eq!(seal.open_ticket(&shorter), Err(Forged), "{at} bytes");
        }
    }

    #[test]
    fn a_ticket_is_no_pass_and_another_shops_is_nothing() {
        let seal = Seal::new(&tracking_key());
        let text = seal.ticket(&ticket());
        assert_eq!(seal.open_pass(&text), Err(Forged));
        let other = Seal::new(&TrackingKey::new(*b"another shop key"));
        assert_eq!(other.open_ticket(&text), Err(Forged));
        for nonsense in ["", "ü", "AAAA", &"A".repeat(10_000)] {
            assert_eq!(seal.open_ticket(nonsense), Err(Forged));
        }
    }
}
