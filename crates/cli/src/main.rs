//! The `callboard` binary.
mod duration;
mod exit;
mod lock_name;
mod namespace;
mod repository;
mod table;
fn main() {}
