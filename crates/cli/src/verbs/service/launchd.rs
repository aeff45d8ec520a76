//! The launch agent on macOS.

use std::path::PathBuf;

use super::plan::{Manager, Place, Plan, Step, words};

const TEMPLATE: &str = include_str!("../../../../../launchd/dev.callboard.daemon.plist");
const LABEL: &str = "dev.callboard.daemon";

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
        Plan {
            steps: vec![
                place.stop_daemon(),
                Step::MakeDirectory(place.home.join(".callboard")),
                Step::Write { path, text: filled(place) },
                // One that is loaded already would keep what it was loaded with.
                Step::Try(words(["launchctl", "bootout", &service(place)])),
                Step::Run(words(["launchctl", "bootstrap", &domain(place), &target])),
            ],
        }
    }

    fn uninstall(&self, place: &Place) -> Plan {
        Plan {
            steps: vec![
                Step::Try(words(["launchctl", "bootout", &service(place)])),
                Step::Remove(file(place)),
            ],
        }
    }

    fn state(&self, place: &Place) -> Vec<String> {
        words(["launchctl", "print", &service(place)])
    }
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_property_list_names_this_program_and_this_home_as_xml_needs_them() {
        let place = Place {
            home: PathBuf::from("/users/ada & <eve>"),
            program: PathBuf::from("/opt/a&b/callboard"),
            uid: "501".to_owned(),
        };
        let list = filled(&place);
        assert!(list.contains("<string>/opt/a&amp;b/callboard</string>"), "{list}");
        assert!(
            list.contains("<string>/users/ada &amp; &lt;eve&gt;/.callboard/callboard.sock</string>"),
            "{list}"
        );
        let (comment, body) = list.split_once("<plist version=").unwrap();
        assert!(!body.contains("__"), "{list}");
        assert!(comment.contains("__HOME__") && !comment.contains("ada"), "{list}");
        let plan = Launchd.install(&place).to_string();
        assert!(plan.ends_with(
            "run launchctl bootstrap gui/501 /users/ada & <eve>/Library/LaunchAgents/dev.callboard.daemon.plist"
        ));
    }
}
