//! What happens to programs, servers and the wires between them, by a seed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use shared::domain::Timestamp;
use shared::failpoints::FAILPOINTS;
use tokio::time::{Instant, sleep};

use super::link::Wire;
use super::recorder::now;
use super::servers::{End, Server};
use super::site::Site;

/// From one fault of a program to the next.
const PROGRAMS_MS: Range<u64> = 300..4_000;
/// From one fault of wires to the next.
const WIRES_MS: Range<u64> = 1_000..6_000;
/// From one fault of a server to the next: it takes a while to start, and is of use in between.
const SERVERS_MS: Range<u64> = 4_000..15_000;
/// A program that ended is started again after this time at most.
const RESTART_MS_MAX: u64 = 2_000;
/// How long something is stopped, cut or away.
const AWAY_MS: Range<u64> = 200..6_000;
/// A failpoint is met this often before it strikes, at most.
const PASSES_MAX: u32 = 40;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// `kill -9` of a program.
    Kill,
    /// A program is killed, and its next life crashes at a failpoint, if it comes there.
    ToCrashAt(&'static str),
    /// A program stands still for a while.
    Freeze,
    /// SIGTERM to a program.
    Restart,
    /// `FLUSHALL`.
    Flush,
    /// A server is killed (-9) and away for a while.
    KillServer(Server),
    /// A server is stopped cleanly and away for a while.
    StopServer(Server),
    /// The server that leads is killed, and another one takes over.
    FailOver(Server),
    /// The wires to a server, of one program or of all, behave badly for a while.
    Wire(Server, &'static str),
}

impl Fault {
    /// And not of one of our programs.
    pub(super) const fn is_of_a_server(self) -> bool {
        matches!(
            self,
            Self::Flush
                | Self::KillServer(_)
                | Self::StopServer(_)
                | Self::FailOver(_)
                | Self::Wire(..)
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("a program is killed"),
            Self::ToCrashAt(name) => write!(f, "a program is started to crash at {name}"),
            Self::Freeze => f.write_str("a program is stopped and continued"),
            Self::Restart => f.write_str("a program is restarted"),
            Self::Flush => f.write_str("Redis is flushed"),
            Self::KillServer(server) => write!(f, "{} is killed", server.name()),
            Self::StopServer(server) => write!(f, "{} is stopped", server.name()),
            Self::FailOver(server) => write!(f, "{} fails over", server.name()),
            Self::Wire(server, how) => write!(f, "wires to {} are {how}", server.name()),
        }
    }
}

/// A fault that happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Struck {
    pub(super) fault: Fault,
    /// Since when.
    pub(super) since: Timestamp,
    /// From when on everything could be right again.
    pub(super) over: Timestamp,
}

/// The faults of a trial.
pub(super) struct Storm<'a> {
    site: &'a Site,
    replicated: bool,
    rng: Mutex<Rng>,
    struck: Mutex<Vec<Struck>>,
}

impl<'a> Storm<'a> {
    pub(super) fn new(site: &'a Site, rng: Rng, replicated: bool) -> Self {
        Self { site, replicated, rng: rng.into(), struck: Mutex::default() }
    }

