//! The layers of the configuration, and what each refuses.

use std::ffi::OsString;

use super::*;

fn home(file: Option<&str>) -> (tempfile::TempDir, Home) {
    let above = tempfile::tempdir().unwrap();
    if let Some(text) = file {
        std::fs::write(above.path().join(FILE_NAME), text).unwrap();
    }
    let home = Home::open(above.path()).unwrap();
    (above, home)
}

fn load(file: &str) -> Result<Config, ConfigError> {
    let (_above, home) = home(Some(file));
    Config::load(&home, &|_| None, &Options::default())
}

#[test]
fn the_commented_file_says_exactly_the_defaults_and_names_every_setting() {
    assert_eq!(load(DEFAULT_FILE).unwrap(), Config::default());
    let (_above, empty) = home(None);
    assert_eq!(Config::load(&empty, &|_| None, &Options::default()).unwrap(), Config::default());

    let limits = serde_json::to_value(Limits::default()).unwrap();
    let limits = limits.as_object().unwrap().keys().map(String::as_str);
    let scalars = [
        "# socket",
        "durability",
        "snapshot_interval_ms",
        "journal_bytes",
        "grace_ms",
        "admin",
        "log",
        "log_format",
    ];
    for setting in limits.chain(scalars) {
        assert!(DEFAULT_FILE.contains(&format!("\n{setting} = ")), "{setting} is not in the file");
    }
}

#[test]
fn a_flag_goes_before_a_variable_and_a_variable_before_the_file() {
    let (_above, home) = home(Some("grace_ms = 1\nlog = \"warn\"\nlog_format = \"json\"\nadmin = false"));
    let environment = |name: &str| match name {
        "CALLBOARD_GRACE_MS" => Some(OsString::from("2")),
        "CALLBOARD_LOG" => Some(OsString::from("debug")),
        "CALLBOARD_DURABILITY" => Some(OsString::from("memory")),
        "CALLBOARD_SOCKET" => Some(OsString::from("/run/board.sock")),
        _ => None,
    };
    let options = Options { log: Some("trace".to_owned()), ..Options::default() };
    let config = Config::load(&home, &environment, &options).unwrap();
    let socket = std::path::absolute("/run/board.sock").unwrap();
    let expected = Config {
        socket: Some(socket.clone()),
        durability: Durability::Memory,
        grace_ms: 2,
        admin: false,
        log: "trace".to_owned(),
        log_format: LogFormat::Json,
        ..Config::default()
    };
    assert_eq!(config, expected);
    assert_eq!(config.socket(&home), socket);
    assert_eq!(Config::default().socket(&home), home.socket());
}

#[test]
fn a_mistake_in_the_file_is_named_with_its_line() {
    for (file, line, says) in [
        ("admin = true\n\ngraze_ms = 1\n", 3, "graze_ms"),
        ("[limits]\nkeys = 1\nkees = 2\n", 3, "kees"),
        ("[limits]\nkeys = \"many\"\n", 2, "keys = \"many\""),
        ("durability = \"forever\"\n", 1, "memory"),
        ("admin = true\nadmin = true\n", 2, "admin"),
        ("admin =", 1, "admin"),
        ("home = \"/elsewhere\"", 1, "home"),
    ] {
        let error = load(file).unwrap_err();
        let text = error.to_string();
        let ConfigError::Syntax { place, .. } = error else { panic!("{text}") };
        assert_eq!(place.line, line, "{text}");
        assert!(text.contains("config.toml:") && text.contains(says), "{text}");
    }
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    for (file, says) in [
        ("limits.frame_bytes = 16777216", "limits.frame_bytes = 16777216: 1024 to 16777215"),
        ("limits.value_bytes = 5000000", "limits.value_bytes = 5000000: 1 to 4194304"),
        ("limits.connections = 0", "limits.connections = 0"),
        ("limits.outbound_soft_bytes = 99999999", "limits.outbound_soft_bytes"),
        ("snapshot_interval_ms = 0", "snapshot_interval_ms = 0: 100 to"),
        ("grace_ms = 86400001", "grace_ms = 86400001: 0 to 86400000"),
    ] {
        let error = load(file).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_variable_that_says_nothing_useful_is_named() {
    let (_above, home) = home(None);
    for (variable, value) in
        [("CALLBOARD_ADMIN", "maybe"), ("CALLBOARD_GRACE_MS", "-1"), ("CALLBOARD_LOG_FORMAT", "xml")]
    {
        let environment = |name: &str| (name == variable).then(|| OsString::from(value));
        let error = Config::load(&home, &environment, &Options::default()).unwrap_err().to_string();
        assert!(error.contains(variable) && error.contains(value), "{error}");
    }
}
