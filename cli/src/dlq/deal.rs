//! Replaying and discarding dead letters.

use std::io::IsTerminal;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::views::DeadLettersMoved;
use clap::Args;
use shared::adapters::family;
use shared::adapters::rabbitmq::{Broker, RabbitBus, RabbitQueue};
use shared::config::Config;
use shared::pipeline::dead_letters::{Operation, Pace, Which};
use shared::pipeline::events::Events;
use shared::pipeline::relay::{Payer, Relay};
use shared::ports::{LetterAct, LetterId, LetterRef, Ports};
use tokio::time::{Instant, timeout};

use crate::who::Who;

/// The broker must be there within this time.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How often it is said how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// Letters replayed per second where the operator does not say.
pub(super) const RATE_DEFAULT: NonZeroU32 = NonZeroU32::new(api::parse::RATE_DEFAULT).unwrap();

#[derive(Debug, Args)]
pub(crate) struct Deal {
    /// Numbers of letters, or IDs of their orders
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    letters: Vec<LetterRef>,
    /// All that wait
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    who: Who,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(super) deal: Deal,
    /// Purchases per second
    #[arg(long, value_name = "N", default_value_t = RATE_DEFAULT)]
    pub(super) rate: NonZeroU32,
}

pub(super) async fn run(
    act: LetterAct,
    options: &Deal,
    rate: NonZeroU32,
    config: &Config,
) -> Result<ExitCode> {
    let broker = Broker::new(&config.rabbitmq)?;
    let (queue, bus) = (RabbitQueue::new(broker.clone()), RabbitBus::new(broker));
    let (queue, bus) = (Arc::new(queue), Arc::new(bus));
    let connected = async { tokio::join!(queue.connected(), bus.connected()) };
    let connected = timeout(CONNECT_MAX, connected).await;
    // What is discarded without the broker is announced by a worker when it is back.
    if act == LetterAct::Replay {
        connected.context("the broker could not be reached; check rabbitmq.url")?;
    }
    let ports = Ports { queue: queue.clone(), bus: bus.clone(), ..family::real(config)? };
    let moved = deal(act, options, rate, config, &ports).await;
    tokio::join!(queue.close(), bus.close());
    let moved = moved?;
    if options.json {
        println!("{}", serde_json::to_string(&moved)?);
    } else {
        print(act, &moved);
    }
    Ok(if moved.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn deal(
    act: LetterAct,
    options: &Deal,
    rate: NonZeroU32,
    config: &Config,
    ports: &Ports,
) -> Result<DeadLettersMoved> {
    let (relay, relaying) = Relay::start(Payer {
        gate: Arc::clone(&ports.gate),
        bus: Arc::clone(&ports.bus),
        queue: Arc::clone(&ports.queue),
        ledger: Arc::clone(&ports.ledger),
        events: Events::from_config(&config.events),
    });
    let which = if options.all { Which::All } else { Which::These(options.letters.clone()) };
    let who = options.who.actor();
    let operation = Operation { ledger: &*ports.ledger, queue: &*ports.queue, act, who: &who };
    let pace = Pace { per_second: rate, until: None };
    let mut moved = DeadLettersMoved::default();
    let mut progress = Progress::new();
    let mut see = |outcome| {
        moved.add(outcome).into_iter().for_each(|announcement| relay.offer(announcement));
        progress.show(act, &moved);
    };
    let done = operation.many(&which, LetterId(0), pace, &mut see).await;
    progress.end();
    drop(relay);
    // A panic there was told where it happened.
    let _ = relaying.await;
    done.with_context(|| format!("{} {} dead letters, then", past(act), moved.changed))?;
    Ok(moved)
}

fn print(act: LetterAct, moved: &DeadLettersMoved) {
    let DeadLettersMoved { changed, unchanged, refused, .. } = moved;
    println!(
        "{} {changed}, nothing left to do for {unchanged}, refused {}",
        past(act),
        refused.len()
    );
    for letter in refused {
        println!("  {letter}");
    }
}

const fn past(act: LetterAct) -> &'static str {
    match act {
        LetterAct::Replay => "replayed",
        LetterAct::Discard => "discarded",
    }
}

/// How far it is, now and then: in one line of a terminal.
struct Progress {
    terminal: bool,
    shown: Instant,
}

impl Progress {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), shown: Instant::now() }
    }

    fn show(&mut self, act: LetterAct, moved: &DeadLettersMoved) {
        if self.shown.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.shown = Instant::now();
        let line = format!("{} {} dead letters", past(act), moved.changed);
        if self.terminal {
            eprint!("\r\x1b[2K{line}");
        } else {
            eprintln!("{line}");
        }
    }

    fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[2K");
        }
    }
}
