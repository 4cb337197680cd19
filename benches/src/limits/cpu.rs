//! The processor time of a process.

use std::io;
use std::time::Duration;

/// The kernel tells times of processes in this unit, whatever its own clock (`USER_HZ`, proc(5)).
const TICK: Duration = Duration::from_millis(10);

/// User and system time of a process with all its threads, to 10 ms.
pub(super) fn time(pid: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse(&stat).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "an unknown format"))
}

/// Fields 14 and 15. The second one, the program's name, may itself hold spaces and brackets.
fn parse(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(str::parse::<u32>);
    Some(TICK * (fields.next()?.ok()? + fields.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_a_strange_name() {
        let stat = "7 (a) b (c) R 1 7 7 0 -1 4194304 100 0 0 0 150 50 9 9 20 0 1 0 5 8 9";
        assert_eq!(parse(stat), Some(Duration::from_secs(2)));
        assert_eq!(parse("7 (short) R 1"), None);
    }

    #[test]
    fn a_process_that_works_takes_time() {
        let before = time(std::process::id()).unwrap();
        let began = std::time::Instant::now();
        while time(std::process::id()).unwrap() < before + TICK {
            assert!(began.elapsed() < Duration::from_secs(20));
        }
    }
}
