//! `doorbuster seed`: a demo catalogue. Safe to repeat: what is there stays as it is.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use shared::domain::{Actor, Currency, Money, Sku};
use shared::ports::{Ledger, LedgerError, NewProduct};

#[derive(Debug, Args)]
pub(crate) struct Seed {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: &Seed, ledger: &dyn Ledger) -> Result<ExitCode> {
    let (added, products) = (seed(ledger).await?, DEMO.len());
    if options.json {
        println!("{}", json!({ "added": added, "products": products }));
    } else {
        println!("added {added} of {products} demo products; the others were there");
    }
    Ok(ExitCode::SUCCESS)
}

/// SKU, name, description, category, price in cents, units, units per user.
type Row = (&'static str, &'static str, &'static str, &'static str, i64, i64, Option<u32>);

const DEMO: &[Row] = &[
    ("PHONE-15", "Phone 15", "The new one, 256 GB", "electronics", 99_900, 1_000, None),
    ("CONSOLE-5", "Console 5", "With two controllers", "electronics", 49_900, 500, Some(1)),
    ("SNEAKER-AIR", "Air sneaker", "Limited edition", "fashion", 17_950, 200, Some(2)),
    ("TICKET-FINAL", "Ticket for the final", "Block C, one seat", "tickets", 12_000, 100, Some(4)),
    ("STICKER", "Sticker", "Endless supply, for load tests", "misc", 100, 10_000_000, None),
    ("POSTER-SIGNED", "Signed poster", "The last three of them", "prints", 4_500, 3, None),
    ("CAMERA-X", "Camera X", "Numbered, one to a buyer", "electronics", 64_900, 300, Some(1)),
];

/// Adds the demo products that are missing; how many were added.
pub(crate) async fn seed(ledger: &dyn Ledger) -> Result<usize> {
    let mut added = 0;
    for row in DEMO {
        match ledger.create_product(&product(row)?, &Actor::local("cli:seed")).await {
            Ok(_) => added += 1,
            Err(LedgerError::SkuTaken) => {}
            Err(error) => return Err(error).context("adding the demo catalogue"),
        }
    }
    Ok(added)
}

fn product(&(sku, name, description, category, minor, total, limit): &Row) -> Result<NewProduct> {
    Ok(NewProduct {
        sku: Sku::parse(sku)?,
        name: name.into(),
        description: description.into(),
        category: category.into(),
        image_url: None,
        price: Money { minor, currency: Currency::USD },
        per_user_limit: limit,
        total,
    })
}
