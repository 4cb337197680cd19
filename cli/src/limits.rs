//! `doorbuster load limits`: what each part can do alone, on this machine and right now.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use loadgen::limits::{self, EchoServer, Ground, echo};
use shared::config::Config;
use shared::{shutdown, telemetry};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::runtime::Builder;

/// The subcommand that runs the echo server; not for people.
pub(crate) const ECHO_SERVER: &str = "echo-server";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long each figure is measured; there are 29 of them
    #[arg(long, value_name = "S", default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// How long each of the three of HTTP is, half a second at least [default: as the others]
    #[arg(long, value_name = "S", value_parser = seconds)]
    http_seconds: Option<Duration>,
    /// Keep-alive connections to the HTTP server: as many as a scenario has that is compared with it
    #[arg(long, value_name = "N", default_value = "256")]
    connections: NonZeroUsize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Duration> {
    let seconds = Duration::try_from_secs_f64(text.parse()?)?;
    anyhow::ensure!(!seconds.is_zero(), "must be more than 0");
    Ok(seconds)
}

pub(crate) fn run(options: &Options, file: Option<&Path>) -> Result<ExitCode> {
    let mut config = Config::load(file)?;
    config.log.level = "warn".into();
    telemetry::init_logs(&config.log)?;
    // One thread, as for every load: the other processors belong to what is measured.
    let limits = Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut program = Command::new(std::env::current_exe()?);
        program.args(["load", ECHO_SERVER]);
        let echo_server = EchoServer::start(program).await?;
        let each = options.seconds;
        let ground = Ground {
            each,
            each_http: options.http_seconds.unwrap_or(each),
            connections: options.connections.get(),
            stop: shutdown::on_signal()?,
            say: &show,
        };
        anyhow::Ok(limits::measure(&config, &echo_server, &ground).await?)
    });
    show("");
    let limits = limits?;
    if options.json {
        println!("{}", serde_json::to_string(&limits)?);
    } else {
        print!("{limits}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows what was found last: in one line of a terminal, which all of it would fill twice.
fn show(line: &str) {
    if std::io::stderr().is_terminal() {
        let short: String = line.chars().take(79).collect();
        eprint!("\r\x1b[2K{short}");
    } else if !line.is_empty() {
        eprintln!("{line}");
    }
}

/// Says where it listens, and serves until its standard input ends.
pub(crate) fn serve_echo() -> Result<ExitCode> {
    Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let (ended, at_end) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let read = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            ended.send(read)
        });
        tokio::select! {
            served = echo::serve(listener) => served.context("the echo server"),
            _ = at_end => Ok(()),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
