//! `message.request` and `message.reply`: a question that waits, and its one answer.
//!
//! Invariant: `questions` has a wait exactly while its question has it as `waiter`. An answer goes either to the
//! waiting caller alone, or, late, to its inbox. One that was handed to the caller keeps its payload for a while, since
//! only whoever writes it can tell that the caller never got it.

use callboard_protocol::address::{Address, Recipients};
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::id::RequestId;
use callboard_protocol::limits::{FINISHED_MESSAGE_MS, MESSAGE_TTL_MS_DEFAULT, REQUEST_TIMEOUT_MS_DEFAULT};
use callboard_protocol::methods::BoardAnswer;
use callboard_protocol::methods::message::{Answered, ById, Priority, Reply, Request};
use callboard_protocol::methods::server::Area;
use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::params::WaitMs;
use callboard_protocol::revision::MessageId;

use super::posting::{Draft, check_id, no_responders};
use super::{label, no_message};
use crate::board::{Board, Call, Verdict, check_text, invalid_params, not_found};
use crate::inbox::stored::{Delivery, Header, Standing, Stored};
use crate::now::Now;
use crate::session::SessionId;
use crate::wait::{WaitId, WaitKind};

impl Board {
    pub(crate) fn message_request(
        &mut self,
        call: &Call,
        params: Request,
    ) -> Result<Verdict<Answered>, Error> {
        let from = call.agent()?.clone();
        let now = call.now;
        check_text("subject", params.subject.as_ref())?;
        check_id("thread_id", params.thread_id.as_ref())?;
        let target = match &params.to {
            Address::Agent(name) => Some(name.clone()).filter(|name| self.is_present(now, name)),
            Address::Any(role) => self.next_of_role(now, role),
            Address::Role(_) | Address::Everyone => {
                let message =
                    "`to` names several agents, and a request has one answer: give NAME or any:ROLE";
                return Err(invalid_params("to", message));
            }
        };
        let target = target.ok_or_else(|| no_responders(&params.to))?;
        let kind = params.r#type.map_or_else(|| label("request"), Ok)?;
        self.check_memory()?;
        self.make_inbox_room(now, std::slice::from_ref(&target))?;
        let timeout_ms = params.timeout_ms.map_or(REQUEST_TIMEOUT_MS_DEFAULT, WaitMs::get);
        let header = Header {
            reply_to: Some(from.clone()),
            from: Some(from),
            to: Recipients::One(params.to),
            r#type: kind,
            subject: params.subject,
            correlation_id: None,
            in_reply_to: None,
            thread_id: params.thread_id,
            priority: Priority::default(),
            sent_at: now.unix_ms,
        };
        self.check_storm(now, &header, std::slice::from_ref(&target))?;
        let wait = self.start_wait(call, WaitKind::Request, timeout_ms)?;
        let draft =
            Draft { waiter: Some(wait), ..Draft::new(header, params.payload, MESSAGE_TTL_MS_DEFAULT) };
        let sent = self.post(now, draft, &[target]);
        self.inboxes.questions.insert(wait, sent.id);
        Ok(Verdict::Waiting)
    }

