//! Feeds [`callboard_fuzz::frames`] with whatever the fuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callboard_fuzz::frames(bytes));
