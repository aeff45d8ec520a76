//! The cookbook's examples, run: each script as it stands in `docs/cookbook.md`, each piece of Rust as it stands in a test
//! of one of the files below.
//!
//! Invariant: a section has a script and a piece of Rust. What a script prints is what the block `text` below it says.

mod assignment;
mod chains;
mod files;
mod messages;
mod pools;
mod registry;
mod together;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use callboard_client::ConnectOptions;
use callboard_client::blocking::Client;
use callboard_protocol::WaitMs;

use crate::harness::{Home, callboard};

const COOKBOOK: &str = include_str!("../../docs/cookbook.md");
const SOURCES: [&str; 7] = [
    include_str!("cookbook/assignment.rs"),
    include_str!("cookbook/files.rs"),
    include_str!("cookbook/messages.rs"),
    include_str!("cookbook/registry.rs"),
    include_str!("cookbook/chains.rs"),
    include_str!("cookbook/pools.rs"),
    include_str!("cookbook/together.rs"),
];
/// How many scripts run at a time.
const SCRIPTS_AT_ONCE: usize = 4;

/// How long the pieces of Rust wait for what is bound to come.
const MINUTE: WaitMs = WaitMs::clamped(60_000);

/// What the pieces of Rust may fail with.
type Outcome = Result<(), Box<dyn Error>>;

/// One recipe.
#[derive(Debug, Default)]
struct Section {
    title: String,
    /// Its blocks: the language, and the lines.
    blocks: Vec<(String, String)>,
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut is_in_block = false;
    for line in COOKBOOK.lines() {
        if let Some(title) = line.strip_prefix("## ").filter(|_| !is_in_block) {
            sections.push(Section { title: title.to_owned(), blocks: Vec::new() });
            continue;
        }
        let Some(section) = sections.last_mut() else { continue };
        if let Some(language) = line.strip_prefix("```") {
            is_in_block = !is_in_block;
            if is_in_block {
                section.blocks.push((language.to_owned(), String::new()));
            }
        } else if let Some((_, block)) = section.blocks.last_mut().filter(|_| is_in_block) {
            block.push_str(line);
            block.push('\n');
        }
    }
    sections.retain(|section| !section.blocks.is_empty());
    sections
}

/// Runs a script as a user would: in a folder of its own, with `callboard` in the path and a new home.
fn run(script: &str) -> Result<String, String> {
    let home = Home::in_memory();
    let folder = home.folder().join("work");
    fs::create_dir(&folder).unwrap();
    let path = std::env::var("PATH").unwrap();
    let programs = callboard().parent().and_then(Path::to_str).unwrap();
    let mut command = Command::new("bash");
    home.equip(command.args(["-euo", "pipefail", "-c", script]));
    command.current_dir(&folder).env("PATH", format!("{programs}:{path}")).stdout(Stdio::piped());
    let ran = command.output().unwrap();
    home.run(["down"]);
    let stdout = String::from_utf8(ran.stdout).unwrap();
    if ran.status.success() {
        return Ok(stdout);
    }
    Err(format!("{}: {stdout}\n{}", ran.status, home.read_log()))
}

fn check_scripts(section: &Section) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut blocks = section.blocks.iter().peekable();
    while let Some((language, script)) = blocks.next() {
        if language != "sh" {
            continue;
        }
        let expected = blocks.next_if(|(language, _)| language == "text").map(|(_, text)| text.as_str());
        match run(script) {
            Ok(printed) if expected.is_none_or(|expected| expected == printed) => {}
            Ok(printed) => wrong.push(format!("{}: prints\n{printed}", section.title)),
            Err(error) => wrong.push(format!("{}: {error}", section.title)),
        }
    }
    wrong
}

#[test]
fn every_script_does_what_it_says() {
    let sections = sections();
    let share = sections.len().div_ceil(SCRIPTS_AT_ONCE);
    let wrong: Vec<String> = std::thread::scope(|threads| {
        let check = |part: &'static [Section]| part.iter().flat_map(check_scripts).collect::<Vec<_>>();
        let parts = Box::leak(sections.into_boxed_slice()).chunks(share);
        let parts: Vec<_> = parts.map(|part| threads.spawn(move || check(part))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_recipe_has_a_script_and_rust_that_is_run() {
    let without_indent = |text: &str| text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
    let sources = SOURCES.map(without_indent);
    for Section { title, blocks } in sections() {
        for wanted in ["sh", "rust"] {
            assert!(blocks.iter().any(|(language, _)| language == wanted), "{title} has no block {wanted}");
        }
        for (_, rust) in blocks.iter().filter(|(language, _)| language == "rust") {
            let rust = without_indent(rust);
            assert!(sources.iter().any(|source| source.contains(&rust)), "{title}: no test runs\n{rust}");
        }
    }
}

/// The commands that stand in the text, each as its verb and its options.
fn commands() -> Vec<(Vec<&'static str>, Vec<&'static str>)> {
    let is_verb = |word: &&str| word.chars().all(|letter| letter.is_ascii_lowercase());
    let text = COOKBOOK.split("\n```").step_by(2);
    let codes = text.flat_map(|text| text.split('`').skip(1).step_by(2));
    let commands = codes.filter_map(|code| code.strip_prefix("callboard "));
    commands
        .map(|command| {
            let words = || command.split(' ');
            (words().take_while(is_verb).collect(), words().filter(|word| word.starts_with("--")).collect())
        })
        .collect()
}

#[test]
fn every_command_in_the_text_is_one() {
    let commands = commands();
    assert!(!commands.is_empty());
    for (verb, options) in commands {
        let help = Command::new(callboard()).args(&verb).arg("--help").output().unwrap();
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(text.contains(&format!("Usage: callboard {}", verb.join(" "))), "{verb:?}");
        for option in options {
            assert!(text.contains(option), "{verb:?} has no {option}");
        }
    }
}

/// A client of the home's daemon, as this agent.
fn sign_in(home: &Home, agent: &str) -> Client {
    let options = ConnectOptions {
        home: Some(home.path()),
        socket: Some(home.socket()),
        namespace: Some("default".parse().unwrap()),
        agent: Some(agent.parse().unwrap()),
        ..ConnectOptions::default()
    };
    Client::connect(options).unwrap()
}
