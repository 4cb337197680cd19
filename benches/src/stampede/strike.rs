//! Runs a command, once, at the moment when half of the stock is sold or held.
//!
//! A thousand units may sell within a tenth of a second, so nothing may be slow here: the shell is
//! started beforehand and waits for a line on its standard input, which whoever sees the half sold
//! writes on the spot. The count is watched in two places at once: what buyers are told, and what
//! every instance shows, polled each millisecond.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::{Line, Request};
use crate::figures::ms;
use crate::shop::{Stock, availability};
use crate::stampede::run::Run;

const POLL_EVERY: Duration = Duration::from_millis(1);
/// A command that takes longer after the run is left behind.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);

/// Watches for the half.
pub(crate) struct Half {
    taken_before: i64,
    /// The count at which half of what was available is sold or held.
    units_taken: i64,
    seen_taken: AtomicI64,
    /// The waiting shell's standard input.
    trigger: Mutex<Option<File>>,
    /// The count in this run, and when.
    struck: OnceLock<(i64, Instant)>,
}

impl Half {
    pub(crate) fn of(stock: Stock) -> Self {
        Self {
            taken_before: stock.taken(),
            units_taken: stock.taken() + (stock.available + 1) / 2,
            seen_taken: AtomicI64::new(stock.taken()),
            trigger: Mutex::new(None),
            struck: OnceLock::new(),
        }
    }

    /// Somebody saw this many units sold or held.
    pub(crate) fn saw(&self, units_taken: i64) {
        let before = self.seen_taken.fetch_max(units_taken, Ordering::Relaxed);
        if before < self.units_taken && units_taken >= self.units_taken {
            self.strike(units_taken - self.taken_before);
        }
    }

    fn strike(&self, taken_in_run: i64) {
        if let Some(mut shell) = self.take_trigger() {
            // A short line into an empty pipe never blocks; if the shell has gone, its exit shows.
            if writeln!(shell, "{taken_in_run}").is_ok() {
                let _ = self.struck.set((taken_in_run, Instant::now()));
            }
        }
    }

    fn arm(&self, shell: File) {
        *self.trigger.lock().unwrap_or_else(PoisonError::into_inner) = Some(shell);
    }

    fn take_trigger(&self) -> Option<File> {
        self.trigger.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the strike was.
#[derive(Debug, Clone, Serialize)]
pub struct Strike {
    /// The shell command.
    pub command: String,
    /// Units sold or held in this run, as far as anybody had seen when the command was let go.
    pub sold_seen: i64,
    /// From the first request to the strike.
    pub after_ms: f64,
    /// The command's exit status; `None` if a signal ended it or it did not end in time.
    pub exit_code: Option<i32>,
}

/// A shell that waits for its moment.
pub(crate) struct Armed {
    shell: Child,
    stdin: File,
    command: String,
}

impl Armed {
    /// Starts the shell. Its output goes to stderr; stdout belongs to the report.
    pub(crate) fn arm(command: &str) -> io::Result<Self> {
        let stderr = io::stderr().as_fd().try_clone_to_owned()?;
        let mut shell = Command::new("sh")
            .arg("-c")
            .arg(format!("read -r DOORBUSTER_SOLD || exit 0; export DOORBUSTER_SOLD\n{command}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::from(stderr))
            .spawn()?;
        let stdin = shell.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stdin = stdin.into_owned_fd()?;
        Ok(Self { shell, stdin: stdin.into(), command: command.to_owned() })
    }

    /// From now on the half strikes; what became of it, once the command has ended. `None` if
    /// `over` came first.
    pub(crate) fn strike(
        self,
        run: Arc<Run>,
        over: CancellationToken,
    ) -> impl Future<Output = io::Result<Option<Strike>>> {
        let Self { mut shell, stdin, command } = self;
        run.half.arm(stdin);
        let mut pollers = JoinSet::new();
        for url in 0..run.targets.len() {
            pollers.spawn(poll(run.clone(), url));
        }
        async move {
            over.cancelled().await;
            drop(pollers);
            // The end of its input sends a shell away that still waits.
            drop(run.half.take_trigger());
            let ended = tokio::time::timeout(COMMAND_PATIENCE, shell.wait()).await;
            let exit_code = ended.ok().transpose()?.and_then(|status| status.code());
            Ok(run.half.struck.get().map(|(sold_seen, at)| Strike {
                command,
                sold_seen: *sold_seen,
                after_ms: ms(*at - run.began),
                exit_code,
            }))
        }
    }
}

/// Polls one instance's stock board until the strike.
async fn poll(run: Arc<Run>, url: usize) {
    let mut line = Line::new([run.targets[url].clone()].into(), 0);
    let path = availability(run.product);
    let request = Request { method: "GET", path: &path, headers: &[], body: b"" };
    while run.half.struck.get().is_none() {
        match line.call(&request, run.patience()).await {
            Ok(answer) => {
                if let Ok(stock) = serde_json::from_slice::<Stock>(answer.body) {
                    run.half.saw(stock.taken());
                }
            }
            Err(_) => line.back_off().await,
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn half_strikes_once_however_often_it_is_seen() {
        let half = Half::of(Stock { available: 5, reserved: 1, sold: 1 });
        let (mut reader, writer) = io::pipe().unwrap();
        half.arm(File::from(std::os::fd::OwnedFd::from(writer)));
        for units_sold in [4, 6, 5, 7] {
            half.saw(units_sold);
        }
        let mut told = String::new();
        reader.read_to_string(&mut told).unwrap();
        assert_eq!(told, "4\n");
        assert_eq!(half.struck.get().unwrap().0, 4);
    }
}
