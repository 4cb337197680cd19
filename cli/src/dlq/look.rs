//! Looking at dead letters.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use api::views::{DeadLetterList, DeadLetterView};
use clap::Args;
use shared::adapters::family;
use shared::config::Config;
use shared::domain::{Order, Purchase, Reason, envelope};
use shared::ports::{KeptLetter, LetterId, LetterQuery, LetterRef};

const NO_LEDGER: &str =
    "the ledger could not be read; check postgres.url and run `doorbuster migrate`";

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Those that were dealt with too
    #[arg(long)]
    all: bool,
    /// Letters at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
    /// Only letters with greater numbers
    #[arg(long, default_value_t = 0, value_name = "ID")]
    after: i64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The number of the letter, or the ID of its order
    letter: LetterRef,
    /// Print one JSON object, the message in Base64
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(options: &List, config: &Config) -> Result<ExitCode> {
    let ledger = family::real(config)?.ledger;
    // One more than asked for tells whether there are more.
    let (open, limit) = (!options.all, options.limit.saturating_add(1));
    let query = LetterQuery { open, after: LetterId(options.after), limit };
    let found = ledger.letters(&query).await.context(NO_LEDGER)?;
    if options.json {
        let list = DeadLetterList::new(found, options.limit);
        println!("{}", serde_json::to_string(&list)?);
    } else {
        print!("{}", table(&found, options.limit)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn table(found: &[KeptLetter], limit: usize) -> Result<String> {
    let mut text = String::new();
    let header = ["id", "order", "status", "tries", "since", "error"];
    let [id, order, status, tries, since, error] = header;
    writeln!(text, "{id:>8} {order:36} {status:20} {tries:>5} {since:24} {error}")?;
    for kept in found.iter().take(limit) {
        let KeptLetter { id, attempts, at, letter, .. } = kept;
        let order = letter.order_id.map_or_else(|| "-".into(), |id| id.to_string());
        let (status, at, error) = (status_of(kept), at.to_string(), short(&letter.error));
        writeln!(text, "{:>8} {order:36} {status:20} {attempts:>5} {at:24} {error}", id.0)?;
    }
    match found.get(limit.saturating_sub(1)).filter(|_| found.len() > limit) {
        Some(last) => writeln!(text, "there are more: --after {}", last.id)?,
        None => writeln!(text, "{} dead letters", found.len())?,
    }
    Ok(text)
}

fn status_of(kept: &KeptLetter) -> String {
    match &kept.order {
        Some(Order { status, reason: Some(reason), .. }) => format!("{status}({reason})"),
        Some(order) => order.status.to_string(),
        None if kept.is_open() => "-".into(),
        None => Reason::Discarded.to_string(),
    }
}

/// Its first line, as far as it fits.
fn short(error: &str) -> String {
    error.lines().next().unwrap_or_default().chars().take(80).collect()
}

pub(super) async fn show(options: &Show, config: &Config) -> Result<ExitCode> {
    let ledger = family::real(config)?.ledger;
    let found = ledger.letter(options.letter).await.context(NO_LEDGER)?;
    let found = found.with_context(|| format!("there is no dead letter {}", options.letter))?;
    if options.json {
        println!("{}", serde_json::to_string(&DeadLetterView::shown(&found))?);
    } else {
        print!("{}", sheet(&found)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn sheet(kept: &KeptLetter) -> Result<String> {
    let mut text = String::new();
    let order = kept.letter.order_id.map_or_else(|| "none".into(), |id| id.to_string());
    writeln!(text, "letter     {}", kept.id)?;
    writeln!(text, "order      {order}")?;
    writeln!(text, "status     {}", status_of(kept))?;
    writeln!(text, "error      {}", kept.letter.error)?;
    writeln!(text, "attempts   {}", kept.attempts)?;
    writeln!(text, "since      {}", kept.at)?;
    for (name, at) in [("replayed", kept.replayed_at), ("closed", kept.closed_at)] {
        if let Some(at) = at {
            writeln!(text, "{name:10} {at}")?;
        }
    }
    for Purchase { id, terms, kind, accepted_at, .. } in envelope::purchases_in(&kept.letter.body) {
        let (product, units, user) = (terms.product_id, terms.quantity.units(), terms.user_id);
        writeln!(text, "purchase   {id}: {user} {kind:?} {units} of {product}, {accepted_at}")?;
    }
    writeln!(text, "message    {}", kept.letter.body.escape_ascii())?;
    Ok(text)
}
