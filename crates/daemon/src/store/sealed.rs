//! A sealed file: a header line, records, and a footer line that counts them.
//!
//! Invariant: it is replaced as a whole or not at all (see `files::replace`), so whatever is missing or changed in one is
//! damage, and an error. Appending is not for this kind of file.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callboard_protocol::json::object::Text;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::line::{self, LineError, LineFault, LineReader, Position, ReadError};
use crate::files::{Replacement, Volume};

/// How much of a file is read at once, in bytes.
const READ_BYTES: usize = 256 << 10;

/// A kind of sealed file.
#[derive(Debug, Clone, Copy)]
pub(super) struct SealedFormat {
    /// The word in the header that tells it from other kinds.
    pub(super) name: &'static str,
    /// The version written, and the newest one read.
    pub(super) version: u32,
    /// What a person does about a damaged one.
    pub(super) advice: &'static str,
}

/// The first line; the members of `meta` stand beside the two fixed ones.
#[derive(Serialize)]
struct Header<'a, M> {
    format: &'a str,
    version: u32,
    #[serde(flatten)]
    meta: &'a M,
}

/// What the first line of every kind and version has.
#[derive(Deserialize)]
struct AnyHeader {
    format: String,
    version: u32,
}

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    records: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// The records in it, header and footer not counted.
    pub records: u64,
}

impl SealedFormat {
    /// Begins a file of this kind at `name`; what was there stands until [`SealedWriter::commit`].
    pub(super) fn begin<M: Serialize>(
        &self,
        volume: &Arc<dyn Volume>,
        name: &str,
        meta: &M,
    ) -> Result<SealedWriter, StoreError> {
        let path = volume.path_of(name);
        let mut file = Replacement::begin(Arc::clone(volume), name)?;
        let header = Header { format: self.name, version: self.version, meta };
        file.write(|buffer| Ok(line::encode(buffer, &header)?))?;
        Ok(SealedWriter { file, path, records: 0 })
    }

    /// Opens a file of this kind and reads its header; `None` when it is not there.
    pub(super) fn open(self, volume: &dyn Volume, name: &str) -> Result<Option<SealedReader>, StoreError> {
        let path = volume.path_of(name);
        let lines = match volume.read(name) {
            Ok(file) => LineReader::new(BufReader::with_capacity(READ_BYTES, file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::read(&path, source)),
        };
        let header = Line { position: Position::default(), record: Vec::new() };
        let mut reader = SealedReader { format: self, path, lines, header, waiting: None, records: 0 };
        reader.header = reader.expect_line()?;
        let AnyHeader { format, version } = reader.parse(&reader.header)?;
        if format != self.name {
            return Err(
                reader.damaged(reader.header.position, LineFault::Place("this header is of another file"))
            );
        }
        if version > self.version {
            return Err(StoreError::Version { path: reader.path, found: version, supported: self.version });
        }
        reader.waiting = Some(reader.expect_line()?);
        Ok(Some(reader))
    }
}

/// A sealed file being written. Dropped before [`Self::commit`], it was never there.
#[derive(Debug)]
pub struct SealedWriter {
    file: Replacement,
    path: PathBuf,
    records: u64,
}

impl SealedWriter {
    /// Adds a record.
    ///
    /// # Errors
    /// [`StoreError::Write`]; the writer can only be dropped then.
    pub fn write<T: Serialize>(&mut self, record: &T) -> Result<(), StoreError> {
        self.records += 1;
        Ok(self.file.write(|buffer| Ok(line::encode(buffer, record)?))?)
    }

    /// As [`Self::write`], for a record that writes itself.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_text<T: Text>(&mut self, record: &T) -> Result<(), StoreError> {
        self.records += 1;
        Ok(self.file.write(|buffer| Ok(line::encode_text(buffer, record)?))?)
    }

    /// Adds records that are encoded as lines already.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_lines(&mut self, lines: &[u8], records: u64) -> Result<(), StoreError> {
        self.records += records;
        Ok(self.file.write(|buffer| {
            buffer.extend_from_slice(lines);
            Ok(())
        })?)
    }

    /// How many records were added so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Adds the footer and puts the file in its place, durably.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn commit(mut self) -> Result<Written, StoreError> {
        let footer = Footer { records: self.records };
        self.file.write(|buffer| Ok(line::encode(buffer, &footer)?))?;
        Ok(Written { bytes: self.file.commit()?, path: self.path, records: footer.records })
    }
}

#[derive(Debug)]
struct Line {
    position: Position,
    record: Vec<u8>,
}

/// A sealed file being read. What it gave counts only once it has given `None`: the end of the file is checked too.
#[derive(Debug)]
pub struct SealedReader {
    format: SealedFormat,
    path: PathBuf,
    lines: LineReader<BufReader<Box<dyn Read + Send>>>,
    header: Line,
    /// The line that was read but not given yet: only the footer has nothing behind it.
    waiting: Option<Line>,
    records: u64,
}

impl SealedReader {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The members that the writer put into the header; `M` must let `format` and `version` pass as unknown.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the header is not understood as an `M`.
    pub fn meta<M: DeserializeOwned>(&self) -> Result<M, StoreError> {
        self.parse(&self.header)
    }

    /// The next record, understood as a `T`; `None` once all records were given and the footer was found right.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the line, what is wrong with it and what to do.
    pub fn next_record<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let Some(line) = self.waiting.take() else {
            return Ok(None);
        };
        self.waiting = self.next_line()?;
        if self.waiting.is_none() {
            return self.check_footer(&line).map(|()| None);
        }
        self.records += 1;
        self.parse(&line).map(Some)
    }

    /// The error for a record that [`Self::next_record`] gave last.
    pub(super) fn damaged_here(&self, fault: LineFault) -> StoreError {
        self.damaged(self.lines.position(), fault)
    }

    fn check_footer(&self, line: &Line) -> Result<(), StoreError> {
        let fault = match line::parse(&line.record) {
            Ok(Footer { records }) if records == self.records => return Ok(()),
            Ok(Footer { .. }) => LineFault::Place("this footer counts another number of records"),
            Err(_) => LineFault::Torn,
        };
        Err(self.damaged(line.position, fault))
    }

    fn expect_line(&mut self) -> Result<Line, StoreError> {
        self.next_line()?.ok_or_else(|| self.damaged(self.lines.position(), LineFault::Torn))
    }

    fn next_line(&mut self) -> Result<Option<Line>, StoreError> {
        match self.lines.next_record() {
            Ok(None) => Ok(None),
            Ok(Some(record)) => {
                let record = record.to_vec();
                Ok(Some(Line { position: self.lines.position(), record }))
            }
            Err(ReadError::Io(source)) => Err(StoreError::read(&self.path, source)),
            Err(ReadError::Line(error)) => Err(self.damaged(error.position, error.fault)),
        }
    }

    fn parse<T: DeserializeOwned>(&self, line: &Line) -> Result<T, StoreError> {
        line::parse(&line.record).map_err(|fault| self.damaged(line.position, fault))
    }

    fn damaged(&self, position: Position, fault: LineFault) -> StoreError {
        let fault = LineError { position, fault };
        StoreError::Damaged { path: self.path.clone(), fault, advice: self.format.advice }
    }
}
