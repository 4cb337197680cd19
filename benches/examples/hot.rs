//! Runs one hot function so many times and does nothing else: what `scripts/instructions` counts.
//!
//! `hot` lists them with how often to run each; `hot NAME TIMES` runs one.
#![allow(clippy::print_stdout, reason = "a script reads it")]

#[path = "../work/mod.rs"]
mod work;

use anyhow::{Context as _, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, times] = arguments.as_slice() else {
        for work in work::ALL {
            println!("{} {}", work.name, work.times);
        }
        return Ok(());
    };
    let work = work::ALL.iter().find(|work| work.name == name).context("no such function")?;
    let mut call = (work.make)();
    for _ in 0..times.parse::<u32>()? {
        call();
    }
    Ok(())
}
