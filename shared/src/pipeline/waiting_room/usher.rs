//! The usher: calls numbers, four times a second, as many as can be served. Every instance has one; whoever
//! is first calls, the others see that it was done.

use std::sync::PoisonError;
use std::time::Duration;

use futures::future::join_all;
use metrics::{counter, gauge};
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::lines::{BLOCK, Lines};
use super::{RoomError, RoomState, Stage};
use crate::domain::room::{Draw, Line, RoomRules};
use crate::domain::{Sale, SaleId, UserId};
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

pub(super) async fn run(lines: &Lines, pressure: impl Fn() -> bool) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Buyers who got what they came for; heard of only while there is a room.
    let mut sold: Option<broadcast::Receiver<(SaleId, UserId)>> = None;
    let mut away = false;
    for n in 0_u64.. {
        ticks.tick().await;
        let sales = with_rooms(lines);
        lift(lines);
        lines.halls().retain(|id, hall| {
            sales.iter().any(|(sale, _)| sale.id == *id) || hall.state.receiver_count() > 0
        });
        if sales.is_empty() {
            sold = None;
            continue;
        }
        let sold = sold.get_or_insert_with(|| lines.boards.outcomes.sold());
        let served = served(sold);
        let held_back = pressure();
        let ticked = join_all(sales.iter().map(|(sale, rules)| async {
            let ticked = async {
                let of_sale = served.iter().filter(|(id, _)| *id == sale.id);
                let users: Vec<_> = of_sale.map(|(_, user)| user.clone()).collect();
                if !users.is_empty() {
                    lines.rooms.served(sale.id, &users).await?;
                }
                if n.is_multiple_of(HEAR_EVERY) {
                    hear(lines, sale.id, rules).await?;
                }
                tick(lines, sale, rules, held_back).await
            };
            // What there is to wait for is known also while the line is not.
            let stage = || stage(lines, sale);
            ticked.await.inspect_err(|_| show_stage(lines, sale.id, stage(), rules))
        }))
        .await;
        match ticked.into_iter().find_map(Result::err) {
            Some(error) if !std::mem::replace(&mut away, true) => {
                warn!(%error, "nobody is let in: a waiting room cannot be asked");
            }
            None if std::mem::take(&mut away) => info!("waiting rooms go on"),
            _ => {}
        }
    }
}

