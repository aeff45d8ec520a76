//! Recipes in Rust: many agents that do the same, how they are found, and how many there should be.

use std::thread;

use callboard_client::ClientError;
use callboard_client::blocking::Client;
use callboard_protocol::event::{TaskChanged, TopicMessage};
use callboard_protocol::methods::agent::{List, Register};
use callboard_protocol::methods::message::Receive;
use callboard_protocol::methods::task::{Claim, Create, CreateMany, Draft, Status, Watch};
use callboard_protocol::{ErrorKind, ListLimit, WaitMs};

use super::{MINUTE, Outcome, sign_in};
use crate::harness::Home;

/// Signs an agent in, and says that it is a coder.
fn coder(home: &Home, name: &str) -> Result<Client, Box<dyn std::error::Error>> {
    let coder = sign_in(home, name);
    coder.agent_register(&Register { role: Some("coder".parse()?), ..Register::default() })?;
    Ok(coder)
}

#[test]
fn parts_are_done_side_by_side_and_each_once() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let manager = sign_in(&home, "manager");
    let workers = ["ada", "bob", "eve"].map(|name| sign_in(&home, name));
    let tasks = (1..=6).map(|part| Draft::new(format!("part {part}"))).collect();
    manager.task_create_many(&CreateMany { tasks })?;
    let work = |worker: &Client| -> Result<usize, ClientError> {
        let mut done = 0;
        while let Some((task, token)) = worker.task_claim(&Claim::default())?.taken() {
            worker.task_complete(token, &task.title)?;
            done += 1;
        }
        Ok(done)
    };
    let done = thread::scope(|threads| {
        let threads = workers.each_ref().map(|worker| threads.spawn(move || work(worker)));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<Result<usize, _>>()
    });
    assert_eq!(done?, 6);
    Ok(())
}

#[test]
fn the_supervisor_hears_of_a_task_that_lost_its_worker() -> Outcome {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 50);
    let _daemon = home.start();
    let (supervisor, first) = (sign_in(&home, "supervisor"), sign_in(&home, "worker-1"));
    let mut changes = supervisor.task_watch(&Watch::default())?;
    supervisor.task_create(&Create { backoff_ms: Some(WaitMs::clamped(1)), ..Create::new("long job") })?;
    first.task_claim(&Claim::default())?;
    drop(first); // as with kill -9, nobody says good-bye
    let mut changed = changes.by_ref().filter_map(|event| event.as_kind::<TaskChanged>());
    let lost = changed.find(|event| event.task.status == Status::Delayed);
    assert_eq!(lost.map(|event| event.task.attempts), Some(1));
    let second = sign_in(&home, "worker-2");
    let again = second.task_claim(&Claim { wait_ms: Some(MINUTE), ..Claim::default() })?;
    let (task, token) = again.taken().ok_or("nothing to do")?;
    second.task_complete(token, &task.attempts)?;
    assert_eq!(task.attempts, 2);
    Ok(())
}

#[test]
fn messages_find_those_whom_they_are_for() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, bob, eve) = (coder(&home, "ada")?, coder(&home, "bob")?, sign_in(&home, "eve"));
    let mut builds = bob.topic_subscribe("build.*")?;
    for (to, count) in [("ada", 1), ("role:coder", 2), ("any:coder", 1), ("*", 2)] {
        assert_eq!(eve.message_send(to, "hello")?.recipients.len(), count, "{to}");
    }
    let nobody = eve.message_send("role:painter", "hello").unwrap_err();
    assert_eq!(nobody.kind(), Some(ErrorKind::NoResponders));
    assert_eq!(eve.topic_publish("build.done", "green")?.subscribers, 1);
    let heard: Option<TopicMessage> = builds.next().and_then(|event| event.as_kind());
    assert_eq!(heard.map(|message| message.topic.to_string()).as_deref(), Some("build.done"));
    assert_eq!((ada.message_counts()?.queued, bob.message_counts()?.queued), (3, 3));
    Ok(())
}

#[test]
fn a_worker_comes_works_and_leaves() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (manager, ada) = (sign_in(&home, "manager"), sign_in(&home, "ada"));
    manager.task_create(&Create { role: Some("coder".parse()?), ..Create::new("port the parser") })?;
    ada.agent_register(&Register { role: Some("coder".parse()?), ..Register::default() })?;
    while let Some((task, token)) = ada.task_claim(&Claim::default())?.taken() {
        ada.task_complete(token, &format!("{}: ported", task.title))?;
    }
    ada.close(true)?;
    let coders = List { role: Some("coder".parse()?), live: Some(true), ..List::default() };
    assert!(manager.agent_list(&coders)?.agents.is_empty());
    assert_eq!(manager.task_counts()?.completed, 1);
    Ok(())
}

#[test]
fn work_goes_to_whoever_has_least() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, bob, manager) = (coder(&home, "ada")?, coder(&home, "bob")?, sign_in(&home, "manager"));
    for _ in 0..4 {
        manager.message_send("any:coder", "job")?;
    }
    assert_eq!((ada.message_counts()?.queued, bob.message_counts()?.queued), (2, 2));
    bob.message_receive(&Receive { max: ListLimit::new(10), ..Receive::default() })?;
    let coders = List { role: Some("coder".parse()?), live: Some(true), ..List::default() };
    let mut coders = manager.agent_list(&coders)?.agents;
    coders.sort_by_key(|coder| coder.claimed + coder.inbox);
    let names: Vec<_> = coders.iter().map(|coder| coder.name.as_str()).collect();
    assert_eq!(names, ["bob", "ada"]);
    Ok(())
}

#[test]
fn too_much_to_do_for_those_who_are_there_is_an_event() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (_ada, scaler, starter) = (coder(&home, "ada")?, sign_in(&home, "scaler"), sign_in(&home, "starter"));
    let mut signals = starter.topic_subscribe("scale.up")?;
    let changes = scaler.task_watch(&Watch::default())?;
    for job in 1..=3 {
        scaler.task_create(&Create::new(format!("job {job}")))?;
    }
    let coders = List { role: Some("coder".parse()?), live: Some(true), ..List::default() };
    for _ in changes {
        let pending = scaler.task_counts()?.pending;
        let workers = scaler.agent_list(&coders)?.agents.len();
        if pending > 2 * workers {
            scaler.topic_publish("scale.up", &(pending - 2 * workers))?;
            break;
        }
    }
    let signal: Option<TopicMessage> = signals.next().and_then(|event| event.as_kind());
    assert_eq!(signal.ok_or("no signal")?.payload.to::<usize>()?, 1);
    Ok(())
}
