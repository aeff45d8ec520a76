//! The process around the boards.
