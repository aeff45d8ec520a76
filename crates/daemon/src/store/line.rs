//! A line of the store: one JSON text and its checksum, `{"c":"0a1b2c3d","r":{...}}`.
//!
//! Invariant: `c` is the CRC-32 (IEEE) of the bytes of `r` as they stand, eight lower-case hex digits, and the frame around
//! `r` has exactly this form. So any changed byte is noticed without parsing, and the line is still JSON for other tools.

use std::io::{self, BufRead};

use callboard_protocol::json::object::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What stands before the checksum.
const BEFORE_CHECKSUM: &[u8] = b"{\"c\":\"";
/// Digits of the checksum.
const CHECKSUM_DIGITS: usize = 8;
/// What stands between the checksum and the record.
const BEFORE_RECORD: &[u8] = b"\",\"r\":";
/// What stands after the record.
const AFTER_RECORD: &[u8] = b"}";

/// A record cannot be a line. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It has no JSON form.
    #[error("write a record as JSON: {0}; this is a fault of the program, please report it")]
    Json(#[from] serde_json::Error),
    /// Its JSON has a raw line break.
    #[error(
        "write a record on one line: its JSON has a line break; this is a fault of the program, please report it"
    )]
    LineBreak,
}

impl From<EncodeError> for io::Error {
    fn from(error: EncodeError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// What is wrong with a line. `Display` says it after "... failed to read FILE, line N (byte B): ".
#[derive(Debug, thiserror::Error)]
pub enum LineFault {
    /// The file ends inside the line, or before it.
    #[error("the file ends here too early")]
    Torn,
    /// The frame around the record is not that of a line.
    #[error("this is no line of the form {{\"c\":\"CHECKSUM\",\"r\":RECORD}}")]
    Form,
    /// The record is not the one that was written.
    #[error("the checksum says {stored}, the record has {computed:08x}")]
    Checksum {
        /// The checksum in the line.
        stored: String,
        /// The checksum of the record that stands there.
        computed: u32,
    },
    /// The record is whole, but it is not what this program understands here.
    #[error("the record is not understood: {0}")]
    Record(#[from] serde_json::Error),
    /// A newer program wrote the file.
    #[error("this has version {found}, and version {supported} is the newest that is understood")]
    Version {
        /// The version.
        found: u32,
        /// The newest version that is understood.
        supported: u32,
    },
    /// The record is understood, but does not belong here.
    #[error("{0}")]
    Place(&'static str),
}

/// Where a line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// The line's number, from 1.
    pub line: u64,
    /// Where the line begins, in bytes from the file's start.
    pub offset: u64,
}

/// A line that cannot be used, and where it is.
#[derive(Debug, thiserror::Error)]
#[error("line {} (byte {}): {fault}", position.line, position.offset)]
pub struct LineError {
    /// Where it is.
    pub position: Position,
    /// What is wrong with it.
    pub fault: LineFault,
}

/// Appends `record` to `buffer` as one line with its line feed; on an error `buffer` is as before.
///
/// # Errors
/// [`EncodeError`] when the record has no JSON form on one line: pre-written JSON inside it may have a line break.
pub fn encode<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, record: &T) -> Result<(), EncodeError> {
    encode_with(buffer, |buffer| Ok(serde_json::to_writer(buffer, record)?))
}

/// As [`encode`], for a record that writes itself.
///
/// # Errors
/// [`EncodeError::LineBreak`].
pub fn encode_text<T: Text>(buffer: &mut Vec<u8>, record: &T) -> Result<(), EncodeError> {
    encode_with(buffer, |buffer| {
        record.write(buffer);
        Ok(())
    })
}

fn encode_with(
    buffer: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = buffer.len();
    let checksum_start = start + BEFORE_CHECKSUM.len();
    let record_start = checksum_start + CHECKSUM_DIGITS + BEFORE_RECORD.len();
    buffer.extend_from_slice(BEFORE_CHECKSUM);
    buffer.extend_from_slice(&[b'0'; CHECKSUM_DIGITS]);
    buffer.extend_from_slice(BEFORE_RECORD);
    let written = write(buffer).and_then(|()| match memchr::memchr(b'\n', &buffer[record_start..]) {
        Some(_) => Err(EncodeError::LineBreak),
        None => Ok(()),
    });
    if written.is_err() {
        buffer.truncate(start);
        return written;
    }
    let checksum = hex(crc32fast::hash(&buffer[record_start..]));
    buffer[checksum_start..checksum_start + CHECKSUM_DIGITS].copy_from_slice(&checksum);
    buffer.extend_from_slice(AFTER_RECORD);
    buffer.push(b'\n');
    Ok(())
}

/// The digits of a checksum. Formatting it takes longer than computing it.
fn hex(checksum: u32) -> [u8; CHECKSUM_DIGITS] {
    let digits = b"0123456789abcdef";
    std::array::from_fn(|place| digits[(checksum >> (28 - 4 * place)) as usize & 15])
}

/// Gives the bytes of the record in `line` (without its line feed), once the checksum was found right.
///
/// # Errors
/// [`LineFault::Form`] or [`LineFault::Checksum`].
pub fn decode(line: &[u8]) -> Result<&[u8], LineFault> {
    let rest = line.strip_prefix(BEFORE_CHECKSUM).ok_or(LineFault::Form)?;
    let (stored, rest) = rest.split_at_checked(CHECKSUM_DIGITS).ok_or(LineFault::Form)?;
    let rest = rest.strip_prefix(BEFORE_RECORD).ok_or(LineFault::Form)?;
    let record = rest.strip_suffix(AFTER_RECORD).ok_or(LineFault::Form)?;
    let computed = crc32fast::hash(record);
    if stored == hex(computed) {
        Ok(record)
    } else {
        Err(LineFault::Checksum { stored: String::from_utf8_lossy(stored).into_owned(), computed })
    }
}

/// Reads a file line by line, and knows where it is.
pub struct LineReader<R> {
    input: R,
    buffer: Vec<u8>,
    position: Position,
}

impl<R> std::fmt::Debug for LineReader<R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LineReader").field("position", &self.position).finish_non_exhaustive()
    }
}

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The line cannot be used.
    #[error(transparent)]
    Line(#[from] LineError),
}

impl<R: BufRead> LineReader<R> {
    /// Reads from the start of `input`.
    pub fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), position: Position::default() }
    }

    /// The next record; `None` at the end of the input. Empty lines are passed over.
    ///
    /// # Errors
    /// [`ReadError`]; a last line without its line feed is [`LineFault::Torn`], even if it is whole otherwise.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, ReadError> {
        loop {
            self.position.offset += self.buffer.len() as u64;
            self.position.line += 1;
            self.buffer.clear();
            self.input.read_until(b'\n', &mut self.buffer)?;
            if self.buffer != b"\n" {
                break;
            }
        }
        let decoded = match self.buffer.split_last() {
            None => return Ok(None),
            Some((b'\n', line)) => decode(line),
            Some(_) => Err(LineFault::Torn),
        };
        match decoded {
            Ok(record) => Ok(Some(record)),
            Err(fault) => Err(LineError { position: self.position, fault }.into()),
        }
    }

    /// Where the line is that [`Self::next_record`] looked at last.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }
}

/// Understands a record.
///
/// # Errors
/// [`LineFault::Record`] says what is not understood.
pub fn parse<T: DeserializeOwned>(record: &[u8]) -> Result<T, LineFault> {
    Ok(serde_json::from_slice(record)?)
}

#[cfg(test)]
mod tests;
