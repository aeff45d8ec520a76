//! From a verb to what it does.
//!
//! Invariant: one exhaustive match; a verb that is declared and not routed does not compile.

use crate::arguments::Verb;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::verbs::{
    agent, ask, completions, daemon, demo, doctor, down, inbox, kv, limit, lock, namespace, publish, reply,
    send, service, stats, status, store, subscribe, tail, task, up, upgrade_daemon, vote, waits, work,
};

/// Does what `verb` says.
///
/// # Errors
/// Why it could not.
pub fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Daemon(args) => daemon::run(args, context),
        Verb::Up => block_on(up::run(context)),
        Verb::Down(args) => block_on(down::run(args, context)),
        Verb::UpgradeDaemon(args) => block_on(upgrade_daemon::run(args, context)),
        Verb::Status => block_on(status::run(context)),
        Verb::Demo(args) => block_on(demo::run(args, context)),
        Verb::DemoManager(args) => block_on(demo::run_manager(args, context)),
        Verb::DemoWorker(args) => block_on(demo::run_worker(args, context)),
        Verb::Doctor => block_on(doctor::run(context)),
        Verb::Kv(verb) => block_on(kv::run(verb, context)),
        Verb::Lock(verb) => block_on(lock::run(verb, context)),
        Verb::Task(verb) => block_on(task::run(verb, context)),
        Verb::Vote(verb) => block_on(vote::run(verb, context)),
        Verb::Limit(verb) => block_on(limit::run(verb, context)),
        Verb::Work(args) => block_on(work::run(args, context)),
        Verb::Waits(args) => block_on(waits::run(args, context)),
        Verb::Agent(verb) => block_on(agent::run(verb, context)),
        Verb::Send(args) => block_on(send::run(args, context)),
        Verb::Inbox(args) => block_on(inbox::run(args, context)),
        Verb::Ask(args) => block_on(ask::run(args, context)),
        Verb::Reply(args) => block_on(reply::run(args, context)),
        Verb::Publish(args) => block_on(publish::run(args, context)),
        Verb::Subscribe(args) => block_on(subscribe::run(args, context)),
        Verb::Tail(args) => block_on(tail::run(args, context)),
        Verb::Stats => block_on(stats::run(context)),
        Verb::Namespace(args) => block_on(namespace::run(args, context)),
        Verb::Store(verb) => store::run(&verb, context),
        Verb::Service(verb) => service::run(verb, context),
        Verb::Completions(args) => completions::run(args),
    }
}

/// Waits for a verb that talks to the daemon. One thread is enough, and the fastest to start.
fn block_on(verb: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(Exit::Failure, "start", error))?.block_on(verb)
}
