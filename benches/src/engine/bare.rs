//! A server that is no shop, asked what a scenario asks of one.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::unbounded_channel;

use crate::engine::error::LoadError;
use crate::engine::findings::Parts;
use crate::engine::load::Load;
use crate::engine::meters::Meters;
use crate::engine::send;
use crate::engine::stage::Stage;
use crate::engine::stock::Watch;
use crate::engine::visitor::Hall;
use crate::measure::Measurement;

/// Does for each request all that [`super::measure`] does, so that the two can be compared, and nothing
/// beside it: no products are made, no stock is watched, nothing is looked up.
pub(crate) async fn measure(load: Load) -> Result<Measurement, LoadError> {
    let meters = Meters::open(&load).await?;
    let stage = Arc::new(Stage::bare(&load).await?);
    let began = Instant::now();
    let start = began + load.warm_up;
    let hall = Hall::open(&load, stage, began);
    // Nobody follows what a server without purchases has accepted.
    let (followed, _) = unbounded_channel();
    let metering = meters.between(&load, start, start + load.duration);
    let ((), used) = tokio::try_join!(send(&hall, load.connections(), followed), metering)?;
    let watch = Watch::default();
    let parts =
        Parts { load: &load, watch: &watch, start, used, endings: None, disagreement: None };
    Ok(Measurement::new(&mut hall.recorder.record(), parts))
}
