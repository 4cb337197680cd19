//! Where holders whose hold was granted wait for a connection. Only asynchronous holds come here:
//! they are granted to the follower, between two requests of the crowd.

use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::stampede::holds::errand::Errand;

/// The line at the counter. It holds at most one entry of 64 bytes per holder.
pub(crate) struct Counter(Mutex<UnboundedReceiver<Errand>>);

impl Counter {
    pub(crate) fn new(errands: UnboundedReceiver<Errand>) -> Self {
        Self(Mutex::new(errands))
    }

    /// An errand that can be done now. `None` also while somebody with nothing else to do waits in
    /// [`Counter::next`]: then the errand is theirs.
    pub(crate) fn waiting(&self) -> Option<Errand> {
        self.0.try_lock().ok()?.try_recv().ok()
    }

    /// The next errand; `None` once no more can come.
    pub(crate) async fn next(&self) -> Option<Errand> {
        self.0.lock().await.recv().await
    }
}
