//! The real daemon and the real CLI, driven as a user would.
