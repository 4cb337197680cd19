//! libFuzzer drives [`fuzz::webhook`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::webhook(data));
