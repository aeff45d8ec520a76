//! The units of a systemd user manager.

use std::path::{Path, PathBuf};

use super::plan::{Manager, Place, Plan, Step, words};

const SERVICE_TEMPLATE: &str = include_str!("../../../../../systemd/callboard.service");
const SOCKET_TEMPLATE: &str = include_str!("../../../../../systemd/callboard.socket");
const SERVICE: &str = "callboard.service";
const SOCKET: &str = "callboard.socket";

/// systemd.
#[derive(Debug)]
pub struct Systemd;

impl Manager for Systemd {
    fn files(&self, place: &Place) -> Vec<PathBuf> {
        vec![file(place, SOCKET), file(place, SERVICE)]
    }

    fn install(&self, place: &Place) -> Plan {
        let write = |name: &str, template: &str| Step::Write {
            path: file(place, name),
            text: filled(place, template),
        };
        Plan {
            steps: vec![
                place.stop_daemon(),
                Step::MakeDirectory(place.home.join(".callboard")),
                write(SOCKET, SOCKET_TEMPLATE),
                write(SERVICE, SERVICE_TEMPLATE),
                Step::Run(words(["systemctl", "--user", "daemon-reload"])),
                Step::Run(words(["systemctl", "--user", "enable", "--now", SOCKET])),
            ],
        }
    }

    fn uninstall(&self, place: &Place) -> Plan {
        Plan {
            steps: vec![
                Step::Try(words(["systemctl", "--user", "disable", "--now", SOCKET, SERVICE])),
                Step::Remove(file(place, SOCKET)),
                Step::Remove(file(place, SERVICE)),
                Step::Try(words(["systemctl", "--user", "daemon-reload"])),
            ],
        }
    }

    fn state(&self, _place: &Place) -> Vec<String> {
        // `systemctl status` fails when something is stopped, which is an answer too.
        words([
            "systemctl",
            "--user",
            "show",
            "--property=Id,ActiveState,SubState,MainPID,FragmentPath",
            SOCKET,
            SERVICE,
        ])
    }
}

fn file(place: &Place, name: &str) -> PathBuf {
    place.home.join(".config/systemd/user").join(name)
}

fn filled(place: &Place, template: &str) -> String {
    let home = escaped(&place.home);
    let program = quoted(&escaped(&place.program));
    let mut unit = String::with_capacity(template.len());
    for line in template.lines() {
        // Comments speak of the placeholders.
        if line.starts_with('#') {
            unit.push_str(line);
        } else {
            unit.push_str(&line.replace("__HOME__", &home).replace("__CALLBOARD__", &program));
        }
        unit.push('\n');
    }
    unit
}

/// A path in a unit: `%` begins a specifier there.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%%")
}

/// What stands between double quotes in a command line of a unit: `$` begins a variable there.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_units_name_this_program_and_this_home_as_systemd_needs_them() {
        let place = Place {
            home: PathBuf::from("/users/100%ada"),
            program: PathBuf::from("/opt/my %h \"$x\"/callboard"),
            uid: "1000".to_owned(),
        };
        let service = filled(&place, SERVICE_TEMPLATE);
        assert!(service.contains(r#"ExecStart="/opt/my %%h \"$$x\"/callboard" daemon"#), "{service}");
        let socket = filled(&place, SOCKET_TEMPLATE);
        assert!(socket.contains("ListenStream=/users/100%%ada/.callboard/callboard.sock"), "{socket}");
        for unit in [&service, &socket] {
            let settings = unit.lines().filter(|line| !line.starts_with('#'));
            assert!(settings.into_iter().all(|line| !line.contains("__")), "{unit}");
        }
    }

    #[test]
    fn what_is_installed_is_uninstalled() {
        let place = Place {
            home: PathBuf::from("/users/ada"),
            program: PathBuf::from("/opt/callboard"),
            uid: "1000".to_owned(),
        };
        let removed = Systemd.uninstall(&place).steps;
        for file in Systemd.files(&place) {
            assert!(removed.contains(&Step::Remove(file.clone())), "{}", file.display());
            assert!(Systemd.install(&place).to_string().contains(&format!("write {}", file.display())));
        }
    }
}
