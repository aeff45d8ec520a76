//! `kv.*` but for `kv.txn` (`txn`) and `kv.watch` (`watching`).

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::json::Json;
use callboard_protocol::limits::{GET_MANY_KEYS_MAX, INTEGER_MAX};
use callboard_protocol::methods::kv::{
    Delete, DeleteResult, Expire, ExpireResult, Get, GetMany, GetManyResult, GetResult, IfLock, Increment,
    IncrementResult, List, ListResult, Listed, Set, SetResult,
};
use callboard_protocol::methods::server::Area;
use callboard_protocol::revision::Revision;
use callboard_protocol::{AgentName, Key};

use crate::board::{Board, Call, invalid_params, limit_exceeded};
use crate::deadlines::Deadline;
use crate::keyspace::Entry;
use crate::keyspace::history::{KeyChange, KeyEvent};
use crate::now::{Monotonic, Now};
use crate::page::Page;
use crate::record::{KeyRecord, Record};

/// What an entry takes on the wire besides its key and value at most, in bytes.
const ENTRY_ENVELOPE_BYTES: usize = 320;

impl Board {
    pub(crate) fn kv_set(&mut self, call: &Call, params: Set) -> Result<SetResult, Error> {
        self.make_room_for_keys(call.now, 1);
        let present = self.present_revision(call.now, &params.key);
        check_set(&params, present)?;
        self.check_if_lock(call, params.if_lock.as_ref())?;
        self.check_growth_of_keys(usize::from(present.0 == 0))?;
        Ok(self.set_key(call, params))
    }

    /// Sets a key whose conditions hold.
    pub(crate) fn set_key(&mut self, call: &Call, params: Set) -> SetResult {
        let Set { key, value, ttl_ms, keep_ttl, .. } = params;
        self.expire_if_overdue(call.now, &key);
        let kept = keep_ttl
            .unwrap_or(false)
            .then(|| self.keyspace.stored(&key).and_then(|entry| entry.due))
            .flatten();
        let due = ttl_ms.map(|ttl_ms| call.now.monotonic.plus_ms(ttl_ms.get())).or(kept);
        let (revision, previous) = self.put_key(call.now, &key, value, due, call.agent.clone());
        SetResult { revision, created: previous.0 == 0 }
    }

    fn put_key(
        &mut self,
        now: Now,
        key: &Key,
        value: Json,
        due: Option<Monotonic>,
        by: Option<AgentName>,
    ) -> (Revision, Revision) {
        let revision = self.next_revision();
        let entry =
            Entry { value: value.clone(), revision, due, updated_at: now.unix_ms, updated_by: by.clone() };
        let record = key_record(now, key, &entry);
        let before = self.keyspace.insert(key.clone(), entry);
        self.deadlines.change(before.as_ref().and_then(|entry| entry.due), due, Deadline::Key(key.clone()));
        let previous_revision = before.as_ref().map_or(Revision(0), |entry| entry.revision);
        self.record(Record::Key(record));
        let change = KeyChange {
            key: key.clone(),
            revision,
            previous_revision,
            by,
            event: KeyEvent::Put { value, due },
        };
        self.key_changed(now, change, before.as_ref());
        (revision, previous_revision)
    }

    pub(crate) fn kv_get(&self, call: &Call, params: &Get) -> GetResult {
        match self.keyspace.live(&params.key, call.now.monotonic) {
            None => GetResult::default(),
            Some(entry) => GetResult {
                key: None,
                exists: true,
                value: Some(entry.value.clone()),
                revision: Some(entry.revision),
                ttl_ms: Some(entry.ttl_ms(call.now.monotonic)),
                updated_at: Some(entry.updated_at),
                updated_by: Some(entry.updated_by.clone()),
            },
        }
    }

    pub(crate) fn kv_get_many(&self, call: &Call, params: &GetMany) -> Result<GetManyResult, Error> {
        let asked = params.keys.len();
        if asked > GET_MANY_KEYS_MAX {
            let message =
                format!("`keys` has {asked} entries, at most {GET_MANY_KEYS_MAX} are allowed: ask in parts");
            return Err(invalid_params("keys", message));
        }
        let mut used = 0;
        let mut entries = Vec::with_capacity(asked);
        for key in &params.keys {
            let entry = self.kv_get(call, &Get { key: key.clone() });
            used += wire_bytes(key, entry.value.as_ref());
            entries.push(GetResult { key: Some(key.clone()), ..entry });
        }
        self.check_reply_bytes(used)?;
        Ok(GetManyResult { entries })
    }

    /// Refuses a reply that a frame could not take.
    pub(crate) fn check_reply_bytes(&self, used: usize) -> Result<(), Error> {
        let max = self.config.limits.frame_bytes;
        if used + 1024 <= max {
            return Ok(());
        }
        Err(limit_exceeded("frame_bytes", used, max, "ask for fewer keys at once"))
    }

