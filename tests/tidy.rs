//! The house rules that no compiler lint can hold, each a test that names every place where it is broken.
//!
//! Invariant: no rule has a list of exceptions. `CONTRIBUTING.md` says which rule is held where. The sources are the same on
//! every system, so one is enough to read them on: Unix, for the `/` in their paths.

#![cfg(test)]
#![cfg(unix)]

#[path = "tidy/manifest.rs"]
mod manifest;
#[path = "tidy/markdown.rs"]
mod markdown;
#[path = "tidy/snippets.rs"]
mod snippets;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;

use source::Source;

/// What the README tells a newcomer to run; the gate runs the first one, word for word.
const TEST_COMMAND: &str = "cargo test --workspace --locked";
const DEMO_COMMAND: &str = "cargo run --release -- demo";

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Where a verb finds its way: each `match` names every case, so that a new verb does not compile unrouted.
const ROUTING_FILES: [&str; 4] = [
    "crates/broker/src/board/route.rs",
    "crates/cli/src/main.rs",
    "crates/cli/src/run.rs",
    "crates/daemon/src/dispatch.rs",
];

/// The doors that stay closed: no manifest of the first names one of the second, in any table.
const CLOSED_DOORS: [(&str, &[&str]); 4] = [
    ("protocol", &["callboard-broker", "callboard-client", "callboard-daemon", "tokio"]),
    ("broker", &["callboard-client", "callboard-daemon", "tokio", "tokio-util", "dashmap", "interprocess"]),
    ("client", &["callboard-broker", "callboard-daemon"]),
    ("cli", &["callboard-broker"]),
];

#[track_caller]
fn hold(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}", broken.join("\n  "));
}

/// Every place in a Rust file at one of the offsets that `find` gives.
fn places(find: impl Fn(&Source) -> Vec<usize>) -> Vec<String> {
    let files = tree::sources();
    let found = files.iter().flat_map(|file| find(file).into_iter().map(|at| file.place(at)));
    found.collect()
}

#[test]
fn files_stay_short() {
    let files = tree::sources();
    let long = files.iter().map(|file| (file, file.text.lines().count()));
    let long = long.filter(|(_, lines)| *lines > FILE_LINES_MAX);
    let broken: Vec<_> = long.map(|(file, lines)| format!("{}: {lines} lines", file.path)).collect();
    hold(&format!("split files of more than {FILE_LINES_MAX} lines along their nouns:"), &broken);
}

#[test]
fn functions_stay_short() {
    let mut broken = Vec::new();
    for file in tree::sources() {
        let long = file.functions().into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
        broken
            .extend(long.map(|it| format!("{}:{}: {} has {} lines", file.path, it.line, it.name, it.lines)));
    }
    hold(&format!("split functions of more than {FUNCTION_LINES_MAX} lines:"), &broken);
}

#[test]
fn files_say_what_they_own() {
    let broken = places(|file| if file.text.starts_with("//!") { vec![] } else { vec![0] });
    hold("begin the file with //! what it owns, its invariant, what it lacks:", &broken);
}

/// Clippy sees only what the platform at hand compiles; the code for the others is read here.
#[test]
fn production_code_returns_errors() {
    let panics = [".unwrap()", ".expect(\"", "panic!("];
    let broken = places(|file| panics.iter().flat_map(|panic| file.in_production(panic)).collect());
    hold("return an error instead of a panic outside tests:", &broken);
}

#[test]
fn nothing_is_left_for_later() {
    let macros = ["dbg!(", "todo!(", "unimplemented!("];
    let marks = ["TODO", "FIXME", "XXX"];
    let broken = places(|file| {
        let comments = Source { code: file.comments.clone(), ..Source::new("", "") };
        let noted = marks.iter().flat_map(|mark| comments.words(mark).collect::<Vec<_>>());
        let called = macros.iter().flat_map(|name| file.code.match_indices(name).map(|(at, _)| at));
        noted.chain(called).collect()
    });
    hold("do it now, or write it down outside of the code:", &broken);
}

#[test]
fn lints_are_silenced_with_a_reason() {
    let broken = places(|file| {
        let levels = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];
        let silenced = levels.iter().flat_map(|level| file.code.match_indices(level));
        let unexplained = silenced.filter(|(at, level)| {
            let end = source::closing(&file.code, at + level.len() - 1).unwrap_or(file.code.len());
            !file.code[*at..end].contains("reason =")
        });
        unexplained.map(|(at, _)| at).collect()
    });
    hold("say reason = \"..\" for the lint that is silenced:", &broken);
}

