//! A stampede, in order: look, put on sale, let the crowd in, follow, let holds run out, audit,
//! report.

use std::sync::Arc;

use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::audit;
use crate::buyers;
use crate::error::StampedeError;
use crate::follow;
use crate::holds::expiry;
use crate::http::Target;
use crate::plan::Plan;
use crate::progress;
use crate::report::Report;
use crate::run::Run;
use crate::shop::Shop;
use crate::strike::{Armed, Strike};

/// Runs `plan` to its end. What went wrong in the shop is in the report; an error means that there
/// is nothing to report. Cheapest on a current-thread runtime, which leaves the other cores to the
/// system under test.
pub async fn stampede(plan: Plan) -> Result<Report, StampedeError> {
    if let Some(fault) = plan.fault() {
        return Err(StampedeError::Plan(fault));
    }
    let targets = resolve(&plan.urls).await?;
    let mut shop = Shop::new(targets.clone(), &plan);
    // First, because it also finds a missing API key before anything is sold.
    let audit_before = shop.audit().await?;
    let id = format!("{:08x}", rand::random::<u32>());
    let product = match (plan.product, plan.stock) {
        (Some(product), _) => product,
        (None, stock) => shop.create_product(&id, stock.unwrap_or_default()).await?,
    };
    let before = shop.shown_everywhere(product, plan.stock.unwrap_or_default()).await?;
    let armed = plan.at_half.as_deref().map(Armed::arm).transpose();
    let armed = armed.map_err(StampedeError::Strike)?;

    let run = Arc::new(Run::begin(id, plan, targets, product, before));
    let strike = sell(&run, armed).await?;
    let aftermath = expiry::aftermath(&run, &mut shop).await?;
    let ledger = audit::settled(&mut shop, product, &audit_before).await?;
    Ok(Report::new(&run, strike, aftermath, ledger))
}

async fn resolve(urls: &[String]) -> Result<Arc<[Target]>, StampedeError> {
    let mut targets = Vec::with_capacity(urls.len());
    for url in urls {
        targets.push(Target::resolve(url).await?);
    }
    Ok(targets.into())
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
    tokio::try_join!(sending, follow::follow_all(run.clone(), inbox, granted))?;
    over.cancel();
    match striking {
        Some(striking) => striking.await?.map_err(StampedeError::Strike),
        None => Ok(None),
    }
}
