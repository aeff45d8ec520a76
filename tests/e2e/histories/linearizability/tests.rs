//! The search itself, against a search through all orders.

use super::{Call, Model, check};
use crate::harness::Random;

/// One number that is written and read.
enum Number {}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Write(u8),
    Read(Option<u8>),
}

impl Model for Number {
    type State = u8;
    type Operation = Operation;

    fn step(state: &u8, operation: &Operation) -> Option<u8> {
        match *operation {
            Operation::Write(value) => Some(value),
            Operation::Read(seen) => (seen == Some(*state)).then_some(*state),
        }
    }
}

/// Whether any order of any choice of the calls that may be left out explains the rest.
fn is_explained_by_some_order(rest: &[Call<Operation>], placed: u32, state: u8) -> bool {
    let is_open = |at: usize| placed >> at & 1 == 0;
    if rest.iter().enumerate().all(|(at, call)| !is_open(at) || call.ended.is_none()) {
        return true;
    }
    rest.iter().enumerate().filter(|(at, _)| is_open(*at)).any(|(at, call)| {
        let follows_another = rest.iter().enumerate().any(|(other, earlier)| {
            is_open(other) && other != at && earlier.ended.is_some_and(|end| end < call.started)
        });
        let after = Number::step(&state, &call.operation).filter(|_| !follows_another);
        after.is_some_and(|after| is_explained_by_some_order(rest, placed | 1 << at, after))
    })
}

/// A history of a few clients that may or may not be right.
fn random_history(random: &mut Random) -> Vec<Call<Operation>> {
    let mut history = Vec::new();
    for client in 0..3 {
        let mut clock = 0;
        for _ in 0..=random.below(2) {
            let started = clock + 1 + random.next() % 10;
            let ended = started + 1 + random.next() % 10;
            clock = ended;
            let is_answered = random.below(5) > 0;
            let value = u8::try_from(random.below(3)).expect("small");
            let operation = match random.below(2) {
                0 => Operation::Write(value),
                _ => Operation::Read(is_answered.then_some(value)),
            };
            // All moments are different ones.
            let of_client = |moment: u64| moment * 8 + u64::try_from(client).expect("small");
            history.push(Call {
                client,
                started: of_client(started),
                ended: is_answered.then(|| of_client(ended)),
                operation,
            });
            if !is_answered {
                break;
            }
        }
    }
    history
}

#[test]
fn the_search_agrees_with_trying_every_order() {
    let mut random = Random::new(1);
    let mut right = 0;
    for _ in 0..20_000 {
        let history = random_history(&mut random);
        let shown = format!("{history:?}");
        let expected = is_explained_by_some_order(&history, 0, 0);
        assert_eq!(check::<Number>(history).is_ok(), expected, "{shown}");
        right += u32::from(expected);
    }
    assert!((5_000..15_000).contains(&right), "{right} of the histories were right: too one-sided a test");
}

#[test]
fn a_long_history_with_many_calls_without_an_answer_takes_no_time() {
    let call = |started, ended, operation| Call { client: 0, started, ended, operation };
    let mut history = Vec::new();
    for round in 0..500 {
        let moment = round * 10;
        let value = u8::try_from(round % 200).expect("small");
        if round % 20 == 0 {
            history.push(call(moment, None, Operation::Write(201)));
        }
        history.push(call(moment + 1, Some(moment + 5), Operation::Write(value)));
        history.push(call(moment + 2, Some(moment + 6), Operation::Read(Some(value))));
        history.push(call(moment + 7, Some(moment + 8), Operation::Read(Some(value))));
    }
    assert_eq!(check::<Number>(history), Ok(()));
}

#[test]
fn a_refusal_shows_the_calls_that_do_not_fit() {
    let call = |client, started, operation| Call { client, started, ended: Some(started + 1), operation };
    let history = vec![call(0, 1, Operation::Write(7)), call(1, 3, Operation::Read(Some(9)))];
    let refusal = check::<Number>(history).expect_err("nobody wrote a 9");
    let (before, after) = refusal.split_once("can be 7").expect("the state");
    assert!(before.contains("Write(7)") && after.contains("Read(Some(9))"), "{refusal}");
}
