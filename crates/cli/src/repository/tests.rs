//! The repository rule against what git itself makes.

use std::process::Command;

use tempfile::TempDir;

use super::*;

/// A folder with a repository `main` of one commit, made by git without the settings of whoever runs the test.
struct Forge {
    folder: TempDir,
}

impl Forge {
    fn new() -> Self {
        let forge = Self { folder: tempfile::tempdir().unwrap() };
        forge.git(".", &["init", "--quiet", "main"]);
        forge.git("main", &["commit", "--quiet", "--allow-empty", "--message", "first"]);
        forge
    }

    fn path(&self, relative: &str) -> PathBuf {
        canonicalize(self.folder.path()).unwrap().join(relative)
    }

    fn git(&self, directory: &str, arguments: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(self.path(directory))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "ada")))
            .envs(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "ada@example.com")))
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
    }

    fn around(&self, directory: &str) -> Repository {
        around(&self.path(directory)).unwrap().expect("a repository")
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs git, which Wine does not have")]
fn all_worktrees_meet_in_the_common_directory_of_the_main_one() {
    let forge = Forge::new();
    forge.git("main", &["worktree", "add", "--quiet", "../linked"]);
    forge.git("main", &["worktree", "add", "--quiet", "--detach", "inner/tree"]);
    fs::create_dir_all(forge.path("linked/src/deep")).unwrap();

    for (directory, worktree) in [
        ("main", "main"),
        ("linked/src/deep", "linked"),
        ("main/inner", "main"),
        ("main/inner/tree", "main/inner/tree"),
    ] {
        let found = forge.around(directory);
        assert_eq!(found.worktree, Some(forge.path(worktree)), "{directory}");
        assert_eq!(found.common_directory, forge.path("main/.git"), "{directory}");
        assert_eq!(found.name(), "main", "{directory}");
    }
    for directory in ["main/.git", "main/.git/worktrees/linked"] {
        let found = forge.around(directory);
        assert_eq!(found.worktree, None, "{directory}");
        assert_eq!(found.common_directory, forge.path("main/.git"), "{directory}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs git, which Wine does not have")]
fn worktrees_of_a_bare_repository_meet_too() {
    let forge = Forge::new();
    forge.git(".", &["clone", "--quiet", "--bare", "main", "store.git"]);
    forge.git("store.git", &["worktree", "add", "--quiet", "--detach", "../tree"]);

    let inside = forge.around("store.git");
    assert_eq!((inside.worktree.as_deref(), inside.name().as_str()), (None, "store.git"));
    let tree = forge.around("tree");
    assert_eq!(tree.common_directory, inside.common_directory);
    assert_eq!(tree.name(), "store.git");
    assert_eq!(tree.worktree, Some(forge.path("tree")));
}

#[test]
#[cfg_attr(windows, ignore = "needs git, which Wine does not have")]
fn a_submodule_is_a_repository_of_its_own() {
    let forge = Forge::new();
    forge.git(".", &["clone", "--quiet", "main", "library"]);
    forge.git("main", &["submodule", "--quiet", "add", "../library", "vendor/library"]);

    let submodule = forge.around("main/vendor/library");
    assert_eq!(submodule.worktree, Some(forge.path("main/vendor/library")));
    assert_eq!(submodule.name(), "library");
    assert_ne!(submodule.common_directory, forge.around("main").common_directory);
}

#[test]
#[cfg_attr(windows, ignore = "needs git, which Wine does not have")]
fn a_git_directory_may_live_elsewhere() {
    let forge = Forge::new();
    forge.git(".", &["init", "--quiet", "--separate-git-dir", "elsewhere", "work"]);
    let work = forge.around("work");
    assert_eq!(work.worktree, Some(forge.path("work")));
    assert_eq!(work.common_directory, forge.path("elsewhere"));
}

#[test]
#[cfg(unix)]
fn a_symbolic_link_leads_to_the_same_repository() {
    let forge = Forge::new();
    std::os::unix::fs::symlink(forge.path("main"), forge.path("link")).unwrap();
    assert_eq!(forge.around("link"), forge.around("main"));
}

#[test]
fn what_git_does_not_take_for_a_repository_is_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".git")).unwrap();
    assert_eq!(around(folder.path()).unwrap(), None);
}

#[test]
fn a_worktree_whose_repository_is_gone_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".git"), "gitdir: nowhere\n").unwrap();
    let error = around(folder.path()).unwrap_err().to_string();
    assert!(error.contains("nowhere") && error.contains("git worktree repair"), "{error}");
}
