//! Recipes in Rust: one thing after the other, and what becomes of it when something goes wrong on the way.

use callboard_protocol::address::Recipients;
use callboard_protocol::methods::agent::Register;
use callboard_protocol::methods::message::{List, MailBox, Receive, Send};
use callboard_protocol::methods::task::{
    Claim, Create, Extend, Fail, OnDependencyFailure, Status, Task, Wait,
};
use callboard_protocol::{ErrorKind, Json, WaitMs};

use super::{MINUTE, Outcome, sign_in};
use crate::harness::Home;

#[test]
fn what_comes_after_is_claimed_when_what_is_before_is_done() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (manager, ada, bob) = (sign_in(&home, "manager"), sign_in(&home, "ada"), sign_in(&home, "bob"));
    let first = manager.task_create(&Create::new("set up"))?.task.id;
    let second =
        manager.task_create(&Create { depends_on: Some(vec![first]), ..Create::new("build") })?.task.id;
    let (_, token) = ada.task_claim(&Claim::default())?.taken().ok_or("nothing to do")?;
    let next = bob.pending(&Claim { wait_ms: Some(MINUTE), ..Claim::default() });
    ada.task_complete(token, "ok")?;
    assert_eq!(next.wait()?.task.map(|task| task.id), Some(second));
    Ok(())
}

#[test]
fn a_stage_reads_what_the_one_before_came_to() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let manager = sign_in(&home, "manager");
    let mut before = None;
    for role in ["analyst", "coder", "tester"] {
        let depends_on = before.map(|before| vec![before]);
        let stage = Create { role: Some(role.parse()?), depends_on, ..Create::new("stage") };
        before = Some(manager.task_create(&stage)?.task.id);
    }
    for role in ["analyst", "coder", "tester"] {
        let worker = sign_in(&home, role);
        worker.agent_register(&Register { role: Some(role.parse()?), ..Register::default() })?;
        let (task, token) = worker.task_claim(&Claim::default())?.taken().ok_or("nothing to do")?;
        let input = task.depends_on.first().map(|stage| worker.task_get(*stage)).transpose()?;
        let input = input.and_then(|input| input.task.result).map(|result| result.to::<String>());
        worker.task_complete(token, &format!("{}{role} ", input.transpose()?.unwrap_or_default()))?;
    }
    let result = before.map(|last| manager.task_get(last)).transpose()?.and_then(|last| last.task.result);
    assert_eq!(result.ok_or("no result")?.to::<String>()?, "analyst coder tester ");
    Ok(())
}

#[test]
fn who_takes_over_goes_on_from_the_checkpoint() -> Outcome {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 50);
    let _daemon = home.start();
    let (manager, ada, bob) = (sign_in(&home, "manager"), sign_in(&home, "ada"), sign_in(&home, "bob"));
    let step = WaitMs::clamped(1);
    manager.task_create(&Create { backoff_ms: Some(step), ..Create::new("five steps") })?;
    let (_, token) = ada.task_claim(&Claim::default())?.taken().ok_or("nothing to do")?;
    for step in 1..=3 {
        ada.task_extend(&Extend { checkpoint: Some(Json::from_value(&step)?), ..Extend::new(token) })?;
    }
    drop(ada); // as with kill -9, nobody says good-bye
    let claimed = bob.task_claim(&Claim { wait_ms: Some(MINUTE), ..Claim::default() })?;
    let (task, token) = claimed.taken().ok_or("nothing to do")?;
    let done: u64 = task.checkpoint.ok_or("no checkpoint")?.to()?;
    let steps: Vec<u64> = (done + 1..=5).collect();
    bob.task_complete(token, &steps)?;
    assert_eq!(steps, [4, 5]);
    Ok(())
}

#[test]
fn who_has_tried_often_enough_asks_for_help() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, lena) = (sign_in(&home, "ada"), sign_in(&home, "lena"));
    lena.agent_register(&Register { role: Some("lead".parse()?), ..Register::default() })?;
    let backoff_ms = Some(WaitMs::clamped(1));
    ada.task_create(&Create { max_attempts: Some(2), backoff_ms, ..Create::new("deploy") })?;
    let patient = Claim { wait_ms: Some(MINUTE), ..Claim::default() };
    while let Some((_, token)) = ada.task_claim(&patient)?.taken() {
        let task = ada.task_fail(&Fail::new(token, "no registry"))?.task;
        if task.status == Status::Failed {
            let lead = Recipients::One("role:lead".parse()?);
            let r#type = Some("request_help".parse()?);
            ada.call(&Send { r#type, ..Send::new(lead, Json::from_value(&task)?) })?;
            break;
        }
    }
    let types = Some(vec!["request_help".parse()?]);
    let calls = lena.message_receive(&Receive { types, ..Receive::default() })?.messages;
    let task: Task = calls[0].payload.to()?;
    assert_eq!((task.attempts, task.error.as_deref()), (2, Some("no registry")));
    lena.task_retry(task.id)?;
    Ok(())
}

#[test]
fn what_fails_leads_to_what_stands_ready_for_that() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, bob) = (sign_in(&home, "ada"), sign_in(&home, "bob"));
    let deploy = ada.task_create(&Create { max_attempts: Some(1), ..Create::new("deploy") })?.task.id;
    let after = Create { depends_on: Some(vec![deploy]), ..Create::new("announce") };
    let announce = ada.task_create(&after)?.task.id;
    let on_dependency_failure = Some(OnDependencyFailure::Run);
    ada.task_create(&Create { on_dependency_failure, title: "clean up".to_owned(), ..after })?;
    let (_, token) = ada.task_claim(&Claim::default())?.taken().ok_or("nothing to do")?;
    ada.task_fail(&Fail::new(token, "no registry"))?;
    let next = bob.task_claim(&Claim::default())?.task;
    assert_eq!(next.map(|task| task.title).as_deref(), Some("clean up"));
    let announced = ada.task_wait(&Wait::new(vec![announce], MINUTE))?.tasks;
    assert_eq!(announced[0].status, Status::Failed);

    ada.message_send("bob", "nobody can read this")?;
    while let [message] = &bob.message_receive(&Receive::default())?.messages[..] {
        bob.message_nack(message.receipt.as_deref().ok_or("no receipt")?)?;
    }
    let dead = bob.message_list(&List { mailbox: Some(MailBox::Dead), ..List::default() })?.messages;
    assert_eq!(dead[0].attempt, 5);

    let answer = ada.message_request("any:lead", "may I?");
    assert_eq!(answer.unwrap_err().kind(), Some(ErrorKind::NoResponders));
    Ok(())
}
