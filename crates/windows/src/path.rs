//! Windows paths as text that programs of all kinds agree on: `/` between names, the drive in capitals.
//!
//! Invariant: nothing is looked up; a path that should be as the file system has it must be canonical before.

/// The text of an absolute path: `C:/users/ada` for `\\?\c:\users\ada` and for `c:\users\ada`, `//server/share` for both
/// ways to write a share.
#[must_use]
pub fn portable(path: &str) -> String {
    let path = path.replace('\\', "/");
    let plain = match path.strip_prefix("//?/") {
        Some(verbatim) => match verbatim.strip_prefix("UNC/") {
            Some(share) => format!("//{share}"),
            None => verbatim.to_owned(),
        },
        None => path,
    };
    match drive(&plain) {
        Some(letter) => format!("{}{}", letter.to_ascii_uppercase(), &plain[1..]),
        None => plain,
    }
}

/// The path as people write it: without the `\\?\` that the system puts before canonical ones. Rust's library puts it back
/// where a long path needs it.
#[must_use]
pub fn plain(path: &str) -> String {
    match path.strip_prefix(r"\\?\") {
        Some(verbatim) if drive(verbatim).is_some() => verbatim.to_owned(),
        Some(verbatim) => match verbatim.strip_prefix(r"UNC\") {
            Some(share) => format!(r"\\{share}"),
            None => path.to_owned(),
        },
        None => path.to_owned(),
    }
}

/// The drive letter that `path` begins with, as written.
#[must_use]
pub fn drive(path: &str) -> Option<char> {
    let mut characters = path.chars();
    let letter = characters.next().filter(char::is_ascii_alphabetic)?;
    (characters.next() == Some(':')).then_some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_path_come_to_one() {
        for spelling in [r"c:\users\ada", r"\\?\C:\users\ada", r"\\?\c:\users\ada", "C:/users/ada"] {
            assert_eq!(portable(spelling), "C:/users/ada", "{spelling}");
        }
        for spelling in [r"\\server\share\x", r"\\?\UNC\server\share\x"] {
            assert_eq!(portable(spelling), "//server/share/x", "{spelling}");
        }
        assert_eq!(plain(r"\\?\C:\users\ada"), r"C:\users\ada");
        assert_eq!(plain(r"\\?\UNC\server\share"), r"\\server\share");
        assert_eq!(plain(r"\\?\Volume{1}\x"), r"\\?\Volume{1}\x");
        assert_eq!(portable(r"\\.\pipe\callboard-ada"), "//./pipe/callboard-ada");
    }
}
