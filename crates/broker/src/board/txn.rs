//! `kv.txn`: conditions, then one of two lists of operations, all or nothing.
//!
//! First every condition is checked against the keyspace and what the operations before it would do; only then the
//! operations are carried out, and none of them can fail any more.

use std::collections::BTreeMap;

use callboard_protocol::Key;
use callboard_protocol::error::Error;
use callboard_protocol::json::Json;
use callboard_protocol::limits::TXN_OPS_MAX;
use callboard_protocol::methods::kv::{Operation, Txn, TxnResult};
use callboard_protocol::revision::Revision;

use crate::board::kv::{check_revision, check_set, wire_bytes};
use crate::board::{Board, Call, invalid_params};
use crate::now::Now;

/// What the operations so far would leave behind.
#[derive(Debug, Default)]
struct Plan<'a> {
    /// The keys that they change, with revision and value; absent ones with revision 0.
    keys: BTreeMap<&'a Key, (Revision, Option<Json>)>,
    /// The revision of the last change.
    revision: Revision,
    /// How many keys there would be more (or fewer) than before, and at most on the way.
    growth: isize,
    growth_max: isize,
    has_sets: bool,
    reply_bytes: usize,
}

impl<'a> Plan<'a> {
    fn change(&mut self, key: &'a Key, was_there: bool, value: Option<Json>) {
        self.growth += isize::from(value.is_some()) - isize::from(was_there);
        self.growth_max = self.growth_max.max(self.growth);
        self.has_sets |= value.is_some();
        if was_there || value.is_some() {
            self.revision.0 += 1;
        }
        let revision = if value.is_some() { self.revision } else { Revision(0) };
        self.keys.insert(key, (revision, value));
    }
}

impl Board {
    pub(crate) fn kv_txn(&mut self, call: &Call, params: Txn) -> Result<TxnResult, Error> {
        let Txn { conditions, then, otherwise } = params;
        let otherwise = otherwise.unwrap_or_default();
        check_length("if", conditions.len())?;
        check_length("then", then.len())?;
        check_length("else", otherwise.len())?;
        let succeeded = conditions
            .iter()
            .all(|condition| self.present_revision(call.now, &condition.key) == condition.revision);
        let operations = if succeeded { then } else { otherwise };
        self.check_operations(call, &operations)?;
        let results = operations
            .into_iter()
            .map(|operation| self.carry_out(call, operation))
            .collect::<Result<_, _>>()?;
        Ok(TxnResult { succeeded, results })
    }

    fn check_operations(&mut self, call: &Call, operations: &[Operation]) -> Result<(), Error> {
        self.make_room_for_keys(call.now, operations.len());
        for operation in operations {
            self.end_overdue_of(call.now, operation);
        }
        let mut plan = Plan { revision: self.revision, ..Plan::default() };
        for operation in operations {
            self.plan(call, operation, &mut plan)?;
        }
        if plan.has_sets {
            self.check_growth_of_keys(usize::try_from(plan.growth_max).unwrap_or_default())?;
        }
        self.check_reply_bytes(plan.reply_bytes)
    }

    /// Ends what is overdue of what an operation looks at, so that the revisions to come are known.
    fn end_overdue_of(&mut self, now: Now, operation: &Operation) {
        let (key, if_lock) = match operation {
            Operation::Set(set) => (&set.key, set.if_lock.as_ref()),
            Operation::Delete(delete) => (&delete.key, delete.if_lock.as_ref()),
            Operation::Get(get) => (&get.key, None),
        };
        self.expire_if_overdue(now, key);
        if let Some(if_lock) = if_lock {
            self.end_if_overdue(now, if_lock.token);
        }
    }

    fn plan<'a>(&mut self, call: &Call, operation: &'a Operation, plan: &mut Plan<'a>) -> Result<(), Error> {
        match operation {
            Operation::Set(set) => {
                let (present, _) = self.planned(call.now, &set.key, plan);
                check_set(set, present)?;
                self.check_if_lock(call, set.if_lock.as_ref())?;
                plan.reply_bytes += wire_bytes(&set.key, None);
                plan.change(&set.key, present.0 != 0, Some(set.value.clone()));
            }
            Operation::Delete(delete) => {
                let (present, _) = self.planned(call.now, &delete.key, plan);
                check_revision(&delete.key, delete.if_revision, present)?;
                self.check_if_lock(call, delete.if_lock.as_ref())?;
                plan.reply_bytes += wire_bytes(&delete.key, None);
                plan.change(&delete.key, present.0 != 0, None);
            }
            Operation::Get(get) => {
                let (_, value) = self.planned(call.now, &get.key, plan);
                plan.reply_bytes += wire_bytes(&get.key, value.as_ref());
            }
        }
        Ok(())
    }

    /// A key's revision and value as the operations so far would leave them.
    fn planned(&self, now: Now, key: &Key, plan: &Plan<'_>) -> (Revision, Option<Json>) {
        plan.keys.get(key).cloned().unwrap_or_else(|| {
            let entry = self.keyspace.live(key, now.monotonic);
            entry.map_or_else(Default::default, |entry| (entry.revision, Some(entry.value.clone())))
        })
    }

    fn carry_out(&mut self, call: &Call, operation: Operation) -> Result<Json, Error> {
        match operation {
            Operation::Set(set) => Json::from_value(&self.set_key(call, set)),
            Operation::Delete(delete) => Json::from_value(&self.delete_key(call, &delete.key)),
            Operation::Get(get) => Json::from_value(&self.kv_get(call, &get)),
        }
    }
}

fn check_length(member: &'static str, length: usize) -> Result<(), Error> {
    if length <= TXN_OPS_MAX {
        return Ok(());
    }
    Err(invalid_params(member, format!("`{member}` has {length} entries, at most {TXN_OPS_MAX} are allowed")))
}
