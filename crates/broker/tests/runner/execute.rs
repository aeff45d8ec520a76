//! What each statement of a script does, and what the script must have expected.
//!
//! Invariant: whatever a command gave or caused was expected by the lines below it, or the script fails.

use callboard_broker::BoardConfig;
use callboard_protocol::id::RequestId;
use serde_json::Value;

use super::pattern::Pattern;
use super::script::{Statement, is_label, number, option, unit_ms};
use super::values::Values;
use super::world::{Answer, Seen, World};

/// A failure and its line.
type Told = (usize, String);

/// Runs statements one after the other.
#[derive(Debug)]
pub struct Runner {
    world: World,
    values: Values,
    has_begun: bool,
    answer: Option<(usize, Answer)>,
    last_line: usize,
    ignores_all_events: bool,
    ignores_events_of: Vec<String>,
}

impl Runner {
    /// A runner with a board as it is by default.
    pub fn new() -> Self {
        Self {
            world: World::new(BoardConfig::default()),
            values: Values::default(),
            has_begun: false,
            answer: None,
            last_line: 0,
            ignores_all_events: false,
            ignores_events_of: Vec::new(),
        }
    }

    /// Does what a statement says.
    ///
    /// # Errors
    /// What did not hold, with its line.
    pub fn execute(&mut self, statement: &Statement) -> Result<(), Told> {
        let Statement { line, text } = statement;
        let at_line = |told: String| (*line, told);
        self.values.unix_ms = self.world.now().unix_ms;
        if let Some(expected) = text.strip_prefix("= ").or_else(|| text.strip_prefix('!')) {
            let (_, answer) = self.answer.take().ok_or((*line, "there is no answer to expect".to_owned()))?;
            let is_error = text.starts_with('!');
            return check_answer(expected.trim(), is_error, &answer, &mut self.values).map_err(at_line);
        }
        if let Some((label, expected)) = text.split_once("< ").filter(|(label, _)| is_label(label)) {
            return self.check_output(label, expected.trim()).map_err(at_line);
        }
        if text == "clear" {
            self.world.seen.clear();
            return Ok(());
        }
        self.finish()?;
        self.last_line = *line;
        let answer = self.command(text).map_err(at_line)?;
        self.world.check_waiting().map_err(at_line)?;
        self.has_begun = true;
        self.answer = Some((*line, answer));
        Ok(())
    }

    /// What nobody expected of the command before.
    ///
    /// # Errors
    /// An error, a wait or an output that the script did not mention, with the line of the command.
    pub fn finish(&mut self) -> Result<(), Told> {
        if let Some((line, answer)) = self.answer.take() {
            match answer {
                Answer::Result(_) => {}
                Answer::Ignored | Answer::Waiting | Answer::Error(..) => {
                    return Err((line, format!("not expected: {answer:?}")));
                }
            }
        }
        for (label, seen) in &mut self.world.seen {
            let ignores = self.ignores_all_events || self.ignores_events_of.contains(label);
            seen.retain(|seen| !(ignores && matches!(seen, Seen::Event(_))));
            if !seen.is_empty() {
                let first: Vec<&Seen> = seen.iter().take(3).collect();
                let told = format!("{label} got {}, not expected, first {first:#?}", seen.len());
                return Err((self.last_line, told));
            }
        }
        Ok(())
    }

    fn check_output(&mut self, label: &str, expected: &str) -> Result<(), String> {
        let seen = self.world.seen.entry(label.to_owned()).or_default();
        if expected == "nothing" {
            return if seen.is_empty() { Ok(()) } else { Err(format!("expected nothing, got {seen:#?}")) };
        }
        let found = seen.pop_front().ok_or_else(|| format!("{label} got nothing"))?;
        let (what, rest) = expected.split_once(' ').unwrap_or((expected, ""));
        let (name, pattern) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        let differs = format!("expected {expected}, got {found:?}");
        match (what, &found) {
            ("ended", Seen::Ended) | ("more", Seen::More) => Ok(()),
            ("reply", Seen::Reply(of, answer)) if of == name => {
                let is_error = pattern.trim().starts_with('!');
                let pattern = pattern.trim().trim_start_matches('!').trim();
                check_answer(pattern, is_error, answer, &mut self.values)
                    .map_err(|told| format!("{told}\n  {differs}"))
            }
            ("event", Seen::Event(event)) if event["kind"] == name => {
                check_event(pattern, event, &mut self.values).map_err(|told| format!("{told}\n  {differs}"))
            }
            _ => Err(differs),
        }
    }

