//! The load generator behind `doorbuster load`, and the benchmarks.
//!
//! [`stampede()`] lets a crowd loose on a shop and then holds what every buyer was told against the
//! ledger. It knows the system only by its HTTP contract.
//!
//! ```text
//!  stampede  the run, in order              plan      its options
//!  buyers    the crowd: a closed loop per connection
//!  visit     a buyer's first request        insist    a request, repeated until it is answered
//!  holds     buyers who hold first: check out, cancel, walk away
//!  follow    every 202 to its end           waiting   which ones to ask for next
//!  strike    a command at half of the stock  latency   a distribution of times
//!  shop      products, stock and audit      audit     the ledger, once it has come to rest
//!  answer    what an answer means           run tally what the tasks share and count
//!  report    the findings                   verdict   what must not be     table  for people
//!  http      one kept connection, failover  framing   where an answer ends target where to
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

mod answer;
mod audit;
mod buyers;
mod error;
mod follow;
mod framing;
mod holds;
pub mod http;
mod insist;
mod latency;
pub mod limits;
pub mod measure;
mod plan;
mod progress;
mod report;
mod run;
mod shop;
mod stampede;
mod strike;
mod table;
mod tally;
mod target;
pub mod usl;
mod verdict;
mod visit;
mod waiting;

pub use audit::Ledger;
pub use error::StampedeError;
pub use holds::expiry::Expiry;
pub use holds::findings::Findings;
pub use holds::intent::Holds;
pub use plan::{Mode, Plan};
pub use report::{LATENCIES, PERCENTILES, Report};
pub use stampede::stampede;
pub use strike::Strike;
