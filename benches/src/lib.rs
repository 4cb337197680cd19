//! loadgen
pub mod http;
mod framing;
