//! PostgreSQL, Redis and RabbitMQ as processes, by `scripts/services`, in a folder of their own: one
//! of each, or one that leads and others that follow.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use tokio::sync::Mutex as AsyncMutex;

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Server {
    Postgres,
    Redis,
    RabbitMq,
}

impl Server {
    pub(super) const ALL: [Self; 3] = [Self::Postgres, Self::Redis, Self::RabbitMq];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::RabbitMq => "rabbitmq",
        }
    }

    /// The variable that tells a program where it is.
    pub(super) const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "DOORBUSTER__POSTGRES__URL",
            Self::Redis => "DOORBUSTER__REDIS__URL",
            Self::RabbitMq => "DOORBUSTER__RABBITMQ__URL",
        }
    }

    /// How many there are where there are replicas.
    const fn members(self) -> usize {
        match self {
            Self::Postgres | Self::Redis => 2,
            Self::RabbitMq => 3,
        }
    }
}

/// One server.
#[derive(Debug, Clone)]
struct Member {
    /// As `scripts/services` calls it.
    name: String,
    url: String,
}

/// Servers that nobody else uses. Stopped, with all that they hold, when dropped.
pub(super) struct Servers {
    folder: PathBuf,
    /// One at a time: the script locks its folder.
    turn: AsyncMutex<()>,
    members: BTreeMap<Server, Vec<Member>>,
    /// Which of them programs are led to.
    leading: Mutex<BTreeMap<Server, usize>>,
}

/// The script, in the repository that this was built from.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/services")
}

impl Servers {
    /// Brings them up in `folder`.
    pub(super) async fn up(folder: &Path, replicated: bool) -> Result<Self> {
        let mut servers = Self {
            folder: folder.to_owned(),
            turn: AsyncMutex::default(),
            members: BTreeMap::new(),
            leading: Mutex::default(),
        };
        servers.run(if replicated { &["up", "--replicated"] } else { &["up"] }).await?;
        let exports = servers.run(&["env"]).await?;
        for server in Server::ALL {
            let count = if replicated { server.members() } else { 1 };
            let members = (1..=count).map(|number| member(server, number, &exports));
            servers.members.insert(server, members.collect::<Result<_>>()?);
        }
        Ok(servers)
    }

    /// Starts whatever is not running.
    pub(super) async fn up_again(&self) -> Result<()> {
        self.run(&["up"]).await.map(drop)
    }

    /// The URL of the one that leads.
    pub(super) fn url(&self, server: Server) -> String {
        self.leader(server).url
    }

    /// Where the one that leads listens.
    pub(super) fn addr(&self, server: Server) -> Result<SocketAddr> {
        addr_of(&self.url(server))
    }

    /// What programs are told.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&'static str, String)> {
        Server::ALL.into_iter().map(|server| (server.variable(), self.url(server)))
    }

    /// `kill -9`, or a clean stop, of the one that leads.
    pub(super) async fn end(&self, server: Server, how: End) -> Result<()> {
        let how = match how {
            End::Kill => "kill",
            End::Stop => "stop",
        };
        self.run(&[how, &self.leader(server).name]).await.map(drop)
    }

    /// Starts it again.
    pub(super) async fn start(&self, server: Server) -> Result<()> {
        self.run(&["start", &self.leader(server).name]).await.map(drop)
    }

    /// The one that leads is killed and another one takes over; who has to be started again. A standby
    /// that has not caught up yet takes nothing over: then the killed one leads on.
    pub(super) async fn fail_over(&self, server: Server) -> Result<String> {
        let (led, members) = (self.leader(server), &self.members[&server]);
        let fallen = if server == Server::RabbitMq {
            // Programs may be connected to any node, and each queue has a leader of its own.
            let vhost = led.url.rsplit_once('/').map_or("", |(_, vhost)| vhost);
            self.run(&["leader", vhost, "purchases"]).await?.trim().to_owned()
        } else {
            led.name.clone()
        };
        self.run(&["kill", &fallen]).await?;
        if fallen == led.name {
            let next = (self.leading()[&server] + 1) % members.len();
            if server == Server::RabbitMq
                || self.run(&["promote", &members[next].name]).await.is_ok()
            {
                self.leading().insert(server, next);
            }
        }
        Ok(fallen)
    }

    /// Starts a server that has fallen; it follows.
    pub(super) async fn start_again(&self, name: &str) -> Result<()> {
        self.run(&["start", name]).await.map(drop)
    }

    fn leading(&self) -> MutexGuard<'_, BTreeMap<Server, usize>> {
        let mut leading = self.leading.lock().unwrap_or_else(PoisonError::into_inner);
        for server in Server::ALL {
            leading.entry(server).or_default();
        }
        leading
    }

    fn leader(&self, server: Server) -> Member {
        self.members[&server][self.leading()[&server]].clone()
    }

    /// Runs the script; its standard output.
    async fn run(&self, args: &[&str]) -> Result<String> {
        let _turn = self.turn.lock().await;
        let output = Command::new(script())
            .args(args)
            .env("DOORBUSTER_SERVICES_DIR", &self.folder)
            .stdin(Stdio::null())
            .output()
            .await
            .context("scripts/services cannot be run")?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("scripts/services {}: {}", args.join(" "), told.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Kill,
    Stop,
}

/// The member of this number, the first is 1, by what `scripts/services env` exports.
fn member(server: Server, number: usize, exports: &str) -> Result<Member> {
    let (name, variable) = if number == 1 {
        (server.name().to_owned(), server.variable().to_owned())
    } else {
        let name = format!("{}-{number}", server.name());
        let variable = format!("DOORBUSTER_{}_URL", name.to_uppercase().replace('-', "_"));
        (name, variable)
    };
    let export = format!("export {variable}=");
    let url = exports.lines().find_map(|line| line.strip_prefix(&export));
    // The script quotes for a shell; of what these URLs hold only that needs a backslash.
    let url = url.with_context(|| format!("there is no {variable}"))?.replace('\\', "");
    Ok(Member { name, url })
}

/// The part of a URL before the address, the address, and the rest.
fn parts(url: &str) -> Result<(&str, &str, &str)> {
    let (before, rest) = url.rsplit_once('@').context("a URL without credentials")?;
    let (addr, path) = rest.split_once('/').context("a URL without a path")?;
    Ok((before, addr, path))
}

fn addr_of(url: &str) -> Result<SocketAddr> {
    Ok(parts(url)?.1.parse()?)
}

/// The same server by another address.
pub(super) fn through(url: &str, addr: SocketAddr) -> Result<String> {
    let (before, _, path) = parts(url)?;
    Ok(format!("{before}@{addr}/{path}"))
}

impl Drop for Servers {
    fn drop(&mut self) {
        let down = std::process::Command::new(script())
            .args(["down", "--wipe"])
            .env("DOORBUSTER_SERVICES_DIR", &self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !down.is_ok_and(|status| status.success()) {
            // There is nobody to hand an error to.
            let _ = writeln!(
                std::io::stderr(),
                "servers may still run: DOORBUSTER_SERVICES_DIR={} scripts/services down --wipe",
                self.folder.display()
            );
        }
    }
}
