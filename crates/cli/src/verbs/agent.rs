//! `callboard agent`: who is here, and for what.

use callboard_protocol::methods::Empty;
use callboard_protocol::methods::agent::{
    Agent, Get, GetResult, List, ListResult, Register, Registered, Remove, Status, Update,
};
use callboard_protocol::scalar::Scalar;
use callboard_protocol::{AgentName, Label, Role, TtlMs};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::duration::parse_ttl;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::ago;
use crate::output::{Output, bare, or_dash};
use crate::paging::{PageArgs, print_list};
use crate::table::Table;
use crate::word::{STATUSES, one_of};

/// What to do about agents.
#[derive(Debug, Subcommand)]
pub enum AgentVerb {
    /// Sign an agent in, so that others can see and address it
    Register(RegisterArgs),
    /// Say what the agent is doing; with nothing given, only that it is still here
    Update(UpdateArgs),
    /// List the agents
    List(ListArgs),
    /// Show one agent
    #[command(after_help = "Example:\n  callboard agent show bob")]
    Show {
        /// Its name
        name: AgentName,
    },
    /// Take an agent off the board, with all it holds: for people
    #[command(after_help = "Example:\n  callboard agent remove bob")]
    Remove {
        /// Its name
        name: AgentName,
    },
}

/// `agent register`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard agent register bob --role tester --capability rust --ttl 10m")]
pub struct RegisterArgs {
    /// Its name [default: the one that acts, else the daemon picks one and prints it]
    name: Option<AgentName>,
    /// What it can be addressed by, as role:ROLE and any:ROLE
    #[arg(long)]
    role: Option<Role>,
    /// What it can do; may be repeated
    #[arg(long = "capability", value_name = "CAPABILITY")]
    capabilities: Vec<Label>,
    /// What it is, for people
    #[arg(long)]
    description: Option<String>,
    /// How long it counts as here after its last call [default: 2m]
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
    ttl: Option<TtlMs>,
}

/// `agent update`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard agent update --status working --task 12 --progress 65\n  callboard agent update --status idle --task '' --progress ''\n\nAn empty text takes away what was said before."
)]
pub struct UpdateArgs {
    /// What it is doing
    #[arg(long, value_parser = one_of::<Status, 4>(STATUSES))]
    status: Option<Status>,
    /// On which task: a number or a text
    #[arg(long)]
    task: Option<String>,
    /// How far it is: a number or a text
    #[arg(long, allow_negative_numbers = true)]
    progress: Option<String>,
    /// A note for people
    #[arg(long)]
    note: Option<String>,
}

/// `agent list`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard agent list --role tester --live")]
pub struct ListArgs {
    /// Only this role
    #[arg(long)]
    role: Option<Role>,
    /// Only this status
    #[arg(long, value_parser = one_of::<Status, 4>(STATUSES))]
    status: Option<Status>,
    /// Only those with this capability
    #[arg(long)]
    capability: Option<Label>,
    /// Only those that are here
    #[arg(long)]
    live: bool,
    /// How much
    #[command(flatten)]
    page: PageArgs,
}

/// Does what `verb` says.
///
/// # Errors
/// Why it could not.
pub async fn run(verb: AgentVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        AgentVerb::Register(args) => register(args, context).await,
        AgentVerb::Update(args) => update(args, context).await,
        AgentVerb::List(args) => list(args, context).await,
        AgentVerb::Show { name } => show(name, context).await,
        AgentVerb::Remove { name } => remove(name, context).await,
    }
}

async fn register(args: RegisterArgs, context: &Context) -> Result<Exit, Failure> {
    let name = match args.name {
        Some(name) => Some(name),
        None => context.agent()?,
    };
    let params = Register {
        name,
        role: args.role,
        capabilities: (!args.capabilities.is_empty()).then_some(args.capabilities),
        description: args.description,
        metadata: None,
        ttl_ms: args.ttl,
    };
    // The session has no agent of its own: the one to register need not be the one that acts.
    let registered: Registered =
        context.in_session(None, async |session| session.call("register the agent", &params).await).await?;
    let name = &registered.name;
    context.output.result(&registered, |output| output.line(format_args!("{name}")))?;
    Ok(Exit::Ok)
}

