//! The task of the Windows task scheduler.
//!
//! Invariant: the task is the user's own, runs with no more rights than the user has, and needs none to be installed. Its name
//! has the user's identifier in it, because names are the machine's.

use std::path::PathBuf;

use super::plan::{Manager, Place, Plan, Step, words};

const TEMPLATE: &str = include_str!("../../../../../windows/callboard.xml");

/// The task scheduler.
#[derive(Debug)]
pub struct Scheduler;

impl Manager for Scheduler {
    fn files(&self, place: &Place) -> Vec<PathBuf> {
        vec![file(place)]
    }

    fn install(&self, place: &Place) -> Plan {
        let path = file(place);
        let (task, definition) = (task(place), path.to_string_lossy().into_owned());
        Plan {
            steps: vec![
                place.stop_daemon(),
                Step::MakeDirectory(home(place)),
                Step::Write { path, text: filled(place) },
                Step::Run(words(["schtasks", "/Create", "/F", "/TN", &task, "/XML", &definition])),
                Step::Run(words(["schtasks", "/Run", "/TN", &task])),
            ],
        }
    }

    fn installed(&self) -> &'static str {
        "installed; the daemon starts now and whenever you log on"
    }

    fn uninstall(&self, place: &Place) -> Plan {
        Plan {
            steps: vec![
                Step::Try(words(["schtasks", "/Delete", "/F", "/TN", &task(place)])),
                Step::Remove(file(place)),
                place.stop_daemon(),
            ],
        }
    }

    fn state(&self, place: &Place) -> Vec<String> {
        words(["schtasks", "/Query", "/FO", "LIST", "/V", "/TN", &task(place)])
    }
}

fn home(place: &Place) -> PathBuf {
    place.home.join("AppData").join("Local").join("callboard")
}

fn file(place: &Place) -> PathBuf {
    home(place).join("service.xml")
}

fn task(place: &Place) -> String {
    format!("callboard-{}", place.uid)
}

/// The comment speaks of the placeholders, so it is left out.
fn filled(place: &Place) -> String {
    let (before, comment) = TEMPLATE.split_once("<!--").unwrap_or((TEMPLATE, ""));
    let (_, after) = comment.split_once("-->\n").unwrap_or(("", comment));
    let program = escaped(&place.program.to_string_lossy());
    format!("{before}{after}").replace("__USER__", &place.uid).replace("__CALLBOARD__", &program)
}

/// A path in XML. In ASCII alone, so that it does not matter in which encoding the file is taken to be.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' => escaped.push_str(&format!("&#{};", u32::from(character))),
            ascii if ascii.is_ascii() => escaped.push(ascii),
            other => escaped.push_str(&format!("&#{};", u32::from(other))),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            home: PathBuf::from(r"C:\users\ada"),
            program: PathBuf::from("C:\\R&D\\caf\u{e9}\\callboard.exe"),
            uid: "S-1-5-21-1".to_owned(),
        }
    }

    #[test]
    fn the_task_names_this_program_and_this_user_in_plain_ascii() {
        let text = filled(&place());
        assert!(text.is_ascii() && !text.contains("__"), "{text}");
        assert!(text.starts_with("<?xml version=\"1.0\"?>\n<Task "), "{text}");
        assert!(text.contains(r"<Command>C:\R&#38;D\caf&#233;\callboard.exe</Command>"), "{text}");
        assert_eq!(text.matches("<UserId>S-1-5-21-1</UserId>").count(), 2, "{text}");
    }

    #[test]
    fn what_is_installed_is_uninstalled() {
        let place = place();
        let removed = Scheduler.uninstall(&place).steps;
        for file in Scheduler.files(&place) {
            assert!(removed.contains(&Step::Remove(file.clone())), "{}", file.display());
        }
        assert!(removed.iter().any(|step| step.to_string().contains("/Delete /F /TN callboard-S-1-5-21-1")));
    }
}
