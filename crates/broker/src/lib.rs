//! The pure board.

pub mod lock;
