//! The pure board.
