//! Which board a command works on.
//!
//! Invariant: what is said goes before what is found: the flag, the variable, the repository around the present
//! directory, `default`. All worktrees of a repository come to the same board.

use std::fmt;
use std::path::Path;

use callboard_protocol::{NameError, Namespace};
use sha2::{Digest, Sha256};

use crate::repository::{self, Repository, RepositoryError};

/// The variable that names the namespace.
pub const NAMESPACE_VARIABLE: &str = "CALLBOARD_NAMESPACE";
/// The longest name of a repository in a namespace, in characters.
const NAME_CHARS_MAX: usize = 64;
/// The bytes of the hash in a namespace; two hex digits each.
const HASH_BYTES: usize = 6;

/// Where a namespace comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `--namespace`.
    Flag,
    /// `CALLBOARD_NAMESPACE`.
    Variable,
    /// The git repository around the present directory.
    Repository,
    /// Nothing says another one.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "from --namespace",
            Self::Variable => "from $CALLBOARD_NAMESPACE",
            Self::Repository => "of the git repository here",
            Self::Default => "the default outside of git repositories",
        })
    }
}

/// Why there is no namespace. `Display` completes "failed to ...".
#[derive(Debug)]
pub enum NamespaceError {
    /// `CALLBOARD_NAMESPACE` is no valid name.
    Variable(NameError),
    /// The repository is unclear.
    Repository(RepositoryError),
}

impl fmt::Display for NamespaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(error) => write!(f, "take the namespace from ${NAMESPACE_VARIABLE}: {error}"),
            Self::Repository(error) => error.fmt(f),
        }
    }
}

/// The namespace for a command that is run in `directory`; `variable` is the value of `CALLBOARD_NAMESPACE`.
///
/// # Errors
/// [`NamespaceError`] when the variable or the repository is unclear, rather than to meet others in the wrong place.
pub fn resolve(
    flag: Option<&Namespace>,
    variable: Option<&str>,
    directory: &Path,
) -> Result<(Namespace, Source), NamespaceError> {
    if let Some(namespace) = flag {
        return Ok((namespace.clone(), Source::Flag));
    }
    if let Some(name) = variable.filter(|name| !name.is_empty()) {
        let namespace = Namespace::new(name).map_err(NamespaceError::Variable)?;
        return Ok((namespace, Source::Variable));
    }
    match repository::around(directory).map_err(NamespaceError::Repository)? {
        Some(repository) => Ok((of_repository(&repository), Source::Repository)),
        None => Ok((Namespace::default_board(), Source::Default)),
    }
}

/// `repo/NAME-HASH`.
fn of_repository(repository: &Repository) -> Namespace {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name = repository.name();
    let name = name.chars().take(NAME_CHARS_MAX);
    let name: String = name.map(|c| if is_kept(c) { c } else { '_' }).collect();
    let digest = Sha256::digest(portable(&repository.common_directory));
    let hash: String = digest[..HASH_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    // Only characters that a namespace takes, and far below its length: it is always valid.
    Namespace::new(&format!("repo/{name}-{hash}")).unwrap_or_else(|_| Namespace::default_board())
}

/// The bytes of a canonical path that programs of all kinds agree on.
#[cfg(unix)]
fn portable(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}

#[cfg(windows)]
fn portable(path: &Path) -> Vec<u8> {
    callboard_windows::path::portable(&path.to_string_lossy()).into_bytes()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn repository(common_directory: &str) -> Repository {
        Repository { worktree: None, common_directory: PathBuf::from(common_directory) }
    }

    #[test]
    fn a_repository_gives_its_name_and_the_hash_of_its_common_directory() {
        // printf %s /src/app/.git | sha256sum
        assert_eq!(of_repository(&repository("/src/app/.git")).as_str(), "repo/app-53ee4efe22a2");
        for (path, name) in
            [("/src/my app é/.git", "my_app__"), ("/src/lib.git", "lib.git"), ("/.git", "root")]
        {
            let namespace = of_repository(&repository(path));
            assert!(namespace.as_str().starts_with(&format!("repo/{name}-")), "{namespace}");
        }
        let long = format!("/src/{}/.git", "n".repeat(100));
        assert_eq!(of_repository(&repository(&long)).as_str().len(), "repo/".len() + 64 + 13);
    }

    #[test]
    fn what_is_said_goes_before_what_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let flag = Namespace::new("flag").unwrap();
        let resolved = |flag, variable| {
            let (namespace, source) = resolve(flag, variable, folder.path()).unwrap();
            (namespace.to_string(), source)
        };
        assert_eq!(resolved(Some(&flag), Some("variable")), ("flag".to_owned(), Source::Flag));
        assert_eq!(resolved(None, Some("variable")), ("variable".to_owned(), Source::Variable));
        assert_eq!(resolved(None, Some("")), ("default".to_owned(), Source::Default));
        let wrong = resolve(None, Some("a b"), folder.path()).unwrap_err();
        assert!(wrong.to_string().contains("$CALLBOARD_NAMESPACE"), "{wrong}");
    }
}
