//! The launch agent on macOS.

use std::path::PathBuf;

use super::plan::{Manager, Place, Plan, Step, words};

const TEMPLATE: &str = include_str!("../../../../../launchd/dev.callboard.daemon.plist");
const LABEL: &str = "dev.callboard.daemon";

/// What `launchctl print` says of a service that a person wants to know.
const TOLD: [&str; 6] = ["path", "program", "state", "pid", "runs", "last exit code"];

/// launchd.
#[derive(Debug)]
pub struct Launchd;

impl Manager for Launchd {
    fn files(&self, place: &Place) -> Vec<PathBuf> {
        vec![file(place)]
    }

    fn install(&self, place: &Place) -> Plan {
        let path = file(place);
        let target = path.to_string_lossy().into_owned();
        let mut steps = vec![
            place.stop_daemon(),
            Step::MakeDirectory(place.home.join(".callboard")),
            Step::Write { path, text: filled(place) },
        ];
        // One that is loaded already would keep what it was loaded with.
        steps.extend(unload(place));
        steps.push(Step::Run(words(["launchctl", "enable", &service(place)])));
        steps.push(Step::Run(words(["launchctl", "bootstrap", &domain(place), &target])));
        Plan { steps }
    }

    fn uninstall(&self, place: &Place) -> Plan {
        Plan { steps: unload(place).into_iter().chain([Step::Remove(file(place))]).collect() }
    }

    fn state(&self, place: &Place) -> Vec<String> {
        words(["launchctl", "print", &service(place)])
    }

    /// The service's own lines of note. `launchctl print` is for people and may change: without any of them, all of it.
    fn summary(&self, said: &str) -> String {
        let lines = said.lines().filter_map(|line| line.strip_prefix('\t'));
        let told: Vec<&str> = lines
            .filter(|line| line.split_once(" = ").is_some_and(|(name, _)| TOLD.contains(&name)))
            .collect();
        if told.is_empty() { said.trim().to_owned() } else { told.join("\n") }
    }

    fn next(&self, place: &Place, why: &str) -> Option<String> {
        let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
        if says(&["Could not find service"]) {
            return Some("callboard service install".to_owned());
        }
        if says(&["Could not find domain", "Domain does not support"]) {
            return Some("log in at the screen of this Mac, then: callboard service install".to_owned());
        }
        says(&["Bootstrap failed"]).then(|| format!("plutil -lint '{}'", file(place).display()))
    }
}

/// A service that is told to end may take its time, and can't be loaded anew before.
fn unload(place: &Place) -> [Step; 2] {
    [
        Step::Try(words(["launchctl", "bootout", &service(place)])),
        Step::UntilGone(words(["launchctl", "print", &service(place)])),
    ]
}

fn file(place: &Place) -> PathBuf {
    place.home.join(format!("Library/LaunchAgents/{LABEL}.plist"))
}

fn domain(place: &Place) -> String {
    format!("gui/{}", place.uid)
}

fn service(place: &Place) -> String {
    format!("{}/{LABEL}", domain(place))
}

fn filled(place: &Place) -> String {
    // What stands before the list is a comment, which speaks of the placeholders and may not hold every path.
    let (comment, list) = TEMPLATE.split_once("<plist").unwrap_or(("", TEMPLATE));
    let list = list
        .replace("__HOME__", &escaped(&place.home.to_string_lossy()))
        .replace("__CALLBOARD__", &escaped(&place.program.to_string_lossy()));
    format!("{comment}<plist{list}")
}

/// `text` as the content of an XML element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
