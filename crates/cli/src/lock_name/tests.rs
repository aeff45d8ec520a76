//! Paths as people type them, and the names that they come to.

#[cfg(windows)]
mod windows;

use std::fs;

use super::*;

/// A worktree `app` beside `other`, with files, a link inside it, a link out of it, and a name with wildcards in it.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        for directory in ["app/.git/objects", "app/.git/refs", "app/src/auth", "other"] {
            fs::create_dir_all(desk.path(directory)).unwrap();
        }
        for file in ["app/.git/HEAD", "app/src/auth/login.ts", "other/file"] {
            fs::write(desk.path(file), "").unwrap();
        }
        #[cfg(unix)]
        for file in ["app/src/a*b.ts", "app/src/x\\y"] {
            fs::write(desk.path(file), "").unwrap();
        }
        #[cfg(unix)]
        for (link, target) in
            [("app/code", "app/src"), ("app/out", "other"), ("app/login", "app/src/auth/login.ts")]
        {
            std::os::unix::fs::symlink(desk.path(target), desk.path(link)).unwrap();
        }
        desk
    }

    fn path(&self, relative: &str) -> PathBuf {
        canonicalize(self.folder.path()).unwrap().join(relative)
    }

    fn name(&self, directory: &str, path: &str) -> String {
        let place = Place::at(&self.path(directory)).unwrap();
        place.lock_name(path).unwrap().name
    }

    /// The path as a person types it.
    fn typed(&self, relative: &str) -> String {
        self.path(relative).to_str().unwrap().to_owned()
    }

    /// The name of a lock on it from elsewhere.
    fn absolute(&self, relative: &str) -> String {
        let typed = self.typed(relative);
        if cfg!(windows) { format!("/{}", typed.replace('\\', "/")) } else { typed }
    }
}

#[test]
fn names_are_relative_to_the_worktree_from_every_directory_in_it() {
    let desk = Desk::new();
    for (directory, path, name) in [
        ("app", "src/auth/login.ts", "src/auth/login.ts"),
        ("app/src", "auth/login.ts", "src/auth/login.ts"),
        ("app/src/auth", "./login.ts", "src/auth/login.ts"),
        ("app/src/auth", "../../src//auth/./login.ts", "src/auth/login.ts"),
        ("app/src", "new/not/there.ts", "src/new/not/there.ts"),
        ("app/src", "new/../auth/login.ts", "src/auth/login.ts"),
        ("app/src", "auth/", "src/auth/**"),
        ("app/src", "new/", "src/new/**"),
        ("app/src", "auth", "src/auth"),
        ("app", ".", "**"),
        ("app", "./", "**"),
        ("app/src", "..", "**"),
        ("app/src", ".", "src"),
    ] {
        assert_eq!(desk.name(directory, path), name, "{path} in {directory}");
    }
}

#[test]
fn wildcards_pass_through_from_where_they_begin() {
    let desk = Desk::new();
    for (directory, path, name) in [
        ("app", "src/**", "src/**"),
        ("app/src", "**", "src/**"),
        ("app/src", "../src/*/login.ts", "src/*/login.ts"),
        ("app/src", "**/*.ts", "src/**/*.ts"),
        ("app", "*", "*"),
        ("app", "src/*/", "src/*/"),
        #[cfg(unix)]
        ("app", r"src/new\*.ts", r"src/new\*.ts"),
        #[cfg(unix)]
        ("app", r"src/wrong\n/x", r"src/wrong\n/x"),
    ] {
        assert_eq!(desk.name(directory, path), name, "{path} in {directory}");
    }
    let place = Place::at(&desk.path("app")).unwrap();
    let error = place.lock_name("src/*/../x").unwrap_err();
    assert_eq!(error, LockNameError::ParentOfWildcard("src/*/../x".to_owned()));
    assert_eq!(place.lock_name(""), Err(LockNameError::Empty));
}

#[test]
#[cfg(unix)]
fn a_file_whose_name_looks_like_a_pattern_is_that_file() {
    let desk = Desk::new();
    for (path, name) in [
        ("src/a*b.ts", r"src/a\*b.ts"),
        (r"src/a\*b.ts", r"src/a\*b.ts"),
        (r"src/x\y", r"src/x\\y"),
        (r"src/x\\y", r"src/x\\y"),
    ] {
        assert_eq!(desk.name("app", path), name, "{path}");
    }
}

#[test]
fn paths_outside_of_a_worktree_are_absolute() {
    let desk = Desk::new();
    let file = desk.absolute("other/file");
    assert_eq!(desk.name("app", "../other/file"), file);
    assert_eq!(desk.name("other", "file"), file);
    assert_eq!(desk.name("other", "*.ts"), desk.absolute("other/*.ts"));
    assert_eq!(desk.name("other", &desk.typed("app/src/auth")), desk.absolute("app/src/auth"));
    assert_eq!(desk.name("app/src", &desk.typed("app/src/auth/login.ts")), "src/auth/login.ts");
    assert_eq!(desk.name("app/src", &desk.typed("app/**/x")), "**/x");
    #[cfg(unix)]
    assert_eq!(desk.name("other", "/"), "/**");
}

#[test]
#[cfg(unix)]
fn symbolic_links_on_the_way_are_followed_and_the_last_name_is_kept() {
    let desk = Desk::new();
    for (path, name) in [
        ("code/auth/login.ts", "src/auth/login.ts"),
        ("code/new/file.ts", "src/new/file.ts"),
        ("code/*.ts", "src/*.ts"),
        ("code/", "src/**"),
        ("login", "login"),
        ("code", "code"),
    ] {
        assert_eq!(desk.name("app", path), name, "{path}");
    }
    assert_eq!(desk.name("app", "out/file"), desk.absolute("other/file"));
}

#[test]
fn a_directory_s_own_name_is_told_apart() {
    let desk = Desk::new();
    let place = Place::at(&desk.path("app")).unwrap();
    let is_bare = |path| place.lock_name(path).unwrap().is_bare_directory;
    assert!(is_bare("src"));
    assert!(!is_bare("src/") && !is_bare("src/**") && !is_bare("src/auth/login.ts") && !is_bare("."));
}
