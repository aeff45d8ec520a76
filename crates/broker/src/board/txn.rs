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

/// A key as the operations so far would leave it.
#[derive(Debug, Clone)]
enum Planned {
    Set(Json),
    Deleted,
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
        let mut planned: BTreeMap<&Key, Planned> = BTreeMap::new();
        // No key can be at this revision yet, so `if_revision` on a key set before in the same transaction never holds.
        let fresh = Revision(self.revision.0 + 1);
        let mut reply_bytes = 0;
        let mut new_keys = 0;
        let mut grows = false;
        for operation in operations {
            let key = match operation {
                Operation::Set(set) => &set.key,
                Operation::Delete(delete) => &delete.key,
                Operation::Get(get) => &get.key,
            };
            let present = match planned.get(key) {
                Some(Planned::Set(_)) => fresh,
                Some(Planned::Deleted) => Revision(0),
                None => self.present_revision(call.now, key),
            };
            match operation {
                Operation::Set(set) => {
                    check_set(set, present)?;
                    self.check_if_lock(call, set.if_lock.as_ref())?;
                    new_keys += usize::from(present.0 == 0);
                    grows = true;
                    reply_bytes += wire_bytes(key, None);
                    planned.insert(key, Planned::Set(set.value.clone()));
                }
                Operation::Delete(delete) => {
                    check_revision(key, delete.if_revision, present)?;
                    self.check_if_lock(call, delete.if_lock.as_ref())?;
                    reply_bytes += wire_bytes(key, None);
                    planned.insert(key, Planned::Deleted);
                }
                Operation::Get(_) => {
                    let stored =
                        || self.keyspace.live(key, call.now.monotonic).map(|entry| entry.value.clone());
                    let value = match planned.get(key) {
                        Some(Planned::Set(value)) => Some(value.clone()),
                        Some(Planned::Deleted) => None,
                        None => stored(),
                    };
                    reply_bytes += wire_bytes(key, value.as_ref());
                }
            }
        }
        if grows {
            self.check_growth_of_keys(new_keys)?;
        }
        self.check_reply_bytes(reply_bytes)
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
