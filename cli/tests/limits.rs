//! `doorbuster load limits` against the real servers: it finds something, and leaves nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A panic is how a test fails.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use loadgen::limits::Limits;
use loadgen::measure::Arrivals;
use support::{Program, Servers, eventually};

async fn migrated() -> (Servers, Vec<(String, String)>) {
    let servers = Servers::new().await;
    let mut environment = servers.environment();
    environment.push(("DOORBUSTER__LOG__LEVEL".into(), "warn".into()));
    assert!(Program::run("doorbuster", &["migrate"], &environment).0.success());
    (servers, environment)
}

/// Tables and keys are gone at once; the broker's list of queues is some seconds old.
async fn assert_nothing_is_left(servers: &Servers) {
    let tables = "select tablename from pg_tables
        where schemaname = current_schema() and tablename like 'doorbuster_limits_%'";
    assert_eq!(servers.database.run(tables).await, Vec::<String>::new());
    let redis = redis::Client::open(servers.redis_url.as_str()).unwrap();
    let mut redis = redis.get_multiplexed_async_connection().await.unwrap();
    let keys: u64 = redis::cmd("DBSIZE").query_async(&mut redis).await.unwrap();
    assert_eq!(keys, 0);
    eventually("the queue is gone", async || {
        let path = format!("/api/queues/{}", servers.vhost.name());
        let queues = servers.vhost.management().get(&path).await?;
        queues.as_array()?.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_is_found_and_nothing_is_left() {
    let (servers, environment) = migrated().await;
    let http = ["--http-seconds", "0.6", "--connections", "7"];
    let arguments = [&["load", "limits", "--seconds", "0.05", "--json"][..], &http].concat();
    let (status, text) = Program::run("doorbuster", &arguments, &environment);
    assert!(status.success());
    let limits: Limits = serde_json::from_str(&text).unwrap();
    assert_eq!((limits.echo.len(), limits.confirm.len()), (3, 10));
    assert_eq!((limits.claim.len(), limits.insert.len()), (4, 12));
    for echo in &limits.echo {
        assert!(echo.answered_per_s > 0.0);
        assert_eq!((echo.wall_s, &echo.arrivals), (0.6, &Arrivals::Closed { connections: 7 }));
    }
    assert!(limits.confirm.iter().all(|confirm| confirm.purchases_per_s > 0.0));
    assert!(limits.claim.iter().all(|claim| claim.purchases_per_s > 0.0));
    assert!(limits.insert.iter().all(|insert| insert.rows_per_s > 0.0));
    assert!(limits.insert.iter().all(|insert| insert.wal_bytes_per_row > 100.0));
    assert_nothing_is_left(&servers).await;
}

/// Stopped in the middle of each server's turn.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped_leaves_nothing_either() {
    let (servers, environment) = migrated().await;
    for turn in ["RabbitMQ", "Redis", "PostgreSQL"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_doorbuster"))
            .args(["load", "limits", "--seconds", "0.05"])
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(program.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(said.any(|line| line.starts_with(turn)), "{turn} had no turn");
        let pid = program.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(said.any(|line| line.contains("stopped before all was measured")), "{turn}");
        assert_eq!(program.wait().unwrap().code(), Some(2));
        assert_nothing_is_left(&servers).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_named() {
    let (_servers, environment) = migrated().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (name, scheme) in [("POSTGRES", "postgres"), ("REDIS", "redis"), ("RABBITMQ", "amqp")] {
        let output = Command::new(env!("CARGO_BIN_EXE_doorbuster"))
            .args(["load", "limits", "--seconds", "0.05"])
            .envs(environment.iter().cloned())
            .env(format!("DOORBUSTER__{name}__URL"), format!("{scheme}://{closed}"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let setting = format!("is {}.url right?", name.to_lowercase());
        assert!(said.contains(&setting), "{said}");
    }
}
