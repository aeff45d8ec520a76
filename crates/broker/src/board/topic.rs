//! `topic.*`

use callboard_protocol::error::Error;
use callboard_protocol::event::{Event, TopicMessage};
use callboard_protocol::methods::message::Subscribed as SubscribedResult;
use callboard_protocol::methods::server::Area;
use callboard_protocol::methods::topic::{Publish, Published, Subscribe};

use crate::board::{Board, Call, invalid_params};
use crate::effects::PushClass;
use crate::session::Subscribed;
use crate::topics::{TopicPattern, is_publishable};

impl Board {
    pub(crate) fn topic_publish(&mut self, call: &Call, params: Publish) -> Result<Published, Error> {
        let Publish { topic, payload } = params;
        if !is_publishable(topic.as_str()) {
            let message = format!(
                "`topic` {topic:?} has an empty token or a wildcard: publish on plain tokens split by ."
            );
            return Err(invalid_params("topic", message));
        }
        let sessions = &self.sessions;
        let is_connected = |id| sessions.table.get(&id).is_some_and(crate::session::Session::is_connected);
        let readers = self.topics.take_readers(topic.as_str(), is_connected);
        self.tail(call.now, Area::Topic, "published", &topic, call.agent.as_ref(), || None);
        if readers.is_empty() {
            return Ok(Published { subscribers: 0 });
        }
        let body = TopicMessage { topic, from: call.agent.clone(), payload }.body();
        for (session, subscription) in &readers {
            self.sessions.push(
                &mut self.effects,
                *session,
                *subscription,
                body.clone(),
                PushClass::Droppable,
            );
        }
        Ok(Published { subscribers: readers.len() })
    }

    pub(crate) fn topic_subscribe(
        &mut self,
        call: &Call,
        params: &Subscribe,
    ) -> Result<SubscribedResult, Error> {
        let pattern = TopicPattern::parse(params.pattern.as_str())
            .map_err(|error| invalid_params("pattern", format!("`pattern`: {error}")))?;
        let subscription = self.subscribe(call, Subscribed::Topic)?;
        self.topics.insert(pattern, params.group.clone(), call.session, subscription);
        Ok(SubscribedResult { subscription })
    }
}
