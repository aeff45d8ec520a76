//! `callboard namespace`: which board this is, and which there are.

use callboard_protocol::Namespace;
use callboard_protocol::methods::server::{Clear, Cleared, ListNamespaces, ListNamespacesResult};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::paging::{PageArgs, print_list};
use crate::table::Table;

/// `namespace`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  export CALLBOARD_NAMESPACE=$(callboard namespace)")]
pub struct NamespaceArgs {
    /// What else to do
    #[command(subcommand)]
    verb: Option<NamespaceVerb>,
}

/// What else to do with namespaces.
#[derive(Debug, Subcommand)]
pub enum NamespaceVerb {
    /// List the namespaces of the daemon
    #[command(after_help = "Example:\n  callboard namespace list")]
    List {
        /// How much
        #[command(flatten)]
        page: PageArgs,
    },
    /// Delete everything in a namespace: for people
    #[command(after_help = "Example:\n  callboard namespace clear repo/app-0123456789ab")]
    Clear {
        /// The namespace, in full
        #[arg(value_name = "NAME")]
        name: Namespace,
    },
}

/// What the verb prints for programs.
#[derive(Debug, Serialize)]
struct Printed {
    namespace: Namespace,
}

/// Does what `args` say.
///
/// # Errors
/// Why it could not.
pub async fn run(args: NamespaceArgs, context: &Context) -> Result<Exit, Failure> {
    match args.verb {
        None => print(context),
        Some(NamespaceVerb::List { page }) => list(&page, context).await,
        Some(NamespaceVerb::Clear { name }) => clear(name, context).await,
    }
}

/// Prints the namespace; needs no daemon.
fn print(context: &Context) -> Result<Exit, Failure> {
    let (namespace, _) = context.namespace()?;
    context.output.result(&Printed { namespace: namespace.clone() }, |output| {
        output.line(format_args!("{namespace}"))
    })?;
    Ok(Exit::Ok)
}

async fn list(page: &PageArgs, context: &Context) -> Result<Exit, Failure> {
    let output = context.output;
    context
        .in_session(context.agent()?, async |session| {
            let params = ListNamespaces::default();
            print_list(session, output, "list namespaces", params, page, print_namespaces).await
        })
        .await?;
    Ok(Exit::Ok)
}

fn print_namespaces(output: Output, pages: Vec<ListNamespacesResult>) -> Result<(), Failure> {
    let mut table = Table::new(["NAME", "KEYS", "AGENTS", "LOCKS", "TASKS"]);
    for namespace in pages.into_iter().flat_map(|page| page.namespaces) {
        table.row([
            namespace.name.to_string(),
            namespace.keys.to_string(),
            namespace.agents.to_string(),
            namespace.locks.to_string(),
            namespace.tasks.to_string(),
        ]);
    }
    output.table(&table, "no namespaces")
}

async fn clear(namespace: Namespace, context: &Context) -> Result<Exit, Failure> {
    let what = format!("clear the namespace {namespace}");
    let result: Cleared = context.call(what, &Clear { namespace }).await?;
    context.output.result(&result, |output| output.line(format_args!("removed {}", result.removed)))?;
    Ok(Exit::Ok)
}
