//! Dead letters, and what operators do with them.

use super::state::State;
use crate::domain::{Act, Actor, Command, Refusal, Status, Timestamp, TrackingId};
use crate::ports::{
    AuditEntry, AuditQuery, DeadLetter, Deed, KeptLetter, LISTED_BYTES_MAX, LedgerError, LetterId,
    LetterMoved, LetterQuery, LetterRef, LettersWaiting,
};

impl State {
    /// Keeps a letter; the same body again is the same letter. Answers whether it is new.
    pub(super) fn keep(&mut self, letter: &DeadLetter, attempts: u32, at: Timestamp) -> bool {
        let known = self.letters.iter_mut().find(|kept| kept.letter.body == letter.body);
        if let Some(known) = known {
            if letter.order_id.is_some() {
                known.letter.order_id = letter.order_id;
                known.closed_at = None;
            }
            return false;
        }
        let last = self.letters.last().map_or(0, |kept| kept.id.0);
        self.letters.push(KeptLetter {
            id: LetterId(last + 1),
            bytes: letter.body.len(),
            letter: letter.clone(),
            attempts,
            at,
            replayed_at: None,
            closed_at: None,
            order: None,
        });
        true
    }

    /// Notes why a replay has failed, and how many attempts it took.
    pub(super) fn note_failure(&mut self, letter: &DeadLetter) {
        let tried = letter.order_id.and_then(|id| self.attempts.remove(&id)).unwrap_or_default();
        let failed = self.letters.iter_mut().filter(|kept| {
            kept.letter.body == letter.body && kept.is_open() && kept.replayed_at.is_some()
        });
        for kept in failed {
            kept.letter.error.clone_from(&letter.error);
            kept.attempts += tried;
            kept.replayed_at = None;
        }
    }

    /// Closes the letters of an order that is not parked any more.
    pub(super) fn close_letters(&mut self, order: TrackingId, now: Timestamp) {
        let theirs = self.letters.iter_mut().filter(|kept| kept.letter.order_id == Some(order));
        theirs.filter(|kept| kept.is_open()).for_each(|kept| kept.closed_at = Some(now));
    }

    pub(super) fn list_letters(&self, asked: &LetterQuery) -> Vec<KeptLetter> {
        let wanted = |kept: &&KeptLetter| kept.id > asked.after && (kept.is_open() || !asked.open);
        let found = self.letters.iter().filter(wanted).take(asked.limit);
        let listed = |mut kept: KeptLetter| {
            if kept.bytes > LISTED_BYTES_MAX {
                kept.letter.body.clear();
            }
            kept
        };
        found.map(|kept| listed(self.with_order(kept))).collect()
    }

    pub(super) fn letter(&self, letter: LetterRef) -> Option<KeptLetter> {
        let named = |kept: &&KeptLetter| match letter {
            LetterRef::Id(id) => kept.id == id,
            LetterRef::Order(id) => kept.letter.order_id == Some(id),
        };
        self.letters.iter().rfind(named).map(|kept| self.with_order(kept))
    }

    fn with_order(&self, kept: &KeptLetter) -> KeptLetter {
        let order = kept.letter.order_id.and_then(|id| self.orders.get(&id)).cloned();
        KeptLetter { order, ..kept.clone() }
    }

    pub(super) fn letters_open(&self, bodies: &[Vec<u8>]) -> Vec<Option<bool>> {
        let open = |body: &Vec<u8>| {
            let kept = self.letters.iter().find(|kept| kept.letter.body == *body)?;
            Some(kept.is_open())
        };
        bodies.iter().map(open).collect()
    }

    pub(super) fn letters_waiting(&self, now: Timestamp) -> LettersWaiting {
        let open = || self.letters.iter().filter(|kept| kept.is_open());
        let oldest = open().map(|kept| kept.at).min();
        LettersWaiting {
            count: open().count() as u64,
            oldest_ms: oldest.map_or(0, |at| now.millis() - at.millis()),
            last_closed_at: self.letters.iter().filter_map(|kept| kept.closed_at).max(),
        }
    }

    pub(super) fn replay_letter(
        &mut self,
        letter: LetterRef,
        by: &Actor,
        now: Timestamp,
    ) -> Result<LetterMoved, LedgerError> {
        let found = self.letter(letter).ok_or(LedgerError::LetterNotFound)?;
        if !found.is_to_be_replayed()? {
            return Ok(LetterMoved { letter: found, changed: false, announcement: None });
        }
        let replayed = self.letters.iter_mut().filter(|kept| kept.id == found.id);
        replayed.for_each(|kept| kept.replayed_at = Some(now));
        self.note(now, by, Deed::letter_replayed(&found));
        let letter = KeptLetter { replayed_at: Some(now), ..found };
        Ok(LetterMoved { letter, changed: true, announcement: None })
    }

    pub(super) fn discard_letter(
        &mut self,
        letter: LetterRef,
        by: &Actor,
        now: Timestamp,
    ) -> Result<LetterMoved, LedgerError> {
        let found = self.letter(letter).ok_or(LedgerError::LetterNotFound)?;
        let (mut changed, mut announcement) = (found.is_open(), None);
        if let Some(order) = &found.order {
            let command = Command { id: order.id, user: None, act: Act::Discard, by: None };
            let carried = self.advance(&[command], now);
            match carried.results.into_iter().next() {
                Some(Err(Refusal::Invalid { from, .. })) => {
                    return Err(LedgerError::LetterDecided(from));
                }
                Some(Err(_)) => return Err(LedgerError::LetterDecided(Status::Rejected)),
                _ => announcement = carried.announcement,
            }
            changed = announcement.is_some();
            self.close_letters(order.id, now);
        }
        if !changed {
            return Ok(LetterMoved { letter: found, changed, announcement });
        }
        let theirs = self.letters.iter_mut().filter(|kept| kept.id == found.id);
        theirs.for_each(|kept| kept.closed_at = Some(now));
        self.note(now, by, Deed::letter_discarded(&found));
        let letter = self.letter(LetterRef::Id(found.id)).unwrap_or(found);
        Ok(LetterMoved { letter, changed, announcement })
    }

    /// Adds an entry to the audit log.
    pub(super) fn note(&mut self, at: Timestamp, by: &Actor, deed: Deed) {
        let id = self.log.last().map_or(0, |entry| entry.id) + 1;
        let Actor { name: actor, origin } = by.clone();
        let Deed { action, subject, details } = deed;
        let action = action.to_owned();
        self.log.push(AuditEntry { id, at, actor, origin, action, subject, details });
    }

    pub(super) fn audit_log(&self, asked: &AuditQuery) -> Vec<AuditEntry> {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let wanted = |entry: &&AuditEntry| {
            entry.id > asked.after
                && is(&asked.actor, &entry.actor)
                && is(&asked.action, &entry.action)
                && is(&asked.subject, &entry.subject)
        };
        self.log.iter().filter(wanted).take(asked.limit).cloned().collect()
    }
}
