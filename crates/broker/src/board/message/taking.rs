//! Handing messages to whoever waits: `message.receive` and `message.subscribe`.
//!
//! Invariant: between two calls no ready message matches a taker that could be served. So a message that becomes ready
//! is offered to the takers, and a taker that becomes able is shown the ready messages, and no more is ever looked at.

use callboard_protocol::error::Error;
use callboard_protocol::event::Event;
use callboard_protocol::limits::{CREDIT_DEFAULT, CREDIT_MAX, LABELS_MAX, MESSAGE_LEASE_MS_DEFAULT};
use callboard_protocol::methods::BoardAnswer;
use callboard_protocol::methods::lock::Bind;
use callboard_protocol::methods::message::{Message, Receive, Received, Subscribe, Subscribed};
use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::params::{ListLimit, TtlMs, WaitMs};
use callboard_protocol::revision::{MessageId, Token};

use crate::board::{Board, Call, Verdict, invalid_params};
use crate::deadlines::Deadline;
use crate::effects::PushClass;
use crate::inbox::stored::Header;
use crate::inbox::takers::{Filter, Taker, TakerId, Terms};
use crate::lease::Binding;
use crate::now::{Monotonic, Now};
use crate::page::ENVELOPE_BYTES;
use crate::session::{self, SessionId, SubscriptionId};
use crate::wait::{WaitId, WaitKind};

impl Board {
    pub(crate) fn message_receive(
        &mut self,
        call: &Call,
        params: Receive,
    ) -> Result<Verdict<Received>, Error> {
        let agent = call.agent()?.clone();
        check_types(params.types.as_deref())?;
        let terms = Terms {
            filter: Filter { types: params.types, from: params.from, correlation_id: params.correlation_id },
            lease_ms: lease_ms(params.lease_ms),
            binding: binding(call, params.bind),
            max: params.max.map_or(1, ListLimit::get),
        };
        self.settle_inbox(call.now, &agent);
        let messages = self.take_ready(call.now, &agent, &terms);
        self.arm_wakers(&agent);
        let wait_ms = params.wait_ms.map_or(0, WaitMs::get);
        if !messages.is_empty() || wait_ms == 0 {
            return Ok(Verdict::Done(Received { messages }));
        }
        let wait = self.start_wait(call, WaitKind::Receive, wait_ms)?;
        self.inboxes.takers.insert(TakerId::Receive(wait), agent, terms);
        Ok(Verdict::Waiting)
    }

