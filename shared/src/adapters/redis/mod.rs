//! Redis: the gate and the idempotency map. Allowed to be wrong, flushed, behind or away.

mod connection;
mod gate;
mod idempotency;

pub use connection::RedisPool;
pub use gate::RedisGate;
pub use idempotency::RedisIdempotencyMap;
