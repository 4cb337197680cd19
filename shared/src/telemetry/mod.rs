//! Logs, metrics and trace context.

mod logs;
mod metrics;
mod trace_context;

pub use self::logs::{TelemetryError, init_logs};
pub use self::metrics::{init_metrics, serve_metrics};
pub use self::trace_context::{is_traceparent, trace_id};
