//! The property list as it is written, and the steps against a launchctl of our own, which behaves as launchd's own does.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::failure::Failure;

/// A service that was told to end is still there at the next look, and can't be loaded until it is gone.
const LAUNCHCTL: &str = r#"
cd "$(dirname "$0")" || exit 1
echo "$1" >> calls
case $1 in
bootout)
    test -e loaded || { echo 'Boot-out failed: 3: No such process' >&2; exit 3; }
    mv loaded ending ;;
print)
    if test -e ending; then rm ending; echo 'state = SIGTERMed'; exit; fi
    test -e loaded || { echo 'Could not find service "dev.callboard.daemon" in domain for user gui: 501' >&2; exit 113; } ;;
bootstrap)
    if test -e loaded || test -e ending; then echo 'Bootstrap failed: 5: Input/output error' >&2; exit 5; fi
    test "$2" = gui/501 && cp "$3" loaded ;;
enable)
    test "$2" = gui/501/dev.callboard.daemon ;;
esac
"#;

struct Mac {
    folder: TempDir,
    place: Place,
}

impl Mac {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("launchctl"), LAUNCHCTL).unwrap();
        let place = Place {
            home: folder.path().join("ada & <eve>"),
            program: PathBuf::from("/opt/a&b/callboard"),
            uid: "501".to_owned(),
        };
        Self { folder, place }
    }

    fn in_folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ours(&self, words: Vec<String>) -> Vec<String> {
        let script = self.in_folder("launchctl").to_string_lossy().into_owned();
        let (program, arguments) = words.split_first().unwrap();
        assert_eq!(program, "launchctl");
        ["sh".to_owned(), script].into_iter().chain(arguments.iter().cloned()).collect()
    }

    fn carry_out(&self, plan: Plan) -> Result<(), Failure> {
        let stop = self.place.stop_daemon();
        let steps = plan.steps.into_iter().filter(|step| *step != stop).map(|step| match step {
            Step::Run(words) => Step::Run(self.ours(words)),
            Step::Try(words) => Step::Try(self.ours(words)),
            Step::UntilGone(words) => Step::UntilGone(self.ours(words)),
            other @ (Step::MakeDirectory(_) | Step::Write { .. } | Step::Remove(_)) => other,
        });
        Plan { steps: steps.collect() }.carry_out()
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_property_list_names_this_program_and_this_home_as_xml_needs_them() {
    let place = Place { home: PathBuf::from("/users/ada & <eve>"), ..Mac::new().place };
    let list = filled(&place);
    assert!(list.contains("<string>/opt/a&amp;b/callboard</string>"), "{list}");
    assert!(
        list.contains("<string>/users/ada &amp; &lt;eve&gt;/.callboard/callboard.sock</string>"),
        "{list}"
    );
    let (comment, body) = list.split_once("<plist version=").unwrap();
    assert!(!body.contains("__"), "{list}");
    assert!(comment.contains("__HOME__") && !comment.contains("ada"), "{list}");
}

#[test]
fn what_is_shown_before_is_every_step_in_its_order() {
    let place = Place { home: PathBuf::from("/users/ada"), ..Mac::new().place };
    let shown = Launchd.install(&place).to_string();
    let shown: Vec<&str> = shown.lines().filter(|line| !line.starts_with("    ")).collect();
    assert_eq!(
        shown,
        [
            "run /opt/a&b/callboard down",
            "make /users/ada/.callboard",
            "write /users/ada/Library/LaunchAgents/dev.callboard.daemon.plist",
            "run launchctl bootout gui/501/dev.callboard.daemon",
            "wait until this finds nothing: launchctl print gui/501/dev.callboard.daemon",
            "run launchctl enable gui/501/dev.callboard.daemon",
            "run launchctl bootstrap gui/501 /users/ada/Library/LaunchAgents/dev.callboard.daemon.plist",
        ]
    );
}

#[test]
fn a_service_is_installed_again_over_one_that_takes_its_time_to_end() {
    let mac = Mac::new();
    for _ in 0..2 {
        mac.carry_out(Launchd.install(&mac.place)).unwrap();
        assert_eq!(fs::read_to_string(mac.in_folder("loaded")).unwrap(), filled(&mac.place));
    }
    assert_eq!(mode(&file(&mac.place)), 0o644);
    assert_eq!(mode(&mac.place.home.join(".callboard")), 0o700);
    let calls = fs::read_to_string(mac.in_folder("calls")).unwrap();
    let again = ["bootout", "print", "print", "enable", "bootstrap"];
    assert_eq!(calls.lines().skip(4).collect::<Vec<_>>(), again);
}

#[test]
fn what_is_installed_is_uninstalled_and_once_is_as_good_as_twice() {
    let mac = Mac::new();
    mac.carry_out(Launchd.install(&mac.place)).unwrap();
    for _ in 0..2 {
        mac.carry_out(Launchd.uninstall(&mac.place)).unwrap();
        assert!(!mac.in_folder("loaded").exists() && !file(&mac.place).exists());
    }
}

#[test]
fn a_refusal_is_told_in_launchds_words_with_the_step_and_what_to_do() {
    let mac = Mac::new();
    let other = Place { uid: "502".to_owned(), ..mac.place.clone() };
    let Err(Failure::Told(report)) = mac.carry_out(Launchd.install(&other)) else {
        panic!("the domain is another user's");
    };
    assert!(report.what.contains("enable gui/502/dev.callboard.daemon"), "{}", report.what);

    let next = |why: &str| Launchd.next(&mac.place, why).unwrap();
    assert_eq!(next("Could not find service \"dev.callboard.daemon\""), "callboard service install");
    assert!(next("Bootstrap failed: 125: Domain does not support specified action").contains("log in"));
    assert!(next("Bootstrap failed: 5: Input/output error").starts_with("plutil -lint '"));
    assert_eq!(Launchd.next(&mac.place, "it is still there after 40 s"), None);
}

#[test]
fn the_state_is_told_in_a_few_lines() {
    let said = "gui/501/dev.callboard.daemon = {\n\tactive count = 1\n\tpath = /p.plist\n\tstate = running\n\n\
                \tsockets = {\n\t\t\"callboard\" = {\n\t\t\tstate = active\n\t\t}\n\t}\n\tpid = 77\n}\n";
    assert_eq!(Launchd.summary(said), "path = /p.plist\nstate = running\npid = 77");
    assert_eq!(Launchd.summary("words of a later release\n"), "words of a later release");
}
