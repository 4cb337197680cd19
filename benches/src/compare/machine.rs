//! On what it was measured, as far as this machine tells.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The machine that ran the generator, which is the one that ran everything where a script says nothing
/// else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Processors that programs can use.
    pub cores: usize,
    /// Such as `Intel(R) Xeon(R) Processor`.
    pub processor: Option<String>,
    /// All of it, in bytes.
    pub memory_bytes: Option<u64>,
    /// Such as `6.1.0`.
    pub kernel: Option<String>,
    /// Versions of the programs, by name.
    pub software: BTreeMap<String, String>,
}

impl Machine {
    /// Reads what Linux shows in `/proc`; elsewhere most of it stays unknown.
    pub fn read() -> Self {
        let text = |path| std::fs::read_to_string(path).ok();
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            processor: text("/proc/cpuinfo").and_then(|info| processor(&info)),
            memory_bytes: text("/proc/meminfo").and_then(|info| memory_bytes(&info)),
            kernel: text("/proc/sys/kernel/osrelease").map(|release| release.trim().to_owned()),
            software: BTreeMap::from([(
                "Doorbuster".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            )]),
        }
    }
}

/// ARM has no such line.
fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_understood() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Processor\nstepping\t: 1\n";
        assert_eq!(processor(cpuinfo).as_deref(), Some("Intel(R) Xeon(R) Processor"));
        let meminfo = "MemTotal:       24676420 kB\nMemFree:        1 kB\n";
        assert_eq!(memory_bytes(meminfo), Some(24_676_420 * 1024));
    }

    #[test]
    fn what_proc_does_not_say_stays_unknown() {
        assert_eq!(processor("processor\t: 0\nBogoMIPS\t: 50.00\n"), None);
        assert_eq!(memory_bytes("MemTotal: lots\n"), None);
    }
}
