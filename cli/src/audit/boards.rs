//! What an instance of the API shows beside what the ledger has, with patience: what is under way has
//! two seconds to arrive.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loadgen::client::{Line, Request, Target};
use serde::Deserialize;
use shared::domain::{Counts, ProductId, StockLevel};
use shared::pipeline::audit::{Case, Finding, Kind};
use shared::ports::Ledger;
use tokio::time::{Instant, sleep};

/// Boards and ledger agree so long after the last commit.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// An instance that does not answer within this time cannot be compared.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Compares the stock of all active products, and again what differs for as long as it may be under
/// way.
pub(super) async fn compare(url: &str, ledger: &dyn Ledger) -> Result<Vec<Finding>> {
    let target = Target::resolve(url).await.context("--api")?;
    let mut line = Line::new([target].into(), 0);
    let before = by_product(ledger.pulse().await.context(super::NO_LEDGER)?.levels);
    let give_up = Instant::now() + PATIENCE;
    loop {
        let shown = shown(&mut line).await.with_context(|| format!("--api {url}"))?;
        // Read after the boards: they can only show what the ledger has by now.
        let after = by_product(ledger.pulse().await.context(super::NO_LEDGER)?.levels);
        let mut cases: Vec<_> = before
            .iter()
            // What was withdrawn from sale meanwhile is kept by nobody.
            .filter_map(|(id, before)| judge(before, shown.get(id), after.get(id)?))
            .collect();
        if cases.is_empty() || Instant::now() >= give_up {
            cases.sort_by_key(|(_, case)| case.product_id);
            return Ok(findings(url, &cases));
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// What is wrong with stock that was shown after the ledger was at `before`, and before it was at
/// `after`.
fn judge(
    before: &StockLevel,
    shown: Option<&StockLevel>,
    after: &StockLevel,
) -> Option<(Kind, Case)> {
    let (id, version) = (before.product_id, shown.map_or(0, |shown| shown.version));
    if version > after.version {
        return Some((Kind::BoardAhead, Case::of(id, "version", version, after.version)));
    }
    if version < before.version {
        return Some((Kind::BoardDiffers, Case::of(id, "version", version, after.version)));
    }
    let shown = shown?;
    let known = [before, after].into_iter().find(|level| level.version == shown.version)?;
    let pairs = named(shown.counts).into_iter().zip(named(known.counts));
    let unlike = pairs.into_iter().find(|((_, found), (_, expected))| found != expected);
    unlike.map(|((what, found), (_, expected))| {
        (Kind::BoardDiffers, Case::of(id, what, found, expected))
    })
}

fn named(counts: Counts) -> [(&'static str, i64); 3] {
    [("total", counts.total), ("reserved", counts.reserved), ("sold", counts.sold)]
}

fn findings(url: &str, cases: &[(Kind, Case)]) -> Vec<Finding> {
    let finding = |kind| {
        let of_kind = cases.iter().filter(|(of, _)| *of == kind);
        let cases = of_kind.map(|(_, case)| Case { api: Some(url.to_owned()), ..case.clone() });
        Finding::all(kind, cases.collect())
    };
    [Kind::BoardDiffers, Kind::BoardAhead].into_iter().filter_map(finding).collect()
}

fn by_product(levels: Vec<StockLevel>) -> HashMap<ProductId, StockLevel> {
    levels.into_iter().map(|level| (level.product_id, level)).collect()
}

#[derive(Deserialize)]
struct Page {
    products: Vec<Listed>,
    next: Option<i64>,
}

#[derive(Deserialize)]
struct Listed {
    availability: Shown,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    product_id: ProductId,
    total_inventory: i64,
    reserved_count: i64,
    sold_count: i64,
    version: i64,
}

/// The stock of all products as the instance shows it, page by page.
async fn shown(line: &mut Line) -> Result<HashMap<ProductId, StockLevel>> {
    let (mut levels, mut after) = (Vec::new(), 0);
    loop {
        let path = format!("/api/v1/products?limit=200&after={after}");
        let request = Request { method: "GET", path: &path, headers: &[], body: b"" };
        let answer = line.call(&request, ANSWERS_WITHIN).await?;
        ensure!(answer.status == 200, "{path} was answered {}", answer.status);
        let page: Page = serde_json::from_slice(answer.body).context(path)?;
        levels.extend(page.products.into_iter().map(|product| level(&product.availability)));
        match page.next {
            Some(next) => after = next,
            None => return Ok(by_product(levels)),
        }
    }
}

fn level(shown: &Shown) -> StockLevel {
    let Shown { product_id, total_inventory, reserved_count, sold_count, version } = *shown;
    let counts = Counts { total: total_inventory, reserved: reserved_count, sold: sold_count };
    StockLevel { product_id, counts, version, sale: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: i64, sold: i64) -> StockLevel {
        let counts = Counts { total: 10, reserved: 0, sold };
        StockLevel { product_id: ProductId(1), counts, version, sale: None }
    }

    #[test]
    fn a_board_follows_the_ledger() {
        for shown in [at(3, 2), at(4, 3), at(5, 4)] {
            assert_eq!(judge(&at(3, 2), Some(&shown), &at(5, 4)), None, "{shown:?}");
        }
    }

    #[test]
    fn a_board_that_is_behind_ahead_or_wrong_is_found() {
        let (before, after) = (at(3, 2), at(5, 4));
        let found = |shown: Option<StockLevel>| judge(&before, shown.as_ref(), &after);
        let differs = |what, found, expected| {
            Some((Kind::BoardDiffers, Case::of(ProductId(1), what, found, expected)))
        };
        assert_eq!(found(None), differs("version", 0, 5));
        assert_eq!(found(Some(at(2, 1))), differs("version", 2, 5));
        assert_eq!(found(Some(at(3, 1))), differs("sold", 1, 2));
        assert_eq!(found(Some(at(5, 5))), differs("sold", 5, 4));
        let ahead = (Kind::BoardAhead, Case::of(ProductId(1), "version", 6, 5));
        assert_eq!(found(Some(at(6, 5))), Some(ahead));
    }
}
