//! Recipes in Rust: who does what, and how far it is.

use callboard_protocol::methods::agent::Register;
use callboard_protocol::methods::task::{Claim, Create};

use super::{Outcome, sign_in};
use crate::harness::Home;

#[test]
fn a_task_is_given_to_one_agent() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (manager, ada) = (sign_in(&home, "manager"), sign_in(&home, "ada"));
    manager.task_create(&Create { role: Some("coder".parse()?), ..Create::new("port the parser") })?;
    ada.agent_register(&Register { role: Some("coder".parse()?), ..Register::default() })?;
    let claimed = ada.task_claim(&Claim::default())?;
    assert_eq!(claimed.task.map(|task| task.title).as_deref(), Some("port the parser"));
    Ok(())
}
