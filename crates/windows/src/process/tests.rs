//! Started processes are this very test program, which says what it was given.

use std::io::Read as _;

use super::*;

/// The arguments that make the test program run [`child`] and nothing else.
const CHILD: [&str; 4] = ["process::tests::child", "--exact", "--ignored", "--nocapture"];

#[test]
#[ignore = "the other tests start it as a process of its own"]
fn child() {
    println!("directory {}", std::env::current_dir().unwrap().display());
    println!("variable {}", std::env::var("CALLBOARD_TEST").unwrap());
    eprintln!("error stream");
}

#[test]
#[ignore = "another test starts it as a process of its own"]
fn child_that_stays() {
    let leave = PathBuf::from(std::env::var_os("CALLBOARD_TEST").unwrap());
    while !leave.exists() {
        std::thread::yield_now();
    }
}

/// Whoever waits for the end of our output must not wait for the daemon: it may hold no handle of ours, not even one that
/// every other child would get.
#[test]
fn a_process_holds_no_handle_but_its_streams() {
    let folder = tempfile::tempdir().unwrap();
    let leave = folder.path().join("leave");
    let (mut reader, writer) = io::pipe().unwrap();
    // SAFETY: the handle is the pipe's, hence open.
    check(unsafe { SetHandleInformation(writer.as_raw_handle(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) })
        .unwrap();
    let args = ["process::tests::child_that_stays", "--exact", "--ignored"].map(OsString::from);
    let launch = Launch {
        program: &std::env::current_exe().unwrap(),
        args: &args,
        variables: &[("CALLBOARD_TEST", leave.as_os_str())],
        directory: Path::new(r"C:\"),
        output: File::create(folder.path().join("log")).unwrap(),
    };
    let mut child = launch.start().unwrap();
    drop(writer);
    let ended = std::thread::spawn(move || reader.read(&mut [0; 1]));
    let start = std::time::Instant::now();
    while !ended.is_finished() && start.elapsed() < std::time::Duration::from_secs(5) {
        std::thread::yield_now();
    }
    let is_ended = ended.is_finished();
    File::create(&leave).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(is_ended, "the child held the pipe");
    assert_eq!(ended.join().unwrap().unwrap(), 0);
}

fn run(args: &[&str], value: &str) -> (ExitStatus, String) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let launch = Launch {
        program: &std::env::current_exe().unwrap(),
        args: &args,
        variables: &[("CALLBOARD_TEST", value.as_ref())],
        directory: Path::new(r"C:\"),
        output: File::create(&log).unwrap(),
    };
    let status = launch.start().unwrap().wait().unwrap();
    let mut said = String::new();
    File::open(&log).unwrap().read_to_string(&mut said).unwrap();
    (status, said)
}

#[test]
fn a_process_gets_arguments_variables_directory_and_output() {
    let (status, said) = run(&CHILD, r#"a "b" c\"#);
    assert!(status.success(), "{said}");
    assert!(said.contains(r"directory C:\"), "{said}");
    assert!(said.contains(r#"variable a "b" c\"#) && said.contains("error stream"), "{said}");
}

#[test]
fn how_it_ended_is_known() {
    let (status, _) = run(&["--no-such-option"], "");
    assert!(!status.success());
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    for program in ["callboard-nowhere", r"C:\callboard-nowhere.exe"] {
        let launch = Launch {
            program: Path::new(program),
            args: &[],
            variables: &[],
            directory: Path::new(r"C:\"),
            output: tempfile::tempfile().unwrap(),
        };
        assert_eq!(launch.start().unwrap_err().kind(), io::ErrorKind::NotFound, "{program}");
    }
}

#[test]
fn arguments_are_quoted_so_that_they_come_out_as_they_went_in() {
    let args = [r#"a b"#, r#"say "hi""#, r"C:\dir\", r#"\""#, ""].map(OsString::from);
    let line = command_line(Path::new(r"C:\p.exe"), &args).unwrap();
    let line = String::from_utf16(&line[..line.len() - 1]).unwrap();
    assert_eq!(line, r#""C:\p.exe" "a b" "say \"hi\"" "C:\dir\\" "\\\"" """#);
}

#[test]
fn this_process_runs_and_one_that_ended_does_not() {
    assert!(is_running(std::process::id()));
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .arg("--list")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id();
    child.wait().unwrap();
    drop(child);
    assert!(!is_running(pid));
}