    pub(crate) fn kv_delete(&mut self, call: &Call, params: &Delete) -> Result<DeleteResult, Error> {
        let present = self.present_revision(call.now, &params.key);
        check_revision(&params.key, params.if_revision, present)?;
        self.check_if_lock(call, params.if_lock.as_ref())?;
        Ok(self.delete_key(call, &params.key))
    }

    /// Deletes a key whose conditions hold.
    pub(crate) fn delete_key(&mut self, call: &Call, key: &Key) -> DeleteResult {
        self.expire_if_overdue(call.now, key);
        let deleted = self.end_key(call.now, key, KeyEvent::Delete, call.agent.clone());
        DeleteResult { deleted }
    }

    fn end_key(&mut self, now: Now, key: &Key, event: KeyEvent, by: Option<AgentName>) -> bool {
        let Some(before) = self.keyspace.remove(key) else {
            return false;
        };
        self.deadlines.change(before.due, None, Deadline::Key(key.clone()));
        let revision = self.next_revision();
        self.record(Record::KeyEnded(key.clone()));
        let change = KeyChange { key: key.clone(), revision, previous_revision: before.revision, by, event };
        self.key_changed(now, change, Some(&before));
        true
    }

    /// A key goes with its namespace.
    pub(crate) fn clear_key(&mut self, now: Now, key: &Key, by: Option<&AgentName>) {
        self.end_key(now, key, KeyEvent::Delete, by.cloned());
    }

    /// A key's TTL ended.
    pub(crate) fn expire_key(&mut self, now: Now, key: &Key) {
        self.end_key(now, key, KeyEvent::Expire, None);
    }

    /// Before a change of a key: its overdue predecessor ends first, so that watchers hear both in order.
    pub(crate) fn expire_if_overdue(&mut self, now: Now, key: &Key) {
        if self.keyspace.stored(key).is_some_and(|entry| entry.is_overdue(now.monotonic)) {
            self.expire_key(now, key);
        }
    }

    /// The revision of a key as conditions see it; 0 when it is absent.
    pub(crate) fn present_revision(&self, now: Now, key: &Key) -> Revision {
        self.keyspace.live(key, now.monotonic).map_or(Revision(0), |entry| entry.revision)
    }

    /// Before new keys are counted: those that are over leave room, worked off or not.
    pub(crate) fn make_room_for_keys(&mut self, now: Now, new: usize) {
        if self.keyspace.len() + new > self.config.limits.keys {
            self.make_room(now);
        }
    }

    /// Refuses new keys beyond the limit, and any growth while memory is full.
    pub(crate) fn check_growth_of_keys(&self, new: usize) -> Result<(), Error> {
        self.check_memory()?;
        let max = self.config.limits.keys;
        let used = self.keyspace.len();
        if new == 0 || used + new <= max {
            return Ok(());
        }
        Err(limit_exceeded("keys", used, max, "delete keys, or give them TTLs"))
    }

    pub(crate) fn check_if_lock(&mut self, call: &Call, if_lock: Option<&IfLock>) -> Result<(), Error> {
        if_lock.map_or(Ok(()), |if_lock| self.check_lock_covers(call.now, if_lock))
    }

    pub(crate) fn kv_list(&self, call: &Call, params: &List) -> Result<ListResult, Error> {
        let prefix = checked_prefix(params.prefix.as_deref())?;
        let with_values = params.values.unwrap_or(false);
        let mut page = Page::new(params.limit, self.config.limits.frame_bytes);
        for (key, entry) in self.keyspace.range(prefix, params.cursor.as_deref(), call.now.monotonic) {
            let value = with_values.then(|| entry.value.clone());
            let bytes = wire_bytes(key, value.as_ref());
            let ttl_ms = entry.ttl_ms(call.now.monotonic);
            let listed = Listed { key: key.clone(), revision: entry.revision, ttl_ms, value };
            if !page.push(listed, bytes, key.as_str()) {
                break;
            }
        }
        let (entries, cursor) = page.finish();
        Ok(ListResult { entries, cursor })
    }

