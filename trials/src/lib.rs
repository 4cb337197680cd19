//! Does Doorbuster keep its promises?
//!
//! | | |
//! |---|---|
//! | [`history`] | what clients did and what they were told |
//! | [`checker`] | a history beside what the servers hold, invariant by invariant |
//! | `world` | the embedded servers, with faults between them and the programs |
//! | [`simulation`] | random lives of a small shop, each repeatable by its seed |
//! | [`explore`] | every order of events in a smaller one |
//! | [`chaos`] | the real programs and servers, killed, stopped and cut |
//! | `crowd` | who comes to a shop, simulated or real |

pub mod chaos;
pub mod checker;
mod crowd;
pub mod explore;
pub mod history;
pub mod simulation;
mod world;
