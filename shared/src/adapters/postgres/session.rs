//! One connection in use: statements in, rows or faults out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use diesel::QueryResult;
use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_dsl::CompatibleType;
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::errors::Fault;
use super::statement::{Binds, Statement};
use super::tap::LastError;

/// What a statement's answer may take beyond the server's own limit.
pub(super) const MARGIN: Duration = Duration::from_secs(2);

/// A connection that knows why a statement failed and whether it may be used again.
///
/// Statements take `&self`: those that are awaited together travel together (pipelining), in the
/// order in which they are first polled.
pub(super) struct Session {
    connection: AsyncPgConnection,
    last_error: LastError,
    /// Between `begin` and the end of the transaction. Whatever breaks off in between (an error, a
    /// panic, a dropped future) leaves it set, and the pool drops the connection.
    in_transaction: bool,
    /// No answer for so long, and the server is taken for dead: its own time limits should have
    /// ended the statement long before. A kernel that still acknowledges keeps TCP content.
    patience: Option<Duration>,
    /// What `patience` is now, in milliseconds; 0: no limit.
    limit_ms: AtomicU64,
    /// An answer never came.
    silent: AtomicBool,
}

impl Session {
    pub(super) fn new(
        connection: AsyncPgConnection,
        last_error: LastError,
        patience: Option<Duration>,
    ) -> Self {
        let limit_ms = AtomicU64::new(millis(patience));
        let silent = AtomicBool::new(false);
        Self { connection, last_error, in_transaction: false, patience, limit_ms, silent }
    }

    /// The connection itself, for what has no statement type.
    pub(super) fn connection(&self) -> &AsyncPgConnection {
        &self.connection
    }

    /// The connection itself, to keep.
    pub(super) fn into_connection(self) -> AsyncPgConnection {
        self.connection
    }

    /// Closed by the server, or left in a transaction.
    pub(super) fn is_unusable(&mut self) -> bool {
        self.in_transaction || *self.silent.get_mut() || self.connection.is_broken()
    }

    /// All rows of a query.
    pub(super) async fn rows<Row, B, T, ST>(
        &self,
        statement: Statement<Row, B>,
    ) -> Result<Vec<T>, Fault>
    where
        B: Binds + Send,
        Row: CompatibleType<T, Pg, SqlType = ST> + 'static,
        T: FromSqlRow<ST, Pg> + Send + 'static,
        Pg: QueryMetadata<Row>,
        ST: 'static,
    {
        let mut connection = &self.connection;
        self.answer(statement.load::<T>(&mut connection)).await
    }

    /// The first row of a query that always has one.
    pub(super) async fn row<Row, B, T, ST>(&self, statement: Statement<Row, B>) -> Result<T, Fault>
    where
        B: Binds + Send,
        Row: CompatibleType<T, Pg, SqlType = ST> + 'static,
        T: FromSqlRow<ST, Pg> + Send + 'static,
        Pg: QueryMetadata<Row>,
        ST: 'static,
    {
        let rows = self.rows(statement).await?;
        rows.into_iter().next().ok_or_else(|| Fault::outage("a row is missing"))
    }

    /// Runs a statement; answers the number of rows it changed.
    pub(super) async fn execute<B: Binds + Send>(
        &self,
        statement: Statement<(), B>,
    ) -> Result<usize, Fault> {
        let mut connection = &self.connection;
        self.answer(statement.execute(&mut connection)).await
    }

    /// Runs SQL without parameters or rows.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        let mut connection = &self.connection;
        self.answer(connection.batch_execute(sql)).await
    }

    /// Gives the statements of this transaction more time, on both ends.
    pub(super) async fn allow(&self, limit: Duration) -> Result<(), Fault> {
        self.limit_ms.store(millis(Some(limit + MARGIN)), Ordering::Relaxed);
        self.batch(&format!("set local statement_timeout = {}", limit.as_millis())).await
    }

    /// The server's answer, if it comes.
    async fn answer<T>(&self, asked: impl Future<Output = QueryResult<T>>) -> Result<T, Fault> {
        let answered = match AtomicU64::load(&self.limit_ms, Ordering::Relaxed) {
            0 => Some(asked.await),
            limit_ms => tokio::time::timeout(Duration::from_millis(limit_ms), asked).await.ok(),
        };
        let Some(answer) = answered else {
            self.silent.store(true, Ordering::Relaxed);
            return Err(Fault::outage("the server has fallen silent"));
        };
        answer.map_err(|error| self.fault(&error))
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self) -> Result<(), Fault> {
        self.begin_with("begin").await
    }

    /// Begins a transaction whose statements all see the same moment.
    pub(super) async fn begin_snapshot(&mut self) -> Result<(), Fault> {
        self.begin_with("begin isolation level repeatable read read only").await
    }

    async fn begin_with(&mut self, sql: &str) -> Result<(), Fault> {
        self.in_transaction = true;
        self.last_error.take();
        self.batch(sql).await
    }

    /// Commits what went well and rolls back what did not. Where not even that works, or the fate
    /// of the commit is not known, the pool drops the connection.
    pub(super) async fn finish<T>(&mut self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        self.limit_ms.store(millis(self.patience), Ordering::Relaxed);
        if *self.silent.get_mut() {
            return outcome;
        }
        match outcome {
            Ok(value) => {
                self.batch("commit").await?;
                self.in_transaction = false;
                Ok(value)
            }
            Err(fault) => {
                self.in_transaction = self.batch("rollback").await.is_err();
                Err(fault)
            }
        }
    }

    fn fault(&self, error: &diesel::result::Error) -> Fault {
        Fault::of(error, self.last_error.take())
    }
}

fn millis(limit: Option<Duration>) -> u64 {
    limit.map_or(0, |limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
}
