//! After the load: every accepted purchase is looked up, and the endings held against the stock.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use uuid::Uuid;

use crate::client::Line;
use crate::engine::stage::Stage;
use crate::figures::Counts;
use crate::shop::purchases::{IDS_MAX, query};
use crate::shop::{Shop, ShopError};

const PAUSE: Duration = Duration::from_millis(50);
/// News of a commit reach the API's board within two seconds; this is generous.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// How everything ended.
#[derive(Debug, Default)]
pub(crate) struct Endings {
    /// By status, or reason of refusal.
    pub(crate) ended: Counts,
    /// 202 given, and unknown to the shop or undecided for longer than the plan's patience.
    pub(crate) lost: u64,
    /// Tracking IDs given to more than one buyer: how often too many.
    pub(crate) duplicates: u64,
}

impl Endings {
    /// Units that buyers have, sold or held.
    pub(crate) fn units(&self) -> u64 {
        let has_unit = ["CONFIRMED", "FULFILLED", "RESERVED", "PENDING"];
        has_unit.iter().filter_map(|ending| self.ended.get(*ending)).sum()
    }
}

/// Looks up every one of `ids`, again and again while some are decided.
pub(crate) async fn look_up_all(
    stage: &Stage,
    mut ids: Vec<Uuid>,
    patience: Duration,
    bar: &ProgressBar,
) -> Result<Endings, ShopError> {
    let mut line = Line::new(stage.targets.clone(), 0);
    let mut endings = Endings::default();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    endings.duplicates = (all - ids.len()) as u64;
    let mut last_decided = Instant::now();
    while !ids.is_empty() {
        let before = ids.len();
        let mut undecided = Vec::new();
        for some in ids.chunks(IDS_MAX) {
            let left = ask(&mut line, some, &mut endings).await?;
            bar.inc((some.len() - left.len()) as u64);
            undecided.extend(left);
        }
        ids = undecided;
        if ids.len() < before {
            last_decided = Instant::now();
        } else if last_decided.elapsed() > patience {
            endings.lost += ids.len() as u64;
            break;
        }
        if !ids.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(endings)
}

/// Asks for some; gives back those that are not decided.
async fn ask(line: &mut Line, ids: &[Uuid], endings: &mut Endings) -> Result<Vec<Uuid>, ShopError> {
    let left = query(line, ids, |found| {
        let mut left: Vec<Uuid> = Vec::new();
        for purchase in &found.purchases {
            if purchase.is_decided() {
                *endings.ended.entry(purchase.ending().to_owned()).or_default() += 1;
            } else {
                left.push(purchase.tracking_id);
            }
        }
        // What the answer leaves out is as unknown as what it calls so.
        endings.lost += (ids.len() - found.purchases.len()) as u64;
        left
    });
    Ok(left.await?.unwrap_or_else(|| ids.to_vec()))
}

/// Says what is wrong between what buyers were told and the stock; `None` if they agree. `told` is
/// the units that buyers have, sold or held; up to `in_doubt` buyers may have one without knowing.
pub(crate) async fn disagreement(
    stage: &Stage,
    told: u64,
    in_doubt: u64,
) -> Result<Option<String>, ShopError> {
    let mut shop = Shop::new(stage.targets.clone(), None);
    let give_up = Instant::now() + SHOWN_WITHIN;
    loop {
        let mut taken = -stage.taken_before;
        for &product in &stage.products {
            taken += shop.stock(product).await?.taken();
        }
        let taken = taken.max(0) as u64;
        if (told..=told + in_doubt).contains(&taken) {
            return Ok(None);
        }
        if Instant::now() >= give_up {
            return Ok(Some(format!(
                "buyers were told of {told} units, but {taken} were taken from the stock"
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
