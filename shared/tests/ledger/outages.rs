//! What only a real server can do to us.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use shared::adapters::postgres::{PostgresLedger, migrate};
use shared::domain::Purchase;
use shared::domain::testing::tester;
use shared::ports::{Answer, Ledger, LedgerError};
use shared::testing::postgres::TestDatabase;

use crate::support::{SOLD, SOLD_OUT, World, buy, outcomes};

#[tokio::test]
async fn a_purchase_that_a_constraint_of_orders_refuses_is_poison() {
    let world = World::postgres().await;
    let product = world.product("TV", 9, None).await;
    world.database().run("alter table orders add constraint no_bob check (user_id <> 'bob')").await;
    let error = world.try_record(&[buy(product, "ann", 1), buy(product, "bob", 1)]).await;
    assert!(matches!(error, Err(LedgerError::Poison(_))), "{error:?}");
    // The connection is fit for use again, and nothing of the batch was written.
    assert_eq!(world.outcomes(&[buy(product, "ann", 9)]).await, [SOLD]);
}

#[tokio::test]
async fn a_broken_table_is_an_outage_and_nobody_s_fault() {
    let world = World::postgres().await;
    let product = world.product("TV", 9, None).await;
    let purchase = buy(product, "ann", 1);
    world.database().run("alter table outbox rename to gone").await;
    let error = world.try_record(std::slice::from_ref(&purchase)).await.unwrap_err();
    assert!(matches!(error, LedgerError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("42P01"), "{error}");
    world.database().run("alter table gone rename to outbox").await;
    assert_eq!(world.outcomes(&[purchase]).await, [SOLD]);
}

#[tokio::test]
async fn waiting_too_long_for_a_lock_is_an_outage() {
    let database = TestDatabase::create().await;
    let mut settings = database.settings();
    settings.lock_timeout_ms = 50;
    let ledger = PostgresLedger::connect(&settings).unwrap();
    let product = ledger
        .create_product(&crate::support::new_product("TV", 1, None), &tester())
        .await
        .unwrap()
        .0
        .id;
    let holder = database.client().await;
    holder.batch_execute("begin; select from inventory for update").await.unwrap();
    let batch = [buy(product, "ann", 1)];
    let error = ledger.record(&batch, &[Answer::Yes]).await.unwrap_err();
    assert!(error.to_string().contains("55P03"), "{error}");
    holder.batch_execute("rollback").await.unwrap();
    assert_eq!(outcomes(&ledger.record(&batch, &[Answer::Yes]).await.unwrap()), [SOLD]);
}

#[tokio::test]
async fn what_gate_and_ledger_both_refuse_takes_no_lock() {
    let world = World::postgres().await;
    let product = world.product("TV", 1, None).await;
    let holder = world.database().client().await;
    holder.batch_execute("begin; select from inventory for update").await.unwrap();
    let batch = [buy(product, "ann", 2)];
    let recorded = world.ledger.record(&batch, &[Answer::No]).await.unwrap();
    assert_eq!(outcomes(&recorded), [SOLD_OUT]);
}

/// A machine that swaps, a pooler that died: the kernel still acknowledges, and nothing comes.
#[tokio::test]
async fn a_server_that_falls_silent_is_given_up() {
    let database = TestDatabase::create().await;
    let mut settings = database.settings();
    settings.statement_timeout_ms = 100;
    let ledger = PostgresLedger::connect(&settings).unwrap();
    ledger.pulse().await.unwrap();
    let backends = format!(
        "select pid from pg_stat_activity
         where application_name = '{}' and pid <> pg_backend_pid()",
        database.name()
    );
    let backends = database.run(&backends).await;
    let signal = |name: &str| {
        let sent = std::process::Command::new("kill").arg(name).args(&backends).status();
        assert!(sent.unwrap().success(), "{name} {backends:?}");
    };
    signal("-STOP");
    let silent = ledger.pulse().await;
    let other = ledger.pulse().await;
    signal("-CONT");
    let error = silent.unwrap_err().to_string();
    assert!(error.contains("silent"), "{error}");
    other.expect("on another connection");
}

#[tokio::test]
async fn a_server_that_is_away_is_noticed_at_once() {
    let database = TestDatabase::create_empty().await;
    let mut settings = database.settings();
    // Nobody listens on the port that we just gave back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    settings.url = SecretString::from(format!("postgres://nobody:x@127.0.0.1:{port}/none"));
    let ledger = PostgresLedger::connect(&settings).expect("connecting is lazy");
    for _ in 0..3 {
        let began = Instant::now();
        let error = ledger.pulse().await.unwrap_err();
        assert!(matches!(error, LedgerError::Unavailable(_)), "{error}");
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_an_outage_in_time() {
    let database = TestDatabase::create_empty().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = database.settings();
    let port = listener.local_addr().unwrap().port();
    settings.url = SecretString::from(format!("postgres://nobody:x@127.0.0.1:{port}/none"));
    settings.connect_timeout = Duration::from_millis(100);
    let ledger = PostgresLedger::connect(&settings).unwrap();
    let began = Instant::now();
    let error = ledger.pulse().await.unwrap_err();
    assert!(matches!(error, LedgerError::Unavailable(_)), "{error}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn connections_that_were_cut_are_replaced() {
    let world = World::postgres().await;
    let product = world.product("TV", 9, None).await;
    let cut = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = '{}' and pid <> pg_backend_pid()",
        world.database().name()
    );
    assert!(!world.database().run(&cut).await.is_empty());
    // The first use may still meet the cut connection; after that all is well.
    let batch = [buy(product, "ann", 1)];
    let settled = match world.try_record(&batch).await {
        Err(LedgerError::Unavailable(_)) => world.record(&batch).await,
        settled => settled.unwrap(),
    };
    assert_eq!(outcomes(&settled), [SOLD]);
}

#[tokio::test]
async fn the_locks_of_a_stopped_settler_are_freed() {
    let database = TestDatabase::create().await;
    let mut settings = database.settings();
    settings.lock_timeout_ms = 10_000;
    let ledger = PostgresLedger::connect(&settings).unwrap();
    let product = ledger
        .create_product(&crate::support::new_product("TV", 1, None), &tester())
        .await
        .unwrap()
        .0
        .id;
    let stopped = database.client().await;
    let sql =
        "set idle_in_transaction_session_timeout = 200; begin; select from inventory for update";
    stopped.batch_execute(sql).await.unwrap();
    let recorded = ledger.record(&[buy(product, "ann", 1)], &[Answer::Yes]).await.unwrap();
    assert_eq!(outcomes(&recorded), [SOLD]);
    assert!(stopped.batch_execute("commit").await.is_err(), "the late one changes nothing");
}

#[tokio::test]
async fn a_settle_whose_caller_went_away_is_finished() {
    let world = World::postgres().await;
    let product = world.product("TV", 9, None).await;
    let holder = world.database().client().await;
    holder.batch_execute("begin; select from inventory for update").await.unwrap();
    let purchase: Purchase = buy(product, "ann", 1);
    let (ledger, batch) = (world.ledger.clone(), [purchase.clone()]);
    let caller = tokio::spawn(async move { ledger.record(&batch, &[Answer::Yes]).await });
    world.until_somebody_waits_for_a_lock().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    holder.batch_execute("commit").await.unwrap();
    while world.ledger.orders(&[purchase.id]).await.unwrap().is_empty() {}
    world.assert_history_adds_up().await;
}

#[tokio::test]
async fn migrations_run_once_and_the_tracking_key_is_made_once() {
    let database = TestDatabase::create_empty().await;
    let settings = database.settings();
    let ledger = PostgresLedger::connect(&settings).unwrap();
    assert!(matches!(ledger.tracking_key().await, Err(LedgerError::Unavailable(_))));
    let (one, two) = futures::join!(migrate(&settings), migrate(&settings));
    let mut names = [one.unwrap(), two.unwrap()];
    names.sort();
    assert!(names[0].is_empty() && names[1].len() >= 3, "{names:?}");
    let key = ledger.tracking_key().await.unwrap();
    assert_eq!(migrate(&settings).await.unwrap(), Vec::<String>::new());
    assert_eq!(ledger.tracking_key().await.unwrap(), key);
}

#[tokio::test]
async fn a_unix_socket_is_refused_in_words() {
    let database = TestDatabase::create_empty().await;
    let mut settings = database.settings();
    settings.url = SecretString::from("postgres:///doorbuster?host=/var/run/postgresql");
    let error = PostgresLedger::connect(&settings).err().unwrap();
    assert!(error.to_string().contains("postgres.url"), "{error}");
}