    pub(crate) fn kv_increment(&mut self, call: &Call, params: Increment) -> Result<IncrementResult, Error> {
        let Increment { key, by, ttl_ms } = params;
        let by = by.unwrap_or(1);
        self.make_room_for_keys(call.now, 1);
        let before = self.keyspace.live(&key, call.now.monotonic);
        let number = before.map_or(Ok(0), |entry| integer(&key, &entry.value))?;
        let due = match before {
            Some(entry) => entry.due,
            None => ttl_ms.map(|ttl_ms| call.now.monotonic.plus_ms(ttl_ms.get())),
        };
        let sum = number
            .checked_add(by)
            .filter(|sum| (-INTEGER_MAX..=INTEGER_MAX).contains(sum))
            .ok_or_else(|| {
                let message = format!("{key} is {number}: adding {by} leaves the range of +-(2^53-1)");
                Error::new(ErrorKind::TypeMismatch, message)
            })?;
        self.check_growth_of_keys(usize::from(before.is_none()))?;
        let value = Json::from_value(&sum)?;
        self.expire_if_overdue(call.now, &key);
        let (revision, _) = self.put_key(call.now, &key, value, due, call.agent.clone());
        Ok(IncrementResult { value: sum, revision })
    }

    pub(crate) fn kv_expire(&mut self, call: &Call, params: &Expire) -> Result<ExpireResult, Error> {
        let Some(ttl_ms) = params.ttl_ms else {
            return Err(invalid_params(
                "ttl_ms",
                "missing member `ttl_ms`: give milliseconds, or null for no TTL",
            ));
        };
        let now = call.now;
        if self.keyspace.live(&params.key, now.monotonic).is_none() {
            return Ok(ExpireResult { exists: false });
        }
        let due = ttl_ms.map(|ttl_ms| now.monotonic.plus_ms(ttl_ms.get()));
        let Some(entry) = self.keyspace.stored_mut(&params.key) else {
            return Ok(ExpireResult { exists: false });
        };
        let before = std::mem::replace(&mut entry.due, due);
        let record = key_record(now, &params.key, entry);
        self.deadlines.change(before, due, Deadline::Key(params.key.clone()));
        self.record(Record::Key(record));
        Ok(ExpireResult { exists: true })
    }

    /// Tells watchers, tails and the history of a change.
    fn key_changed(&mut self, now: Now, change: KeyChange, before: Option<&Entry>) {
        let action = match change.event {
            KeyEvent::Put { .. } => "put",
            KeyEvent::Delete => "deleted",
            KeyEvent::Expire => "expired",
        };
        self.tail(now, Area::Kv, action, &change.key, change.by.as_ref(), || None);
        self.tell_watchers(now, &change, before);
        let limits = &self.config.limits;
        self.history.push(change, limits.watch_history, limits.watch_history_bytes);
    }
}

/// The conditions of a set that its key alone decides.
pub(crate) fn check_set(params: &Set, present: Revision) -> Result<(), Error> {
    if params.keep_ttl.unwrap_or(false) && params.ttl_ms.is_some() {
        return Err(invalid_params(
            "keep_ttl",
            "`keep_ttl` and `ttl_ms` exclude each other: give one of them",
        ));
    }
    if params.if_absent.unwrap_or(false) && present.0 != 0 {
        let message = format!("{} exists already, at revision {present}", params.key);
        return Err(Error::new(ErrorKind::AlreadyExists, message).with("revision", present));
    }
    check_revision(&params.key, params.if_revision, present)
}

/// The condition of `if_revision`.
pub(crate) fn check_revision(key: &Key, wanted: Option<Revision>, present: Revision) -> Result<(), Error> {
    match wanted {
        Some(wanted) if wanted != present => {
            let message = format!("{key} is at revision {present}, not {wanted}: read it again, then retry");
            Err(Error::new(ErrorKind::RevisionMismatch, message).with("revision", present))
        }
        Some(_) | None => Ok(()),
    }
}

/// The prefix of a list or a watch: what could begin a key, or nothing.
pub(crate) fn checked_prefix(prefix: Option<&str>) -> Result<&str, Error> {
    let prefix = prefix.unwrap_or_default();
    if !prefix.is_empty() {
        Key::new(prefix).map_err(|error| invalid_params("prefix", format!("`prefix`: {error}")))?;
    }
    Ok(prefix)
}

/// What a key takes in a reply at most, in bytes: any byte of a key may need an escape.
pub(crate) fn wire_bytes(key: &Key, value: Option<&Json>) -> usize {
    ENTRY_ENVELOPE_BYTES + 2 * key.as_str().len() + value.map_or(0, Json::len)
}

pub(crate) fn key_record(now: Now, key: &Key, entry: &Entry) -> KeyRecord {
    KeyRecord {
        key: key.clone(),
        value: entry.value.clone(),
        revision: entry.revision,
        expires_at: entry.due.map(|due| now.unix_of(due)),
        updated_at: entry.updated_at,
        updated_by: entry.updated_by.clone(),
    }
}

fn integer(key: &Key, value: &Json) -> Result<i64, Error> {
    value.as_str().parse().map_err(|_| {
        let message = format!("{key} holds no integer that can be added to: set it to a whole number first");
        Error::new(ErrorKind::TypeMismatch, message)
    })
}
