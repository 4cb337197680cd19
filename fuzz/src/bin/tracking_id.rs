//! libFuzzer drives [`fuzz::tracking_id`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::tracking_id(data));
