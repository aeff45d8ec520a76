//! Recipes in Rust: parts of one whole, second looks, and decisions.

use callboard_protocol::event::LockContended;
use callboard_protocol::methods::agent::Register;
use callboard_protocol::methods::coordination::Open;
use callboard_protocol::methods::lock::Acquire;
use callboard_protocol::methods::message::Receive;
use callboard_protocol::methods::task::{Claim, Create, CreateMany, Draft, Review, Status, TaskRef};
use callboard_protocol::{ErrorKind, Label, NameError, TtlMs};

use super::{MINUTE, Outcome, sign_in};
use crate::harness::Home;

#[test]
fn the_whole_is_ready_when_its_parts_are_done() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (manager, ada) = (sign_in(&home, "manager"), sign_in(&home, "ada"));
    let named = |name: &str| Ok::<_, NameError>(TaskRef::Ref(name.parse()?));
    let part = |name: &str, role: &str| {
        let (r#ref, role) = (Some(name.parse()?), Some(role.parse()?));
        Ok::<_, NameError>(Draft { r#ref, role, parent: Some(named("login")?), ..Draft::new(name) })
    };
    let whole = Draft {
        r#ref: Some("login".parse()?),
        depends_on: Some(vec![named("model")?, named("endpoints")?]),
        ..Draft::new("user login")
    };
    let tasks = vec![whole, part("model", "database")?, part("endpoints", "api")?];
    let login = manager.task_create_many(&CreateMany { tasks })?.tasks[0].id;
    for role in ["database", "api"] {
        ada.agent_register(&Register { role: Some(role.parse()?), ..Register::default() })?;
        let (task, token) = ada.task_claim(&Claim::default())?.taken().ok_or("nothing to do")?;
        ada.task_complete(token, &task.title)?;
    }
    let (whole, _) = ada.task_claim(&Claim::default())?.taken().ok_or("nothing to do")?;
    assert_eq!(whole.id, login);
    Ok(())
}

#[test]
fn whoever_has_the_whole_finds_what_its_parts_came_to() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (manager, ada) = (sign_in(&home, "manager"), sign_in(&home, "ada"));
    let all = manager.task_create(&Create::new("all lines"))?.task.id;
    for lines in [10_u64, 20, 30] {
        let part = manager.task_create(&Create { parent: Some(all), ..Create::new("count") })?.task.id;
        let (_, token) =
            ada.task_claim(&Claim { id: Some(part), ..Claim::default() })?.taken().ok_or("gone")?;
        ada.task_complete(token, &lines)?;
    }
    let parts = manager.task_get(all)?.children.ok_or("no parts")?;
    assert_eq!(parts.counts.finished(), parts.counts.total());
    let lines: Result<Vec<u64>, _> = parts.results.iter().map(|part| part.result.to()).collect();
    assert_eq!(lines?.iter().sum::<u64>(), 60);
    Ok(())
}

#[test]
fn nobody_approves_of_their_own_work() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, bob) = (sign_in(&home, "ada"), sign_in(&home, "bob"));
    let id = bob.task_create(&Create { review: Some(true), ..Create::new("port the parser") })?.task.id;
    let good = Review { id, approve: true, comments: None };
    let bad = Review { id, approve: false, comments: Some("where are the tests?".to_owned()) };
    let (_, token) = ada.task_claim(&Claim::default())?.taken().ok_or("nothing to do")?;
    ada.task_complete(token, "first version")?;
    assert_eq!(ada.task_review(&good).unwrap_err().kind(), Some(ErrorKind::PermissionDenied));
    bob.task_review(&bad)?;
    let (task, token) = ada.task_claim(&Claim::default())?.taken().ok_or("nothing to do")?;
    assert_eq!(task.comments.as_deref(), Some("where are the tests?"));
    ada.task_complete(token, "with tests")?;
    assert_eq!(bob.task_review(&good)?.task.status, Status::Completed);
    Ok(())
}

#[test]
fn a_vote_has_a_winner_or_none() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, bob) = (sign_in(&home, "ada"), sign_in(&home, "bob"));
    let ask = |quorum: usize, deadline_ms: u64| {
        let options = vec!["yes".parse()?, "no".parse()?];
        let voters = Some(vec!["ada".parse()?, "bob".parse()?]);
        let deadline_ms = TtlMs::clamped(deadline_ms);
        Ok::<_, NameError>(Open { voters, quorum: Some(quorum), ..Open::new("tabs?", options, deadline_ms) })
    };
    for (choice, winner) in [("yes", Some("yes")), ("no", None)] {
        let vote = ada.vote_open(&ask(2, 60_000)?)?.id;
        ada.vote_cast(vote, "yes")?;
        bob.vote_cast(vote, choice)?;
        let chosen = bob.vote_get(vote)?.winner;
        assert_eq!(chosen.as_ref().map(Label::as_str), winner);
    }
    let vote = ada.vote_open(&ask(2, 500)?)?.id;
    ada.vote_cast(vote, "yes")?;
    let types = Some(vec!["vote_result".parse()?]);
    for _ in 0..3 {
        let results = Receive { types: types.clone(), wait_ms: Some(MINUTE), ..Receive::default() };
        assert_eq!(bob.message_receive(&results)?.messages.len(), 1);
    }
    let closed = bob.vote_get(vote)?;
    assert_eq!((closed.winner, closed.quorum_met), (None, false));
    Ok(())
}

#[test]
fn circles_thrashing_and_claims_that_are_over_are_seen() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, bob) = (sign_in(&home, "ada"), sign_in(&home, "bob"));
    let after = |name: &str, before: &str| {
        let depends_on = Some(vec![TaskRef::Ref(before.parse()?)]);
        Ok::<_, NameError>(Draft { r#ref: Some(name.parse()?), depends_on, ..Draft::new(name) })
    };
    let tasks = vec![after("egg", "hen")?, after("hen", "egg")?];
    let circle = ada.task_create_many(&CreateMany { tasks }).unwrap_err();
    assert_eq!(circle.kind(), Some(ErrorKind::DependencyCycle));

    ada.task_create(&Create::new("job"))?;
    let mut standing = Vec::new();
    while let Some((_, token)) = ada.task_claim(&Claim::default())?.taken() {
        standing.push(ada.task_release(token)?.task.status);
        let late = ada.task_complete(token, "done").unwrap_err();
        assert_eq!(late.kind(), Some(ErrorKind::StaleToken));
    }
    assert_eq!(standing, [Status::Pending, Status::Pending, Status::Pending, Status::Delayed]);

    let patient = |key: &str| Acquire { wait_ms: Some(MINUTE), ..Acquire::new([key]) };
    let one = ada.lock_acquire(&patient("one"))?.token;
    bob.lock_acquire(&patient("two"))?;
    let waiting = bob.pending(&patient("one"));
    let contended = ada.notices().next().and_then(|notice| notice.as_kind::<LockContended>());
    assert_eq!(contended.map(|lock| lock.waiters), Some(1));
    let deadlock = ada.lock_acquire(&patient("two")).unwrap_err();
    assert_eq!(deadlock.kind(), Some(ErrorKind::Deadlock));
    ada.lock_release(one)?;
    waiting.wait()?;
    Ok(())
}
