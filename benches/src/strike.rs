//! Runs a command, once, at the moment when half of the stock is sold.
//!
//! A thousand units may sell within a tenth of a second, so nothing may be slow here: the shell is
//! started beforehand and waits for a line on its standard input, and the sold count is watched in
//! three places at once: what buyers see, what every instance shows, polled each millisecond.

use std::io;
use std::os::fd::AsFd as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::http::{Line, Request};
use crate::run::Run;
use crate::shop::{Stock, availability};

const POLL_EVERY: Duration = Duration::from_millis(1);
/// A command that takes longer is left behind.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);

/// Watches for the half.
pub(crate) struct Half {
    units_sold: i64,
    seen_sold: AtomicI64,
    crossed: Notify,
}

impl Half {
    /// The moment when half of what is available now is sold.
    pub(crate) fn of(stock: Stock) -> Self {
        Self {
            units_sold: stock.sold + (stock.available + 1) / 2,
            seen_sold: AtomicI64::new(stock.sold),
            crossed: Notify::new(),
        }
    }

    /// Somebody saw this many units sold.
    pub(crate) fn saw(&self, units_sold: i64) {
        let before = self.seen_sold.fetch_max(units_sold, Ordering::Relaxed);
        if before < self.units_sold && units_sold >= self.units_sold {
            self.crossed.notify_one();
        }
    }

    fn seen(&self) -> i64 {
        self.seen_sold.load(Ordering::Relaxed)
    }
}

/// What the strike was.
#[derive(Debug, Clone, Serialize)]
pub struct Strike {
    /// The shell command.
    pub command: String,
    /// Units sold in this run, as far as anybody had seen when the command was let go.
    pub sold_seen: i64,
    /// From the first request to the strike.
    pub after_ms: f64,
    /// The command's exit status; `None` if a signal ended it or it did not end in time.
    pub exit_code: Option<i32>,
}

/// A shell that waits for its moment.
pub(crate) struct Armed {
    shell: Child,
    command: String,
}

impl Armed {
    /// Starts the shell. Its output goes to stderr; stdout belongs to the report.
    pub(crate) fn arm(command: &str) -> io::Result<Self> {
        let stderr = io::stderr().as_fd().try_clone_to_owned()?;
        let shell = Command::new("sh")
            .arg("-c")
            .arg(format!("read -r DOORBUSTER_SOLD || exit 0; export DOORBUSTER_SOLD\n{command}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::from(stderr))
            .spawn()?;
        Ok(Self { shell, command: command.to_owned() })
    }

    /// Strikes when half is sold; `None` if `over` comes first.
    pub(crate) async fn strike(
        mut self,
        run: Arc<Run>,
        over: CancellationToken,
    ) -> io::Result<Option<Strike>> {
        let mut pollers = JoinSet::new();
        for url in 0..run.targets.len() {
            pollers.spawn(poll(run.clone(), url));
        }
        let mut stdin = self.shell.stdin.take();
        tokio::select! {
            biased;
            () = run.half.crossed.notified() => {}
            () = over.cancelled() => {
                // The shell reads the end of its input and goes.
                drop(stdin);
                self.shell.wait().await?;
                return Ok(None);
            }
        }
        let sold_seen = run.half.seen() - run.before.sold;
        if let Some(stdin) = &mut stdin {
            stdin.write_all(format!("{sold_seen}\n").as_bytes()).await?;
        }
        let after = run.began.elapsed();
        drop((stdin, pollers));
        let ended = tokio::time::timeout(COMMAND_PATIENCE, self.shell.wait()).await;
        Ok(Some(Strike {
            command: self.command,
            sold_seen,
            after_ms: after.as_secs_f64() * 1e3,
            exit_code: ended.ok().transpose()?.and_then(|status| status.code()),
        }))
    }
}

/// Polls one instance's stock board until it is dropped.
async fn poll(run: Arc<Run>, url: usize) {
    let mut line = Line::new([run.targets[url].clone()].into(), 0);
    let path = availability(run.product);
    let request = Request { method: "GET", path: &path, header: None, body: b"" };
    loop {
        match line.call(&request, run.patience()).await {
            Ok(answer) => {
                if let Ok(stock) = serde_json::from_slice::<Stock>(answer.body) {
                    run.half.saw(stock.sold);
                }
            }
            Err(_) => line.back_off().await,
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn half_is_crossed_once_however_often_it_is_seen() {
        let half = Half::of(Stock { available: 5, sold: 2 });
        half.saw(4);
        half.saw(7);
        half.saw(5);
        half.saw(6);
        half.crossed.notified().await;
        assert_eq!(half.seen(), 7);
        let again = tokio::time::timeout(Duration::ZERO, half.crossed.notified()).await;
        assert!(again.is_err(), "struck twice");
    }
}
