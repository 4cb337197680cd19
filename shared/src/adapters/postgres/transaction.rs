//! Transactions that are done again when the world changed under them.

/// How often one is done again before it is given up as an outage. Each time somebody else made
/// progress, so this is reached only when something is badly wrong.
pub(super) const REDO_MAX: u32 = 10;

/// Runs `work` with a session in a transaction, again as long as it ends in
/// [`Again`](super::errors::Fault::Again). A macro because async closures cannot yet promise
/// `Send` futures, which spawned work needs.
macro_rules! transaction {
    ($pool:expr, |$session:ident| $work:expr) => {{
        let mut session = $pool.get().await?;
        let mut round = 0;
        loop {
            session.begin().await?;
            let $session = &*session;
            let outcome = $work.await;
            match session.finish(outcome).await {
                Err($crate::adapters::postgres::errors::Fault::Again(why))
                    if round < $crate::adapters::postgres::transaction::REDO_MAX =>
                {
                    round += 1;
                    tracing::debug!(why, round, "transaction is done again");
                }
                outcome => break outcome,
            }
        }
    }};
}
pub(super) use transaction;