    /// Carries out a command; gives what there is to expect of it.
    fn command(&mut self, text: &str) -> Result<Answer, String> {
        if let Some((label, request)) = text.split_once("> ").filter(|(label, _)| is_label(label)) {
            return self.request(label, request.trim(), 0);
        }
        if let Some((label, request)) = text.split_once(">> ").filter(|(label, _)| is_label(label)) {
            let (method, params) = request.split_once(' ').unwrap_or((request, "{}"));
            return self.world.send(label, method, &self.values.fill(params)?, None);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["config", ..] => self.configure(text.trim_start_matches("config")),
            ["repeat", times, label, ..] => {
                let request = text.split_once("> ").ok_or("repeat what?")?.1;
                self.repeat(number(times)?, label.trim_end_matches('>'), request)
            }
            ["open", label, options @ ..] => {
                let agent = option(options, "agent=").or(Some(label));
                let agent = agent.filter(|agent| *agent != "-");
                Ok(self.world.open(label, agent, options.contains(&"raw")))
            }
            ["resume", label, options @ ..] => {
                let (token, agent) = (option(options, "token="), option(options, "agent="));
                self.world.resume(label, token, agent)
            }
            ["cancel", label, name] => self.cancel(label, name),
            ["recorded", kind, id, ..] => {
                let expected = text.splitn(4, ' ').nth(3).unwrap_or_default();
                self.recorded(kind, id, expected)
            }
            ["revision", expected] => {
                let revision = Value::from(self.world.board().revision().0);
                Pattern::parse(expected)?.check(&revision, &mut self.values, "revision")?;
                done()
            }
            ["unanswered", names @ ..] => {
                let waiting = self.world.waiting();
                if waiting == *names {
                    return done();
                }
                Err(format!("these wait: {waiting:?}"))
            }
            ["lose" | "pause" | "unpause" | "more" | "close", label, ..] | ["hang", "up", label] => {
                self.of_session(&words, label)
            }
            others => self.of_board(others),
        }
    }

    /// Commands about time and the whole board.
    fn of_board(&mut self, words: &[&str]) -> Result<Answer, String> {
        match words {
            ["tick", count, unit] => self.world.tick(number(count)? * unit_ms(unit)?),
            ["wall", "clock", count, unit] => {
                let count: i64 = count.parse().map_err(|_| format!("no number: {count}"))?;
                self.world.shift_wall_clock(count * i64::try_from(unit_ms(unit)?).unwrap());
            }
            ["late", "timer"] => self.world.late = true,
            ["timely", "timer"] => self.world.late = false,
            ["timer", "fires"] => self.world.fire_timer(),
            ["hold", "initial"] => self.world.holds_initial = true,
            ["ignore", "events"] => self.ignores_all_events = true,
            ["ignore", "events", label] => self.ignores_events_of.push((*label).to_owned()),
            ["memory", state] => self.world.board().set_memory_full(*state == "full"),
            ["restart"] => self.world.restart(),
            ["stop"] => self.world.board().announce_stop(),
            ["unwritten", name] => self.world.lose_reply(name)?,
            _ => return Err(format!("this is no command: {words:?}")),
        }
        self.world.collect();
        done()
    }

    /// Commands about one session.
    fn of_session(&mut self, words: &[&str], label: &str) -> Result<Answer, String> {
        let now = self.world.now();
        let id = self.world.session(label)?;
        let board = self.world.board();
        match words {
            ["lose", _] => board.lose_connection(now, id),
            ["hang", "up", _] => board.withdraw_waits(now, id),
            ["pause", _] => board.set_paused(now, id, true),
            ["unpause", _] => board.set_paused(now, id, false),
            ["more", _] => board.continue_initial(now, id),
            ["close", _] => board.close_session(now, id, false),
            ["close", _, "leave"] => board.close_session(now, id, true),
            _ => return Err(format!("this is no command: {words:?}")),
        }
        if matches!(words, ["lose" | "hang" | "close", ..]) {
            self.world.forget_withdrawn(id);
        }
        self.world.collect();
        done()
    }

    fn cancel(&mut self, label: &str, name: &str) -> Result<Answer, String> {
        let now = self.world.now();
        let id = self.world.session(label)?;
        let request = RequestId::from_json(&Value::from(name).to_string()).unwrap();
        let cancelled = self.world.board().cancel(now, id, &request);
        self.world.collect();
        Ok(Answer::Result(Value::from(cancelled)))
    }

