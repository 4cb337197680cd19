//! What the servers themselves saw: every commit that changed stock, written down by a trigger of our
//! own, and every announcement of stock, heard by a listener of our own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use shared::adapters::rabbitmq::{Broker, RabbitBus};
use shared::config::{Config, DEFAULT_TOML};
use shared::ports::{BusMessage, EventBus};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_postgres::Client;

use super::desk::Desk;
use super::link::Link;
use super::servers::{Server, Servers, through};
use crate::history::What;

/// The trigger runs at the end of the transaction, when nothing of it can change any more.
const WATCH: &str = "
    create table trial_commits (
        at bigint not null, product_id bigint not null, version bigint not null,
        total bigint not null, reserved bigint not null, sold bigint not null,
        sale_id bigint, sale_left bigint
    );
    create function trial_watch() returns trigger language plpgsql as $$
    begin
        insert into trial_commits
        select floor(extract(epoch from clock_timestamp()) * 1000)::bigint,
            new.product_id, new.version, new.total, new.reserved, new.sold, s.id, s.quantity - s.taken
        from (select) nothing left join sales s on s.product_id = new.product_id
            and s.quantity is not null and s.cancelled_at is null
            and s.starts_at <= clock_timestamp() and clock_timestamp() < s.ends_at;
        return null;
    end $$;
    create constraint trigger trial_watch after insert or update on inventory
    deferrable initially deferred for each row execute function trial_watch();";

/// Watches every commit from now on.
pub(super) async fn watch_commits(ledger: &Client) -> Result<()> {
    Ok(ledger.batch_execute(WATCH).await?)
}

/// Listens to stock from now on, subscribing again whenever the broker was away. Each subscription is
/// a reader of its own.
pub(super) async fn listen(servers: &Servers, desk: Arc<Desk>) -> Result<Listener> {
    let mut config: Config = toml::from_str(DEFAULT_TOML)?;
    let link = Link::to(servers.addr(Server::RabbitMq)?).await?;
    config.rabbitmq.url = through(&servers.url(Server::RabbitMq), link.addr())?.into();
    let bus = RabbitBus::new(Broker::new(&config.rabbitmq)?);
    let name = Arc::new(std::sync::Mutex::new(String::new()));
    let named = Arc::clone(&name);
    let hearing = tokio::spawn(async move {
        for number in 1.. {
            let reader = format!("listener#{number}");
            named.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone_from(&reader);
            if let Ok(mut subscription) = bus.subscribe().await {
                while let Ok(message) = subscription.next().await {
                    let BusMessage::Stock(update) = message else { continue };
                    for &level in &update.stock {
                        desk.recorder.note(What::Stock { reader: reader.clone(), level });
                    }
                }
            }
            sleep(Duration::from_millis(200)).await;
        }
    });
    Ok(Listener { link, name, hearing })
}

/// Somebody who listens.
pub(super) struct Listener {
    /// To the broker.
    pub(super) link: Link,
    name: Arc<std::sync::Mutex<String>>,
    hearing: JoinHandle<()>,
}

impl Listener {
    /// Who listens now.
    pub(super) fn name(&self) -> String {
        self.name.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.hearing.abort();
    }
}
