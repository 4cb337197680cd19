//! The synchronous and the asynchronous way under the same loads, and a page that shows what came of it.
//!
//! ```text
//!  comparison  what was measured: the JSON      plan      which loads, bursts and stalls
//!  machine     on what it was measured          conduct   offering them to both ways
//!  stall       a ledger that stands still       live      with the engine, to a running shop
//!  figures     one run in a row of a table      timeline  one run over time
//!  plots       over load     events over time   choose    which way for which matter
//!  page        the HTML                         markdown  the table for a document
//! ```
//!
//! Drawing is a function of a [`Comparison`] alone, so a page can be made again from its JSON.

mod choose;
mod comparison;
mod conduct;
mod events;
mod figures;
mod live;
mod machine;
mod markdown;
mod matters;
mod page;
mod plan;
mod plots;
mod rows;
mod stall;
#[cfg(test)]
pub(crate) mod synthetic;
mod timeline;

pub use comparison::{Capacity, Comparison, Event, LoadPoint, Way, WayRun};
pub use live::{Plan, compare};
pub use machine::Machine;
pub use markdown::markdown;
pub use page::html;
