//! A deployment: a database, a vhost and a Redis database of its own, APIs and workers over them.

use serde_json::Value;

use super::program::Program;
use super::servers::Servers;
use super::{API_KEY, Client, Database, eventually};

pub struct Stack {
    pub servers: Servers,
    environment: Vec<(String, String)>,
}

impl Stack {
    /// Migrated and empty.
    pub async fn new() -> Self {
        let servers = Servers::new().await;
        let mut environment = servers.environment();
        environment.push(("DOORBUSTER__ADMIN__API_KEY".into(), API_KEY.into()));
        environment.push(("DOORBUSTER__LOG__LEVEL".into(), "warn".into()));
        // A few buyers ask for everything; tests of limits turn them on.
        environment.push(("DOORBUSTER__LIMITS__PER_USER_PER_SECOND".into(), "0".into()));
        environment.push(("DOORBUSTER__LIMITS__UNPAID_HOLDS_PER_HOUR".into(), "0".into()));
        let (status, _) = Program::run("doorbuster", &["migrate"], &environment);
        assert!(status.success());
        Self { servers, environment }
    }

    /// Migrated and empty, over a whole database of its own.
    pub async fn over(database: &Database) -> Self {
        let mut stack = Self::new().await;
        stack.set("DOORBUSTER__POSTGRES__URL", &database.url());
        let (status, _) = Program::run("doorbuster", &["migrate"], &stack.environment);
        assert!(status.success());
        stack
    }

    /// Configures the programs that are started from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.environment.push((key.into(), value.into()));
    }

    /// How the programs that are started now are configured.
    pub fn get(&self, key: &str) -> String {
        let found = self.environment.iter().rfind(|(name, _)| name == key);
        found.map(|(_, value)| value.clone()).unwrap()
    }

    /// Starts an API on a free port and waits until it accepts purchases.
    pub async fn api(&self) -> (Program, Client) {
        let port = free_port();
        let (program, client) = self.api_on(port);
        ready(&client).await;
        (program, client)
    }

    /// Starts an API on `port` without waiting.
    pub fn api_on(&self, port: u16) -> (Program, Client) {
        let addr = format!("127.0.0.1:{port}");
        let mut environment = self.environment.clone();
        environment.push(("DOORBUSTER__HTTP__ADDR".into(), addr.clone()));
        let program = Program::start("doorbuster-api", &[], &environment);
        (program, Client::new(format!("http://{addr}")))
    }

    pub fn worker(&self) -> Program {
        Program::start("doorbuster-worker", &[], &self.environment)
    }

    /// Starts a worker that serves its metrics to the client.
    pub fn measured_worker(&self) -> (Program, Client) {
        let addr = format!("127.0.0.1:{}", free_port());
        let mut environment = self.environment.clone();
        environment.push(("DOORBUSTER__METRICS__ADDR".into(), addr.clone()));
        let program = Program::start("doorbuster-worker", &[], &environment);
        (program, Client::new(format!("http://{addr}")))
    }

    /// `doorbuster audit --json`: exit code and report.
    pub fn audit(&self) -> (bool, Value) {
        self.audit_of(&[])
    }

    /// The same, of these instances of the API too.
    pub fn audit_of(&self, apis: &[&Client]) -> (bool, Value) {
        let apis = apis.iter().flat_map(|api| ["--api", &*api.base]);
        let args: Vec<_> = ["audit", "--json"].into_iter().chain(apis).collect();
        let (status, text) = Program::run("doorbuster", &args, &self.environment);
        (status.success(), serde_json::from_str(&text).unwrap())
    }

    /// `doorbuster audit`: exit code and table.
    pub fn audit_table(&self) -> (bool, String) {
        let (status, text) = Program::run("doorbuster", &["audit"], &self.environment);
        (status.success(), text)
    }

    /// `doorbuster dlq … --json`: exit code and answer.
    pub fn dlq(&self, args: &[&str]) -> (bool, Value) {
        let args = [&["dlq"], args, &["--json"]].concat();
        let (status, text) = Program::run("doorbuster", &args, &self.environment);
        (status.success(), serde_json::from_str(&text).unwrap_or_default())
    }

    /// Any command of `doorbuster` with something to read: whether it succeeded, and its answer.
    pub fn command_with(&self, args: &[&str], input: &str) -> (bool, Value) {
        let (status, text) = Program::run_with("doorbuster", args, &self.environment, input);
        (status.success(), serde_json::from_str(&text).unwrap_or_default())
    }

    /// `doorbuster realign --json` of the database at `url`; its report.
    pub fn realign(&self, url: &str) -> Value {
        let mut environment = self.environment.clone();
        environment.push(("DOORBUSTER__POSTGRES__URL".into(), url.into()));
        let (status, text) = Program::run("doorbuster", &["realign", "--json"], &environment);
        assert!(status.success(), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until the audit finds nothing: gate, ledger and orders agree.
    pub async fn healthy(&self) {
        eventually("a healthy audit", async || self.audit().0.then_some(())).await;
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until purchases are accepted and every dependency is there.
pub async fn ready(client: &Client) {
    eventually("readiness", async || {
        let answer = client.try_send("GET", "/readyz", &[], None).await?;
        (answer.body["status"] == "ready").then_some(())
    })
    .await;
}
