//! One exclusive lock and its fencing tokens, as an object.
//!
//! Invariant: one agent holds it or none does, and each grant has a higher token than all before it. The token of a grant
//! without an answer is one that nobody knows yet, settled by whoever sees it first.

use super::linearizability::Model;

/// Who holds it, as somebody was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub agent: usize,
    pub token: u64,
}

/// What was asked, by whom, and what was answered.
#[derive(Debug, Clone)]
pub enum Operation {
    Acquire {
        agent: usize,
        answer: Option<Answer>,
    },
    /// By token: whether it was held under it.
    Release {
        agent: usize,
        token: u64,
        released: Option<bool>,
    },
    /// By name: whether it was held.
    ReleaseName {
        agent: usize,
        released: Option<bool>,
    },
    /// The outer `None`: no answer. The inner: nobody holds it.
    Look {
        holder: Option<Option<Grant>>,
    },
}

/// What an acquire was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Granted {
        token: u64,
    },
    /// The agent had it already, under this token.
    Extended {
        token: u64,
    },
    /// Somebody else has it.
    Refused {
        holder: Grant,
    },
    /// Somebody else had it when it was asked for; nobody says who.
    Busy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Token {
    Known(u64),
    /// That of a grant without an answer, which came after this one.
    Above(u64),
}

/// Who holds it, and the highest token that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct State {
    holder: Option<(usize, Token)>,
    highest: u64,
}

impl State {
    fn is_held_by(&self, agent: usize) -> bool {
        self.holder.is_some_and(|(holder, _)| holder == agent)
    }

    fn is_held_by_another(&self, agent: usize) -> bool {
        self.holder.is_some() && !self.is_held_by(agent)
    }

    fn freed(self) -> Self {
        Self { holder: None, ..self }
    }

    /// The same, if this can be the grant in force.
    fn under(self, grant: Grant) -> Option<Self> {
        let (holder, token) = self.holder?;
        let fits = match token {
            Token::Known(known) => known == grant.token,
            Token::Above(floor) => grant.token > floor,
        };
        let settled = Self {
            holder: Some((holder, Token::Known(grant.token))),
            highest: self.highest.max(grant.token),
        };
        (fits && holder == grant.agent).then_some(settled)
    }

    fn acquired(self, agent: usize, answer: Option<Answer>) -> Option<Self> {
        let is_free = self.holder.is_none();
        match answer {
            Some(Answer::Granted { token }) => {
                let granted = Self { holder: Some((agent, Token::Known(token))), highest: token };
                (is_free && token > self.highest).then_some(granted)
            }
            Some(Answer::Extended { token }) => self.under(Grant { agent, token }),
            Some(Answer::Refused { holder }) => self.under(holder).filter(|_| holder.agent != agent),
            Some(Answer::Busy) => self.is_held_by_another(agent).then_some(self),
            None => is_free.then_some(Self { holder: Some((agent, Token::Above(self.highest))), ..self }),
        }
    }
}

/// The model.
#[derive(Debug)]
pub enum Lock {}

impl Model for Lock {
    type State = State;
    type Operation = Operation;

    fn step(state: &State, operation: &Operation) -> Option<State> {
        let state = *state;
        match *operation {
            Operation::Acquire { agent, answer } => state.acquired(agent, answer),
            Operation::Release { agent, token, released: Some(true) | None } => {
                state.under(Grant { agent, token }).map(State::freed)
            }
            Operation::Release { agent, token, released: Some(false) } => {
                (state.holder != Some((agent, Token::Known(token)))).then_some(state)
            }
            Operation::ReleaseName { agent, released: Some(true) | None } => {
                state.is_held_by(agent).then(|| state.freed())
            }
            Operation::ReleaseName { agent, released: Some(false) } => {
                (!state.is_held_by(agent)).then_some(state)
            }
            Operation::Look { holder: Some(Some(grant)) } => state.under(grant),
            Operation::Look { holder: Some(None) } => state.holder.is_none().then_some(state),
            Operation::Look { holder: None } => None,
        }
    }
}
