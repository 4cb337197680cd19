//! One connection in use: statements in, rows or faults out.

use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_dsl::CompatibleType;
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::errors::Fault;
use super::statement::{Binds, Statement};
use super::tap::LastError;

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
}

impl Session {
    pub(super) fn new(connection: AsyncPgConnection, last_error: LastError) -> Self {
        Self { connection, last_error, in_transaction: false }
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
        self.in_transaction || self.connection.is_broken()
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
        statement.load::<T>(&mut connection).await.map_err(|error| self.fault(&error))
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
        statement.execute(&mut connection).await.map_err(|error| self.fault(&error))
    }

    /// Runs SQL without parameters or rows.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        let mut connection = &self.connection;
        connection.batch_execute(sql).await.map_err(|error| self.fault(&error))
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
