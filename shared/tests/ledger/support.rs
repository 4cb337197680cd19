//! A ledger of either family, and short ways to ask it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use shared::adapters::embedded::{EmbeddedLedger, Tamper};
use shared::adapters::postgres::PostgresLedger;
use shared::domain::testing::{purchase_of, tester};
use shared::domain::{
    Counts, Currency, Kind, Money, Order, ProductId, ProductRef, Purchase, Reason, Sale, Settled,
    Sku, Status, StockLevel, Timestamp, TrackingId,
};
use shared::ports::{
    Announcement, Answer, Clock, Identities, Ledger, LedgerError, Named, NewProduct, ProductChange,
    Recorded, RoomBook,
};
use shared::testing::postgres::TestDatabase;

/// Makes two tests of each function: one per family. Afterwards history must add up.
macro_rules! both_families {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            use crate::support::World;

            #[tokio::test]
            async fn embedded() {
                let world = World::embedded();
                super::$name(&world).await;
                world.assert_history_adds_up().await;
            }

            #[tokio::test]
            async fn postgres() {
                let world = World::postgres().await;
                super::$name(&world).await;
                world.assert_history_adds_up().await;
            }
        })+
    };
}
pub(crate) use both_families;

/// The same without a look at history afterwards.
macro_rules! families {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            use crate::support::World;

            #[tokio::test]
            async fn embedded() {
                super::$name(&World::embedded()).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$name(&World::postgres().await).await;
            }
        })+
    };
}
pub(crate) use families;

/// A clock that tests can move.
pub(crate) struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

enum Family {
    Embedded { ledger: Arc<EmbeddedLedger>, clock: Arc<ManualClock> },
    Postgres { database: TestDatabase },
}

/// One ledger with nothing in it.
pub(crate) struct World {
    pub(crate) ledger: Arc<dyn Ledger>,
    /// The same ledger.
    pub(crate) identities: Arc<dyn Identities>,
    pub(crate) room_book: Arc<dyn RoomBook>,
    family: Family,
}

/// When all test sales are open.
pub(crate) const OPENS: i64 = 1_700_000_000_000;

impl World {
    pub(crate) fn embedded() -> Self {
        // Some years after the moment at which test purchases are accepted, like the real clock.
        let clock = Arc::new(ManualClock(AtomicI64::new(OPENS + 100_000_000_000)));
        let ledger = Arc::new(EmbeddedLedger::new(clock.clone()));
        Self {
            ledger: ledger.clone(),
            identities: ledger.clone(),
            room_book: ledger.clone(),
            family: Family::Embedded { ledger, clock },
        }
    }

    pub(crate) async fn postgres() -> Self {
        let database = TestDatabase::create().await;
        let ledger = Arc::new(PostgresLedger::connect(&database.settings()).unwrap());
        Self {
            ledger: ledger.clone(),
            identities: ledger.clone(),
            room_book: ledger,
            family: Family::Postgres { database },
        }
    }

    /// One in which a crowd on a busy machine is no outage.
    pub(crate) async fn patient() -> Self {
        let world = Self::postgres().await;
        let mut settings = world.database().settings();
        (settings.lock_timeout_ms, settings.statement_timeout_ms) = (30_000, 60_000);
        Self { ledger: Arc::new(PostgresLedger::connect(&settings).unwrap()), ..world }
    }

    /// The database, where there is one.
    pub(crate) fn database(&self) -> &TestDatabase {
        match &self.family {
            Family::Postgres { database } => database,
            Family::Embedded { .. } => panic!("the embedded ledger has no database"),
        }
    }

    pub(crate) async fn product(&self, sku: &str, total: i64, limit: Option<u32>) -> ProductId {
        let new = new_product(sku, total, limit);
        let (product, announcement) = self.ledger.create_product(&new, &tester()).await.unwrap();
        // Not what tests of the outbox look for.
        self.ledger.clear_dues(&Vec::from_iter(announcement.due)).await.unwrap();
        product.id
    }

    /// Adds `sale` as it is.
    pub(crate) async fn sale(&self, sale: Sale) {
        match &self.family {
            Family::Embedded { ledger, .. } => ledger.add_sale(sale),
            Family::Postgres { database } => {
                let number = |n: Option<i64>| n.map_or("null".into(), |n| n.to_string());
                let Sale { id, product_id, price, starts_at, ends_at, taken, .. } = &sale;
                let limit = number(sale.per_user_limit.map(i64::from));
                let hold = number(sale.hold_seconds.map(i64::from));
                let quantity = number(sale.quantity);
                let cancelled = if sale.cancelled { "now()" } else { "null" };
                let price = price.minor;
                let sql = format!(
                    "begin;
                     update inventory set version = version + 1 where product_id = {product_id};
                     insert into sales overriding system value values ({id}, {product_id}, {price},
                         '{starts_at}', '{ends_at}', {limit}, {hold}, {quantity}, {taken}, {cancelled});
                     update settings set value = (value::bigint + 1)::text
                         where name = 'catalogue_version';
                     commit"
                );
                database.run(&sql).await;
            }
        }
    }

