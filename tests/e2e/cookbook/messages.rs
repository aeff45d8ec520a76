//! Recipes in Rust: what agents say to each other.

use callboard_protocol::address::Address;
use callboard_protocol::methods::message::{Priority, Receive, Request, Send};
use callboard_protocol::{ErrorKind, Json, TtlMs, WaitMs};

use super::{Outcome, sign_in};
use crate::harness::Home;

#[test]
fn a_question_finds_its_answer() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, architect) = (sign_in(&home, "ada"), sign_in(&home, "architect"));
    let next = Receive { wait_ms: WaitMs::new(60_000), ..Receive::default() };

    let asked = ada.pending(&Request::new("architect".parse()?, Json::from_value("JWT or sessions?")?));
    let question = architect.message_receive(&next)?.messages.remove(0);
    architect.message_reply(question.id, "JWT: nothing to store")?;
    assert_eq!(asked.wait()?.reply.payload.to::<String>()?, "JWT: nothing to store");
    Ok(())
}

#[test]
fn a_late_answer_comes_to_the_inbox() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, architect) = (sign_in(&home, "ada"), sign_in(&home, "architect"));
    let next = Receive { wait_ms: WaitMs::new(60_000), ..Receive::default() };

    let question = Request::new("architect".parse()?, Json::from_value("How long do they live?")?);
    let impatient = Request { timeout_ms: WaitMs::new(100), ..question };
    assert_eq!(ada.call(&impatient).unwrap_err().kind(), Some(ErrorKind::Timeout));
    let question = architect.message_receive(&next)?.messages.remove(0);
    architect.message_reply(question.id, "15 minutes")?;
    let late = ada.message_receive(&next)?.messages.remove(0);
    assert!(late.late && late.in_reply_to == Some(question.id));

    let nobody = ada.message_request("dba", "Which index?").unwrap_err();
    assert_eq!(nobody.kind(), Some(ErrorKind::NoResponders));
    Ok(())
}

#[test]
fn each_answer_goes_to_whoever_asked() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (alpha, beta, worker) = (sign_in(&home, "alpha"), sign_in(&home, "beta"), sign_in(&home, "worker"));
    let next = Receive { wait_ms: WaitMs::new(60_000), ..Receive::default() };

    let to: Address = "worker".parse()?;
    let product = alpha.pending(&Request::new(to.clone(), Json::from_value("6 * 7")?));
    let sum = beta.pending(&Request::new(to, Json::from_value("6 + 7")?));

    let short = Receive { lease_ms: TtlMs::new(100), ..next.clone() };
    let forgotten = worker.message_receive(&short)?.messages.remove(0);
    let mut deliveries = Vec::new();
    for _ in 0..2 {
        let question = worker.message_receive(&next)?.messages.remove(0);
        let answer = if question.payload.to::<String>()? == "6 * 7" { 42 } else { 13 };
        worker.message_reply(question.id, &answer)?;
        deliveries.push((question.id, question.attempt));
    }
    assert!(deliveries.contains(&(forgotten.id, 2)));
    assert_eq!(product.wait()?.reply.payload.to::<u32>()?, 42);
    assert_eq!(sum.wait()?.reply.payload.to::<u32>()?, 13);
    Ok(())
}

#[test]
fn a_broadcast_is_kept_for_each() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (manager, ada, bob) = (sign_in(&home, "manager"), sign_in(&home, "ada"), sign_in(&home, "bob"));
    let sent = manager.message_send("*", "freeze at noon")?;
    assert_eq!(sent.recipients.len(), 2);
    for agent in [&ada, &bob] {
        let received = agent.message_receive(&Receive::default())?;
        assert_eq!(received.messages[0].payload.to::<String>()?, "freeze at noon");
        agent.message_ack(&received.receipts())?;
    }

    let mut builds = ada.topic_subscribe("build.*")?;
    assert_eq!(bob.topic_publish("build.done", "ok")?.subscribers, 1);
    assert_eq!(builds.next().map(|event| event.kind).as_deref(), Some("topic"));
    Ok(())
}

#[test]
fn a_message_waits_for_who_is_away() -> Outcome {
    let home = Home::new();
    let daemon = home.start();
    let ada = sign_in(&home, "ada");
    ada.message_send("bob", "the schema has changed")?;
    let payload = Json::from_value("the build is red")?;
    let urgent = Send { priority: Some(Priority::Urgent), ..Send::new("bob".parse()?, payload) };
    let id = ada.call(&urgent)?.id;
    drop(ada);

    let _daemon = home.crash_and_start(daemon);
    let (ada, bob) = (sign_in(&home, "ada"), sign_in(&home, "bob"));

    let first = bob.message_receive(&Receive::default())?;
    assert_eq!(first.messages[0].payload.to::<String>()?, "the build is red");
    bob.message_ack(&first.receipts())?;
    assert!(ada.message_status(id)?.recipients[0].acked_at.is_some());
    Ok(())
}
