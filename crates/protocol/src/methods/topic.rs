//! `topic.*`: publish and subscribe, at most once, live only. Nothing is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::Json;
use crate::names::{Label, Topic};
use crate::params::Params;

/// `topic.publish`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Tokens split on `.`; none empty, no wildcard.
    pub topic: Topic,
    /// Any JSON, null too.
    pub payload: Json,
}

/// The answer to `topic.publish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Published {
    /// How many subscriptions got it.
    pub subscribers: usize,
}

/// `topic.subscribe`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// Tokens split on `.`; `*` is one token, `>` one or more at the end.
    pub pattern: Topic,
    /// Members of one group take turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Label>,
}

impl Params for Publish {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        visit("payload", &self.payload);
    }
}
