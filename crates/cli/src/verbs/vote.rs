//! `callboard vote`: deciding together.

use callboard_protocol::methods::coordination::{Cast, Get, Open, Opened, State, Vote};
use callboard_protocol::revision::VoteId;
use callboard_protocol::{AgentName, Label, Revision, TtlMs};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::duration::parse_ttl;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::{ago, left};
use crate::output::{Output, or_dash};
use crate::table::Table;

mod wait;

/// What to do with votes.
#[derive(Debug, Subcommand)]
pub enum VoteVerb {
    /// Ask several agents to choose, and print the vote's id; each finds the question in its inbox
    Open(OpenArgs),
    /// Choose; choosing again replaces
    #[command(after_help = "Example:\n  callboard vote cast 12 tabs --rationale 'the formatter has them'")]
    Cast {
        /// The vote's id
        #[arg(value_parser = id)]
        id: VoteId,
        /// One of its options
        choice: Label,
        /// Why, for people
        #[arg(long)]
        rationale: Option<String>,
    },
    /// Show how a vote stands
    #[command(after_help = "Example:\n  callboard vote show 12")]
    Show {
        /// The vote's id
        #[arg(value_parser = id)]
        id: VoteId,
    },
    /// Wait until a vote is closed, and show it (exit code 3 when that takes too long)
    Wait(wait::WaitArgs),
}

/// `vote open`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard vote open 'tabs or spaces?' tabs spaces --deadline 10m\n  callboard vote open 'merge now?' yes no --voter ada --voter bob --deadline 1h --quorum 2"
)]
pub struct OpenArgs {
    /// What is asked
    question: String,
    /// What can be chosen
    #[arg(required = true, num_args = 2.., value_name = "OPTION")]
    options: Vec<Label>,
    /// Who may vote; may be repeated [default: all agents that are live now]
    #[arg(long = "voter", value_name = "AGENT")]
    voters: Vec<AgentName>,
    /// How long it is open, unless all have voted before
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
    deadline: TtlMs,
    /// How many have to vote for the result to count [default: 0]
    #[arg(long, value_name = "COUNT")]
    quorum: Option<usize>,
}

fn id(text: &str) -> Result<VoteId, String> {
    text.parse().map(Revision).map_err(|_| "an id is a whole number".to_owned())
}

/// Does what `verb` says.
///
/// # Errors
/// Why it could not.
pub async fn run(verb: VoteVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        VoteVerb::Open(args) => open(args, context).await,
        VoteVerb::Cast { id, choice, rationale } => cast(id, choice, rationale, context).await,
        VoteVerb::Show { id } => show(id, context).await,
        VoteVerb::Wait(args) => wait::run(args, context).await,
    }
}

async fn open(args: OpenArgs, context: &Context) -> Result<Exit, Failure> {
    let params = Open {
        question: args.question,
        options: args.options,
        voters: (!args.voters.is_empty()).then_some(args.voters),
        deadline_ms: args.deadline,
        quorum: args.quorum,
    };
    let opened: Opened = context.call("open the vote", &params).await?;
    context.output.result(&opened, |output| output.line(format_args!("{}", opened.id)))?;
    Ok(Exit::Ok)
}

async fn cast(
    id: VoteId,
    choice: Label,
    rationale: Option<String>,
    context: &Context,
) -> Result<Exit, Failure> {
    let what = format!("vote in {id}");
    let params = Cast { id, choice, rationale };
    let result = context.call_as_agent(what, &params).await?;
    context.output.result(&result, |output| output.line(format_args!("voted for {}", params.choice)))?;
    Ok(Exit::Ok)
}

async fn show(id: VoteId, context: &Context) -> Result<Exit, Failure> {
    let vote: Vote = context.call(format_args!("show vote {id}"), &Get { id }).await?;
    print(context.output, &vote)?;
    Ok(Exit::Ok)
}

/// Prints how a vote stands.
fn print(output: Output, vote: &Vote) -> Result<(), Failure> {
    output.result(vote, |output| {
        let standing = match vote.state {
            State::Open => format!("open, closes in {}", left(vote.closes_at)),
            State::Closed => format!("closed {}", ago(vote.closes_at)),
        };
        let quorum = if vote.quorum_met { "met" } else { "not met" };
        let voters: Vec<&str> = vote.voters.iter().map(AgentName::as_str).collect();
        let facts = Table::of_facts([
            ("question", vote.question.clone()),
            ("state", standing),
            ("winner", or_dash(vote.winner.as_ref())),
            ("quorum", quorum.to_owned()),
            ("voters", voters.join(", ")),
        ]);
        output.table(&facts, "")?;
        let mut tally = Table::new(["OPTION", "VOTES"]);
        for option in &vote.options {
            tally.row([option.to_string(), vote.tally.get(option).copied().unwrap_or(0).to_string()]);
        }
        output.table(&tally, "")?;
        let mut ballots = Table::new(["VOTER", "CHOICE", "CAST", "RATIONALE"]);
        for ballot in &vote.ballots {
            let rationale = or_dash(ballot.rationale.as_ref());
            ballots.row([
                ballot.voter.to_string(),
                ballot.choice.to_string(),
                ago(ballot.cast_at),
                rationale,
            ]);
        }
        output.table(&ballots, "no votes yet")?;
        if vote.more == Some(true) {
            output.note(format_args!("callboard: there are more ballots than one reply takes"));
        }
        Ok(())
    })
}