    /// Strikes until `until`: now a program, now a server, often something else before that is over.
    pub(super) async fn rage(&self, until: Instant) -> Result<()> {
        let programs = async {
            while Instant::now() < until {
                self.pause(PROGRAMS_MS).await;
                self.strike_program().await;
            }
            Ok(())
        };
        let wires = async {
            while Instant::now() < until {
                self.pause(WIRES_MS).await;
                self.strike_wires().await;
            }
            Ok(())
        };
        let servers = async {
            while Instant::now() < until {
                self.pause(SERVERS_MS).await;
                self.strike_server().await?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(programs, wires, servers)?;
        Ok(())
    }

    /// What happened, in order.
    pub(super) fn struck(&self) -> Vec<Struck> {
        self.struck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn random<T>(&self, choose: impl FnOnce(&mut Rng) -> T) -> T {
        choose(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn pause(&self, ms: Range<u64>) {
        let pause_ms = self.random(|rng| rng.u64(ms));
        sleep(Duration::from_millis(pause_ms)).await;
    }

    fn away(&self) -> Duration {
        Duration::from_millis(self.random(|rng| rng.u64(AWAY_MS)))
    }

    fn over(&self, fault: Fault, since: Timestamp) {
        let struck = Struck { fault, since, over: now() };
        self.struck.lock().unwrap_or_else(PoisonError::into_inner).push(struck);
    }

    async fn strike_program(&self) {
        let all: Vec<_> = self.site.programs.all().map(Arc::clone).collect();
        let (program, what, after_ms) = self
            .random(|rng| (&all[rng.usize(..all.len())], rng.u32(..8), rng.u64(1..RESTART_MS_MAX)));
        let (after, since) = (Duration::from_millis(after_ms), now());
        let fault = match what {
            0..=2 => {
                program.arm("", after);
                program.kill().await;
                Fault::Kill
            }
            3..=5 => {
                let (name, time) = self.random(|rng| {
                    (rng.choice(FAILPOINTS).map_or("", |(name, _)| name), rng.u32(1..PASSES_MAX))
                });
                program.arm(&format!("{name}=crash@{time}"), after);
                program.kill().await;
                Fault::ToCrashAt(name)
            }
            6 => {
                program.freeze(self.away()).await;
                Fault::Freeze
            }
            _ => {
                program.arm("", after);
                program.terminate().await;
                Fault::Restart
            }
        };
        self.over(fault, since);
    }

    /// Of one program, or of all to one server.
    async fn strike_wires(&self) {
        let (server, one, wire) = self.random(|rng| {
            let servers = Server::ALL;
            let server = servers[rng.usize(..servers.len())];
            let late = Duration::from_millis(rng.u64(5..200));
            let wires = [("cut", Wire::Cut), ("silent", Wire::Silent), ("slow", Wire::Slow(late))];
            let links = self.site.programs.links(server).count();
            (
                server,
                (rng.u32(..3) > 0).then(|| rng.usize(..links)),
                wires[rng.usize(..wires.len())],
            )
        });
        let (how, wire) = wire;
        let chosen = || {
            let links = self.site.programs.links(server).enumerate();
            links.filter(move |(at, _)| one.is_none_or(|one| one == *at)).map(|(_, link)| link)
        };
        let since = now();
        chosen().for_each(|link| link.set(wire));
        sleep(self.away()).await;
        chosen().for_each(|link| link.set(Wire::Open));
        self.over(Fault::Wire(server, how), since);
    }

    async fn strike_server(&self) -> Result<()> {
        let (server, what) = self.random(|rng| (Server::ALL[rng.usize(..3)], rng.u32(..6)));
        let (servers, since) = (&self.site.servers, now());
        let fault = match what {
            0 | 1 if self.replicated => {
                let fallen = servers.fail_over(server).await?;
                self.site.lead(server)?;
                self.over(Fault::FailOver(server), since);
                sleep(self.away()).await;
                return servers.start_again(&fallen).await;
            }
            0 | 1 => {
                self.take_away(server, End::Kill).await?;
                Fault::KillServer(server)
            }
            2 => {
                self.take_away(server, End::Stop).await?;
                Fault::StopServer(server)
            }
            _ => {
                // A Redis that cannot be reached forgets nothing more.
                let _ = self.flush().await;
                Fault::Flush
            }
        };
        self.over(fault, since);
        Ok(())
    }

    async fn take_away(&self, server: Server, how: End) -> Result<()> {
        self.site.servers.end(server, how).await?;
        sleep(self.away()).await;
        self.site.servers.start(server).await
    }

    async fn flush(&self) -> Result<()> {
        let client = redis::Client::open(self.site.servers.url(Server::Redis))?;
        let mut redis = client.get_multiplexed_async_connection().await?;
        Ok(redis::cmd("FLUSHALL").query_async(&mut redis).await?)
    }
}

/// How often each fault struck.
pub(super) fn counted(struck: &[Struck]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for struck in struck {
        *counts.entry(struck.fault.to_string()).or_default() += 1;
    }
    counts
}
