//! The command line: the flags that every verb takes, and the verbs.
//!
//! Invariant: each verb's help shows an example. What a verb takes is declared beside what it does, in `verbs`.

use std::path::PathBuf;

use callboard_protocol::{AgentName, Namespace};
use clap::{Args, Parser, Subcommand};

use crate::exit::EXIT_CODES_HELP;
use crate::verbs::{
    agent, ask, completions, daemon, demo, down, inbox, kv, limit, lock, namespace, publish, reply, send,
    service, store, subscribe, tail, task, upgrade_daemon, vote, waits, work,
};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "callboard",
    version,
    about = "Where the coding agents of one machine meet: shared keys, locks, messages, tasks",
    after_help = EXIT_CODES_HELP,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Arguments {
    /// What every verb takes.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub struct Globals {
    /// The board to work on [default: $CALLBOARD_NAMESPACE, the git repository here, or "default"]
    #[arg(long, short = 'n', global = true, value_name = "NAME")]
    pub namespace: Option<Namespace>,
    /// Who acts [default: $CALLBOARD_AGENT]
    #[arg(long, short = 'a', global = true, value_name = "NAME")]
    pub agent: Option<AgentName>,
    /// Print the result object, one per line, and errors as {"error":{..}} on standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// The daemon's home [default: $CALLBOARD_HOME, or ~/.callboard]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub home: Option<PathBuf>,
    /// The daemon's socket [default: $CALLBOARD_SOCKET, or callboard.sock in the home]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon in the foreground
    Daemon(daemon::DaemonArgs),
    /// Start the daemon if none runs, and say where it is
    #[command(after_help = "Example:\n  callboard up")]
    Up,
    /// Stop the daemon cleanly
    Down(down::DownArgs),
    /// Replace the running daemon by this version, without losing anything
    UpgradeDaemon(upgrade_daemon::UpgradeDaemonArgs),
    /// Say whether the daemon runs, and where (exit code 6 when not)
    #[command(after_help = "Example:\n  callboard status --json")]
    Status,
    /// Watch several processes do real work together, and a summary that is checked
    Demo(demo::DemoArgs),
    /// The manager's process of the demo
    #[command(hide = true)]
    DemoManager(demo::ManagerArgs),
    /// A worker's process of the demo
    #[command(hide = true)]
    DemoWorker(demo::WorkerArgs),
    /// Find out what is wrong, and what to do about it
    #[command(after_help = "Example:\n  callboard doctor")]
    Doctor,
    /// Shared keys with TTLs, conditions and watches
    #[command(subcommand)]
    Kv(kv::KvVerb),
    /// Locks on paths and patterns
    #[command(subcommand)]
    Lock(lock::LockVerb),
    /// Shared work: claimed by one agent at a time, done in the order of what depends on what
    #[command(subcommand)]
    Task(task::TaskVerb),
    /// Votes: deciding together
    #[command(subcommand)]
    Vote(vote::VoteVerb),
    /// Rates that agents share, such as calls of an API
    #[command(subcommand)]
    Limit(limit::LimitVerb),
    /// Claim tasks, and run a program for each
    Work(work::WorkArgs),
    /// Show who waits for whom: locks, tasks, requests
    Waits(waits::WaitsArgs),
    /// Who is here, and for what
    #[command(subcommand)]
    Agent(agent::AgentVerb),
    /// Leave a message in an inbox
    Send(send::SendArgs),
    /// Receive messages, or look into the inbox
    Inbox(inbox::InboxArgs),
    /// Ask an agent, and wait for the answer
    Ask(ask::AskArgs),
    /// Answer a message
    Reply(reply::ReplyArgs),
    /// Publish on a topic, to whoever listens now
    Publish(publish::PublishArgs),
    /// Listen to topics
    Subscribe(subscribe::SubscribeArgs),
    /// Watch every change of the board
    Tail(tail::TailArgs),
    /// Counters and gauges of the daemon
    #[command(after_help = "Example:\n  callboard stats --json")]
    Stats,
    /// Print the namespace; list or clear namespaces
    Namespace(namespace::NamespaceArgs),
    /// The daemon's files: check, repair, export
    #[command(subcommand)]
    Store(store::StoreVerb),
    /// Let launchd or systemd run the daemon
    #[command(subcommand)]
    Service(service::ServiceVerb),
    /// Print the completions for a shell
    Completions(completions::CompletionsArgs),
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;

    fn leaves(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
        let path = format!("{path} {}", command.get_name());
        if command.get_subcommands().next().is_none() || !command.is_subcommand_required_set() {
            found.push((path.clone(), command.clone()));
        }
        for verb in command.get_subcommands() {
            leaves(verb, &path, found);
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_s_help_has_an_example() {
        let mut found = Vec::new();
        leaves(&Arguments::command(), "", &mut found);
        assert!(found.len() > 30, "{}", found.len());
        for (path, mut command) in found {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{path} has no example");
        }
    }
}