    fn configure(&mut self, text: &str) -> Result<Answer, String> {
        if self.has_begun {
            return Err("config stands first".to_owned());
        }
        let given: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut config = BoardConfig::default();
        for (name, value) in given.as_object().ok_or("config takes an object")? {
            let bad = |error: serde_json::Error| format!("{name}: {error}");
            match name.as_str() {
                "limits" => config.limits = serde_json::from_value(value.clone()).map_err(bad)?,
                "grace_ms" => config.grace_ms = serde_json::from_value(value.clone()).map_err(bad)?,
                "admin" => config.admin = serde_json::from_value(value.clone()).map_err(bad)?,
                other => return Err(format!("config has no {other}")),
            }
        }
        self.world = World::new(config);
        done()
    }

    fn repeat(&mut self, times: u64, label: &str, request: &str) -> Result<Answer, String> {
        for index in 0..times {
            match self.request(label, request, index)? {
                Answer::Result(_) => {}
                answer => return Err(format!("the {index}th of {times} gave {answer:?}")),
            }
        }
        done()
    }

    fn request(&mut self, label: &str, request: &str, index: u64) -> Result<Answer, String> {
        let (method, params) = request.split_once(' ').unwrap_or((request, "{}"));
        let (params, name) = match params.rsplit_once(" as ") {
            Some((params, name)) if !name.contains(['"', '}', ' ']) => (params, Some(name)),
            _ => (params, None),
        };
        let params = params.replace("{n}", &format!("{index:03}")).replace("{i}", &index.to_string());
        self.world.call(label, method, &self.values.fill(&params)?, name)
    }

    fn recorded(&mut self, kind: &str, id: &str, expected: &str) -> Result<Answer, String> {
        let id = match self.world.session(id) {
            Ok(session) if kind == "session" => session.to_string(),
            Ok(_) | Err(_) => self.values.fill(id)?,
        };
        match (self.world.store.find(kind, &id), expected) {
            (None, "none") => done(),
            (Some(entity), "none") => Err(format!("expected none, got {entity}")),
            (None, _) => Err(format!("no {kind} {id} is recorded")),
            (Some(entity), pattern) => {
                Pattern::parse(pattern)?.check(entity, &mut self.values, kind)?;
                done()
            }
        }
    }
}

fn done() -> Result<Answer, String> {
    Ok(Answer::Result(Value::Null))
}

fn check_answer(expected: &str, is_error: bool, answer: &Answer, values: &mut Values) -> Result<(), String> {
    match (answer, is_error) {
        (Answer::Waiting, false) if expected == "waiting" => Ok(()),
        (Answer::Ignored, false) if expected == "ignored" => Ok(()),
        (Answer::Result(result), false) => Pattern::parse(expected)?
            .check(result, values, "result")
            .map_err(|told| format!("{told}\n  in {result}")),
        (Answer::Error(data, message), true) => {
            check_error(expected, data, values).map_err(|told| format!("{told}\n  in {data}: {message}"))
        }
        (Answer::Waiting | Answer::Ignored | Answer::Result(_) | Answer::Error(..), _) => {
            Err(format!("expected {expected}, got {answer:?}"))
        }
    }
}

/// `expected` is a kind, and perhaps a pattern for the other members of `data`.
fn check_error(expected: &str, data: &Value, values: &mut Values) -> Result<(), String> {
    let (kind, pattern) = expected.split_once(' ').unwrap_or((expected, "{...}"));
    if data["kind"] != kind {
        return Err(format!("expected the error {kind}"));
    }
    Pattern::parse(pattern)?.check(&without(data, &["kind"]), values, "data")
}

fn check_event(pattern: &str, event: &Value, values: &mut Values) -> Result<(), String> {
    let pattern = Pattern::parse(if pattern.is_empty() { "{...}" } else { pattern })?;
    let unnamed: Vec<&str> =
        ["subscription", "seq"].into_iter().filter(|member| !pattern.names(member)).chain(["kind"]).collect();
    pattern.check(&without(event, &unnamed), values, "event")
}

fn without(object: &Value, members: &[&str]) -> Value {
    let mut object = object.clone();
    for member in members {
        object.as_object_mut().unwrap().remove(*member);
    }
    object
}
