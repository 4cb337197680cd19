//! Looking into the dead-letter queue.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::ports::{PurchaseQueue, QueueError, Sieve};

struct Look<F> {
    seen: Mutex<Vec<Vec<u8>>>,
    goes: F,
}

#[async_trait]
impl<F: Fn(&[u8]) -> bool + Send + Sync> Sieve for Look<F> {
    async fn dealt_with(&self, bodies: &[Vec<u8>]) -> Vec<usize> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = bodies.to_vec();
        let places = bodies.iter().enumerate();
        places.filter(|(_, body)| (self.goes)(body)).map(|(place, _)| place).collect()
    }
}

/// Removes those of up to `limit` dead letters of which `goes` says so. Answers all that were looked at,
/// and how many were removed.
pub async fn sift_dead(
    queue: &dyn PurchaseQueue,
    limit: usize,
    goes: impl Fn(&[u8]) -> bool + Send + Sync,
) -> Result<(Vec<Vec<u8>>, usize), QueueError> {
    let look = Look { seen: Mutex::default(), goes };
    let removed = queue.sift_dead(limit, &look).await?;
    Ok((look.seen.into_inner().unwrap_or_else(PoisonError::into_inner), removed))
}

/// Copies of up to `limit` dead letters.
pub async fn peek_dead(
    queue: &dyn PurchaseQueue,
    limit: usize,
) -> Result<Vec<Vec<u8>>, QueueError> {
    sift_dead(queue, limit, |_| false).await.map(|(seen, _)| seen)
}