/// The sales with a waiting room that somebody may wait in, or be told of its end.
fn with_rooms(lines: &Lines) -> Vec<(Sale, RoomRules)> {
    let Some(catalogue) = lines.boards.catalogue.current() else { return vec![] };
    let now_ms = lines.clock.now().millis();
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
async fn hear(lines: &Lines, sale: SaleId, rules: &RoomRules) -> Result<(), RoomError> {
    let hall = lines.hall(sale);
    let heard = std::mem::take(&mut *hall.heard.lock().unwrap_or_else(PoisonError::into_inner));
    let heard: Vec<_> = heard.into_iter().collect();
    let now_ms = lines.clock.now().millis();
    let believed_until_ms = now_ms + i64::from(rules.patience_seconds) * 1_000;
    for chunk in heard.chunks(CHUNK) {
        lines.rooms.hear(sale, chunk, now_ms, believed_until_ms).await?;
    }
    Ok(())
}

/// What there is to wait for in a sale.
fn stage(lines: &Lines, sale: &Sale) -> Stage {
    // What is held may come back.
    let sold_out = servable(lines, sale).is_some_and(|units| units <= 0)
        && lines
            .boards
            .stock
            .newest(sale.product_id)
            .is_some_and(|level| level.counts.reserved == 0);
    Stage::of(sale.phase(lines.clock.now()), sold_out)
}

/// Units that can still be had in a sale. Not known before the board has heard how many of its own a sale has
/// left, which it does soon after the opening.
fn servable(lines: &Lines, sale: &Sale) -> Option<i64> {
    let level = lines.boards.stock.newest(sale.product_id)?;
    let left = level.sale.filter(|left| left.sale_id == sale.id).map(|left| left.sale_left);
    if left.is_none() && sale.quantity.is_some() {
        return None;
    }
    Some(level.counts.available().min(left.unwrap_or(i64::MAX)))
}

/// How many shoppers that serves, if each takes as many as one may; the last one gets what is left.
fn shoppers(units: i64, sale: &Sale) -> u64 {
    units.max(0).unsigned_abs().div_ceil(sale.per_user_limit.unwrap_or(1).max(1).into())
}

async fn tick(
    lines: &Lines,
    sale: &Sale,
    rules: &RoomRules,
    held_back: bool,
) -> Result<(), RoomError> {
    let mut line = lines.look(sale, rules).await?;
    if line.reserved.saturating_sub(line.joined) < BLOCK / 2 {
        lines.reserve(sale.id, 0).await?;
    }
    let stage = stage(lines, sale);
    if matches!(stage, Stage::Open | Stage::SoldOut) && line.draw.is_none() {
        line.draw = shuffle(lines, sale.id).await?;
    }
    if stage == Stage::Open && !held_back {
        let servable = shoppers(servable(lines, sale).unwrap_or_default(), sale);
        call(lines, sale.id, rules, &mut line, servable).await?;
    }
    publish(lines, sale.id, RoomState { line, stage, rate_per_s: 0.0, rules: *rules });
    Ok(())
}

/// The opening: nobody joins early any more, and those who did are shuffled by what nobody could know
/// before.
async fn shuffle(lines: &Lines, sale: SaleId) -> Result<Option<Draw>, RoomError> {
    let Some(count) = lines.rooms.close_early(sale).await? else { return Ok(None) };
    let draw = lines.book.shuffle(sale, &draw(count)).await?;
    lines.rooms.shuffle(sale, &draw).await?;
    info!(%sale, early = draw.count, "a waiting room opens");
    Ok(Some(draw))
}

#[allow(clippy::disallowed_methods)] // The one thing here that must be random.
pub(super) fn draw(count: u64) -> Draw {
    Draw { count, seed: rand::random() }
}

/// Calls the numbers that are next. The book first: a line that is lost never calls anybody twice.
async fn call(
    lines: &Lines,
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
        heard.extend(lines.rooms.heard(sale, chunk).await?);
    }
    let candidates: Vec<_> = indexes.into_iter().zip(heard).collect();
    let (numbers, called) = line.call(rules, &candidates, allowance);
    if numbers == 0 {
        return Ok(());
    }
    let at_ms = lines.clock.now().millis();
    let (from, to) = (line.admitted, line.admitted + numbers);
    let forget_before_ms = at_ms - i64::from(rules.pass_seconds) * 1_000;
    lines.book.call(sale, RoomCall { from, to, at_ms }, forget_before_ms).await?;
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
    if lines.rooms.call(sale, &call).await? {
        line.admitted = to;
        line.inside += called.len() as u64;
        counter!("doorbuster_waiting_room_admitted_total").increment(called.len() as u64);
        let passed_over = numbers - called.len() as u64;
        counter!("doorbuster_waiting_room_passed_over_total").increment(passed_over);
        debug!(%sale, to, let_in = called.len(), passed_over, "numbers called");
    }
    Ok(())
}

/// Those who wait in a line that is no longer there are told that nobody needs to wait, or that the sale is over.
fn lift(lines: &Lines) {
    let Some(catalogue) = lines.boards.catalogue.current() else { return };
    let waited_for: Vec<SaleId> = lines.halls().keys().copied().collect();
    let sales = waited_for.into_iter().filter_map(|id| catalogue.sale(id));
    for sale in sales.filter(|sale| sale.waiting_room.is_none()) {
        let stage = match Stage::of(sale.phase(lines.clock.now()), false) {
            over @ (Stage::Ended | Stage::Cancelled) => over,
            _ => Stage::Lifted,
        };
        show_stage(lines, sale.id, stage, &RoomRules::default());
    }
}

/// Shows what there is to wait for. Where the line was never seen that it is over says everything.
fn show_stage(lines: &Lines, sale: SaleId, stage: Stage, rules: &RoomRules) {
    lines.hall(sale).state.send_if_modified(|shown| match shown {
        Some(shown) => std::mem::replace(&mut shown.stage, stage) != stage,
        None if stage.is_over() => {
            let line = Line { now_ms: lines.clock.now().millis(), ..Line::default() };
            *shown = Some(RoomState { line, stage, rate_per_s: 0.0, rules: *rules });
            true
        }
        None => false,
    });
}

/// Shows the line to everybody who waits in it; wakes them only where something changed for them.
fn publish(lines: &Lines, sale: SaleId, mut state: RoomState) {
    let hall = lines.hall(sale);
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
