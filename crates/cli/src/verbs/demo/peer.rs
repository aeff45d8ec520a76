//! One process of the demo, signed in: the few calls that manager and workers share.
//!
//! Invariant: a process ends when the one that started it is gone, however that ended.

use std::fmt::Display;
use std::io::{self, Read as _};
use std::thread;

use callboard_client::{Client, ConnectOptions, EventStream};
use callboard_protocol::address::Recipients;
use callboard_protocol::methods::agent::Register;
use callboard_protocol::methods::message::{Message, Send, Sent, Subscribe};
use callboard_protocol::revision::TaskId;
use callboard_protocol::{Json, Label, Role};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::words::{REPORT_PREFIX, Report, Totals};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// A process that is signed in.
pub struct Peer {
    client: Client,
    name: String,
}

impl Peer {
    /// Connects as the agent of the command line and signs in.
    ///
    /// # Errors
    /// When there is no agent, or the daemon can't be reached.
    pub async fn sign_in(context: &Context, role: &str) -> Result<Self, Failure> {
        let agent = context.acting_agent("sign in")?;
        let name = agent.to_string();
        let namespace = Some(context.namespace()?.0);
        let options = ConnectOptions { namespace, agent: Some(agent), ..context.daemon_options() };
        let client = Client::connect(options).await.map_err(|error| Failure::client("connect", error))?;
        let peer = Self { client, name };
        let role = Role::new(role).map_err(|error| peer.failed("sign in", error.into()))?;
        let register = Register { role: Some(role), ..Register::default() };
        peer.client.call(&register).await.map_err(|error| peer.failed("sign in", error))?;
        Ok(peer)
    }

    /// The connection, for all other calls.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the client says about `what`, with who did it.
    pub fn failed(&self, what: &str, error: callboard_client::ClientError) -> Failure {
        Failure::client(format_args!("{}: {what}", self.name), error)
    }

    /// Sends a message of the type `kind`.
    ///
    /// # Errors
    /// The daemon's, or that it is gone.
    pub async fn send<T: Serialize>(&self, to: &str, kind: &str, payload: &T) -> Result<Sent, Failure> {
        let send = async {
            let recipients = Recipients::One(to.parse()?);
            let send =
                Send { r#type: Some(Label::new(kind)?), ..Send::new(recipients, Json::from_value(payload)?) };
            self.client.call(&send).await
        };
        send.await.map_err(|error| self.failed("send a message", error))
    }

    /// Messages of these types as they come, at most `credit` of them unacked.
    ///
    /// # Errors
    /// The daemon's, or that it is gone.
    pub async fn messages<const N: usize>(
        &self,
        kinds: [&str; N],
        credit: u32,
    ) -> Result<EventStream, Failure> {
        let subscribe = async {
            let types = kinds.into_iter().map(Label::new).collect::<Result<_, _>>()?;
            let subscribe = Subscribe { credit: Some(credit), types: Some(types), ..Subscribe::default() };
            self.client.subscribe(&subscribe).await
        };
        subscribe.await.map_err(|error| self.failed("subscribe to messages", error))
    }

    /// The next message.
    ///
    /// # Errors
    /// When none will come any more.
    pub async fn next(&self, stream: &mut EventStream) -> Result<Message, Failure> {
        while let Some(event) = stream.next().await {
            if let Some(message) = event.as_kind::<Message>() {
                return Ok(message);
            }
        }
        let end = stream.end().map_or_else(|| "the connection ended".to_owned(), |error| error.to_string());
        Err(Failure::new(Exit::Unreachable, format_args!("{}: read messages", self.name), end))
    }

    /// What a message says.
    ///
    /// # Errors
    /// When it is something else than a `T`.
    pub fn read<T: DeserializeOwned>(&self, message: &Message) -> Result<T, Failure> {
        self.parse(format_args!("message {}", message.id), &message.payload)
    }

    /// What a value says.
    ///
    /// # Errors
    /// When it is something else than a `T`.
    pub fn parse<T: DeserializeOwned>(&self, what: impl Display, value: &Json) -> Result<T, Failure> {
        let what = || format!("{}: read {what}", self.name);
        value.to().map_err(|error| Failure::new(Exit::Failure, what(), error))
    }

    /// What a key has.
    ///
    /// # Errors
    /// The daemon's, that it is gone, or that it has something else than a `T`.
    pub async fn value<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Failure> {
        let found = self.client.kv_get(key).await;
        let found = found.map_err(|error| self.failed(&format!("read {key}"), error))?;
        found.value.map(|value| self.parse(key, &value)).transpose()
    }

    /// Done with a message.
    ///
    /// # Errors
    /// The daemon's, or that it is gone.
    pub async fn ack(&self, message: &Message) -> Result<(), Failure> {
        let receipts: Vec<String> = message.receipt.iter().cloned().collect();
        let acked = self.client.message_ack(&receipts).await;
        acked.map(drop).map_err(|error| self.failed("ack a message", error))
    }

    /// What these tasks' totals come to.
    ///
    /// # Errors
    /// The daemon's, that it is gone, or that one has no totals.
    pub async fn add_up(&self, tasks: &[TaskId]) -> Result<Totals, Failure> {
        let mut totals = Totals::default();
        for id in tasks {
            let found = self.client.task_get(*id).await;
            let task = found.map_err(|error| self.failed("look at a task", error))?.task;
            if let Some(result) = &task.result {
                totals.merge(&self.parse(&task.title, result)?);
            }
        }
        Ok(totals)
    }

    /// Leaves, and leaves behind what was measured.
    ///
    /// # Errors
    /// The daemon's, or that it is gone.
    pub async fn leave(self, report: &Report) -> Result<(), Failure> {
        let key = format!("{REPORT_PREFIX}{}/{}", self.name, std::process::id());
        let kept = self.client.kv_set(&key, report).await;
        kept.map_err(|error| self.failed("report", error))?;
        let closed = self.client.clone().close(true).await;
        closed.map_err(|error| self.failed("leave", error))
    }
}

/// Waits until the process that started this one is gone: it holds the other end of standard input and writes nothing.
pub async fn starter_left() {
    let (left, ended) = oneshot::channel::<()>();
    // A thread of its own, since the runtime would wait for its own threads at the end.
    thread::spawn(move || {
        // An end and an error both mean that nobody is there.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        drop(left);
    });
    let _ = ended.await;
}
