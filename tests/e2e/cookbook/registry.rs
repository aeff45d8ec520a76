//! Recipes in Rust: who is here, and who decides.

use callboard_protocol::methods::agent::{List, Register};
use callboard_protocol::methods::kv::{IfLock, Set};
use callboard_protocol::methods::lock::Acquire;
use callboard_protocol::{ErrorKind, Json, WaitMs};

use super::{Outcome, sign_in};
use crate::harness::Home;

#[test]
fn agents_are_found_by_what_they_can_do() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (manager, ada, bob) = (sign_in(&home, "manager"), sign_in(&home, "ada"), sign_in(&home, "bob"));
    let coder = Register { role: Some("coder".parse()?), ..Register::default() };
    let capabilities = Some(vec!["rust".parse()?, "sql".parse()?]);
    ada.agent_register(&Register { capabilities, ..coder.clone() })?;
    bob.agent_register(&Register { capabilities: Some(vec!["rust".parse()?]), ..coder })?;

    let with_sql = List { capability: Some("sql".parse()?), live: Some(true), ..List::default() };
    let found = manager.agent_list(&with_sql)?.agents;
    assert_eq!(found.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>(), ["ada"]);

    assert_eq!(manager.message_send("role:coder", "stand-up at ten")?.recipients.len(), 2);
    let first = manager.message_send("any:coder", "port the parser")?.recipients.remove(0).agent;
    let second = manager.message_send("any:coder", "port the printer")?.recipients.remove(0).agent;
    assert_ne!(first, second);
    let nobody = manager.message_send("any:dba", "which index?").unwrap_err();
    assert_eq!(nobody.kind(), Some(ErrorKind::NoResponders));
    Ok(())
}

#[test]
fn one_agent_leads_at_a_time() -> Outcome {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (ada, bob) = (sign_in(&home, "ada"), sign_in(&home, "bob"));
    let lead = Acquire { wait_ms: WaitMs::new(60_000), ..Acquire::new(["leader:release"]) };
    let under = |token| Some(IfLock { key: "leader:release".to_owned(), token });
    let plan = Set::new("plan".parse()?, Json::from_value("ship on Monday")?);
    let other = Set::new("plan".parse()?, Json::from_value("ship on Tuesday")?);

    let hers = ada.lock_acquire(&lead)?.token;
    let waiting = bob.pending(&lead);
    ada.call(&Set { if_lock: under(hers), ..plan.clone() })?;
    ada.lock_release(hers)?;

    let his = waiting.wait()?.token;
    bob.call(&Set { if_lock: under(his), ..other })?;
    let refused = ada.call(&Set { if_lock: under(hers), ..plan }).unwrap_err();
    assert_eq!(refused.kind(), Some(ErrorKind::StaleToken));
    Ok(())
}