    /// Leases what is ready for one receive: at most as many as it asked for and one frame takes, but at least one.
    fn take_ready(&mut self, now: Now, agent: &AgentName, terms: &Terms) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut bytes_left = self.config.limits.frame_bytes.saturating_sub(ENVELOPE_BYTES);
        let mut place = None;
        while messages.len() < terms.max {
            place = self.inboxes.next_ready(agent, place);
            let Some((_, id)) = place else { break };
            let Some(stored) = self.inboxes.find(id) else {
                continue;
            };
            if stored.due <= now.monotonic {
                self.message_ran_out(now, id);
                continue;
            }
            if !terms.filter.matches(&stored.header) {
                continue;
            }
            let bytes = stored.wire_bytes();
            if bytes > bytes_left && !messages.is_empty() {
                break;
            }
            bytes_left = bytes_left.saturating_sub(bytes);
            messages.extend(self.lease_delivery(now, id, agent, terms, None));
        }
        messages
    }

    /// `message.receive` waited in vain: answer an empty list.
    pub(crate) fn receive_ran_out(&mut self, id: WaitId) {
        self.withdraw_receive(id);
        let messages = Vec::new();
        self.answer(id, Ok(BoardAnswer::MessageReceive(Received { messages })));
    }

    /// A waiting receive is withdrawn (the wait itself is taken out by the caller).
    pub(crate) fn withdraw_receive(&mut self, id: WaitId) {
        self.inboxes.takers.remove(TakerId::Receive(id));
    }

    pub(crate) fn message_subscribe(&mut self, call: &Call, params: Subscribe) -> Result<Subscribed, Error> {
        let agent = call.agent()?.clone();
        check_types(params.types.as_deref())?;
        if params.wake == Some(true) {
            return self.subscribe_to_wakes(call, params);
        }
        let credit = params.credit.map_or(Ok(CREDIT_DEFAULT), usize::try_from);
        let credit = credit.ok().filter(|credit| (1..=CREDIT_MAX).contains(credit));
        let credit = credit.ok_or_else(|| {
            invalid_params("credit", format!("`credit` is out of range: give 1 to {CREDIT_MAX}"))
        })?;
        let terms = Terms {
            filter: Filter { types: params.types, ..Filter::default() },
            lease_ms: lease_ms(params.lease_ms),
            binding: binding(call, params.bind),
            max: credit,
        };
        let subscription = self.subscribe(call, session::Subscribed::Inbox)?;
        self.settle_inbox(call.now, &agent);
        let taker = TakerId::Subscription(call.session, subscription);
        self.inboxes.takers.insert(taker, agent, terms);
        self.serve(call.now, &[taker]);
        Ok(Subscribed { subscription })
    }

    /// The taker that a message of an inbox would go to: the longest waiting one that can be served and wants it.
    pub(super) fn longest_waiting(&self, now: Now, agent: &AgentName, header: &Header) -> Option<TakerId> {
        self.inboxes
            .takers
            .of_agent(agent)
            .find(|(id, taker)| taker.terms.filter.matches(header) && self.is_able(now, *id, taker))
            .map(|(id, _)| id)
    }

    fn is_able(&self, now: Now, id: TakerId, taker: &Taker) -> bool {
        match id {
            TakerId::Receive(wait) => self.waits.find(wait).is_some_and(|wait| wait.due > now.monotonic),
            TakerId::Subscription(session, _) => {
                let session = self.sessions.table.get(&session);
                taker.room() > 0 && session.is_some_and(|session| session.is_connected() && !session.paused)
            }
        }
    }

    /// A message became ready: whoever waits for it gets it, or what has become ready for that taker and goes first.
    pub(super) fn offer(&mut self, now: Now, agent: &AgentName, id: MessageId) {
        loop {
            let stored = self.inboxes.find(id).filter(|stored| {
                let delivery = stored.delivery(agent);
                delivery.is_some_and(|delivery| super::is_ready(delivery.standing))
            });
            let Some(stored) = stored else { return };
            if stored.due <= now.monotonic {
                self.message_ran_out(now, id);
                return;
            }
            match self.longest_waiting(now, agent, &stored.header) {
                Some(TakerId::Receive(wait)) => self.serve_receive(now, wait),
                Some(subscription @ TakerId::Subscription(..)) => self.serve(now, &[subscription]),
                None => return self.wake(agent, id),
            }
        }
    }

    fn serve_receive(&mut self, now: Now, wait: WaitId) {
        let Some(taker) = self.inboxes.takers.remove(TakerId::Receive(wait)) else {
            return;
        };
        let messages = self.take_ready(now, &taker.agent, &taker.terms);
        self.answer(wait, Ok(BoardAnswer::MessageReceive(Received { messages })));
    }

    /// Shows the ready messages of one inbox to subscriptions that can be served again: each goes to the one of them
    /// that waits longest. What is more than a session's soft limit goes on a moment later, when the session has been
    /// found slow or not.
    pub(super) fn serve(&mut self, now: Now, subscriptions: &[TakerId]) {
        let takers = &self.inboxes.takers;
        let first = subscriptions.iter().find_map(|id| takers.find(*id));
        let Some(agent) = first.map(|taker| taker.agent.clone()) else {
            return;
        };
        let mut bytes_left = self.config.limits.outbound_soft_bytes;
        let mut place = None;
        while self.any_able(now, subscriptions) {
            place = self.inboxes.next_ready(&agent, place);
            let Some((_, id)) = place else { return };
            let Some(stored) = self.inboxes.find(id) else {
                continue;
            };
            if stored.due <= now.monotonic {
                self.message_ran_out(now, id);
                continue;
            }
            let bytes = stored.wire_bytes();
            let Some((session, number)) = self.choose(now, subscriptions, &stored.header) else {
                continue;
            };
            self.push_leased(now, id, &agent, (session, number));
            if bytes >= bytes_left {
                let soon = Monotonic(now.monotonic.0 + 1);
                self.deadlines.set(soon, Deadline::Feed(session));
                return;
            }
            bytes_left -= bytes;
        }
    }

    fn any_able(&self, now: Now, subscriptions: &[TakerId]) -> bool {
        let takers = &self.inboxes.takers;
        subscriptions.iter().any(|id| takers.find(*id).is_some_and(|taker| self.is_able(now, *id, taker)))
    }

    fn choose(
        &self,
        now: Now,
        subscriptions: &[TakerId],
        header: &Header,
    ) -> Option<(SessionId, SubscriptionId)> {
        let chosen = subscriptions
            .iter()
            .filter_map(|id| Some((*id, self.inboxes.takers.find(*id)?)))
            .filter(|(id, taker)| taker.terms.filter.matches(header) && self.is_able(now, *id, taker))
            .min_by_key(|(_, taker)| taker.turn());
        match chosen?.0 {
            TakerId::Subscription(session, number) => Some((session, number)),
            TakerId::Receive(_) => None,
        }
    }

    fn push_leased(
        &mut self,
        now: Now,
        id: MessageId,
        agent: &AgentName,
        (session, number): (SessionId, SubscriptionId),
    ) {
        let taker = TakerId::Subscription(session, number);
        let Some(terms) = self.inboxes.takers.find(taker).map(|taker| taker.terms.clone()) else {
            return;
        };
        let message = self.lease_delivery(now, id, agent, &terms, Some((session, number)));
        self.inboxes.takers.to_back(taker);
        if let Some(message) = message {
            self.push_message(session, number, &message);
        }
    }

    fn push_message(&mut self, session: SessionId, number: SubscriptionId, message: &Message) {
        let body = message.body();
        self.sessions.push(&mut self.effects, session, number, body, PushClass::Kept);
    }

    /// After a resume: unacked pushes of the session's subscriptions are sent again, same receipt, new seq.
    pub(crate) fn push_leased_again(&mut self, now: Now, session: SessionId) {
        let numbers = self.inboxes.takers.of_session(session);
        let unacked: Vec<(SubscriptionId, Token)> = numbers
            .into_iter()
            .flat_map(|number| {
                let tokens = self.inboxes.takers.unacked((session, number));
                tokens.into_iter().map(move |token| (number, token))
            })
            .collect();
        for (number, token) in unacked {
            if self.end_if_lapsed(now, token) {
                continue;
            }
            if let Some(message) = self.leased_message(now, token) {
                self.push_message(session, number, &message);
            }
        }
    }

    /// Ends a delivery's lease whose time is over, though its deadline was not worked off yet; tells whether it was.
    pub(super) fn end_if_lapsed(&mut self, now: Now, token: Token) -> bool {
        let is_message = self.leases.message_of(token).is_some();
        let has_lapsed = is_message && self.leases.find_live(token, now.monotonic).is_none();
        if has_lapsed {
            self.delivery_lapsed(now, token);
        }
        has_lapsed
    }

    /// A session may be leased messages (again): its subscriptions take what waits, within their credit.
    pub(crate) fn feed_takers(&mut self, now: Now, session: SessionId) {
        let numbers = self.inboxes.takers.of_session(session);
        let subscriptions: Vec<TakerId> =
            numbers.into_iter().map(|number| TakerId::Subscription(session, number)).collect();
        self.serve(now, &subscriptions);
    }
}

fn lease_ms(given: Option<TtlMs>) -> u64 {
    given.map_or(MESSAGE_LEASE_MS_DEFAULT, TtlMs::get)
}

fn binding(call: &Call, bind: Option<Bind>) -> Binding {
    match bind.unwrap_or(Bind::Session) {
        Bind::Session => Binding::Session(call.session),
        Bind::Agent => Binding::Agent,
    }
}

fn check_types(types: Option<&[Label]>) -> Result<(), Error> {
    match types.map(<[Label]>::len) {
        Some(used) if used == 0 || used > LABELS_MAX => Err(invalid_params(
            "types",
            format!("`types` has {used} entries: give 1 to {LABELS_MAX}, or leave it out for all types"),
        )),
        Some(_) | None => Ok(()),
    }
}
