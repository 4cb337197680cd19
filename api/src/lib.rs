//! Doorbuster's HTTP room: the only place that knows paths and status codes.
//!
//! | | |
//! |---|---|
//! | [`run()`] | the room over the ports, from the first connection to the last answer |
//! | `server`, `tls`, `cors` | the accept loop and its bounds; certificates; pages of other origins |
//! | `router` | every route on one screen |
//! | `edge` | what surrounds every handler: request ID, time limit, problems, metrics |
//! | `parse` | requests are checked at the door, once, with every fault listed |
//! | `routes` | one file per action of a client |
//! | `views` | every response body |
//! | `problem` | which error is which status code |
//! | `state` | what requests share: boards, the pipeline, and the few things below |
//! | `shown` | what can be had of a product, as bytes |
//! | `levels`, `sales`, `sampler`, `readiness` | stock, sales, queue and dependencies, asked in bounded ways |
//! | `live` | what changes is told to those who watch it: SSE, WebSocket |
//! | `identity` | who asks, and what they may do |
//! | `limits`, `challenge`, `webhook` | how often, by people only, and signed by whom |
//! | `table`, `contract` | what is true of every route |

pub mod challenge;
pub mod client_addr;
pub mod contract;
pub mod cors;
pub mod edge;
pub mod identity;
pub mod levels;
pub mod limits;
pub mod live;
pub mod meter;
pub mod parse;
mod patience;
pub mod problem;
pub mod readiness;
pub mod request_id;
pub mod router;
pub mod routes;
mod run;
pub mod sales;
pub mod sampler;
pub mod server;
pub mod shown;
pub mod state;
pub mod table;
mod throttle;
pub mod tls;
pub mod views;
pub mod webhook;
mod within;

pub use run::run;
