//! Two APIs and two workers as processes, each with wires of its own to the servers, each started
//! again some time after it ended.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::link::Link;
use super::servers::{Server, Servers, through};

/// What an operator's request carries.
pub(super) const API_KEY: &str = "a-key-for-trials";
/// Signs what the payment provider reports.
pub(super) const WEBHOOK_SECRET: &str = "a-secret-for-trials";
/// SIGTERM is given this long.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Where a program is in its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life {
    /// The first is 1.
    number: u32,
    pid: Option<u32>,
}

/// One program, through all of its lives.
pub(super) struct Program {
    pub(super) name: String,
    /// Where it listens, if it is an API.
    pub(super) base: Option<String>,
    pub(super) links: BTreeMap<Server, Link>,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    log: PathBuf,
    life: Mutex<Life>,
    /// What the next life meets, and how long it lets itself be awaited.
    next: Mutex<Next>,
}

#[derive(Default)]
struct Next {
    failpoints: String,
    /// Failpoints of every life, not only of the next.
    always: bool,
    after: Duration,
}

impl Program {
    /// Which instance this is: the program and the number of its life.
    pub(super) fn instance(&self) -> String {
        format!("{}#{}", self.name, self.life().number)
    }

    /// Lives that have ended.
    pub(super) fn deaths(&self) -> u32 {
        let life = *self.life();
        life.number - u32::from(life.pid.is_some())
    }

    /// `kill -9`.
    pub(super) async fn kill(&self) {
        self.signal("KILL").await;
    }

    /// Stops without being asked, and goes on after a while.
    pub(super) async fn freeze(&self, time: Duration) {
        self.signal("STOP").await;
        sleep(time).await;
        self.signal("CONT").await;
    }

    /// SIGTERM.
    pub(super) async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Says what the next life meets (see `shared::failpoints`), and how long after the end of this
    /// one it begins.
    pub(super) fn arm(&self, failpoints: &str, after: Duration) {
        *lock(&self.next) = Next { failpoints: failpoints.into(), always: false, after };
    }

    /// Says what every life meets from the next one on, until [`Self::arm`] is called.
    pub(super) fn arm_always(&self, failpoints: &str) {
        let after = Duration::ZERO;
        *lock(&self.next) = Next { failpoints: failpoints.into(), always: true, after };
    }

    /// Only ever a process that this started and has not yet seen the end of.
    async fn signal(&self, signal: &str) {
        let Some(pid) = self.life().pid else { return };
        let signal = format!("-{signal}");
        let _ = Command::new("kill").args([&signal, &pid.to_string()]).status().await;
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        lock(&self.life)
    }

    fn start(&self, failpoints: &str) -> Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.binary)
            .envs(self.environment.iter().cloned())
            .env("DOORBUSTER_FAILPOINTS", failpoints)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be run", self.binary.display()))?;
        let mut life = self.life();
        *life = Life { number: life.number + 1, pid: child.id() };
        Ok(child)
    }

    /// Lives one life after the other.
    async fn live(self: Arc<Self>) -> Result<()> {
        loop {
            let failpoints = {
                let mut next = lock(&self.next);
                if next.always {
                    next.failpoints.clone()
                } else {
                    std::mem::take(&mut *next).failpoints
                }
            };
            let mut child = self.start(&failpoints)?;
            let ended: std::io::Result<ExitStatus> = child.wait().await;
            self.life().pid = None;
            ended?;
            let after = lock(&self.next).after;
            sleep(after).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All programs.
pub(super) struct Programs {
    pub(super) apis: Vec<Arc<Program>>,
    pub(super) workers: Vec<Arc<Program>>,
    /// They end when this is dropped.
    lives: JoinSet<Result<()>>,
}

/// What programs are started with.
pub(super) struct Deployment<'a> {
    /// Where the binaries are.
    pub(super) binaries: &'a Path,
    /// Where their logs go.
    pub(super) logs: &'a Path,
    /// What they work with.
    pub(super) servers: &'a Servers,
    /// Configuration beyond that.
    pub(super) environment: &'a [(&'a str, &'a str)],
}

impl Programs {
    /// Starts so many of each.
    pub(super) async fn start(
        deployment: &Deployment<'_>,
        apis: usize,
        workers: usize,
    ) -> Result<Self> {
        let mut programs = Self { apis: vec![], workers: vec![], lives: JoinSet::new() };
        for number in 1..=apis {
            let addr = free_addr()?;
            let program = Arc::new(deployment.program("api", number, Some(addr)).await?);
            programs.lives.spawn(Arc::clone(&program).live());
            programs.apis.push(program);
        }
        for number in 1..=workers {
            let program = Arc::new(deployment.program("worker", number, None).await?);
            programs.lives.spawn(Arc::clone(&program).live());
            programs.workers.push(program);
        }
        Ok(programs)
    }

    /// APIs first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Program>> {
        self.apis.iter().chain(&self.workers)
    }

    /// Every wire to `server`.
    pub(super) fn links(&self, server: Server) -> impl Iterator<Item = &Link> {
        self.all().filter_map(move |program| program.links.get(&server))
    }

    /// Fails when a program cannot be started any more.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.lives.try_join_next() {
            None => Ok(()),
            Some(ended) => ended?,
        }
    }

    /// Asks all of them to stop, and waits for it.
    pub(super) async fn stop(mut self) {
        let all: Vec<_> = self.all().cloned().collect();
        for program in &all {
            program.arm("", STOP_WITHIN * 2);
            program.terminate().await;
        }
        let stopped = async {
            while all.iter().any(|program| program.life().pid.is_some()) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        // One that does not stop is killed with its task.
        let _ = tokio::time::timeout(STOP_WITHIN, stopped).await;
        self.lives.shutdown().await;
    }
}

impl Deployment<'_> {
    async fn program(
        &self,
        kind: &str,
        number: usize,
        addr: Option<SocketAddr>,
    ) -> Result<Program> {
        let name = format!("{kind}-{number}");
        let mut links = BTreeMap::new();
        let mut environment: Vec<(String, String)> =
            self.environment.iter().map(|&(key, value)| (key.into(), value.into())).collect();
        environment.push(("DOORBUSTER__ADMIN__API_KEY".into(), API_KEY.into()));
        // A few buyers ask for everything.
        environment.push(("DOORBUSTER__LIMITS__PER_USER_PER_SECOND".into(), "0".into()));
        environment.push(("DOORBUSTER__LIMITS__UNPAID_HOLDS_PER_HOUR".into(), "0".into()));
        environment.push(("DOORBUSTER__PAYMENTS__WEBHOOK_SECRET".into(), WEBHOOK_SECRET.into()));
        for server in Server::ALL {
            let link = Link::to(self.servers.addr(server)?).await?;
            let url = through(&self.servers.url(server), link.addr())?;
            environment.push((server.variable().into(), url));
            links.insert(server, link);
        }
        if let Some(addr) = addr {
            environment.push(("DOORBUSTER__HTTP__ADDR".into(), addr.to_string()));
        }
        Ok(Program {
            base: addr.map(|addr| format!("http://{addr}")),
            links,
            binary: self.binaries.join(format!("doorbuster-{kind}")),
            environment,
            log: self.logs.join(format!("{name}.log")),
            life: Life { number: 0, pid: None }.into(),
            next: Mutex::default(),
            name,
        })
    }
}

fn free_addr() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
