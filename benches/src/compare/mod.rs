//! The synchronous and the asynchronous way under the same loads, and a page that shows what came of it.
//!
//! ```text
//!  comparison  what was measured: the JSON      machine   on what it was measured
//!  figures     one run in a row of a table      timeline  one run over time
//!  plots       over load     events over time   choose    which way for what
//!  page        the HTML                         markdown  the table for a document
//! ```
//!
//! Drawing is a function of a [`Comparison`] alone, so a page can be made again from its JSON.

mod choose;
mod comparison;
mod events;
mod figures;
mod machine;
mod markdown;
mod page;
mod plots;
mod rows;
#[cfg(test)]
mod synthetic;
mod timeline;

pub use comparison::{Capacity, Comparison, Event, LoadPoint, Way, WayRun};
pub use machine::Machine;
pub use markdown::markdown;
pub use page::html;
