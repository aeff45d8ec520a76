//! Topics: who reads what is published, by a trie over the tokens of the patterns.
//!
//! Tokens split on `.`; `*` stands for one token, `>` for one or more at the end. Members of a group take turns.
//! Invariant: the trie and `by_reader` name the same subscriptions. Nothing published is kept.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::names::Label;

use crate::session::{SessionId, SubscriptionId};

/// One subscription of one session.
pub type Reader = (SessionId, SubscriptionId);

/// A pattern that keeps the rules of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPattern(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Text(String),
    One,
    Rest,
}

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicPatternError {
    /// Two dots meet, or one stands at an end.
    #[error("{0:?} has an empty token: put a name, * or > between the dots")]
    EmptyToken(String),
    /// `>` stands before the end.
    #[error("{0:?} has > before its end: it stands for all that follows")]
    RestBeforeEnd(String),
}

impl TopicPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When a token is empty, or `>` is not the last one.
    pub fn parse(text: &str) -> Result<Self, TopicPatternError> {
        let tokens: Vec<Token> = text
            .split('.')
            .map(|token| match token {
                "*" => Token::One,
                ">" => Token::Rest,
                text => Token::Text(text.to_owned()),
            })
            .collect();
        if tokens.contains(&Token::Text(String::new())) {
            return Err(TopicPatternError::EmptyToken(text.to_owned()));
        }
        if tokens.iter().rev().skip(1).any(|token| *token == Token::Rest) {
            return Err(TopicPatternError::RestBeforeEnd(text.to_owned()));
        }
        Ok(Self(tokens))
    }
}

/// Whether one may publish on a topic: no empty token, no wildcard.
#[must_use]
pub fn is_publishable(topic: &str) -> bool {
    topic.split('.').all(|token| !matches!(token, "" | "*" | ">"))
}

#[derive(Debug, Default)]
struct Node {
    children: BTreeMap<Token, Node>,
    readers: BTreeSet<Reader>,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.readers.is_empty()
    }

    fn find(&self, tokens: &[&str], found: &mut BTreeSet<Reader>) {
        let Some((first, rest)) = tokens.split_first() else {
            found.extend(&self.readers);
            return;
        };
        if let Some(node) = self.children.get(&Token::Rest) {
            found.extend(&node.readers);
        }
        for token in [Token::Text((*first).to_owned()), Token::One] {
            if let Some(node) = self.children.get(&token) {
                node.find(rest, found);
            }
        }
    }

    fn remove(&mut self, tokens: &[Token], reader: Reader) {
        let Some((first, rest)) = tokens.split_first() else {
            self.readers.remove(&reader);
            return;
        };
        if let Some(node) = self.children.get_mut(first) {
            node.remove(rest, reader);
            if node.is_empty() {
                self.children.remove(first);
            }
        }
    }
}

#[derive(Debug)]
struct Subscriber {
    pattern: TopicPattern,
    group: Option<Label>,
}

/// All subscriptions of a board.
#[derive(Debug, Default)]
pub struct Topics {
    root: Node,
    by_reader: BTreeMap<Reader, Subscriber>,
    /// When each member of a group last had its turn, by a count of turns.
    turns: BTreeMap<Reader, u64>,
    turn: u64,
}

impl Topics {
    /// Adds a subscription.
    pub fn insert(
        &mut self,
        pattern: TopicPattern,
        group: Option<Label>,
        session: SessionId,
        number: SubscriptionId,
    ) {
        let reader = (session, number);
        let mut node = &mut self.root;
        for token in &pattern.0 {
            node = node.children.entry(token.clone()).or_default();
        }
        node.readers.insert(reader);
        self.by_reader.insert(reader, Subscriber { pattern, group });
    }

    /// Removes a subscription.
    pub fn remove(&mut self, session: SessionId, number: SubscriptionId) {
        let reader = (session, number);
        self.turns.remove(&reader);
        if let Some(subscriber) = self.by_reader.remove(&reader) {
            self.root.remove(&subscriber.pattern.0, reader);
        }
    }

    /// Who gets what is published on `topic` now: each subscription without a group, and of each group the connected
    /// member whose last turn is longest ago (one in grace only when none is connected).
    pub fn take_readers(&mut self, topic: &str, is_connected: impl Fn(SessionId) -> bool) -> Vec<Reader> {
        let tokens: Vec<&str> = topic.split('.').collect();
        let mut found = BTreeSet::new();
        self.root.find(&tokens, &mut found);
        let mut readers = Vec::new();
        let mut groups: BTreeMap<&Label, (bool, u64, Reader)> = BTreeMap::new();
        for reader in found {
            match self.by_reader.get(&reader).and_then(|subscriber| subscriber.group.as_ref()) {
                None => readers.push(reader),
                Some(group) => {
                    let last_turn = self.turns.get(&reader).copied().unwrap_or_default();
                    let candidate = (!is_connected(reader.0), last_turn, reader);
                    groups.entry(group).and_modify(|best| *best = candidate.min(*best)).or_insert(candidate);
                }
            }
        }
        let chosen: Vec<Reader> = groups.into_values().map(|(_, _, reader)| reader).collect();
        for reader in chosen {
            self.turn += 1;
            self.turns.insert(reader, self.turn);
            readers.push(reader);
        }
        readers
    }
}
