//! What processes use, from /proc: they and all their descendants.
//!
//! PostgreSQL forks a backend per connection. A child's time is its own while it lives and its
//! parent's (`cutime`, `cstime`) once it was waited for, so the sum over a living family is complete
//! and never falls, whoever comes and goes.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::time::Duration;

use crate::engine::error::LoadError;
use crate::engine::load::Watched;
use crate::figures::rounded;
use crate::measure::ProcessUse;

/// The unit of times in /proc: 100 per second on every Linux that people run.
const TICKS_PER_S: u32 = 100;

/// All processes of the machine at one moment.
struct Family {
    children: HashMap<u32, Vec<u32>>,
    cpu_ticks: HashMap<u32, u64>,
}

/// Adds up what the watched ones use.
pub(crate) struct Meter {
    watched: Vec<(Watched, Seen)>,
}

/// What was seen of one.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    cpu_begin: Duration,
    cpu: Duration,
    rss_begin: u64,
    rss: u64,
    rss_max: u64,
}

impl Meter {
    /// Begins now; the generator itself is watched too, as `load`.
    pub(crate) fn begin(watched: &[Watched]) -> Result<Self, LoadError> {
        let mut watched = watched.to_vec();
        watched.push(Watched { name: "load".to_owned(), pid: std::process::id() });
        for Watched { name, pid } in &watched {
            stat(*pid).map_err(|source| LoadError::Process {
                name: name.clone(),
                pid: *pid,
                source,
            })?;
        }
        let watched = watched.into_iter().map(|watched| (watched, Seen::default())).collect();
        let mut meter = Self { watched };
        meter.look();
        for (_, seen) in &mut meter.watched {
            (seen.cpu_begin, seen.rss_begin) = (seen.cpu, seen.rss);
        }
        Ok(meter)
    }

    /// Looks again. What has ended meanwhile keeps what was seen last.
    pub(crate) fn look(&mut self) {
        let family = Family::now();
        for (watched, seen) in &mut self.watched {
            let members = family.of(watched.pid);
            seen.cpu = family.cpu(&members).max(seen.cpu);
            seen.rss = resident(&members);
            seen.rss_max = seen.rss.max(seen.rss_max);
        }
    }

    /// What was used, by name.
    pub(crate) fn used(&self) -> Vec<ProcessUse> {
        let mut all: Vec<ProcessUse> = Vec::new();
        for (watched, seen) in &self.watched {
            let cpu_s = rounded(seen.cpu.saturating_sub(seen.cpu_begin).as_secs_f64());
            if let Some(used) = all.iter_mut().find(|used| used.name == watched.name) {
                used.cpu_s = rounded(used.cpu_s + cpu_s);
                used.rss_bytes_max += seen.rss_max;
                used.rss_bytes_begin += seen.rss_begin;
                used.rss_bytes_end += seen.rss;
            } else {
                all.push(ProcessUse {
                    name: watched.name.clone(),
                    cpu_s,
                    rss_bytes_max: seen.rss_max,
                    rss_bytes_begin: seen.rss_begin,
                    rss_bytes_end: seen.rss,
                });
            }
        }
        all
    }
}

impl Family {
    fn now() -> Self {
        let mut family = Self { children: HashMap::new(), cpu_ticks: HashMap::new() };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
            // Whoever ended in between has been waited for.
            if let Ok((parent, cpu_ticks)) = stat(pid) {
                family.children.entry(parent).or_default().push(pid);
                family.cpu_ticks.insert(pid, cpu_ticks);
            }
        }
        family
    }

    /// A process and its descendants.
    fn of(&self, pid: u32) -> Vec<u32> {
        let mut members = vec![pid];
        let mut at = 0;
        while let Some(parent) = members.get(at) {
            members.extend(self.children.get(parent).into_iter().flatten());
            at += 1;
        }
        members
    }

    fn cpu(&self, members: &[u32]) -> Duration {
        let ticks: u64 = members.iter().filter_map(|pid| self.cpu_ticks.get(pid)).sum();
        Duration::from_secs(ticks) / TICKS_PER_S
    }
}

/// The parent, and the time used by the process and by the children it has waited for.
fn stat(pid: u32) -> io::Result<(u32, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// See proc(5); the name, in parentheses, may contain anything.
fn parse_stat(text: &str) -> Option<(u32, u64)> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let times = fields.get(11..15)?.iter().map(|time| time.parse::<u64>().ok());
    Some((fields.get(1)?.parse().ok()?, times.sum::<Option<u64>>()?))
}

/// Resident bytes. What a family shares (files, shared buffers) counts once: as much as the one
/// with the most of it has.
fn resident(members: &[u32]) -> u64 {
    let (mut own, mut shared) = (0, 0);
    for pid in members {
        let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
        own += field_kib(&status, "RssAnon:");
        shared = shared.max(field_kib(&status, "RssFile:") + field_kib(&status, "RssShmem:"));
    }
    (own + shared) * 1024
}

fn field_kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_name_may_look_like_anything() {
        let text = "7 (a) b (c)) S 3 1 1 0 -1 0 0 0 0 0 1 2 30 40 20 0 1 0 9";
        assert_eq!(parse_stat(text), Some((3, 73)));
        assert_eq!(parse_stat("7 (short) S 3"), None);
    }

    #[test]
    fn children_count_while_they_live_and_afterwards() {
        // Two children have ended and were waited for, the third lives: all burn the same.
        let script = "burn() { i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; }
            exec 3<&0; read -r go; (burn); (burn); (burn; echo; read -r end <&3) & wait";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let watched = [Watched { name: "shell".into(), pid: shell.id() }];
        let mut meter = Meter::begin(&watched).unwrap();
        let (mut stdin, mut stdout) = (shell.stdin.take().unwrap(), shell.stdout.take().unwrap());
        stdin.write_all(b"go\n").unwrap();
        stdout.read_exact(&mut [0]).unwrap();
        meter.look();
        let used = meter.used();
        let (shell_use, load) = (&used[0], &used[1]);
        assert_eq!((shell_use.name.as_str(), load.name.as_str()), ("shell", "load"));
        assert!(shell_use.rss_bytes_max > 0 && load.rss_bytes_max > 0);
        assert!(load.rss_bytes_begin > 0 && load.rss_bytes_end <= load.rss_bytes_max);
        let all_three = shell_use.cpu_s;
        let own = stat_of_self_alone(shell.id());
        assert!(all_three > 2.0 * own && all_three > 0.05, "{all_three} s, alone {own} s");
        drop(stdin);
        shell.wait().unwrap();
    }

    /// The process's own time, without any child.
    fn stat_of_self_alone(pid: u32) -> f64 {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u32 = fields[11..13].iter().map(|time| time.parse::<u32>().unwrap()).sum();
        f64::from(ticks) / f64::from(TICKS_PER_S)
    }

    #[test]
    fn the_same_name_is_added_up_and_an_unknown_process_is_said() {
        let pid = std::process::id();
        let twice =
            [("load", pid), ("load", pid)].map(|(name, pid)| Watched { name: name.into(), pid });
        assert_eq!(Meter::begin(&twice).unwrap().used().len(), 1);
        let nobody = [Watched { name: "api".into(), pid: u32::MAX }];
        let error = Meter::begin(&nobody).err().unwrap().to_string();
        assert!(error.contains("--process api=4294967295"), "{error}");
    }
}
