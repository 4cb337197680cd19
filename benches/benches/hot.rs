//! Wall-clock time of the hot functions: `cargo bench -p doorbuster-benches`.
#![allow(missing_docs, reason = "criterion's macros make a function of their own")]

#[path = "../work/mod.rs"]
#[allow(dead_code, reason = "criterion finds out by itself how often to run what")]
mod work;

use criterion::{Criterion, criterion_group, criterion_main};

fn hot(criterion: &mut Criterion) {
    for work in work::ALL {
        let mut call = (work.make)();
        criterion.bench_function(work.name, |bencher| bencher.iter(&mut call));
    }
}

criterion_group!(benches, hot);
criterion_main!(benches);
