//! What clients ask for about votes and limiters.

use callboard_protocol::methods::BoardCommand;
use serde_json::json;

use super::{params, to, with_some};
use crate::simulation::model::State;
use crate::simulation::random::Random;

const OPTIONS: [&str; 3] = ["red", "green", "blue"];
/// Buckets, each with its rate, period in milliseconds, and burst.
const BUCKETS: [(&str, u64, u64, u64); 3] =
    [("fast", 4, 1000, 8), ("slow", 1, 20_000, 2), ("one", 1, 3000, 1)];

/// Some command about votes.
pub fn vote_command(random: &mut Random, state: &State) -> BoardCommand {
    let votes = state.latest_votes(4);
    if votes.is_empty() || random.chance(150) {
        let mut voters = vec![to(random), to(random), to(random)];
        voters.sort();
        voters.dedup();
        let json = json!({
            "question": "q", "options": OPTIONS, "voters": voters, "deadline_ms": random.ms(200_000),
            "quorum": random.below(3),
        });
        return BoardCommand::VoteOpen(params(&json));
    }
    let id = *random.pick(&votes);
    if random.chance(300) {
        return BoardCommand::VoteGet(params(&json!({"id": id})));
    }
    BoardCommand::VoteCast(params(&json!({"id": id, "choice": *random.pick(&OPTIONS)})))
}

/// Takes a token.
pub fn limiter_command(random: &mut Random) -> BoardCommand {
    let (name, rate, per_ms, burst) = *random.pick(&BUCKETS);
    let wait_ms = random.ms(30_000);
    let json = json!({"name": name, "rate": rate, "per_ms": per_ms, "burst": burst});
    BoardCommand::LimiterTake(params(&with_some(random, json, 400, "wait_ms", json!(wait_ms))))
}
