//! The client against a daemon that is played by the test: each test says what the daemon reads and answers, frame by frame.

mod blocking;
mod calls;
mod connecting;
mod fake;
mod resuming;
mod subscriptions;
mod waiting;
