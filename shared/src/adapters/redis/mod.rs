//! Redis: the gate, the idempotency map and rate limits. Allowed to be wrong, flushed, behind or away.

mod connection;
mod gate;
mod idempotency;
mod rates;
mod rooms;

pub use connection::RedisPool;
pub use gate::RedisGate;
pub use idempotency::RedisIdempotencyMap;
pub use rates::RedisRates;
pub use rooms::RedisRooms;
