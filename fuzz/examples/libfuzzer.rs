//! What libFuzzer drives: the target that `DOORBUSTER_FUZZ` names. One program, because seven take seven times as long
//! to link.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> =
    LazyLock::new(|| match std::env::var("DOORBUSTER_FUZZ").as_deref() {
        Ok("envelope") => fuzz::envelope,
        Ok("tracking-id") => fuzz::tracking_id,
        Ok("token") => fuzz::token,
        Ok("pass") => fuzz::pass,
        Ok("webhook") => fuzz::webhook,
        Ok("cursor") => fuzz::cursor,
        Ok("request") => fuzz::request,
        other => panic!("DOORBUSTER_FUZZ names no target: {other:?}"),
    });

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