    /// Changes what no transaction would.
    pub(crate) async fn tamper(&self, tamper: Tamper) {
        let database = match &self.family {
            Family::Embedded { ledger, .. } => return ledger.tamper(tamper),
            Family::Postgres { database } => database,
        };
        let sql = match tamper {
            Tamper::Counts(product, Counts { total, reserved, sold }) => format!(
                "update inventory set total = {total}, reserved = {reserved}, sold = {sold}
                 where product_id = {product}"
            ),
            Tamper::Bought((product, sale, user), units) => format!(
                "insert into buyers values ({product}, {}, '{}', {units})
                 on conflict (product_id, sale_id, user_id) do update set units = {units}",
                sale.map_or(0, |sale| sale.0),
                user.as_str()
            ),
            Tamper::Taken(sale, units) => {
                format!("update sales set taken = {units} where id = {sale}")
            }
            Tamper::ParkWithoutLetter(id) => format!(
                "insert into orders (id, status, accepted_at, version)
                 values ('{id}', 'PARKED', now(), 1)"
            ),
        };
        database.run(&sql).await;
    }

    /// Makes every lease of the outbox run out.
    pub(crate) async fn let_leases_run_out(&self) {
        match &self.family {
            Family::Embedded { clock, .. } => drop(clock.0.fetch_add(6_000, Ordering::Relaxed)),
            Family::Postgres { database } => {
                database.run("update outbox set leased_until = now() - interval '1 s'").await;
            }
        }
    }

    /// Makes the time of a hold or payment run out.
    pub(crate) async fn let_time_run_out(&self, id: TrackingId) {
        match &self.family {
            Family::Embedded { clock, .. } => drop(clock.0.fetch_add(700_000, Ordering::Relaxed)),
            Family::Postgres { database } => {
                let sql = format!(
                    "update orders set expires_at = now() - interval '1 s',
                         pay_by = pay_by - interval '1 day' where id = '{id}'"
                );
                database.run(&sql).await;
            }
        }
    }

    /// Ends what is over; answers how many there were.
    pub(crate) async fn expire(&self) -> usize {
        self.ledger.expire(100).await.unwrap().count
    }

    /// A hold of one unit whose payment did not come in time.
    pub(crate) async fn ended(&self, product: ProductId, user: &str, with: &str) -> TrackingId {
        let id = self.held(product, user, 1).await.id;
        self.done(crate::life::checkout(id, with)).await;
        self.let_time_run_out(id).await;
        assert_eq!(self.expire().await, 1);
        id
    }

    /// Settles a batch of which the gate knew nothing.
    pub(crate) async fn record(&self, batch: &[Purchase]) -> Recorded {
        self.try_record(batch).await.unwrap()
    }

    pub(crate) async fn try_record(&self, batch: &[Purchase]) -> Result<Recorded, LedgerError> {
        self.ledger.record(batch, &vec![Answer::Unknown; batch.len()]).await
    }

    /// Settles a batch and answers what became of each.
    pub(crate) async fn outcomes(&self, batch: &[Purchase]) -> Vec<Outcome> {
        outcomes(&self.record(batch).await)
    }

    /// Settles a batch that changes something.
    pub(crate) async fn announced(&self, batch: &[Purchase]) -> Announcement {
        self.record(batch).await.announcement.expect("something is owed")
    }

    pub(crate) async fn level(&self, product: ProductId) -> StockLevel {
        let levels = self.ledger.stock(&[product]).await.unwrap();
        *levels.first().expect("the product exists")
    }

    /// Total, reserved, sold, version.
    pub(crate) async fn stock(&self, product: ProductId) -> (i64, i64, i64, i64) {
        let StockLevel { counts, version, .. } = self.level(product).await;
        (counts.total, counts.reserved, counts.sold, version)
    }

    pub(crate) async fn order(&self, id: TrackingId) -> Order {
        let mut orders = self.ledger.orders(&[id]).await.unwrap();
        assert_eq!(orders.len(), 1, "{id}");
        orders.remove(0)
    }

