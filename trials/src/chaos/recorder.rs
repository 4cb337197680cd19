//! The clients' history, as it happens: in memory and on disk.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use shared::domain::Timestamp;

use crate::history::{History, Line, What};

/// Writes down what clients ask, are told and see.
pub(super) struct Recorder {
    kept: Mutex<(History, BufWriter<File>)>,
}

/// The moment, by the clock that all processes of this machine share.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis() as i64)
}

impl Recorder {
    pub(super) fn new(file: &Path) -> Result<Self> {
        let file = BufWriter::new(File::create(file)?);
        Ok(Self { kept: Mutex::new((History::default(), file)) })
    }

    pub(super) fn note(&self, what: What) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let line = Line { at: now(), what };
        // The file is for those who look for a breach's cause; what is judged is in memory.
        let _ = serde_json::to_writer(&mut kept.1, &line);
        let _ = kept.1.write_all(b"\n");
        kept.0.0.push(line);
    }

    /// What there is so far.
    pub(super) fn history(&self) -> History {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = kept.1.flush();
        kept.0.clone()
    }
}
