//! `kv.watch`: changes as they come, from a revision in the past, or after the present state.
//!
//! The initial walk tells each key that was there when the watch began, in byte order and in slices, never faster than
//! the session reads. A key that changes before the walk has reached it is told at once: first as it was, then the
//! change. So each key's events are complete and in order, and the walk skips what is newer than the watch.

use callboard_protocol::Key;
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::event::{Event, EventBody, KvPut, KvSynced};
use callboard_protocol::methods::kv::{Watch as WatchParams, WatchResult};

use crate::board::kv::checked_prefix;
use crate::board::{Board, Call, invalid_params};
use crate::effects::{Outgoing, Output, PushClass};
use crate::keyspace::Entry;
use crate::keyspace::history::KeyChange;
use crate::keyspace::watch::{InitialWalk, Scope, Watch};
use crate::now::{Monotonic, Now};
use crate::session::{SessionId, Subscribed, SubscriptionId};

/// How much of the initial state one slice tells at most: keys, and bytes of values.
const SLICE_KEYS: usize = 256;
const SLICE_BYTES: usize = 256 << 10;

impl Board {
    pub(crate) fn kv_watch(&mut self, call: &Call, params: WatchParams) -> Result<WatchResult, Error> {
        let initial = params.initial.unwrap_or(false);
        let scope = checked_scope(&params)?;
        if let Some(from) = params.from_revision {
            if initial {
                let message = "`from_revision` and `initial` exclude each other: give one of them";
                return Err(invalid_params("from_revision", message));
            }
            let min = self.history.min_revision();
            if from < min {
                let message =
                    format!("the history begins at revision {min}: watch from there on, or with `initial`");
                return Err(Error::new(ErrorKind::Compacted, message).with("min_revision", min));
            }
        }
        let revision = self.revision;
        let walk = initial.then_some(InitialWalk { cursor: None, revision });
        let watch = Watch { scope: scope.clone(), walk, first: params.from_revision.unwrap_or_default() };
        let subscription = self.subscribe(call, Subscribed::Watch(watch))?;
        self.watches.insert(&scope, call.session, subscription);
        if let Some(from) = params.from_revision {
            let past: Vec<KeyChange> =
                self.history.from(from).filter(|change| scope.covers(&change.key)).cloned().collect();
            for change in past {
                let body = change.body(call.now.monotonic);
                self.push_change(call.session, subscription, body, &change);
            }
        }
        if initial {
            self.continue_initial(call.now, call.session);
        }
        Ok(WatchResult { subscription, revision })
    }

    fn push_change(
        &mut self,
        session: SessionId,
        subscription: SubscriptionId,
        body: EventBody,
        change: &KeyChange,
    ) {
        let class = PushClass::DroppableAt(change.revision);
        self.sessions.push(&mut self.effects, session, subscription, body, class);
    }

    /// Tells whoever watches a key of its change.
    pub(crate) fn tell_watchers(&mut self, now: Now, change: &KeyChange, before: Option<&Entry>) {
        if self.watches.is_empty() {
            return;
        }
        let watchers = self.watches.of(&change.key);
        if watchers.is_empty() {
            return;
        }
        let body = change.body(now.monotonic);
        for (session, subscription) in watchers {
            if !self.is_wanted(session, subscription, change) {
                continue;
            }
            if let Some(before) = before
                && self.is_untold(session, subscription, &change.key, before)
            {
                let body = initial_body(now.monotonic, &change.key, before);
                let class = PushClass::DroppableAt(before.revision);
                self.sessions.push(&mut self.effects, session, subscription, body, class);
            }
            self.push_change(session, subscription, body.clone(), change);
        }
    }

    fn is_wanted(&mut self, session: SessionId, number: SubscriptionId, change: &KeyChange) -> bool {
        self.sessions.subscription(session, number).is_some_and(
            |subscription| matches!(&subscription.to, Subscribed::Watch(watch) if watch.first <= change.revision),
        )
    }

