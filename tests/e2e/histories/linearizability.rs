//! Whether a history of concurrent calls can be explained by one object that does one thing at a time: the search of Wing
//! and Gong (1993) with the memory of Lowe (2017).
//!
//! Invariant: a history passes exactly when each call can be given a moment between its start and its end such that the
//! calls, in the order of these moments, behave as the model says. A call without an answer may have happened at any moment
//! after its start, or never.
//!
//! It knows nothing of the daemon. The search takes as long as the history is ambiguous, so histories are cut into those of
//! single objects, and stay short.

mod tests;

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

/// An object that does one thing at a time.
pub trait Model {
    /// What it knows.
    type State: Clone + Debug + Default + Eq + Hash;
    /// What it was asked, and what it answered, if it did.
    type Operation: Debug;

    /// The state after an operation with this answer; `None` where it could not have given it. An operation without an
    /// answer, where it changes nothing, may be `None` too: it is as if it had never happened.
    fn step(state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;
}

/// One call, on a clock that all clients share.
#[derive(Debug)]
pub struct Call<O> {
    /// Who called; only for people.
    pub client: usize,
    /// When.
    pub started: u64,
    /// `None`: the answer never came.
    pub ended: Option<u64>,
    /// What was asked, and what was answered.
    pub operation: O,
}

/// How many calls around the place where no order fits are shown.
const SHOWN: usize = 12;

/// Which calls have been put in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Placed {
    bits: Vec<u64>,
}

impl Placed {
    fn none(count: usize) -> Self {
        Self { bits: vec![0; count.div_ceil(64)] }
    }

    fn has(&self, at: usize) -> bool {
        self.bits[at / 64] >> (at % 64) & 1 == 1
    }

    fn with(&self, at: usize) -> Self {
        let mut more = self.clone();
        more.bits[at / 64] |= 1 << (at % 64);
        more
    }
}

/// Looks for an order that explains the history; the error shows where none goes on.
pub fn check<M: Model>(mut history: Vec<Call<M::Operation>>) -> Result<(), String> {
    history.sort_by_key(|call| call.started);
    let answered = history.iter().filter(|call| call.ended.is_some()).count();
    let start = (Placed::none(history.len()), M::State::default(), 0);
    let mut furthest = start.clone();
    let mut seen = HashSet::from([(start.0.clone(), start.1.clone())]);
    let mut open = vec![start];
    while let Some((placed, state, placed_answered)) = open.pop() {
        if placed_answered == answered {
            return Ok(());
        }
        if placed_answered > furthest.2 {
            furthest = (placed.clone(), state.clone(), placed_answered);
        }
        let mut next: Vec<_> = candidates(&history, &placed).collect();
        // What is looked at first is pushed last: calls that have to find a place, in the order of their ends.
        next.sort_by_key(|at| std::cmp::Reverse(history[*at].ended.unwrap_or(u64::MAX)));
        for at in next {
            let Some(after) = M::step(&state, &history[at].operation) else { continue };
            let entry = (placed.with(at), after);
            if seen.insert(entry.clone()) {
                open.push((entry.0, entry.1, placed_answered + usize::from(history[at].ended.is_some())));
            }
        }
    }
    Err(explain::<M>(&history, &furthest.0, &furthest.1))
}

/// The calls that may come next: those that started before the first end of a call that has no place yet.
fn candidates<'a, O>(history: &'a [Call<O>], placed: &'a Placed) -> impl Iterator<Item = usize> + 'a {
    let rest = history.iter().enumerate().filter(|(at, _)| !placed.has(*at));
    let mut first_end = u64::MAX;
    rest.take_while(move |(_, call)| {
        let is_candidate = call.started < first_end;
        first_end = first_end.min(call.ended.unwrap_or(u64::MAX));
        is_candidate
    })
    .map(|(at, _)| at)
}

fn explain<M: Model>(history: &[Call<M::Operation>], placed: &Placed, state: &M::State) -> String {
    let show = |calls: Vec<&Call<M::Operation>>| -> String { calls.into_iter().map(shown).collect() };
    let mut before: Vec<_> = (0..history.len()).filter(|at| placed.has(*at)).map(|at| &history[at]).collect();
    before.sort_by_key(|call| call.ended);
    let before = before.split_off(before.len().saturating_sub(SHOWN));
    let after = candidates(history, placed).map(|at| &history[at]).collect();
    format!(
        "no order explains these calls. After{}\nthe object can be {state:?}, and none of these can come next:{}",
        show(before),
        show(after)
    )
}

fn shown<O: Debug>(call: &Call<O>) -> String {
    let Call { client, started, ended, operation } = call;
    let ended = ended.map_or_else(|| "no answer".into(), |ended| ended.to_string());
    format!("\n  client {client}, {started} to {ended}: {operation:?}")
}
