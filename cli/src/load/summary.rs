//! `doorbuster load summary`: rounds of measurements in tables.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use loadgen::summary::Summary;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder: NAME.ROUND.json of `run`, NAME@N.ROUND.json where N of something were measured,
    /// limits.ROUND.json, knee-NAME.ROUND.json, overload-NAME.ROUND.json, and NAME.rss with lines of second, process and bytes
    folder: PathBuf,
}

/// Prints Markdown; success only if nothing was lost in any round.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let summary = Summary::read(&options.folder)?;
    print!("{summary}");
    Ok(super::exit(summary.lost() == 0))
}
