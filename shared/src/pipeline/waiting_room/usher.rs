//! The usher: calls numbers, four times a second, as many as can be served. Every instance has one; whoever
//! is first calls, the others see that it was done.

use std::time::Duration;

use futures::future::join_all;
use metrics::{counter, gauge};
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::{BLOCK, Inner, PoisonError, RoomError, RoomState, Stage};
use crate::domain::room::{Draw, Line, RoomRules};
use crate::domain::{Phase, Sale, SaleId, UserId};
use crate::ports::Clock;
use crate::ports::rooms::{Call, RoomCall};

const EVERY: Duration = Duration::from_millis(250);
/// Who was heard of is told to the others every so many ticks.
const HEAR_EVERY: u64 = 4;
/// Indexes in one call.
const CHUNK: usize = 1_000;
/// Numbers looked at in one tick, beyond those that may be let in: so many who left can be passed over.
const LOOK_BEYOND: u64 = 2_000;
/// How fast numbers are called is looked at over this time.
const RATE_OVER_MS: i64 = 15_000;
/// Who waits is told of the end for so long after it.
const LINGER_MS: i64 = 600_000;

pub(super) async fn run(inner: &Inner, pressure: impl Fn() -> bool) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Buyers who got what they came for; heard of only while there is a room.
    let mut sold: Option<broadcast::Receiver<(SaleId, UserId)>> = None;
    let mut away = false;
    for n in 0_u64.. {
        ticks.tick().await;
        let sales = with_rooms(inner);
        inner.halls().retain(|id, hall| {
            sales.iter().any(|(sale, _)| sale.id == *id) || hall.state.receiver_count() > 0
        });
        if sales.is_empty() {
            sold = None;
            continue;
        }
        let sold = sold.get_or_insert_with(|| inner.boards.outcomes.sold());
        let served = served(sold);
        let held_back = pressure();
        let told = join_all(sales.iter().map(|(sale, rules)| async {
            let users: Vec<_> = served.iter().filter(|(id, _)| *id == sale.id).collect();
            let users: Vec<_> = users.into_iter().map(|(_, user)| user.clone()).collect();
            if !users.is_empty() {
                inner.rooms.served(sale.id, &users).await?;
            }
            if n.is_multiple_of(HEAR_EVERY) {
                hear(inner, sale.id, rules).await?;
            }
            tick(inner, sale, rules, held_back).await
        }))
        .await;
        match told.into_iter().find_map(Result::err) {
            Some(error) if !std::mem::replace(&mut away, true) => {
                warn!(%error, "nobody is let in: a waiting room cannot be asked");
            }
            None if std::mem::take(&mut away) => info!("waiting rooms go on"),
            _ => {}
        }
    }
}

/// The sales with a waiting room that somebody may wait in, or be told of its end.
fn with_rooms(inner: &Inner) -> Vec<(Sale, RoomRules)> {
    let Some(catalogue) = inner.boards.catalogue.current() else { return vec![] };
    let now_ms = inner.clock.now().millis();
    let due = |sale: &&Sale| {
        let early_ms =
            sale.waiting_room.map_or(0, |rules| i64::from(rules.pre_queue_seconds) * 1_000);
        let from = sale.starts_at.millis().saturating_sub(early_ms);
        (from..sale.ends_at.millis().saturating_add(LINGER_MS)).contains(&now_ms)
    };
    let sales = catalogue.sales_after(SaleId(0)).filter(due);
    sales.filter_map(|sale| Some((sale.clone(), sale.waiting_room?))).collect()
}

/// Who bought or holds since the last time. Some may be missed in a crowd: their places become free when
/// nothing is heard of them.
fn served(sold: &mut broadcast::Receiver<(SaleId, UserId)>) -> Vec<(SaleId, UserId)> {
    let mut served = Vec::new();
    loop {
        match sold.try_recv() {
            Ok(one) => served.push(one),
            Err(broadcast::error::TryRecvError::Lagged(_)) => {}
            Err(_) => return served,
        }
    }
}

/// Tells the line who was heard of.
async fn hear(inner: &Inner, sale: SaleId, rules: &RoomRules) -> Result<(), RoomError> {
    let hall = inner.hall(sale);
    let heard = std::mem::take(&mut *hall.heard.lock().unwrap_or_else(PoisonError::into_inner));
    let heard: Vec<u64> = heard.into_iter().collect();
    let now_ms = inner.clock.now().millis();
    let believed_until_ms = now_ms + i64::from(rules.patience_seconds) * 1_000;
    for chunk in heard.chunks(CHUNK) {
        inner.rooms.hear(sale, chunk, now_ms, believed_until_ms).await?;
    }
    Ok(())
}

