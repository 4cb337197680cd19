//! Who asks, and what they may do.
//!
//! | file | what |
//! |---|---|
//! | `rules` | every route and who may use it, in one table |
//! | `gatekeeper` | credentials in, a caller out, or 401 or 403; before anything else is read |
//! | `admin` | the operators' key of the configuration |
//! | `caller` | for whom a caller acts, and whose things they may see |
//! | `tokens`, `keys`, `issuer` | access tokens: signed, checked; our keys for it, or those of an issuer outside |
//! | `verified` | tokens that were verified a moment ago need not be again |
//! | `watch` | keeps keys in line with the ledger |
//! | `passwords` | Argon2id, off the threads that answer |
//! | `sessions` | register, login, refresh, logout |

pub mod admin;
pub mod caller;
pub mod gatekeeper;
pub mod issuer;
pub mod keys;
pub mod passwords;
pub mod rules;
pub mod sessions;
pub mod tokens;
pub mod verified;
pub mod watch;

pub use caller::{Access, Caller};
pub use gatekeeper::Gatekeeper;
pub use keys::TokenKeys;
pub use passwords::PASSWORD_CHARS;
pub use rules::{RULES, Rule, rule_of};
pub use sessions::{Sessions, Tokens};
pub use tokens::{Claims, TokenError};
pub use watch::watch;
