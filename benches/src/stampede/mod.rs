//! A stampede: lets a crowd loose on a shop, then holds what every buyer was told against the ledger.
//!
//! ```text
//!  plan      its options                    run tally what the tasks share and count
//!  buyers    the crowd: a closed loop per connection
//!  visit     a buyer's first request        insist    a request, repeated until it is answered
//!  holds     buyers who hold first: check out, cancel, walk away
//!  follow    every 202 to its end           waiting   which ones to ask for next
//!  strike    a command at half of the stock audit     the ledger, once it has come to rest
//!  answer    what an answer means           report    the findings
//!  verdict   what must not be               table     for people
//! ```

mod answer;
mod audit;
mod buyers;
mod error;
mod follow;
mod holds;
mod insist;
mod plan;
mod progress;
mod report;
mod run;
mod strike;
mod table;
mod tally;
mod verdict;
mod visit;
mod waiting;

use std::sync::Arc;

use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::resolve;
use crate::shop::Shop;
use crate::stampede::holds::expiry;
use crate::stampede::run::Run;
use crate::stampede::strike::Armed;

pub use audit::Ledger;
pub use error::StampedeError;
pub use holds::expiry::Expiry;
pub use holds::findings::Findings;
pub use holds::intent::Holds;
pub use plan::{Mode, Plan};
pub use report::{LATENCIES, PERCENTILES, Report};
pub use strike::Strike;

/// Runs `plan` to its end, in order: look, put on sale, let the crowd in, follow, let holds run out,
/// audit, report. What went wrong in the shop is in the report; an error means that there
/// is nothing to report. Cheapest on a current-thread runtime, which leaves the other cores to the
/// system under test.
pub async fn stampede(plan: Plan) -> Result<Report, StampedeError> {
    if let Some(fault) = plan.fault() {
        return Err(StampedeError::Plan(fault));
    }
    let targets = resolve(&plan.urls).await?;
    let mut shop = Shop::new(targets.clone(), plan.api_key.clone());
    // First, because it also finds a missing API key before anything is sold.
    let audit_before = shop.audit().await?;
    let id = format!("{:08x}", rand::random::<u32>());
    let product = match (plan.product, plan.stock) {
        (Some(product), _) => product,
        (None, stock) => shop.create_product("stampede", &id, stock.unwrap_or_default()).await?,
    };
    let units = plan.stock.unwrap_or_default();
    let before = shop.shown_everywhere(product, |stock| stock.available >= units).await?;
    let armed = plan.at_half.as_deref().map(Armed::arm).transpose();
    let armed = armed.map_err(StampedeError::Strike)?;

    let run = Arc::new(Run::begin(id, plan, targets, product, before));
    let strike = sell(&run, armed).await?;
    let aftermath = expiry::aftermath(&run, &mut shop).await?;
    let ledger = audit::settled(&mut shop, product, &audit_before).await?;
    Ok(Report::new(&run, strike, aftermath, ledger))
}

/// Sends and follows at once; gives the strike, if there was one.
async fn sell(run: &Arc<Run>, armed: Option<Armed>) -> Result<Option<Strike>, StampedeError> {
    let over = CancellationToken::new();
    let _whatever_happens = over.clone().drop_guard();
    let striking: Option<JoinHandle<_>> =
        armed.map(|armed| tokio::spawn(armed.strike(run.clone(), over.clone())));
    if run.plan.progress {
        tokio::spawn(progress::show(run.clone(), over.clone()));
    }
    let (accepted, inbox) = unbounded_channel();
    let (granted, errands) = unbounded_channel();
    let sending = async {
        buyers::send_all(run.clone(), accepted, errands).await.map_err(StampedeError::from)
    };
    let following = async {
        follow::follow_all(run.clone(), inbox, granted).await.map_err(StampedeError::from)
    };
    tokio::try_join!(sending, following)?;
    over.cancel();
    match striking {
        Some(striking) => striking.await?.map_err(StampedeError::Strike),
        None => Ok(None),
    }
}
