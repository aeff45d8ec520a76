//! What agents that lock, wait and release see, one behaviour a test.

mod model;

use super::*;
use crate::lock::pattern::LockName;

const NOBODY: [u64; 0] = [];

fn agent(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

/// `names` are separated by spaces.
fn names(names: &str) -> LockNames {
    names.split(' ').map(|name| LockName::parse(name).unwrap()).collect()
}

fn exclusive(by: &str, on: &str) -> Request {
    Request { agent: agent(by), names: names(on), mode: Mode::Exclusive }
}

fn shared(by: &str, on: &str) -> Request {
    Request { mode: Mode::Shared, ..exclusive(by, on) }
}

/// What a board does with the table: tokens and ids count up, and a change is followed by draining.
#[derive(Default)]
struct Board {
    table: LockTable,
    last_id: u64,
}

/// How an acquire that may wait ends at first.
#[derive(Debug, PartialEq)]
enum Outcome {
    Granted(u64),
    Waits(u64),
    Refused(Vec<String>),
}

impl Board {
    fn acquire(&mut self, request: Request) -> Outcome {
        self.last_id += 1;
        if self.table.conflicts(Some(&request.agent), &request.names, request.mode).is_empty() {
            self.table.grant(self.last_id, request);
            return Outcome::Granted(self.last_id);
        }
        match self.table.enqueue(self.last_id, request) {
            Ok(_) => Outcome::Waits(self.last_id),
            Err(deadlock) => Outcome::Refused(steps(&deadlock)),
        }
    }

    fn granted(&mut self, request: Request) -> u64 {
        match self.acquire(request) {
            Outcome::Granted(token) => token,
            other => panic!("expected a grant, got {other:?}"),
        }
    }

    fn waits(&mut self, request: Request) -> u64 {
        match self.acquire(request) {
            Outcome::Waits(id) => id,
            other => panic!("expected to wait, got {other:?}"),
        }
    }

    /// Releases, grants whose turn it is, and says who they are.
    fn release(&mut self, token: u64) -> Vec<u64> {
        self.table.release(token).unwrap();
        self.grant_ready()
    }

    fn withdraw(&mut self, id: u64) -> Vec<u64> {
        self.table.take(id).unwrap();
        self.grant_ready()
    }

    /// A waiter's token is its id here.
    fn grant_ready(&mut self) -> Vec<u64> {
        let mut granted = Vec::new();
        while let Some(id) = self.table.next_ready() {
            let request = self.table.take(id).unwrap();
            self.table.grant(id, request);
            granted.push(id);
        }
        granted
    }
}

fn steps(deadlock: &Deadlock) -> Vec<String> {
    let step = |edge: &Edge| {
        let keys: Vec<&str> = edge.keys.as_slice().iter().map(LockName::as_str).collect();
        format!("{} -> {} over {}", edge.agent, edge.waits_for, keys.join(" "))
    };
    deadlock.cycle.iter().map(step).collect()
}

#[test]
fn all_names_are_granted_or_none() {
    let mut board = Board::default();
    let b = board.granted(exclusive("ann", "b"));
    let waiter = board.waits(exclusive("bob", "a b"));
    assert_eq!(board.table.overlapping_grants(&names("a")), NOBODY);
    assert_eq!(board.release(b), [waiter]);
    assert_eq!(board.table.overlapping_grants(&names("a")), [waiter]);
}

#[test]
fn shared_requests_stand_together_and_exclusive_ones_alone() {
    let mut board = Board::default();
    board.granted(shared("ann", "src/**"));
    board.granted(shared("bob", "src/a"));
    board.waits(exclusive("cat", "src/a"));
    board.granted(exclusive("cat", "src2"));
}

#[test]
fn an_agent_never_conflicts_with_itself() {
    let mut board = Board::default();
    board.granted(exclusive("ann", "src/**"));
    board.granted(exclusive("ann", "src/a"));
    board.granted(shared("ann", "src/a"));
    assert_eq!(board.table.grants_of(&agent("ann")).count(), 3);
}

#[test]
fn a_stranger_conflicts_with_every_lock() {
    let mut board = Board::default();
    let token = board.granted(exclusive("ann", "a"));
    let waiter = board.waits(exclusive("bob", "a"));
    let conflicts = board.table.conflicts(None, &names("a"), Mode::Shared);
    assert_eq!(conflicts, Conflicts { grants: vec![token], waiters: vec![waiter] });
}

#[test]
fn asking_for_the_same_set_finds_the_grant() {
    let mut board = Board::default();
    let token = board.granted(exclusive("ann", "a b/"));
    assert_eq!(board.table.find_same(&exclusive("ann", "b/** ./a a")), Some(token));
    assert_eq!(board.table.find_same(&shared("ann", "a b/")), None);
    assert_eq!(board.table.find_same(&exclusive("bob", "a b/")), None);
    board.release(token);
    assert_eq!(board.table.find_same(&exclusive("ann", "a b/")), None);
    assert_eq!(board.table.release(token), None);
}

#[test]
fn waiters_are_granted_in_the_order_of_the_queue() {
    let mut board = Board::default();
    let token = board.granted(exclusive("ann", "a"));
    let first = board.waits(exclusive("bob", "a"));
    let second = board.waits(exclusive("cat", "a"));
    assert_eq!((board.table.position(first), board.table.position(second)), (Some(1), Some(2)));
    assert_eq!(board.table.waits_for(second), [agent("ann"), agent("bob")]);
    assert_eq!(board.table.blocked_count(token), 2);
    assert_eq!(board.release(token), [first]);
    assert_eq!(board.table.blocked_count(first), 1);
    assert_eq!(board.release(first), [second]);
}

#[test]
fn who_conflicts_with_no_earlier_waiter_is_not_held_up() {
    let mut board = Board::default();
    board.granted(exclusive("ann", "a"));
    board.waits(exclusive("bob", "a b"));
    board.waits(exclusive("cat", "b"));
    board.granted(exclusive("dan", "c"));
}

#[test]
fn readers_do_not_starve_a_writer() {
    let mut board = Board::default();
    let reader = board.granted(shared("ann", "a"));
    let writer = board.waits(exclusive("bob", "a"));
    let (third, fourth) = (board.waits(shared("cat", "a")), board.waits(shared("dan", "a")));
    assert_eq!(board.release(reader), [writer]);
    assert_eq!(board.release(writer), [third, fourth]);
}

#[test]
fn when_a_waiter_leaves_those_behind_it_are_looked_at() {
    let mut board = Board::default();
    board.granted(shared("ann", "a"));
    let writer = board.waits(exclusive("bob", "a"));
    let reader = board.waits(shared("cat", "a"));
    assert_eq!(board.withdraw(writer), [reader]);
    assert_eq!(board.table.take(writer), None);
}

#[test]
fn an_acquire_goes_before_those_that_wait_for_its_own_agent() {
    let mut board = Board::default();
    board.granted(exclusive("ann", "src/"));
    let waiter = board.waits(exclusive("bob", "src/ docs/"));
    assert_eq!(board.table.conflicts(None, &names("docs/a"), Mode::Exclusive).waiters, [waiter]);
    let overtaking = board.granted(exclusive("ann", "docs/a"));
    assert_eq!(board.table.blocked_count(overtaking), 1);
    assert_eq!(board.table.waits_for(waiter), [agent("ann")]);
}

#[test]
fn it_goes_behind_them_again_when_they_wait_for_its_agent_no_more() {
    let mut board = Board::default();
    let src = board.granted(exclusive("ann", "src"));
    let docs = board.granted(exclusive("cat", "docs"));
    let earlier = board.waits(exclusive("bob", "src docs"));
    let later = board.waits(exclusive("ann", "docs"));
    assert_eq!(board.table.position(later), Some(1));
    assert_eq!(board.release(src), NOBODY);
    assert_eq!((board.table.position(later), board.table.next_deadlock()), (Some(2), None));
    assert_eq!(board.release(docs), [earlier]);
    assert_eq!(board.release(earlier), [later]);
}

#[test]
fn a_waiter_that_would_wait_for_ever_when_it_is_behind_again_is_refused() {
    let mut board = Board::default();
    let src = board.granted(exclusive("ann", "src"));
    board.granted(exclusive("ann", "lib"));
    board.granted(exclusive("cat", "docs"));
    board.waits(exclusive("bob", "src docs"));
    board.waits(exclusive("bob", "lib"));
    let later = board.waits(exclusive("ann", "docs"));
    assert_eq!(board.release(src), NOBODY);
    let (refused, deadlock) = board.table.next_deadlock().unwrap();
    assert_eq!(refused, later);
    assert_eq!(steps(&deadlock), ["ann -> bob over docs", "bob -> ann over lib"]);
    board.withdraw(refused);
    assert_eq!(board.table.next_deadlock(), None);
}

#[test]
fn a_grant_may_open_the_circle_that_a_release_closed() {
    let mut board = Board::default();
    let held = board.granted(exclusive("bob", "a"));
    board.granted(exclusive("cat", "b"));
    let first = board.waits(exclusive("ann", "a"));
    board.waits(exclusive("bob", "a b c"));
    let second = board.waits(exclusive("ann", "c"));
    assert_eq!(board.release(held), [first, second], "bob waits for ann's grant now, so she goes before him");
    assert_eq!(board.table.next_deadlock(), None);
}

#[test]
fn two_agents_do_not_wait_for_each_other() {
    let mut board = Board::default();
    board.granted(exclusive("ann", "a"));
    let b = board.granted(exclusive("bob", "b"));
    let ann = board.waits(exclusive("ann", "b"));
    let refused = Outcome::Refused(vec!["bob -> ann over a".to_owned(), "ann -> bob over b".to_owned()]);
    assert_eq!(board.acquire(exclusive("bob", "a")), refused);
    assert_eq!(board.table.waiter_count(), 1);
    assert_eq!(board.release(b), [ann]);
}

#[test]
fn two_readers_that_both_want_to_write_do_not_wait_for_each_other() {
    let mut board = Board::default();
    board.granted(shared("ann", "a"));
    let reader = board.granted(shared("bob", "a"));
    let writer = board.waits(exclusive("ann", "a"));
    assert!(matches!(board.acquire(exclusive("bob", "a")), Outcome::Refused(_)));
    assert_eq!(board.release(reader), [writer]);
}

#[test]
fn three_agents_do_not_wait_for_each_other_in_a_circle() {
    let mut board = Board::default();
    for (by, on) in [("ann", "a"), ("bob", "b"), ("cat", "c")] {
        board.granted(exclusive(by, on));
    }
    board.waits(exclusive("ann", "b"));
    board.waits(exclusive("bob", "c"));
    let Err(deadlock) = board.table.enqueue(9, exclusive("cat", "a x")) else {
        panic!("expected a deadlock")
    };
    assert_eq!(steps(&deadlock), ["cat -> ann over a x", "ann -> bob over b", "bob -> cat over c"]);
    assert_eq!(
        deadlock.to_string(),
        "waiting would never end, as cat waits for ann and ann waits for bob and bob waits for cat: \
         release what you hold, then ask for all names at once"
    );
    assert_eq!(board.table.waiter_of(9), None);
}

#[test]
fn a_circle_may_close_through_an_earlier_waiter() {
    let mut board = Board::default();
    board.granted(shared("ann", "a"));
    board.granted(exclusive("cat", "c"));
    board.waits(exclusive("bob", "a c"));
    assert_eq!(
        board.acquire(shared("cat", "a")),
        Outcome::Granted(4),
        "bob waits for cat, so cat goes before him"
    );
    board.granted(exclusive("dan", "d"));
    board.waits(exclusive("cat", "d"));
    assert_eq!(
        board.acquire(shared("dan", "a")),
        Outcome::Refused(vec![
            "dan -> bob over a".to_owned(),
            "bob -> cat over a c".to_owned(),
            "cat -> dan over d".to_owned()
        ])
    );
}

#[test]
fn grants_and_waiters_are_walked_from_a_cursor() {
    let mut board = Board::default();
    for (by, on) in [("ann", "a"), ("ann", "b"), ("bob", "c"), ("bob", "a"), ("cat", "c")] {
        board.acquire(exclusive(by, on));
    }
    assert_eq!(board.table.grants_from(2).map(|(token, _)| token).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(board.table.waiters_from(5).map(|(id, _)| id).collect::<Vec<_>>(), [5]);
    assert_eq!(board.table.grants_of(&agent("ann")).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(board.table.waiters_of(&agent("bob")).collect::<Vec<_>>(), [4]);
    assert_eq!((board.table.grant_count(), board.table.waiter_count()), (3, 2));
}
