//! Feeds [`callboard_fuzz::journal`] with whatever the fuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callboard_fuzz::journal(bytes));
