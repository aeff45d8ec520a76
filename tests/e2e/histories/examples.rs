//! Histories of keys and locks that are right, and ones that must not pass: what the models take for a fault.

use super::linearizability::{Call, Model, check};
use super::lock::{self, Lock};
use super::registers::{Answer, Operation, Outcome, Registers, Seen};

/// Calls in the order given, none of which overlaps another; without an answer where it never ends.
fn sequence<O>(operations: Vec<O>, is_answered: impl Fn(&O) -> bool) -> Vec<Call<O>> {
    let calls = (0..).zip(operations).map(|(at, operation)| {
        let ended = is_answered(&operation).then_some(at * 2 + 1);
        Call { client: 0, started: at * 2, ended, operation }
    });
    calls.collect()
}

/// The same calls, all at once.
fn at_once<O>(mut calls: Vec<Call<O>>) -> Vec<Call<O>> {
    let end = 2 * u64::try_from(calls.len()).expect("few");
    for (start, call) in (0..).zip(&mut calls) {
        (call.started, call.ended) = (start, call.ended.map(|_| end + start));
    }
    calls
}

#[track_caller]
fn passes<M: Model>(history: Vec<Call<M::Operation>>) {
    assert_eq!(check::<M>(history), Ok(()));
}

#[track_caller]
fn fails<M: Model>(history: Vec<Call<M::Operation>>) {
    assert!(check::<M>(history).is_err());
}

fn keys(operations: Vec<Operation>) -> Vec<Call<Operation>> {
    sequence(operations, |operation| match operation {
        Operation::Get { seen, .. } => seen.is_some(),
        Operation::GetBoth { seen } => seen.is_some(),
        Operation::Set { answer, .. } | Operation::Delete { answer, .. } => answer.is_some(),
        Operation::Transaction { answer, .. } => answer.is_some(),
    })
}

fn get(value: u64, revision: u64) -> Operation {
    Operation::Get { key: 0, seen: Some(Seen { value, revision }) }
}

fn set(value: u64, revision: u64) -> Operation {
    Operation::Set { key: 0, value, if_revision: None, answer: Some(Answer::Made { revision }) }
}

fn set_if(value: u64, if_revision: u64, answer: Option<Answer>) -> Operation {
    Operation::Set { key: 0, value, if_revision: Some(if_revision), answer }
}

fn set_without_answer(value: u64) -> Operation {
    Operation::Set { key: 0, value, if_revision: None, answer: None }
}

fn made(revision: u64) -> Option<Answer> {
    Some(Answer::Made { revision })
}

fn mismatch(revision: u64) -> Option<Answer> {
    Some(Answer::Mismatch { revision })
}

fn transaction(answer: Option<Outcome>) -> Operation {
    Operation::Transaction { if_revisions: [0, 0], values: [8, 9], answer }
}

fn both(first: (u64, u64), second: (u64, u64)) -> Operation {
    let seen = [first, second].map(|(value, revision)| Seen { value, revision });
    Operation::GetBoth { seen: Some(seen) }
}

#[test]
fn keys_that_are_right_pass() {
    passes::<Registers>(keys(vec![get(0, 0), set(1, 1), get(1, 1), set(2, 2), get(2, 2)]));
    passes::<Registers>(at_once(keys(vec![get(2, 2), get(0, 0), set(2, 2), set(1, 1), get(1, 1)])));
    let race = vec![set(1, 1), set_if(2, 1, made(2)), set_if(3, 1, mismatch(2)), get(2, 2)];
    passes::<Registers>(at_once(keys(race)));
    let gone = Operation::Delete { key: 0, if_revision: 1, answer: made(0) };
    passes::<Registers>(keys(vec![set(1, 1), gone, get(0, 0), set_if(2, 0, made(3))]));
    passes::<Registers>(keys(vec![
        transaction(Some(Outcome::Made { revisions: [1, 2] })),
        both((8, 1), (9, 2)),
    ]));
}

#[test]
fn a_write_without_an_answer_may_happen_late_or_never() {
    passes::<Registers>(keys(vec![set_without_answer(1), get(0, 0)]));
    passes::<Registers>(keys(vec![set_without_answer(1), get(1, 5), set(2, 6)]));
    passes::<Registers>(keys(vec![set_without_answer(1), get(0, 0), set(2, 2), get(2, 2), get(1, 3)]));
    passes::<Registers>(keys(vec![
        set(1, 1),
        set_if(2, 1, None),
        get(1, 1),
        set_if(3, 2, mismatch(1)),
        get(2, 2),
    ]));
    passes::<Registers>(keys(vec![transaction(None), both((0, 0), (0, 0)), both((8, 3), (9, 4))]));
}

#[test]
fn a_stale_read_fails() {
    fails::<Registers>(keys(vec![set(1, 1), set(2, 2), get(1, 1)]));
    fails::<Registers>(keys(vec![set(1, 1), get(0, 0)]));
    fails::<Registers>(keys(vec![set_without_answer(1), get(1, 1), get(0, 0)]));
}

#[test]
fn a_lost_update_fails() {
    let both_win = vec![set(1, 1), set_if(2, 1, made(2)), set_if(3, 1, made(3))];
    fails::<Registers>(at_once(keys(both_win)));
    fails::<Registers>(keys(vec![set(1, 1), set_if(2, 1, mismatch(1))]));
    fails::<Registers>(keys(vec![set(1, 1), set_if(2, 1, made(2)), get(1, 1)]));
}

