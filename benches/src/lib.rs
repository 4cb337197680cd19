//! The load generator behind `doorbuster load`, and the benchmarks. It knows the system only by its
//! HTTP contract.
//!
//! ```text
//!  stampede  a crowd for a limited stock, and an audit of every promise
//!  engine    one measured run of a scenario: open or closed loop
//!  compare   the synchronous and the asynchronous way, and a page about them    plot   its drawings
//!  limits    what the parts can do alone   usl       how throughput grows with processes
//!  knee      the highest rate that a shop sustains
//!  overload  far more than that, and how soon it is over
//!  waiting_room  a crowd that waits in line, and how soon it learns what is new
//!  summary   rounds of measurements, as tables
//!  measure   what one measured run found: the common form of reports, plots and tables
//!  client    the HTTP client               shop      products, stock, audit, problems
//!  latency   a distribution of times       figures   counts, rates    table  rows for people
//! ```

pub mod client;
pub mod compare;
mod engine;
mod figures;
mod knee;
mod latency;
pub mod limits;
pub mod measure;
mod overload;
mod plot;
mod shop;
mod stampede;
pub mod summary;
mod table;
pub mod usl;
mod waiting_room;

pub use engine::{Buyer, Follow, Load, LoadError, Scenario, Watched, measure};
pub use knee::{Knee, KneePlan, Step, knee};
pub use overload::{Overload, OverloadPlan, overload};
pub use shop::ShopError;
pub use stampede::{
    Expiry, Findings, Holds, LATENCIES, Ledger, Mode, PERCENTILES, Plan, Report, StampedeError,
    Strike, stampede,
};
pub use waiting_room::{WaitingRoomError, WaitingRoomPlan, WaitingRoomReport, waiting_room};
