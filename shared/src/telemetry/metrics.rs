//! Prometheus metrics: recorded everywhere through the `metrics` macros, rendered here.

use std::net::SocketAddr;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::logs::TelemetryError;

/// Buckets of durations, in seconds: from a memory lookup to the longest wait.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Buckets of batch sizes.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0];
/// Histograms keep their samples until they are folded into buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// Records metrics of this process; the handle renders them.
pub fn init_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let handle = builder()?.install_recorder().map_err(failed)?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tick.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// Records metrics of this process and serves them under every path of `addr`.
pub fn serve_metrics(addr: SocketAddr) -> Result<(), TelemetryError> {
    builder()?.with_http_listener(addr).install().map_err(failed)
}

fn builder() -> Result<PrometheusBuilder, TelemetryError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
        .and_then(|b| b.set_buckets_for_metric(Matcher::Suffix("_size".into()), SIZES))
        .map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> TelemetryError {
    TelemetryError::Metrics(error.to_string())
}
