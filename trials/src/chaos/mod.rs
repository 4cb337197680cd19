//! Chaos: the real programs over real servers, under load, killed, stopped, cut and flushed.
//!
//! | | |
//! |---|---|
//! | `servers` | PostgreSQL, Redis and RabbitMQ as processes of a trial's own |
//! | `link` | a wire between a program and a server, which can be cut |
//! | `programs` | APIs and workers as processes, started again when they end |
//! | `site` | all of that together |
//! | `desk` | what clients ask over HTTP and are told |
//! | `recorder` | their history |
//! | `witness` | what the servers saw, by a trigger and a listener of our own |
//! | `facts` | what the servers hold, by statements of our own |
//! | `storm` | the faults, by a seed |
//! | `random` | a trial: storm, calm, judgement |
//! | `moments` | a crash at each moment of the crash table |
//! | `report` | what a trial came to |

mod desk;
mod facts;
mod link;
mod moments;
mod programs;
mod random;
mod recorder;
mod report;
mod servers;
mod site;
mod storm;
mod witness;

pub use self::moments::at_every_moment;
pub use self::random::{Trial, run};
pub use self::report::Report;
pub use self::site::Setup;
