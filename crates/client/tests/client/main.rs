//! The client against a daemon that is played by the test: each test says what the daemon reads and answers, frame by frame.
//! Unix only: that daemon listens at a Unix socket, and the one that is started is a shell script. How a pipe differs is tested
//! against the real daemon, in `tests/e2e`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on is a test that fails")]

mod blocking;
mod calls;
mod connecting;
mod fake;
mod resuming;
mod stand_in;
mod subscriptions;
mod waiting;
