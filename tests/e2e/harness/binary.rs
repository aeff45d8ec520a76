//! The `callboard` binary of the profile under test, built once a run.
//!
//! Cargo hands a test only the binaries of its own package, so this one is asked for here; when it is fresh, that takes a
//! moment.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The variable that names a binary that is built already, for where cargo does not run.
const BUILT: &str = "E2E_CALLBOARD";

/// The path of the binary.
#[track_caller]
pub fn callboard() -> &'static Path {
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    BINARY
        .get_or_init(build)
        .as_ref()
        .expect("callboard builds: run `cargo build -p callboard` to see why not")
}

fn build() -> Option<PathBuf> {
    if let Some(built) = std::env::var_os(BUILT) {
        return Some(built.into());
    }
    let test = std::env::current_exe().expect("the test has a path");
    // target/PROFILE/deps/e2e-HASH
    let directory = test.ancestors().nth(2).expect("the test lies in target");
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--package", "callboard", "--profile", profile])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    let binary = directory.join(format!("callboard{}", std::env::consts::EXE_SUFFIX));
    built.status.success().then_some(binary)
}
