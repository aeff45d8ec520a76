//! Recipes in Rust: who does what, and how far it is.

use callboard_protocol::event::{AgentUpdated, TaskChanged};
use callboard_protocol::methods::agent::{Register, Status, Update};
use callboard_protocol::methods::task::{Claim, Create, Extend, Wait, Watch};
use callboard_protocol::{Json, WaitMs};

use super::{Outcome, sign_in};
use crate::harness::Home;

#[test]
fn a_task_is_given_to_one_agent() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (manager, ada, bob) = (sign_in(&home, "manager"), sign_in(&home, "ada"), sign_in(&home, "bob"));
    let payload = Json::from_value(&["src/login.rs", "src/session.rs"])?;
    let role = Some("coder".parse()?);
    manager.task_create(&Create { role, payload: Some(payload), ..Create::new("log users in") })?;

    for agent in [&ada, &bob] {
        agent.agent_register(&Register { role: Some("coder".parse()?), ..Register::default() })?;
    }
    let claims = [ada.pending(&Claim::default()), bob.pending(&Claim::default())];
    let mut given = 0;
    for claim in claims {
        given += usize::from(claim.wait()?.task.is_some());
    }
    assert_eq!(given, 1);
    Ok(())
}

#[test]
fn a_manager_sees_how_far_a_task_is() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (manager, ada) = (sign_in(&home, "manager"), sign_in(&home, "ada"));
    let task = manager.task_create(&Create::new("log users in"))?.task;
    let mut tasks = manager.task_watch(&Watch::default())?;
    let mut agents = manager.agent_watch()?;

    let token = ada.task_claim(&Claim::default())?.token.ok_or("nothing to do")?;
    ada.agent_update(&Update {
        status: Some(Some(Status::Working)),
        task: Some(Some(task.id.to_string().parse()?)),
        ..Update::default()
    })?;
    let note = Some("tests are next".to_owned());
    ada.task_extend(&Extend { progress: Some("65".parse()?), note, ..Extend::new(token) })?;
    ada.task_complete(token, "see src/login.rs")?;

    let updated = agents.find_map(|event| event.as_kind::<AgentUpdated>()).ok_or("nobody said a thing")?;
    assert_eq!(updated.0.status, Status::Working);
    let mut seen = Vec::new();
    while let Some(TaskChanged { task }) = tasks.find_map(|event| event.as_kind()) {
        seen.push((task.status.name(), task.progress.map(|progress| progress.as_json().to_string())));
        if task.status.is_finished() {
            break;
        }
    }
    let progress = Some("65".to_owned());
    assert_eq!(seen, [("in_progress", None), ("in_progress", progress.clone()), ("completed", progress)]);
    Ok(())
}

#[test]
fn a_workflow_knows_how_far_it_is() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (manager, ada) = (sign_in(&home, "manager"), sign_in(&home, "ada"));
    let workflow = manager.task_create(&Create::new("build the feature"))?.task.id;
    let token =
        manager.task_claim(&Claim { id: Some(workflow), ..Claim::default() })?.token.ok_or("taken")?;
    let mut parts = Vec::new();
    for title in ["parser", "printer", "tests"] {
        let part = Create { parent: Some(workflow), ..Create::new(title) };
        parts.push(manager.task_create(&part)?.task.id);
    }

    while let Some(part) = ada.task_claim(&Claim::default())?.token {
        ada.task_complete(part, "done")?;
        ada.kv_increment("files/written", 2)?;
    }

    manager.task_wait(&Wait::new(parts, WaitMs::new(60_000).ok_or("too long")?))?;
    let done = manager.task_get(workflow)?;
    assert_eq!(done.task.progress, Some("3/3".parse()?));
    assert_eq!(done.children.map(|parts| parts.counts.completed), Some(3));
    manager.task_complete(token, "all parts are there")?;
    Ok(())
}
