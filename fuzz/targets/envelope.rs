//! Feeds [`callboard_fuzz::envelope`] with whatever the fuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callboard_fuzz::envelope(bytes));
