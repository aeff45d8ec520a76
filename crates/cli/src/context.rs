//! What a verb works with: the flags, the output, and the way to the daemon.
//!
//! Invariant: a verb that needs an agent says so before anything is sent; no agent is ever made up. A session is closed
//! when its verb is done, so that nothing of it lingers for the grace of a lost connection.

use std::fmt::Display;
use std::path::PathBuf;

use callboard_client::{Client, ConnectOptions, EventStream, Spawn};
use callboard_protocol::methods::Verb;
use callboard_protocol::{AgentName, Namespace};

use crate::arguments::Globals;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lock_name::Place;
use crate::namespace::{self, Source};
use crate::output::Output;

/// The variable that names the agent.
pub const AGENT_VARIABLE: &str = "CALLBOARD_AGENT";

/// What a verb works with.
#[derive(Debug)]
pub struct Context {
    /// The flags of every verb.
    pub globals: Globals,
    /// Where and how to print.
    pub output: Output,
}

/// An open session.
pub struct Session {
    client: Client,
}

impl Context {
    /// For these flags.
    pub fn new(globals: Globals) -> Self {
        Self { output: Output::new(globals.json), globals }
    }

    /// The present directory.
    ///
    /// # Errors
    /// When it is gone.
    pub fn directory(&self) -> Result<PathBuf, Failure> {
        std::env::current_dir()
            .map_err(|error| Failure::new(Exit::Failure, "find the present directory", error))
    }

    /// The namespace to work on, and where it comes from.
    ///
    /// # Errors
    /// When the variable or the repository is unclear.
    pub fn namespace(&self) -> Result<(Namespace, Source), Failure> {
        let variable = std::env::var_os(namespace::NAMESPACE_VARIABLE);
        let variable = variable.map(|value| value.to_string_lossy().into_owned());
        let flag = self.globals.namespace.as_ref();
        namespace::resolve(flag, variable.as_deref(), &self.directory()?).map_err(|error| {
            Failure::usage("find the namespace", format_args!("failed to {error}"))
                .or_next("callboard --namespace NAME ..")
        })
    }

    /// From where lock paths are understood.
    ///
    /// # Errors
    /// When the repository is unclear.
    pub fn place(&self) -> Result<Place, Failure> {
        Place::at(&self.directory()?)
            .map_err(|error| Failure::usage("understand paths here", format_args!("failed to {error}")))
    }

    /// Who acts, if anybody is said to.
    ///
    /// # Errors
    /// When the variable is no agent name.
    pub fn agent(&self) -> Result<Option<AgentName>, Failure> {
        if let Some(agent) = &self.globals.agent {
            return Ok(Some(agent.clone()));
        }
        let variable = std::env::var_os(AGENT_VARIABLE).filter(|value| !value.is_empty());
        let name = variable.map(|value| AgentName::new(&value.to_string_lossy()));
        name.transpose()
            .map_err(|error| Failure::usage(format_args!("take the agent from ${AGENT_VARIABLE}"), error))
    }

    /// Who acts, for a verb that can't do without.
    ///
    /// # Errors
    /// When nobody is said to.
    pub fn acting_agent(&self, what: impl Display) -> Result<AgentName, Failure> {
        self.agent()?.ok_or_else(|| {
            Failure::usage(what, "it needs an agent: say who acts with --agent NAME")
                .or_next(format!("export {AGENT_VARIABLE}=NAME"))
        })
    }

    /// How to reach the daemon, for `agent`.
    ///
    /// # Errors
    /// When the namespace is unclear.
    pub fn options(&self, agent: Option<AgentName>) -> Result<ConnectOptions, Failure> {
        Ok(ConnectOptions {
            home: self.globals.home.clone(),
            socket: self.globals.socket.clone(),
            namespace: Some(self.namespace()?.0),
            agent,
            ..ConnectOptions::default()
        })
    }

    /// As [`Self::options`], starting the daemon if none runs.
    ///
    /// # Errors
    /// As [`Self::options`], and when the system can't say which program this is.
    pub fn spawning_options(&self, agent: Option<AgentName>) -> Result<ConnectOptions, Failure> {
        Ok(ConnectOptions {
            spawn: Spawn::this_program()
                .map_err(|error| Failure::new(Exit::Failure, "find this program", error))?,
            ..self.options(agent)?
        })
    }

    /// Runs `verb` in a session for `agent` (starting the daemon if none runs), and closes it.
    ///
    /// # Errors
    /// When the daemon can't be reached, and those of `verb`.
    pub async fn in_session<T>(
        &self,
        agent: Option<AgentName>,
        verb: impl AsyncFnOnce(&Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        Session::open(self.spawning_options(agent)?).await?.do_and_close(verb).await
    }

    /// As [`Self::in_session`], for a verb that goes on until it is stopped: a lost connection is made again.
    ///
    /// # Errors
    /// As [`Self::in_session`].
    pub async fn in_lasting_session<T>(
        &self,
        agent: Option<AgentName>,
        verb: impl AsyncFnOnce(&Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let options = ConnectOptions { resume: true, ..self.spawning_options(agent)? };
        Session::open(options).await?.do_and_close(verb).await
    }

    /// One call in a session for the agent, if there is one.
    ///
    /// # Errors
    /// As [`Self::in_session`].
    pub async fn call<V: Verb>(&self, what: impl Display, params: &V) -> Result<V::Result, Failure> {
        let agent = self.agent()?;
        self.in_session(agent, async |session| session.call(what, params).await).await
    }

    /// One call that can't do without an agent.
    ///
    /// # Errors
    /// As [`Self::in_session`], and when nobody is said to act.
    pub async fn call_as_agent<V: Verb>(&self, what: impl Display, params: &V) -> Result<V::Result, Failure> {
        let agent = self.acting_agent(&what)?;
        self.in_session(Some(agent), async |session| session.call(what, params).await).await
    }
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// When the daemon can't be reached, or refuses it.
    pub async fn open(options: ConnectOptions) -> Result<Self, Failure> {
        match Client::connect(options).await {
            Ok(client) => Ok(Self { client }),
            Err(error) => Err(Failure::client("connect", error)),
        }
    }

    async fn do_and_close<T>(
        self,
        verb: impl AsyncFnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let outcome = verb(&self).await;
        self.close().await;
        outcome
    }

    /// Calls a method; `what` names the deed in the error.
    ///
    /// # Errors
    /// The daemon's, or that it can't be reached.
    pub async fn call<V: Verb>(&self, what: impl Display, params: &V) -> Result<V::Result, Failure> {
        self.client.call(params).await.map_err(|error| Failure::client(what, error))
    }

    /// Subscribes; `what` names the deed in the error.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn subscribe<V: Verb>(&self, what: impl Display, params: &V) -> Result<EventStream, Failure> {
        self.client.subscribe(params).await.map_err(|error| Failure::client(what, error))
    }

    /// The client, for what the others don't do.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Ends the session; what it holds for its agent stays.
    pub async fn close(self) {
        // The verb is done: a daemon that is gone by now has ended the session too.
        let _ = self.client.close(false).await;
    }
}
