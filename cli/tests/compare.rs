//! `doorbuster load compare --from`: what was measured is shown again, with nothing running.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A panic is how a test fails.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn measurement(scenario: &str) -> Value {
    json!({
        "scenario": scenario,
        "arrivals": { "kind": "open", "rates": [[0.0, 1_000.0]], "connections": 64 },
        "wallS": 10.0, "due": 10_000, "dropped": 0, "answered": 9_900, "answeredPerS": 990.0,
        "refused": { "OVERLOADED": 100 }, "failed": {}, "settledPerS": 990.0, "lost": 0,
        "drainedS": 0.1, "outcome": null, "ticks": [], "processes": [], "wal": null,
        "acknowledged": { "count": 9_900, "mean": 2.0, "p50": 1.5, "p90": 3.0, "p99": 12.0,
                          "p999": 20.0, "max": 31.0 },
    })
}

fn comparison() -> Value {
    let run = |way: &str| json!({ "way": way, "measurement": measurement(way) });
    json!({
        "date": "2030-11-29T09:00:00Z", "command": "doorbuster load compare", "seconds": 10.0,
        "machine": { "cores": 2, "processor": null, "memoryBytes": 8_589_934_592_u64,
                     "kernel": null, "software": {} },
        "capacities": [{ "way": "sync", "perS": 2_000.0, "given": true },
                       { "way": "async", "perS": 3_000.0, "given": true }],
        "loads": [{ "name": "50 % of the smaller capacity", "offeredPerS": 1_000.0,
                    "runs": [run("sync"), run("async")] }],
        "burst": null, "stall": null, "notes": [],
    })
}

fn show(from: &Path, out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_doorbuster"))
        .args(["load", "compare", "--from"])
        .arg(from)
        .arg("--out")
        .arg(out)
        .output()
        .unwrap()
}

#[test]
fn what_was_measured_is_shown_again() {
    let folder = std::env::temp_dir().join(format!("doorbuster-compare-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (from, out) = (folder.join("all.json"), folder.join("page.html"));

    fs::write(&from, comparison().to_string()).unwrap();
    let shown = show(&from, &out);
    fs::write(&from, "{}").unwrap();
    let strange = show(&from, &out);
    let page = fs::read_to_string(&out).unwrap();
    fs::remove_dir_all(&folder).unwrap();

    assert!(shown.status.success());
    let table = String::from_utf8(shown.stdout).unwrap();
    let row = "| 50 % of the smaller capacity | synchronous | 1,000 | 990 | 990 | 1.0 | 0.0 | 1.50 | 12.0";
    assert!(table.contains(row), "{table}");
    assert!(page.contains("<h2>All figures</h2>"));
    let said = String::from_utf8(strange.stderr).unwrap();
    assert_eq!(strange.status.code(), Some(2));
    assert!(
        said.contains("all.json is not what `doorbuster load compare --json` writes"),
        "{said}"
    );
}

#[test]
fn a_shop_or_a_file_must_be_named() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_doorbuster")).args(["load", "compare"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--url"));
}