async fn tick(
    inner: &Inner,
    sale: &Sale,
    rules: &RoomRules,
    held_back: bool,
) -> Result<(), RoomError> {
    let now = inner.clock.now();
    let phase = sale.phase(now);
    let level = inner.boards.stock.newest(sale.product_id);
    let servable = level.map(|level| {
        let left = level.sale.filter(|left| left.sale_id == sale.id).map(|left| left.sale_left);
        level.counts.available().min(left.unwrap_or(i64::MAX))
    });
    // What is held may come back.
    let sold_out = servable.is_some_and(|units| units <= 0)
        && level.is_some_and(|level| level.counts.reserved == 0);
    let stage = Stage::of(phase, sold_out);
    let mut line = look(inner, sale, rules).await?;
    if line.reserved.saturating_sub(line.joined) < BLOCK / 2 {
        inner.reserve(sale.id, 0).await?;
    }
    if phase == Phase::Live && line.draw.is_none() {
        line.draw = shuffle(inner, sale.id).await?;
    }
    if stage == Stage::Open && !held_back {
        let servable = servable.unwrap_or_default().max(0).unsigned_abs();
        call(inner, sale.id, rules, &mut line, servable).await?;
    }
    publish(inner, sale.id, RoomState { line, stage, rate_per_s: 0.0, rules: *rules });
    Ok(())
}

async fn look(inner: &Inner, sale: &Sale, rules: &RoomRules) -> Result<Line, RoomError> {
    let now_ms = || inner.clock.now().millis();
    if let Some(line) = inner.rooms.look(sale.id, now_ms()).await? {
        return Ok(line);
    }
    inner.restore(sale, rules).await?;
    info!(sale = %sale.id, "the line of a waiting room is made from the book");
    let line = inner.rooms.look(sale.id, now_ms()).await?;
    line.ok_or_else(|| RoomError::Unavailable("the line was lost".into()))
}

/// The opening: nobody joins early any more, and those who did are shuffled by what nobody could know
/// before.
async fn shuffle(inner: &Inner, sale: SaleId) -> Result<Option<Draw>, RoomError> {
    let Some(count) = inner.rooms.close_early(sale).await? else { return Ok(None) };
    let draw = inner.book.shuffle(sale, &draw(count)).await?;
    inner.rooms.shuffle(sale, &draw).await?;
    info!(%sale, early = draw.count, "a waiting room opens");
    Ok(Some(draw))
}

#[allow(clippy::disallowed_methods)] // The one thing here that must be random.
pub(super) fn draw(count: u64) -> Draw {
    Draw { count, seed: rand::random() }
}

/// Calls the numbers that are next. The book first: a line that is lost never calls anybody twice.
async fn call(
    inner: &Inner,
    sale: SaleId,
    rules: &RoomRules,
    line: &mut Line,
    servable: u64,
) -> Result<(), RoomError> {
    let allowance = line.allowance(rules, servable);
    if allowance == 0 || line.admitted >= line.joined {
        return Ok(());
    }
    let indexes = line.next(allowance.saturating_add(LOOK_BEYOND));
    let mut heard = Vec::with_capacity(indexes.len());
    for chunk in indexes.chunks(CHUNK) {
        heard.extend(inner.rooms.heard(sale, chunk).await?);
    }
    let candidates: Vec<_> = indexes.into_iter().zip(heard).collect();
    let (numbers, called) = line.call(rules, &candidates, allowance);
    if numbers == 0 {
        return Ok(());
    }
    let at_ms = inner.clock.now().millis();
    let (from, to) = (line.admitted, line.admitted + numbers);
    let forget_before_ms = at_ms - i64::from(rules.pass_seconds) * 1_000;
    inner.book.call(sale, RoomCall { from, to, at_ms }, forget_before_ms).await?;
    let silent_ms = i64::from(rules.patience_seconds.min(rules.pass_seconds)) * 1_000;
    let used_until_ms = line.used_after(rules, called.len() as u64);
    let call = Call {
        from,
        to,
        indexes: &called,
        at_ms,
        believed_until_ms: at_ms + silent_ms,
        used_until_ms,
    };
    if inner.rooms.call(sale, &call).await? {
        line.admitted = to;
        line.inside += called.len() as u64;
        counter!("doorbuster_waiting_room_admitted_total").increment(called.len() as u64);
        let passed_over = numbers - called.len() as u64;
        counter!("doorbuster_waiting_room_passed_over_total").increment(passed_over);
        debug!(%sale, to, let_in = called.len(), passed_over, "numbers called");
    }
    Ok(())
}

/// Shows the line to everybody who waits in it; wakes them only where something changed for them.
fn publish(inner: &Inner, sale: SaleId, mut state: RoomState) {
    let hall = inner.hall(sale);
    let line = &state.line;
    {
        let mut history = hall.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.push_back((line.now_ms, line.admitted));
        while history.front().is_some_and(|(at, _)| line.now_ms - at > RATE_OVER_MS) {
            history.pop_front();
        }
        if let Some((at_ms, admitted)) = history.front().filter(|(at, _)| line.now_ms > *at) {
            let called = line.admitted.saturating_sub(*admitted);
            state.rate_per_s = called as f64 * 1_000.0 / (line.now_ms - at_ms) as f64;
        }
    }
    gauge!("doorbuster_waiting_room_waiting", "sale" => sale.to_string())
        .set(line.joined.saturating_sub(line.admitted) as f64);
    gauge!("doorbuster_waiting_room_inside", "sale" => sale.to_string()).set(line.inside as f64);
    hall.state.send_if_modified(|shown| {
        let same = shown.as_ref().is_some_and(|shown| {
            (shown.line.admitted, shown.line.draw, shown.stage, shown.rules)
                == (line.admitted, line.draw, state.stage, state.rules)
        });
        *shown = Some(state);
        !same
    });
}
