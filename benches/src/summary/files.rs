//! A folder of rounds, read.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::Summary;
use super::growth::Growth;
use super::rounds::{Knees, Run, Search, gathered};

/// A folder that cannot be summed up.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// The folder or a file in it.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error(
        "{} is not what `doorbuster load {command} --json` writes: {source}; take it out of the folder",
        path.display()
    )]
    Strange {
        /// Which.
        path: PathBuf,
        /// What its name says that wrote it.
        command: &'static str,
        /// Where it differs.
        source: serde_json::Error,
    },
    /// The name says nothing.
    #[error("{} is not called NAME.ROUND.json; take it out of the folder", .0.display())]
    Name(PathBuf),
    /// There is nothing to sum up.
    #[error("{} holds no NAME.ROUND.json", .0.display())]
    Empty(PathBuf),
}

/// What a file's name says.
#[derive(Debug, PartialEq, Eq)]
struct Label<'a> {
    name: &'a str,
    size: Option<u64>,
    round: u64,
}

pub(super) fn read(folder: &Path) -> Result<Summary, SummaryError> {
    let mut summary = Summary::default();
    let mut runs = Vec::new();
    for path in paths(folder)? {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(name) = file.strip_suffix(".rss") {
            summary.growth.extend(Growth::read(name, &text(&path)?));
            continue;
        }
        let Some(stem) = file.strip_suffix(".json") else { continue };
        let Label { name, size, round } =
            parsed(stem).ok_or_else(|| SummaryError::Name(path.clone()))?;
        if name == "limits" {
            summary.limits.push(json(&path, "limits")?);
        } else if name == "stampede" {
            summary.stampedes.push(json(&path, "stampede")?);
        } else if let Some(name) = name.strip_prefix("knee-") {
            keep(&mut summary.knees, name, json(&path, "knee")?);
        } else if let Some(name) = name.strip_prefix("overload-") {
            summary.overloads.push((format!("{name} {round}"), json(&path, "overload")?));
        } else {
            let measurement = json(&path, "run")?;
            runs.push((name.to_owned(), size, Run { round, measurement }));
        }
    }
    summary.rounds = gathered(runs);
    let Summary { limits, knees, overloads, stampedes, .. } = &summary;
    let others = limits.len() + knees.len() + overloads.len() + stampedes.len();
    if summary.rounds.is_empty() && others == 0 {
        return Err(SummaryError::Empty(folder.to_owned()));
    }
    Ok(summary)
}

fn keep(knees: &mut Vec<Knees>, name: &str, knee: Search) {
    match knees.iter_mut().find(|knees| knees.name == name) {
        Some(knees) => knees.found.push(knee),
        None => knees.push(Knees { name: name.to_owned(), found: vec![knee] }),
    }
}

/// In the order of their names.
fn paths(folder: &Path) -> Result<Vec<PathBuf>, SummaryError> {
    let unreadable = |source| SummaryError::Unreadable { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

/// `NAME.ROUND` or `NAME@SIZE.ROUND`.
fn parsed(stem: &str) -> Option<Label<'_>> {
    let (name, round) = stem.rsplit_once('.')?;
    let (name, size) = match name.split_once('@') {
        Some((name, size)) => (name, Some(size.parse().ok()?)),
        None => (name, None),
    };
    Some(Label { name, size, round: round.parse().ok()? })
}

fn text(path: &Path) -> Result<String, SummaryError> {
    fs::read_to_string(path)
        .map_err(|source| SummaryError::Unreadable { path: path.to_owned(), source })
}

fn json<T: DeserializeOwned>(path: &Path, command: &'static str) -> Result<T, SummaryError> {
    serde_json::from_str(&text(path)?).map_err(|source| SummaryError::Strange {
        path: path.to_owned(),
        command,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_was_how_many_and_which_round() {
        let name = |name, size, round| Some(Label { name, size, round });
        assert_eq!(parsed("settle.3"), name("settle", None, 3));
        assert_eq!(parsed("settle-workers@4.12"), name("settle-workers", Some(4), 12));
        assert_eq!(parsed("settle"), None);
        assert_eq!(parsed("settle@many.1"), None);
    }
}
