//! What tests of every room need from the outside world.

pub mod postgres;
