//! Recipes in Rust: who edits what.

use callboard_protocol::methods::lock::Acquire;
use callboard_protocol::{ErrorKind, WaitMs};

use super::{Outcome, sign_in};
use crate::harness::Home;

#[test]
fn files_are_locked_together_or_not_at_all() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, bob, cem) = (sign_in(&home, "ada"), sign_in(&home, "bob"), sign_in(&home, "cem"));
    let reason = Some("new login".to_owned());
    let hers = ada.lock_acquire(&Acquire { reason, ..Acquire::new(["src/login.rs", "src/session.rs"]) })?;

    let his = Acquire::new(["src/session.rs", "README.md"]);
    let refused = bob.lock_acquire(&his).unwrap_err();
    assert_eq!(refused.kind(), Some(ErrorKind::LockHeld));
    let free = cem.lock_acquire(&Acquire::new(["README.md"]))?;
    cem.lock_release(free.token)?;

    let waiting = bob.pending(&Acquire { wait_ms: WaitMs::new(60_000), ..his });
    ada.lock_release(hers.token)?;
    let token = waiting.wait()?.token;
    assert!(token > hers.token);
    Ok(())
}
