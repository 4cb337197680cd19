//! Constant SQL with typed parameters and rows.
//!
//! Batches travel as arrays (`unnest`), so every statement is one constant text, whatever the size
//! of the batch, and each connection prepares it once. (`diesel::sql_query` would prepare anew at
//! every call: it tells diesel that its text is not safe to cache.)

use std::marker::PhantomData;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;

/// A statement whose parameters stand as `?` in the text and whose rows have the SQL types `Row`.
pub(super) struct Statement<Row, Binds> {
    sql: &'static str,
    binds: Binds,
    row: PhantomData<fn() -> Row>,
}

/// A statement that answers rows of the SQL types `Row`, such as `(BigInt, Nullable<Text>)`.
pub(super) fn query<Row, Binds>(sql: &'static str, binds: Binds) -> Statement<Row, Binds> {
    Statement { sql, binds, row: PhantomData }
}

/// A statement that answers no rows.
pub(super) fn command<Binds>(sql: &'static str, binds: Binds) -> Statement<(), Binds> {
    query(sql, binds)
}

/// One parameter: a value with its SQL type.
pub(super) struct Bind<SqlType, Value>(Value, PhantomData<fn() -> SqlType>);

/// A parameter of type `SqlType`.
pub(super) fn bind<SqlType, Value>(value: Value) -> Bind<SqlType, Value> {
    Bind(value, PhantomData)
}

impl<SqlType, Value> QueryFragment<Pg> for Bind<SqlType, Value>
where
    Pg: HasSqlType<SqlType>,
    Value: ToSql<SqlType, Pg>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_bind_param::<SqlType, Value>(&self.0)
    }
}

/// The parameters of a statement, in order.
pub(super) trait Binds {
    /// Calls `visit` for each.
    fn each<'b>(
        &'b self,
        visit: &mut dyn FnMut(&'b dyn QueryFragment<Pg>) -> QueryResult<()>,
    ) -> QueryResult<()>;
}

macro_rules! binds_of {
    ($($name:ident)*) => {
        impl<$($name: QueryFragment<Pg>),*> Binds for ($($name,)*) {
            #[allow(non_snake_case, unused_variables)]
            fn each<'b>(
                &'b self,
                visit: &mut dyn FnMut(&'b dyn QueryFragment<Pg>) -> QueryResult<()>,
            ) -> QueryResult<()> {
                let ($($name,)*) = self;
                $(visit($name)?;)*
                Ok(())
            }
        }
    };
}

binds_of!();
binds_of!(A);
binds_of!(A B);
binds_of!(A B C);
binds_of!(A B C D);
binds_of!(A B C D E);
binds_of!(A B C D E F);
binds_of!(A B C D E F G);
binds_of!(A B C D E F G H);
binds_of!(A B C D E F G H I);
binds_of!(A B C D E F G H I J);
binds_of!(A B C D E F G H I J K L);
binds_of!(A B C D E F G H I J K L M N O P);

impl<Row, B: Binds> QueryFragment<Pg> for Statement<Row, B> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut texts = self.sql.split('?');
        pass.push_sql(texts.next().unwrap_or_default());
        self.binds.each(&mut |bind| {
            bind.walk_ast(pass.reborrow())?;
            pass.push_sql(texts.next().unwrap_or_default());
            Ok(())
        })
    }
}

impl<Row, B> QueryId for Statement<Row, B> {
    type QueryId = ();
    // No type of its own: the text is the key under which a connection keeps it.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Row, B> Query for Statement<Row, B> {
    type SqlType = Row;
}