    pub(crate) fn message_reply(&mut self, call: &Call, params: Reply) -> Result<ById, Error> {
        let agent = call.agent()?.clone();
        let (now, question) = (call.now, params.to_message);
        self.settle_message(now, question);
        let stored = self.inboxes.find(question).ok_or_else(|| no_message(question))?;
        let is_recipient =
            stored.delivery(&agent).is_some_and(|delivery| delivery.standing != Standing::Refused);
        if !is_recipient {
            let message = format!("message {question} was not for {agent}: only a recipient replies to it");
            let recipient = stored.deliveries().first().map(|delivery| &delivery.agent);
            return Err(Error::new(ErrorKind::NotOwner, message).with("agent", recipient));
        }
        if let Some(answer) = stored.answer {
            let message = format!("request {question} was answered already, by message {answer}");
            return Err(Error::new(ErrorKind::AlreadyExists, message).with("revision", answer));
        }
        let (is_request, waiter) = (stored.request, stored.waiter);
        let asker = asker(stored).ok_or_else(|| {
            let message = format!("message {question} came from the daemon: nobody reads a reply to it");
            not_found("sender", message)
        })?;
        let header = reply_header(now, question, stored, &agent, &asker, params.r#type)?;
        self.check_memory()?;
        let draft = Draft { late: is_request, ..Draft::new(header, params.payload, MESSAGE_TTL_MS_DEFAULT) };
        let id = match waiter.filter(|wait| self.still_waits(now, *wait)) {
            Some(wait) => self.hand_over_reply(now, wait, question, &asker, draft),
            None => {
                self.make_inbox_room(now, std::slice::from_ref(&asker))?;
                self.check_storm(now, &draft.header, std::slice::from_ref(&asker))?;
                self.post(now, draft, &[asker]).id
            }
        };
        if is_request && let Some(stored) = self.inboxes.find_mut(question) {
            stored.answer = Some(id);
        }
        self.ack_by_reply(now, question, &agent);
        if is_request {
            self.record_message(now, question);
        }
        Ok(ById { id })
    }

    /// Whether a request waits still; one whose time is over by the clock is told so.
    fn still_waits(&mut self, now: Now, wait: WaitId) -> bool {
        let due = self.waits.find(wait).map(|wait| wait.due);
        if due.is_some_and(|due| due <= now.monotonic) {
            self.request_ran_out(now, wait);
            return false;
        }
        due.is_some()
    }

    /// Gives an answer to the caller that waits for it, past every inbox.
    fn hand_over_reply(
        &mut self,
        now: Now,
        wait: WaitId,
        question: MessageId,
        asker: &AgentName,
        draft: Draft,
    ) -> MessageId {
        let id = self.next_revision();
        let due = now.monotonic.plus_ms(FINISHED_MESSAGE_MS);
        let from = draft.header.from.clone();
        let mut stored = Stored::new(draft.header, Some(draft.payload), FINISHED_MESSAGE_MS, due);
        stored.handed = true;
        let reply = stored.message(id, 1);
        self.inboxes.insert(id, stored);
        let delivery = Delivery {
            agent: asker.clone(),
            standing: Standing::Acked,
            attempts: 1,
            queued_at: now.unix_ms,
            leased_at: Some(now.unix_ms),
            ended_at: Some(now.unix_ms),
        };
        self.inboxes.add(id, delivery);
        self.record_message(now, id);
        self.record_delivery(now, id, asker);
        self.keep_finished(id, due);
        self.tail(now, Area::Message, "answered", &question, from.as_ref(), || {
            Some(format!("by message {id}"))
        });
        self.forget_question(wait);
        let answered = Answered { id: question, reply };
        self.answer_with(wait, Ok(BoardAnswer::MessageRequest(answered)), Some(id));
        id
    }

    /// A reply acks the delivery that it answers, wherever that stands.
    fn ack_by_reply(&mut self, now: Now, id: MessageId, agent: &AgentName) {
        let stored = self.inboxes.find(id);
        let standing = stored.and_then(|stored| stored.delivery(agent)).map(|delivery| delivery.standing);
        match standing {
            Some(Standing::Leased { token, .. }) => self.ack_lease(now, token),
            Some(Standing::Queued { .. }) => self.acked(now, id, agent),
            Some(Standing::Acked | Standing::Dead | Standing::Expired | Standing::Refused) | None => {}
        }
    }

    /// The reply that was handed to a waiting caller could not be written to it: it goes to its inbox, late.
    pub fn reply_unwritten(&mut self, now: Now, id: MessageId) {
        let Some(stored) = self.inboxes.find_mut(id).filter(|stored| stored.handed) else {
            return;
        };
        stored.handed = false;
        stored.late = true;
        let agent = stored.deliveries().first().map(|delivery| delivery.agent.clone());
        let Some(agent) = agent else { return };
        let due = now.monotonic.plus_ms(MESSAGE_TTL_MS_DEFAULT);
        self.inboxes.restart_ttl(id, MESSAGE_TTL_MS_DEFAULT, due);
        self.reopen(id);
        self.record_message(now, id);
        self.next_revision();
        self.change_delivery(now, id, &agent, |delivery| {
            delivery.standing = Standing::Queued { ready_at: None };
            delivery.attempts = 0;
            delivery.leased_at = None;
            delivery.ended_at = None;
        });
        self.offer(now, &agent, id);
    }

    fn forget_question(&mut self, wait: WaitId) -> Option<MessageId> {
        let question = self.inboxes.questions.remove(&wait)?;
        if let Some(stored) = self.inboxes.find_mut(question) {
            stored.waiter = None;
        }
        Some(question)
    }

    /// `message.request` waited in vain: answer `timeout` with the id.
    pub(crate) fn request_ran_out(&mut self, now: Now, id: WaitId) {
        let waited_ms = self.waits.find(id).map_or(0, |wait| now.monotonic.ms_since(wait.since));
        if let Some(question) = self.forget_question(id) {
            let message = format!(
                "no answer to request {question} after {waited_ms} ms: it stays sent, and an answer will come to the inbox"
            );
            let error =
                Error::new(ErrorKind::Timeout, message).with("waited_ms", waited_ms).with("id", question);
            self.answer(id, Err(error));
        }
    }

    /// A waiting request is withdrawn; the question stays sent.
    pub(crate) fn withdraw_request(&mut self, id: WaitId) {
        self.forget_question(id);
    }

    /// The session lost its agent: its inbox subscriptions and waiting receives end.
    pub(crate) fn agent_of_session_removed(&mut self, id: SessionId) {
        for number in self.inboxes.takers.of_session(id) {
            self.sessions.unsubscribe(id, number);
            self.inboxes.remove_taker(id, number);
        }
    }
}

/// Who gets the answer to a message.
fn asker(stored: &Stored) -> Option<AgentName> {
    let header = &stored.header;
    header.reply_to.clone().or_else(|| header.from.clone())
}

fn reply_header(
    now: Now,
    question: MessageId,
    stored: &Stored,
    from: &AgentName,
    to: &AgentName,
    kind: Option<Label>,
) -> Result<Header, Error> {
    let thread_id = i64::try_from(question.0).map(RequestId::from).ok();
    Ok(Header {
        from: Some(from.clone()),
        to: to.clone().into(),
        r#type: kind.map_or_else(|| label("response"), Ok)?,
        subject: None,
        correlation_id: stored.header.correlation_id.clone(),
        in_reply_to: Some(question),
        reply_to: Some(from.clone()),
        thread_id: stored.header.thread_id.clone().or(thread_id),
        priority: stored.header.priority,
        sent_at: now.unix_ms,
    })
}
