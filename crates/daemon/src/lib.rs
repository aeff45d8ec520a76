//! The process around the boards.

pub mod config;
pub mod files;
pub mod home;
pub mod instance;
pub mod listener;
pub mod signals;
pub mod store;
