//! What happens to orders that were settled.

use std::time::Duration;

use super::state::State;
use crate::domain::{Act, Command, Order, Purchase, Timestamp, View, advance as decide_on};
use crate::ports::{Announcement, Carried, Deed, Expired, OrderChange, OrderQuery};

impl State {
    pub(super) fn advance(&mut self, commands: &[Command], now: Timestamp) -> Carried {
        let advance = decide_on(self.standing(commands, now), commands);
        for step in &advance.steps {
            self.store(&step.order);
        }
        self.move_units(&advance.changes);
        for (order, by) in advance.to_note(commands) {
            self.note(now, by, Deed::order_moved(order));
        }
        let announcement = (!advance.steps.is_empty()).then(|| {
            self.owe(Announcement {
                at: now,
                levels: self.levels(advance.changes.taken.keys().copied(), now),
                orders: advance.steps.into_iter().map(OrderChange::from).collect(),
                notices: advance.notices,
                ..Announcement::default()
            })
        });
        Carried { results: advance.results, announcement }
    }

    /// The part of the ledger that the commands ask for: as a settle of the same terms would.
    fn standing(&self, commands: &[Command], now: Timestamp) -> View {
        let orders = commands.iter().filter_map(|command| self.orders.get(&command.id));
        let purchases: Vec<_> =
            orders.filter_map(|order| Purchase::anew(order, order.id)).collect();
        let mut view = self.view(&purchases, now);
        for command in commands {
            view.orders
                .extend(self.orders.get(&command.id).map(|o| (command.id, o.clone().into())));
            let honoured = self.reclaimed.get(&command.id).and_then(|id| self.orders.get(id));
            view.reclaimed.extend(honoured.map(|order| (command.id, order.clone())));
        }
        view
    }

    pub(super) fn expire(&mut self, limit: usize, now: Timestamp) -> Expired {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now).take(limit);
        let commands: Vec<_> = due
            .map(|(_, id)| Command { id: *id, user: None, act: Act::Expire, by: None })
            .collect();
        let count = commands.len();
        let wait = |at: Timestamp| u64::try_from(at.millis() - now.millis()).unwrap_or(0);
        let next_in = self.deadlines.iter().nth(count).map(|(at, _)| wait(*at));
        let next_in = next_in.map(Duration::from_millis);
        let announcement = self.advance(&commands, now).announcement;
        Expired { count, announcement, next_in }
    }

    pub(super) fn orders_of(&self, asked: &OrderQuery) -> Vec<Order> {
        let theirs = |order: &&Order| {
            order.terms.as_ref().is_some_and(|terms| terms.user_id == asked.user_id)
                && asked.status.is_none_or(|status| order.status == status)
                && asked.after.is_none_or(|after| order.id < after)
        };
        let mut orders: Vec<_> = self.orders.values().filter(theirs).cloned().collect();
        orders.sort_unstable_by_key(|order| std::cmp::Reverse(order.id));
        orders.truncate(asked.limit);
        orders
    }
}
