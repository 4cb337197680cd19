//! `doorbuster health`: one GET, for containers' health checks.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use loadgen::client::{Line, Request, Target};

#[derive(Debug, Args)]
pub(crate) struct Health {
    /// What to ask
    #[arg(long, default_value = "http://127.0.0.1:8080/readyz")]
    url: String,
    /// How long to wait for the answer
    #[arg(long, default_value_t = 3)]
    timeout_s: u64,
}

/// Success if the answer is 2xx, else 1: Docker reserves 2 in health checks.
pub(crate) fn run(options: &Health) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(ask(options)) {
        Ok(status) => {
            println!("{status} {}", options.url);
            Ok(ExitCode::from(u8::from(!(200..300).contains(&status))))
        }
        Err(error) => {
            println!("not healthy: {error:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn ask(options: &Health) -> anyhow::Result<u16> {
    let target = Target::resolve(&options.url).await?;
    let request = Request { method: "GET", path: "", headers: &[], body: b"" };
    let mut line = Line::new([target].into(), 0);
    let answer = line.call(&request, Duration::from_secs(options.timeout_s)).await?;
    Ok(answer.status)
}
