//! `doorbuster realign`: after the database was restored to an earlier point. Safe to repeat.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Serialize;
use shared::adapters::postgres::{PostgresLedger, Realigned};
use shared::adapters::redis::{RedisGate, RedisPool};
use shared::config::Config;
use shared::domain::ProductId;
use shared::ports::{GateError, Ledger, StockGate};

use crate::who::Who;

/// Beyond half of what JSON and Lua can count, a version was not made by us.
const VERSION_MAX: i64 = 1 << 52;
/// Products asked for in one call of the gate.
const PRODUCTS_MAX: usize = 500;

#[derive(Debug, Args)]
pub(crate) struct Realign {
    #[command(flatten)]
    who: Who,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(flatten)]
    realigned: Realigned,
    /// False: Redis did not answer, and the clock alone was gone by.
    gate_heeded: bool,
}

pub(crate) async fn run(options: &Realign, config: &Config) -> Result<ExitCode> {
    let ledger = PostgresLedger::connect(&config.postgres).context("check postgres.url")?;
    let redis = RedisPool::new(&config.redis).context("check redis.url")?;
    let seen = known_at_the_gate(&ledger, &RedisGate::new(Arc::new(redis))).await?;
    let gate_heeded = seen.is_ok();
    if let Err(error) = &seen {
        eprintln!("doorbuster: {error}; going by the clock alone");
    }
    let realigned = ledger
        .realign(&seen.unwrap_or_default(), &options.who.actor())
        .await
        .context("nothing was changed; do it again when the ledger answers")?;
    let report = Report { realigned, gate_heeded };
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", table(&report)?);
    }
    Ok(ExitCode::SUCCESS)
}

type Seen = BTreeMap<ProductId, i64>;

/// The versions that the gate holds; an error within where it is away.
async fn known_at_the_gate(
    ledger: &dyn Ledger,
    gate: &dyn StockGate,
) -> Result<Result<Seen, GateError>> {
    let catalogue = ledger
        .catalogue()
        .await
        .context("the ledger could not be read; check postgres.url and run `doorbuster migrate`")?;
    let products: Vec<_> =
        catalogue.products_after(ProductId(0)).map(|product| product.id).collect();
    let mut seen = Seen::new();
    for part in products.chunks(PRODUCTS_MAX) {
        let levels = match gate.levels(part).await {
            Ok(levels) => levels,
            Err(error) => return Ok(Err(error)),
        };
        for (&product, level) in part.iter().zip(levels) {
            let version = level.map_or(0, |level| level.version);
            ensure!(
                version < VERSION_MAX,
                "the gate holds version {version} of product {product}, which no ledger ever had: \
                 delete the key {{p:{product}}}:gate in Redis, then do it again"
            );
            seen.insert(product, version);
        }
    }
    Ok(Ok(seen))
}

fn table(report: &Report) -> Result<String> {
    let Realigned { products, catalogue, orders, next_id } = &report.realigned;
    let mut text = String::new();
    writeln!(text, "{:>10} {:>16} {:>16}", "product", "version", "now")?;
    for raised in products {
        let (id, version) = (raised.product_id.0, raised.version);
        writeln!(text, "{id:>10} {:>16} {:>16}", version.from, version.to)?;
    }
    writeln!(text, "{:>10} {:>16} {:>16}", "catalogue", catalogue.from, catalogue.to)?;
    writeln!(
        text,
        "{orders} open orders raised; new products and sales are numbered from {next_id}"
    )?;
    Ok(text)
}