    /// Whether a watch's initial walk has still to tell this state of a key.
    fn is_untold(&mut self, session: SessionId, number: SubscriptionId, key: &Key, before: &Entry) -> bool {
        let Some(subscription) = self.sessions.subscription(session, number) else {
            return false;
        };
        let Subscribed::Watch(Watch { walk: Some(walk), .. }) = &subscription.to else {
            return false;
        };
        before.revision <= walk.revision && walk.cursor.as_ref().is_none_or(|cursor| key > cursor)
    }

    /// Sends a session more of the initial state that its watches still have to tell, unless it is slow.
    pub fn continue_initial(&mut self, now: Now, id: SessionId) {
        let Some(session) = self.sessions.table.get(&id).filter(|session| !session.paused) else {
            return;
        };
        let walking =
            session.subscriptions.iter().find_map(|(number, subscription)| match &subscription.to {
                Subscribed::Watch(Watch { walk: Some(_), .. }) => Some(*number),
                Subscribed::Watch(_) | Subscribed::Inbox | Subscribed::Wake | Subscribed::Topic => None,
                Subscribed::Agents | Subscribed::Tasks | Subscribed::Tail(_) => None,
            });
        let Some(number) = walking else { return };
        self.tell_slice(now, id, number);
        self.effects.outputs.push(Output { session: id, what: Outgoing::MoreInitial });
    }

    fn tell_slice(&mut self, now: Now, id: SessionId, number: SubscriptionId) {
        let Some(subscription) = self.sessions.subscription(id, number) else {
            return;
        };
        let Subscribed::Watch(watch) = &mut subscription.to else {
            return;
        };
        let Some(walk) = watch.walk.take() else { return };
        let scope = watch.scope.clone();
        let mut bytes = 0;
        let mut cursor = walk.cursor;
        let mut told = Vec::new();
        let mut is_done = true;
        let after = cursor.clone();
        let entries =
            self.keyspace.range(scope.walk_prefix(), after.as_ref().map(Key::as_str), now.monotonic);
        for (key, entry) in entries.filter(|(key, _)| scope.covers(key)) {
            if told.len() == SLICE_KEYS || bytes > SLICE_BYTES {
                is_done = false;
                break;
            }
            cursor = Some(key.clone());
            if entry.revision <= walk.revision {
                bytes += entry.value.len();
                told.push((initial_body(now.monotonic, key, entry), entry.revision));
            }
        }
        for (body, revision) in told {
            self.sessions.push(&mut self.effects, id, number, body, PushClass::DroppableAt(revision));
        }
        if is_done {
            let revision = self.revision;
            let body = KvSynced { revision }.body();
            self.sessions.push(&mut self.effects, id, number, body, PushClass::DroppableAt(revision));
            return;
        }
        let Some(subscription) = self.sessions.subscription(id, number) else {
            return;
        };
        if let Subscribed::Watch(watch) = &mut subscription.to {
            watch.walk = Some(InitialWalk { cursor, revision: walk.revision });
        }
    }
}

fn initial_body(now: Monotonic, key: &Key, entry: &Entry) -> EventBody {
    KvPut {
        key: key.clone(),
        value: entry.value.clone(),
        revision: entry.revision,
        previous_revision: callboard_protocol::Revision(0),
        ttl_ms: entry.ttl_ms(now),
        by: entry.updated_by.clone(),
    }
    .body()
}

fn checked_scope(params: &WatchParams) -> Result<Scope, Error> {
    match (&params.key, &params.prefix) {
        (Some(key), None) => Ok(Scope::Key(key.clone())),
        (None, Some(prefix)) => Ok(Scope::Prefix(checked_prefix(Some(prefix))?.to_owned())),
        (Some(_), Some(_)) => {
            Err(invalid_params("prefix", "`key` and `prefix` exclude each other: give one of them"))
        }
        (None, None) => Err(invalid_params("key", "give `key`, or `prefix` (empty for all keys)")),
    }
}
