//! The conformance suite of the ledger port: the same tests for PostgreSQL and its embedded double,
//! and a few that only a real server can fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // How tests fail.

mod audit;
mod buying;
mod catalogue;
mod concurrency;
mod contest;
mod deeds;
mod holds;
mod identities;
mod late;
mod letters;
mod life;
mod limits;
mod outages;
mod outbox;
mod parking;
mod phases;
mod planning;
mod races;
mod realign;
mod repeats;
mod replanning;
mod rooms;
mod sales;
mod sequences;
mod stock;
mod support;