#[test]
fn routing_names_every_case() {
    let broken = places(|file| {
        let is_routing = ROUTING_FILES.contains(&file.path.as_str());
        let arms = file.words("_").filter(|at| {
            let after = file.code[at + 1..].trim_start();
            after.starts_with("=>") || after.starts_with("if ")
        });
        arms.filter(|_| is_routing).collect()
    });
    hold("route each case by name, without `_ =>`:", &broken);
}

/// Prose in a comment does not end like a statement; code that was put out of use does.
#[test]
fn no_code_is_commented_out() {
    let broken = places(|file| {
        let mut at = 0;
        let mut suspects = Vec::new();
        for line in file.comments.split_inclusive('\n') {
            let comment = line.trim();
            let is_doc = comment.starts_with("///") || comment.starts_with("//!");
            if comment.starts_with("//") && !is_doc && comment.ends_with([';', '{']) {
                suspects.push(at);
            }
            at += line.len();
        }
        suspects
    });
    hold("delete code instead of commenting it out:", &broken);
}

#[test]
fn crates_keep_their_doors_closed() {
    let mut broken = Vec::new();
    for (path, manifest) in tree::texts() {
        for (name, closed) in CLOSED_DOORS {
            if path == format!("crates/{name}/Cargo.toml") {
                let dependencies = manifest::dependencies(&manifest).into_iter();
                let wrong = dependencies.filter(|(_, dependency)| closed.contains(&dependency.as_str()));
                broken.extend(wrong.map(|(line, dependency)| format!("{path}:{line}: {dependency}")));
            }
        }
    }
    hold("this door stays closed (ARCHITECTURE.md says why):", &broken);
}

/// A crate's own `clippy.toml` replaces the workspace's, so it has to repeat it.
#[test]
fn clippy_settings_of_crates_repeat_the_common_ones() {
    let texts = tree::texts();
    let (_, common) = texts.iter().find(|(path, _)| path == "clippy.toml").expect("clippy.toml is there");
    let mut broken = Vec::new();
    for (path, own) in texts.iter().filter(|(path, _)| path.ends_with("/clippy.toml")) {
        let missing = common.lines().filter(|setting| !own.lines().any(|line| line == *setting));
        broken.extend(missing.map(|setting| format!("{path}:1: lacks {setting}")));
    }
    hold("repeat the settings of the workspace:", &broken);
}

#[test]
fn the_gate_runs_what_the_readme_promises() {
    let promises = [
        ("README.md", TEST_COMMAND),
        ("README.md", DEMO_COMMAND),
        (".ci/run", TEST_COMMAND),
        ("justfile", TEST_COMMAND),
        ("justfile", DEMO_COMMAND),
    ];
    let mut broken = Vec::new();
    for (path, text) in tree::texts() {
        let unkept = promises.iter().filter(|(place, command)| *place == path && !text.contains(command));
        broken.extend(unkept.map(|(_, command)| format!("{path}:1: lacks {command}")));
    }
    hold("the same command stands everywhere, word for word:", &broken);
}

/// Documents may show an example of a home; programs, tests and settings find theirs at run time.
#[test]
fn no_home_is_spelled_out() {
    let homes = ["root", "home", "Users"].map(|folder| format!("/{folder}/"));
    let mut broken = Vec::new();
    for (path, text) in tree::texts().iter().filter(|(path, _)| !path.ends_with(".md")) {
        let lines = (1..).zip(text.lines());
        let spelled = lines.filter(|(_, line)| homes.iter().any(|home| line.contains(home)));
        broken.extend(spelled.map(|(line, _)| format!("{path}:{line}")));
    }
    hold("take the home from the environment:", &broken);
}

#[test]
fn documents_link_to_what_exists() {
    let mut broken = Vec::new();
    for (path, text) in tree::texts().iter().filter(|(path, _)| path.ends_with(".md")) {
        let document = tree::root().join(path);
        let links = markdown::relative_links(text).into_iter();
        let dead = links.filter(|(_, target)| !document.with_file_name("").join(target).exists());
        broken.extend(dead.map(|(line, target)| format!("{path}:{line}: {target}")));
    }
    hold("mend the link:", &broken);
}
