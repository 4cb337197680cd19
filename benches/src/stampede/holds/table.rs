//! The holds for people.

use std::fmt;

use indicatif::HumanCount;

use crate::stampede::holds::findings::Findings;
use crate::table::{count_row, listed, rate_row, row, seconds};

impl Findings {
    /// The counts, under those of the whole run.
    pub(crate) fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checked_out = self.confirmed + self.pending + self.declined;
        let became =
            [("confirmed", self.confirmed), ("pending", self.pending), ("declined", self.declined)];
        let became = became.into_iter().filter(|(_, count)| *count > 0);
        let became: Vec<_> =
            became.map(|(what, count)| format!("{what} {}", HumanCount(count))).collect();
        writeln!(f)?;
        count_row(f, "holds granted", self.granted, "")?;
        count_row(f, "  checked out", checked_out, &became.join(", "))?;
        count_row(f, "  cancelled", self.cancelled, "")?;
        count_row(f, "  abandoned", self.abandoned, "")?;
        let expired = if self.expired < self.abandoned { "the others had not by then" } else { "" };
        count_row(f, "  expired", self.expired, expired)?;
        let seldom = [
            ("  over when needed", self.gone_total, listed(&self.gone)),
            ("  over too early", self.gone_early, String::new()),
            ("  in doubt", self.in_doubt, String::new()),
            ("  promised twice", self.overpromised as u64, "units".into()),
            ("  not in the ledger", self.missing as u64, "units".into()),
            ("  stuck", self.stuck as u64, "units".into()),
        ];
        for (name, count, note) in seldom.into_iter().filter(|(_, count, _)| *count > 0) {
            count_row(f, name, count, &note)?;
        }
        Ok(())
    }

    /// The rates, under those of the whole run.
    pub(crate) fn write_speed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rates = [
            ("  of purchases", self.purchases_per_s),
            ("  of holds", self.holds_per_s),
            ("checkouts", self.checkouts_per_s),
            ("cancellations", self.cancels_per_s),
        ];
        for (name, rate) in rates.into_iter().filter(|(_, rate)| *rate > 0.0) {
            rate_row(f, name, rate)?;
        }
        if let Some(ratio) = self.hold_to_purchase_rate {
            row(f, "hold rate / purchase rate", &format!("{:.0} %", ratio * 100.0))?;
        }
        let Some(expiry) = &self.expiry else { return Ok(()) };
        if let Some(rate) = expiry.expired_per_s {
            rate_row(f, "expired", rate)?;
        }
        match expiry.back_after_ms {
            Some(back_after_ms) => row(f, "back after last deadline", &seconds(back_after_ms)),
            None if expiry.all_back => Ok(()),
            None => row(f, "back after last deadline", "not back"),
        }
    }
}
