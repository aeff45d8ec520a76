//! The file through which a program hands its checkpoints on.
//!
//! Invariant: what is handed on is JSON, and nothing is handed on twice. A file that is half written is no JSON, and is looked
//! at again later; a program that replaces it by renaming is never seen halfway.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use callboard_protocol::Json;

/// The file.
pub struct CheckpointFile {
    path: PathBuf,
    bytes_max: u64,
    /// What the daemon knows.
    known: String,
}

impl CheckpointFile {
    /// The file in `folder` of the claim `token`, with the checkpoint of the last attempt if there is one.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn create(folder: &Path, token: u64, last: Option<&Json>, bytes_max: usize) -> io::Result<Self> {
        let path = folder.join(format!("checkpoint-{token}.json"));
        let known = last.map(|json| json.as_str().to_owned()).unwrap_or_default();
        if last.is_some() {
            fs::write(&path, &known)?;
        }
        Ok(Self { path, bytes_max: u64::try_from(bytes_max).unwrap_or(u64::MAX), known })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A checkpoint that the daemon does not know, as the file has it.
    pub fn news(&self) -> Option<String> {
        let text = self.read().ok()?;
        (text != self.known && Json::parse(&text).is_ok()).then_some(text)
    }

    /// Notes that `text` has been handed on, or can't be.
    pub fn settle(&mut self, text: String) {
        self.known = text;
    }

    /// Why what is in the file can't be handed on, if it can't.
    pub fn complaint(&self) -> Option<String> {
        let text = self.read().ok().filter(|text| *text != self.known)?;
        if u64::try_from(text.len()).is_ok_and(|len| len > self.bytes_max) {
            return Some(format!("it has more than {} bytes", self.bytes_max));
        }
        Json::parse(&text).err().map(|error| error.message.into_string())
    }

    fn read(&self) -> io::Result<String> {
        let mut text = String::new();
        // One byte more than may be handed on tells that it is too long.
        File::open(&self.path)?.take(self.bytes_max.saturating_add(1)).read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Drop for CheckpointFile {
    fn drop(&mut self) {
        // Left behind it goes with its folder.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_news_once_and_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let last = Json::parse(r#"{"line":7}"#).unwrap();
        let mut file = CheckpointFile::create(folder.path(), 1, Some(&last), 20).unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), r#"{"line":7}"#);
        assert_eq!(file.news(), None);
        fs::write(file.path(), r#"{"line":"#).unwrap();
        assert_eq!(file.news(), None);
        assert!(file.complaint().is_some());
        fs::write(file.path(), r#"{"line":8}"#).unwrap();
        assert_eq!(file.news().as_deref(), Some(r#"{"line":8}"#));
        file.settle(r#"{"line":8}"#.to_owned());
        assert_eq!((file.news(), file.complaint()), (None, None));
        fs::write(file.path(), "1".repeat(30)).unwrap();
        assert!(file.complaint().is_some_and(|why| why.contains("20 bytes")));
    }

    #[test]
    fn without_a_last_attempt_there_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = CheckpointFile::create(folder.path(), 1, None, 20).unwrap();
        assert!(!file.path().exists());
        assert_eq!((file.news(), file.complaint()), (None, None));
    }
}