#[test]
fn a_write_that_comes_back_after_a_later_one_fails() {
    fails::<Registers>(keys(vec![set(1, 1), set(2, 2), get(2, 2), get(1, 1)]));
    fails::<Registers>(keys(vec![set_without_answer(1), get(1, 1), set(2, 2), get(2, 2), get(1, 1)]));
    let gone = Operation::Delete { key: 0, if_revision: 1, answer: made(0) };
    fails::<Registers>(keys(vec![set(1, 1), gone, get(1, 1)]));
}

#[test]
fn what_nobody_wrote_and_what_is_seen_too_early_fails() {
    fails::<Registers>(keys(vec![set(1, 1), get(7, 1)]));
    fails::<Registers>(keys(vec![get(1, 1), set_without_answer(1)]));
    fails::<Registers>(keys(vec![set(1, 5), set(2, 5)]));
    fails::<Registers>(keys(vec![set(1, 5), set(2, 4)]));
}

#[test]
fn half_a_transaction_fails() {
    fails::<Registers>(keys(vec![transaction(None), both((8, 3), (0, 0))]));
    fails::<Registers>(keys(vec![transaction(None), get(8, 3), both((8, 3), (0, 0))]));
    let answered = transaction(Some(Outcome::Made { revisions: [1, 2] }));
    fails::<Registers>(at_once(keys(vec![answered, both((0, 0), (9, 2))])));
}

fn locks(operations: Vec<lock::Operation>) -> Vec<Call<lock::Operation>> {
    sequence(operations, |operation| match operation {
        lock::Operation::Acquire { answer, .. } => answer.is_some(),
        lock::Operation::Release { released, .. } => released.is_some(),
        lock::Operation::ReleaseName { released, .. } => released.is_some(),
        lock::Operation::Look { holder } => holder.is_some(),
    })
}

fn acquire(agent: usize, token: u64) -> lock::Operation {
    lock::Operation::Acquire { agent, answer: Some(lock::Answer::Granted { token }) }
}

fn acquire_without_answer(agent: usize) -> lock::Operation {
    lock::Operation::Acquire { agent, answer: None }
}

fn extend(agent: usize, token: u64) -> lock::Operation {
    lock::Operation::Acquire { agent, answer: Some(lock::Answer::Extended { token }) }
}

fn refused(agent: usize, by: usize, token: u64) -> lock::Operation {
    let holder = lock::Grant { agent: by, token };
    lock::Operation::Acquire { agent, answer: Some(lock::Answer::Refused { holder }) }
}

fn release(agent: usize, token: u64, released: Option<bool>) -> lock::Operation {
    lock::Operation::Release { agent, token, released }
}

fn look(holder: Option<(usize, u64)>) -> lock::Operation {
    lock::Operation::Look { holder: Some(holder.map(|(agent, token)| lock::Grant { agent, token })) }
}

#[test]
fn locks_that_are_right_pass() {
    let freed = || release(1, 5, Some(true));
    passes::<Lock>(locks(vec![acquire(1, 5), refused(2, 1, 5), freed(), acquire(2, 6), look(Some((2, 6)))]));
    passes::<Lock>(at_once(locks(vec![acquire(2, 6), freed(), look(None), acquire(1, 5)])));
    passes::<Lock>(locks(vec![acquire_without_answer(1), refused(2, 1, 5), extend(1, 5)]));
    passes::<Lock>(locks(vec![acquire_without_answer(1), look(None), acquire(2, 5)]));
    passes::<Lock>(locks(vec![acquire(1, 5), release(1, 5, None), look(Some((1, 5))), acquire(2, 6)]));
    passes::<Lock>(locks(vec![acquire(1, 5), freed(), release(1, 5, Some(false))]));
}

#[test]
fn two_holders_fail() {
    fails::<Lock>(locks(vec![acquire(1, 5), acquire(2, 6)]));
    fails::<Lock>(at_once(locks(vec![acquire(1, 5), acquire(2, 6), look(Some((1, 5)))])));
    fails::<Lock>(locks(vec![acquire_without_answer(1), look(Some((1, 5))), acquire(2, 6)]));
    fails::<Lock>(locks(vec![acquire(1, 5), look(Some((2, 6)))]));
}

#[test]
fn tokens_that_fall_or_come_twice_fail() {
    let again = |token| vec![acquire(1, 5), release(1, 5, Some(true)), acquire(2, token)];
    passes::<Lock>(locks(again(6)));
    fails::<Lock>(locks(again(5)));
    fails::<Lock>(locks(again(4)));
    fails::<Lock>(locks(vec![acquire(1, 5), extend(1, 6)]));
}

#[test]
fn a_lock_that_is_lost_or_comes_back_fails() {
    fails::<Lock>(locks(vec![acquire(1, 5), look(None)]));
    fails::<Lock>(locks(vec![acquire(1, 5), release(1, 5, Some(false))]));
    fails::<Lock>(locks(vec![acquire(1, 5), release(1, 5, Some(true)), look(Some((1, 5)))]));
    fails::<Lock>(locks(vec![acquire(1, 5), release(1, 5, Some(true)), refused(2, 1, 5)]));
    let by_name = |released| lock::Operation::ReleaseName { agent: 1, released: Some(released) };
    fails::<Lock>(locks(vec![acquire(1, 5), by_name(false)]));
    fails::<Lock>(locks(vec![acquire(1, 5), by_name(true), by_name(true)]));
}