async fn update(args: UpdateArgs, context: &Context) -> Result<Exit, Failure> {
    let what = "update the agent";
    let params = Update {
        status: args.status.map(Some),
        task: args.task.as_deref().map(|task| scalar(what, task)).transpose()?,
        progress: args.progress.as_deref().map(|progress| scalar(what, progress)).transpose()?,
        note: args.note.map(|note| Some(note).filter(|note| !note.is_empty())),
        ..Update::default()
    };
    let result: Empty = context.call_as_agent(what, &params).await?;
    context.output.result(&result, |output| output.line(format_args!("updated")))?;
    Ok(Exit::Ok)
}

/// What is typed, or nothing where nothing is.
fn scalar(what: &str, text: &str) -> Result<Option<Scalar>, Failure> {
    let scalar = Some(text).filter(|text| !text.is_empty()).map(str::parse).transpose();
    scalar.map_err(|error: callboard_protocol::Error| Failure::usage(what, error.message))
}

async fn list(args: ListArgs, context: &Context) -> Result<Exit, Failure> {
    let params = List {
        role: args.role,
        status: args.status,
        capability: args.capability,
        live: args.live.then_some(true),
        ..List::default()
    };
    let output = context.output;
    context
        .in_session(context.agent()?, async |session| {
            print_list(session, output, "list agents", params, &args.page, print_agents).await
        })
        .await?;
    Ok(Exit::Ok)
}

fn print_agents(output: Output, pages: Vec<ListResult>) -> Result<(), Failure> {
    let mut table =
        Table::new(["NAME", "ROLE", "HERE", "STATUS", "TASK", "CLAIMED", "LOCKS", "INBOX", "SEEN"]);
    for agent in pages.into_iter().flat_map(|page| page.agents) {
        table.row([
            agent.name.to_string(),
            or_dash(agent.role.as_ref()),
            here(&agent),
            status(agent.status),
            or_dash(agent.task.as_ref().map(|task| bare(task.as_json()))),
            agent.claimed.to_string(),
            agent.locks.to_string(),
            agent.inbox.to_string(),
            ago(agent.last_seen_at),
        ]);
    }
    output.table(&table, "no agents")
}

async fn show(name: AgentName, context: &Context) -> Result<Exit, Failure> {
    let what = format!("show the agent {name}");
    let result: GetResult =
        context.call(what, &Get { name }).await.map_err(|failure| failure.or_next("callboard agent list"))?;
    context.output.result(&result, |output| print_agent(output, &result.agent))?;
    Ok(Exit::Ok)
}

fn print_agent(output: Output, agent: &Agent) -> Result<(), Failure> {
    let capabilities: Vec<&str> = agent.capabilities.iter().map(Label::as_str).collect();
    let table = Table::of_facts([
        ("name", agent.name.to_string()),
        ("role", or_dash(agent.role.as_ref())),
        ("here", here(agent)),
        ("status", status(agent.status)),
        ("task", or_dash(agent.task.as_ref().map(|task| bare(task.as_json())))),
        ("progress", or_dash(agent.progress.as_ref().map(|progress| bare(progress.as_json())))),
        ("note", or_dash(agent.note.as_ref())),
        ("capabilities", or_dash((!capabilities.is_empty()).then(|| capabilities.join(" ")))),
        ("description", or_dash(agent.description.as_ref())),
        ("metadata", or_dash(agent.metadata.as_ref().map(|metadata| bare(metadata.as_json())))),
        ("sessions", agent.sessions.to_string()),
        ("locks", agent.locks.to_string()),
        ("inbox", agent.inbox.to_string()),
        ("claimed", agent.claimed.to_string()),
        ("seen", ago(agent.last_seen_at)),
    ]);
    output.table(&table, "")
}

fn here(agent: &Agent) -> String {
    if agent.live { "yes" } else { "no" }.to_owned()
}

fn status(status: Status) -> String {
    match status {
        Status::Idle => "idle",
        Status::Working => "working",
        Status::Blocked => "blocked",
        Status::Away => "away",
    }
    .to_owned()
}

async fn remove(name: AgentName, context: &Context) -> Result<Exit, Failure> {
    let what = format!("remove the agent {name}");
    let result = context
        .call(what, &Remove { name })
        .await
        .map_err(|failure| failure.or_next("callboard agent list"))?;
    context.output.result(&result, |output| output.line(format_args!("removed")))?;
    Ok(Exit::Ok)
}
