//! `callboard doctor`: what is wrong between this process and the daemon, and what to do about it. Changes nothing.
//!
//! Invariant: it goes from the ground up (home, socket, connection, daemon), and every finding that is wrong names the next
//! command. What can't be looked at is a finding too, never a failure of the doctor.

use callboard_client::home;
use callboard_protocol::methods::server::{Info, ReadInfo};
use callboard_protocol::methods::session::Durability;

use crate::context::{Context, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::namespace::Source;

mod files;
mod finding;

use finding::{Finding, Report};

/// This program's version, which the daemon's should be.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Looks, and prints what it found.
///
/// # Errors
/// When standard output can't be written.
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let mut findings = Vec::new();
    let home = home::home(context.globals.home.as_deref());
    let socket = home::socket_path(context.globals.socket.as_deref(), context.globals.home.as_deref());
    match (&home, &socket) {
        (Ok(home), Ok(socket)) => {
            findings.push(files::home(home));
            findings.push(files::socket(socket));
            findings.extend(files::daemon_log(home, socket));
        }
        (Err(error), _) | (_, Err(error)) => {
            let said = format!("failed to {error}");
            findings.push(Finding::wrong("home", said, "export CALLBOARD_HOME=DIRECTORY"));
        }
    }
    let is_reachable = match connect(context).await {
        Ok(info) => {
            findings.extend(about_daemon(&info));
            true
        }
        Err(finding) => {
            findings.push(finding);
            false
        }
    };
    findings.push(about_namespace(context));
    findings.push(about_agent(context));
    findings.extend(files::service());
    let report = Report::new(findings);
    report.print(context.output)?;
    Ok(match (is_reachable, report.is_healthy) {
        (false, _) => Exit::Unreachable,
        (true, false) => Exit::Failure,
        (true, true) => Exit::Ok,
    })
}

/// What the daemon says of itself; what stands in the way otherwise.
async fn connect(context: &Context) -> Result<Info, Finding> {
    let asked = async {
        let session = Session::open(context.options(None)?).await?;
        let info: Info = session.call("ask the daemon", &ReadInfo {}).await?;
        session.close().await;
        Ok(info)
    };
    asked.await.map_err(|failure: Failure| match failure {
        Failure::ReaderLeft => Finding::wrong("daemon", "it can't be asked", "callboard up"),
        Failure::Told(report) => {
            let sandbox = files::sandbox_hint(&report.why);
            let next =
                if sandbox.is_some() { "callboard doctor, outside of the sandbox" } else { "callboard up" };
            let hint = sandbox.map(|hint| format!("; {hint}")).unwrap_or_default();
            Finding::wrong("daemon", format!("{}{hint}", report.why), next)
        }
    })
}

fn about_daemon(info: &Info) -> Vec<Finding> {
    let mut findings = vec![Finding::good("daemon", format!("answers, pid {}", info.pid))];
    findings.push(if info.version == VERSION {
        Finding::good("version", format!("{VERSION}, as this program"))
    } else {
        let said = format!("the daemon is {}, this program is {VERSION}", info.version);
        Finding::wrong("version", said, "callboard down && callboard up")
    });
    findings.push(match info.durability {
        Durability::Failed => {
            let said = format!("the store in {} can't be written: changes are refused", info.home);
            Finding::wrong("store", said, format!("df -h '{}'", info.home))
        }
        Durability::Memory | Durability::Snapshot | Durability::Journal | Durability::Sync => {
            Finding::good("store", super::status::durability(info.durability))
        }
    });
    findings
}

fn about_namespace(context: &Context) -> Finding {
    match context.namespace() {
        Ok((namespace, source @ Source::Default)) => Finding::noted(
            "namespace",
            format!("{namespace}, {source}: agents meet in it only if they are outside too"),
        ),
        Ok((namespace, source @ (Source::Flag | Source::Variable | Source::Repository))) => {
            Finding::good("namespace", format!("{namespace}, {source}"))
        }
        Err(failure) => Finding::of_failure("namespace", failure),
    }
}

fn about_agent(context: &Context) -> Finding {
    match context.agent() {
        Ok(Some(agent)) => Finding::good("agent", agent.to_string()),
        Ok(None) => Finding::noted("agent", "none: locks and messages need --agent NAME or $CALLBOARD_AGENT"),
        Err(failure) => Finding::of_failure("agent", failure),
    }
}