    pub(crate) async fn change(&self, product: ProductId, change: ProductChange) -> StockLevel {
        let product = ProductRef::Id(product);
        self.ledger.change_product(&product, &change, &tester()).await.unwrap().1.levels[0]
    }

    pub(crate) async fn limit(&self, product: ProductId, limit: Option<u32>) {
        let change = ProductChange { per_user_limit: Some(limit), ..ProductChange::default() };
        self.change(product, change).await;
    }

    /// Waits until one of our connections waits for another.
    pub(crate) async fn until_somebody_waits_for_a_lock(&self) {
        let waiting = format!(
            "select count(*) from pg_stat_activity
             where wait_event_type = 'Lock' and application_name = '{}'",
            self.database().name()
        );
        while self.database().run(&waiting).await == ["0"] {}
    }

    pub(crate) async fn assert_history_adds_up(&self) {
        let audit = self.ledger.audit().await.unwrap();
        for product in audit.products {
            assert_eq!(product.recomputed, product.level.counts, "{product:?}");
            assert!(product.level.counts.is_conserved(), "{product:?}");
        }
        assert_eq!((audit.buyers, audit.sales), (Named::default(), Named::default()));
        assert_eq!(audit.unkept, Named::default());
        if let Family::Postgres { database } = &self.family {
            for drifted in [DRIFTED_BUYERS, DRIFTED_SALES] {
                assert_eq!(database.run(drifted).await, ["0"], "{drifted}");
            }
        }
    }
}

/// Buyers under a limit whose units are not those of their orders.
const DRIFTED_BUYERS: &str = "
    select count(*) from (
        select coalesce(b.units, 0) as counted, coalesce(o.units, 0) as ordered
        from (select * from buyers) b
        full join (
            select product_id, coalesce(sale_id, 0) as sale_id, user_id, sum(quantity) as units
            from orders where status in ('RESERVED', 'PENDING', 'CONFIRMED', 'FULFILLED')
            group by 1, 2, 3
        ) o using (product_id, sale_id, user_id)
        left join products p on p.id = product_id
        left join sales s on s.id = sale_id
        where case when sale_id = 0 then p.per_user_limit else s.per_user_limit end is not null
    ) drift where counted <> ordered";

/// Sales with a quantity whose count is not that of their orders.
const DRIFTED_SALES: &str = "
    select count(*) from sales s
    where s.quantity is not null and s.taken <> (
        select coalesce(sum(o.quantity), 0) from orders o
        where o.sale_id = s.id and o.product_id = s.product_id
            and o.status in ('RESERVED', 'PENDING', 'CONFIRMED', 'FULFILLED')
    )";

/// What became of a purchase, in short.
pub(crate) type Outcome = Result<Status, Reason>;

pub(crate) fn outcomes(recorded: &Recorded) -> Vec<Outcome> {
    recorded.settled.iter().map(|settled| outcome(order_of(settled))).collect()
}

pub(crate) fn outcome(order: &Order) -> Outcome {
    order.reason.map_or(Ok(order.status), Err)
}

pub(crate) fn order_of(settled: &Settled) -> &Order {
    match settled {
        Settled::Order(order) => order,
        Settled::Collision => panic!("a collision"),
    }
}

pub(crate) const SOLD: Outcome = Ok(Status::Confirmed);
pub(crate) const HELD: Outcome = Ok(Status::Reserved);
pub(crate) const SOLD_OUT: Outcome = Err(Reason::OutOfStock);

pub(crate) fn new_product(sku: &str, total: i64, limit: Option<u32>) -> NewProduct {
    NewProduct {
        sku: Sku::parse(sku).unwrap(),
        name: format!("Product {sku}"),
        description: "Zoë's «best»; drop table orders".into(),
        category: "tests".into(),
        image_url: Some("https://example.com/p.png".into()),
        price: Money { minor: 99_999, currency: Currency::USD },
        per_user_limit: limit,
        total,
    }
}

/// `user` buys `units` of `product` under a fresh ID.
pub(crate) fn buy(product: ProductId, user: &str, units: u32) -> Purchase {
    purchase_of(shared::domain::testing::fresh_id(), product.0, user, units)
}

/// `user` holds `units` of `product` for ten minutes.
pub(crate) fn hold(product: ProductId, user: &str, units: u32) -> Purchase {
    Purchase { kind: Kind::Hold { seconds: 600 }, ..buy(product, user, units) }
}

/// `user` buys one unit in sale `sale`.
pub(crate) fn buy_in(sale: &Sale, user: &str) -> Purchase {
    let mut purchase = buy(sale.product_id, user, 1);
    purchase.terms.sale_id = Some(sale.id);
    purchase.accepted_at = sale.starts_at;
    purchase
}
