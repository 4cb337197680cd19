//! The HTTP/1.1 client that everything here asks with.
//!
//! ```text
//!  http  one kept connection, failover    framing  where an answer ends    target  where to
//! ```
//!
//! # What a request costs
//!
//! The generator shares two cores with what it measures, so it runs on one thread and has its own
//! client. Measured by `examples/client_cost.rs` against a bare axum server on the other core of a
//! 2-core machine, release build, CPU time of the client's thread:
//!
//! | client | CPU per request | requests/s one core can send |
//! |---|---|---|
//! | `http.rs` (over `httparse`) | 10 to 12 µs | 80,000 to 100,000 |
//! | hyper 1.12, `client::conn::http1` | 13 to 22 µs | 45,000 to 77,000 |
//!
//! Nearly all of what is left is the kernel's: one write and one read per request.

mod framing;
mod http;
mod target;

pub use http::{Answer, Broken, Line, Request};
pub use target::{InvalidUrl, Target, resolve};
