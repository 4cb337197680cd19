//! Buyers who hold first and decide later: check out, cancel, or walk away.
//!
//! ```text
//!  intent       what each buyer comes to do      reservation  what a hold's answer says
//!  errand       the second request of a holder   counter      holders whose hold is granted, in line
//!  counts       what became of the holds         promises     units promised at the same time
//!  expiry       until abandoned holds are back   findings     the report, and what must not be
//!  table        for people
//! ```

pub(crate) mod counter;
pub(crate) mod counts;
pub(crate) mod errand;
pub(crate) mod expiry;
pub(crate) mod findings;
pub(crate) mod intent;
pub(crate) mod promises;
pub(crate) mod reservation;
mod table;
