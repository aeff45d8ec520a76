//! All behaviour of Callboard, and nothing else: the board, a pure state machine for one namespace.
//!
//! It is handed `Now`, reads no clock, draws no random number, opens nothing, spawns nothing, knows no tokio. So
//! fairness, expiry, redelivery, deadlock and fencing are tested in virtual time and replayed from a seed.

pub mod agents;
pub mod board;
pub mod deadlines;
pub mod effects;
pub mod inbox;
pub mod keyspace;
pub mod lease;
pub mod limiter;
pub mod lock;
pub mod now;
pub mod page;
pub mod record;
pub mod session;
pub mod storm;
pub mod task;
pub mod topics;
pub mod vote;
pub mod wait;

pub use board::{
    Board, BoardConfig, ImageCursor, OpenSession, OpenedSession, Outcome, RestoreError, Summary,
};
pub use effects::{Effects, Outgoing, Output, PushClass};
pub use now::{Monotonic, Now};
pub use record::Record;
pub use session::SessionId;
