//! Two keys as one object: reads, writes on condition, deletes, and transactions over both.
//!
//! Invariant: a write that was answered has the revision of its answer. One that was not has a revision that nobody knows
//! yet: higher than all before it, and settled by whoever sees it first.

use super::linearizability::Model;

/// A key of the two.
pub type Key = usize;

/// What somebody saw of a key: both are 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seen {
    pub value: u64,
    pub revision: u64,
}

/// What was asked, and what was answered.
#[derive(Debug, Clone)]
pub enum Operation {
    Get { key: Key, seen: Option<Seen> },
    GetBoth { seen: Option<[Seen; 2]> },
    Set { key: Key, value: u64, if_revision: Option<u64>, answer: Option<Answer> },
    Delete { key: Key, if_revision: u64, answer: Option<Answer> },
    Transaction { if_revisions: [u64; 2], values: [u64; 2], answer: Option<Outcome> },
}

/// What a change on condition was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was made; the revision of a key that is gone is 0.
    Made { revision: u64 },
    /// The key's revision is another one: this.
    Mismatch { revision: u64 },
}

/// What a transaction was answered: the revisions of its two writes, or what it read instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Made { revisions: [u64; 2] },
    Mismatch { seen: [Seen; 2] },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Revision {
    Known(u64),
    /// That of a write without an answer, which came after this one.
    Above(u64),
}

impl Default for Revision {
    fn default() -> Self {
        Self::Known(0)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Register {
    value: u64,
    revision: Revision,
}

/// The two keys, and the highest revision that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Pair {
    registers: [Register; 2],
    highest: u64,
}

impl Pair {
    /// The same, if the key can have this revision.
    fn at_revision(mut self, key: Key, revision: u64) -> Option<Self> {
        let register = &mut self.registers[key];
        let fits = match register.revision {
            Revision::Known(known) => known == revision,
            Revision::Above(floor) => revision > floor,
        };
        register.revision = Revision::Known(revision);
        self.highest = self.highest.max(revision);
        fits.then_some(self)
    }

    /// The same, if the key can be seen so.
    fn seen_as(self, key: Key, seen: Seen) -> Option<Self> {
        let fits = self.registers[key].value == seen.value;
        self.at_revision(key, seen.revision).filter(|_| fits)
    }

    /// After a write, whose revision has to be a new one where it is known.
    fn written(mut self, key: Key, value: u64, revision: Option<u64>) -> Option<Self> {
        let fits = revision.is_none_or(|revision| revision > self.highest);
        let revision = revision.map_or(Revision::Above(self.highest), Revision::Known);
        self.registers[key] = Register { value, revision };
        if let Revision::Known(revision) = revision {
            self.highest = revision;
        }
        fits.then_some(self)
    }

    fn deleted(mut self, key: Key) -> Self {
        self.registers[key] = Register::default();
        self
    }

    /// After a change on condition: the same where the answer is that it does not hold.
    fn changed(
        self,
        key: Key,
        if_revision: Option<u64>,
        answer: Option<Answer>,
        change: impl FnOnce(Self, Option<u64>) -> Option<Self>,
    ) -> Option<Self> {
        let revision = match answer {
            Some(Answer::Mismatch { revision }) if if_revision == Some(revision) => return None,
            Some(Answer::Mismatch { revision }) => return self.at_revision(key, revision),
            Some(Answer::Made { revision }) => Some(revision),
            None => None,
        };
        let before = match if_revision {
            Some(wanted) => self.at_revision(key, wanted)?,
            None => self,
        };
        change(before, revision)
    }

    fn transacted(self, if_revisions: [u64; 2], values: [u64; 2], answer: Option<Outcome>) -> Option<Self> {
        let revisions = match answer {
            Some(Outcome::Mismatch { seen }) => {
                let is_mismatch = seen.map(|seen| seen.revision) != if_revisions;
                return self.seen_as(0, seen[0])?.seen_as(1, seen[1]).filter(|_| is_mismatch);
            }
            Some(Outcome::Made { revisions }) => revisions.map(Some),
            None => [None; 2],
        };
        let before = self.at_revision(0, if_revisions[0])?.at_revision(1, if_revisions[1])?;
        before.written(0, values[0], revisions[0])?.written(1, values[1], revisions[1])
    }
}

/// The model.
#[derive(Debug)]
pub enum Registers {}

impl Model for Registers {
    type State = Pair;
    type Operation = Operation;

    fn step(state: &Pair, operation: &Operation) -> Option<Pair> {
        let pair = state.clone();
        match operation {
            Operation::Get { key, seen } => pair.seen_as(*key, (*seen)?),
            Operation::GetBoth { seen } => {
                let [first, second] = (*seen)?;
                pair.seen_as(0, first)?.seen_as(1, second)
            }
            Operation::Set { key, value, if_revision, answer } => {
                pair.changed(*key, *if_revision, *answer, |pair, new| pair.written(*key, *value, new))
            }
            Operation::Delete { key, if_revision, answer } => {
                pair.changed(*key, Some(*if_revision), *answer, |pair, _| Some(pair.deleted(*key)))
            }
            Operation::Transaction { if_revisions, values, answer } => {
                pair.transacted(*if_revisions, *values, *answer)
            }
        }
    }
}
