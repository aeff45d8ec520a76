//! Runs a script against a board. A script is lines; `#` begins a comment; four spaces or more continue the line above.
//!
//! ```text
//! config {"limits":{"keys":2},"grace_ms":1000,"admin":false}    the board's configuration, as the first command
//! open alice                      a session named alice for the agent alice; gives {agent, sessions}
//! open spare agent=alice          another one; `agent=-` for none; `raw` for one that never said session.open
//! alice> kv.get {"key":"a"}       a request; `as b1` at its end names it; `alice>>` sends a notification
//!   = {"exists":true,"revision":@r,...}
//! bob> lock.acquire {"keys":["a"],"wait_ms":50} as b1
//!   = waiting                     or: = ignored
//! bob< reply b1 ! timeout {"waited_ms":50}
//! bob< event lock.lost {"token":@t,"keys":["a"],"why":"expired"}
//! repeat 300 alice> kv.set {"key":"k{n}","value":{i}}           {n} is 000, 001 .. and {i} is 0, 1 ..
//! ```
//! A call without a line below it must succeed. Patterns: `...` more members or elements, `*` anything, `@name` the
//! value bound to the name (binds it at first), `@name+1`, `now+500` (Unix milliseconds). In requests `@name` stands
//! for its value; `{x:1000}` is a thousand x anywhere. Events may leave out `subscription` and `seq`; seqs are checked always.
//!
//! Other commands: `tick 10 ms|s|min|h` steps to each deadline in order, as a driver does; after `late timer` it moves
//! the clock alone, until `timer fires`; `wall clock +1 h` moves only the other one. `lose`, `resume` (`agent=`,
//! `token=`), `hang up`, `pause`, `unpause` a session; `close alice [leave]`; `cancel alice b1`; `unwritten b1` (its
//! reply was lost on the way); `stop`; `memory full|free`; `unanswered b1 b2`; `revision @r`; `clear` (forget what came
//! so far); `ignore events [NAME]`; `hold initial` (then `alice< more` and `more alice`); `recorded KIND ID none` or
//! `recorded KIND ID {..}`: what the change records so far would bring back; `restart` (a new board from the image: every
//! session is in its grace, without subscriptions).

mod execute;
mod pattern;
mod script;
mod store;
mod values;
mod world;

/// Runs the script `text` of the file `name`.
///
/// # Errors
/// `file:line: ` and what was expected and what came, for the first line that does not hold.
pub fn run(name: &str, text: &str) -> Result<(), String> {
    let mut runner = execute::Runner::new();
    for statement in script::statements(text) {
        runner.execute(&statement).map_err(|(line, told)| format!("{name}:{line}: {told}"))?;
    }
    runner.finish().map_err(|(line, told)| format!("{name}:{line}: {told}"))
}
