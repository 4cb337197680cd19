//! The way of a purchase: accepted ([`admit`]), concluded ([`settle`]), announced ([`relay`]),
//! looked up ([`track`]). Knows the domain and the ports, no technology.

pub mod admit;
pub mod conclude;
pub mod group_commit;
pub mod key;
pub mod relay;
pub mod settle;
pub mod track;
