//! Stub
/// What a restore found wrong.
#[derive(Debug)]
pub struct RestoreError;
/// What was restored.
#[derive(Debug)]
pub struct Restored;
