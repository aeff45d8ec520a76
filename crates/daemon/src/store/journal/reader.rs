//! The journal as a start finds it: every change is given out in order, and what a power cut left behind is put aside.
//!
//! Invariant: a line that is damaged, missing or out of order is forgiven only where no mark says that it had been
//! fsynced; then the journal is cut before it and the rest kept as `*.torn`. Everywhere else it is an error, and nothing
//! is changed. An end of a segment is passed over when the next one goes on right after what was read: then it held no
//! change, but a mark that nobody synced. What was given out before an error counts for nothing.

use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;

use callboard_broker::Record;
use callboard_protocol::Namespace;

use super::segment::{Entry, FORMAT, Header, VERSION, name, number};
use crate::files::{Replacement, Volume};
use crate::store::StoreError;
use crate::store::line::{self, LineError, LineFault, LineReader, Position, ReadError};
use crate::store::snapshot::numbered;

/// What a person does about a damaged journal.
const ADVICE: &str =
    "run `callboard store check` to see what is lost, and `callboard store repair` to cut it there";
/// What a name ends with whose content was cut off.
const TORN_SUFFIX: &str = ".torn";
/// How much of a file is read at once, in bytes.
const READ_BYTES: usize = 256 << 10;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The position of the last change.
    pub last: u64,
    /// The number of the segment that comes next.
    pub next_segment: u64,
    /// The changes that were given out.
    pub changes: u64,
    /// The segments with changes of which no mark says that they are on the disk.
    unmarked: Vec<u64>,
    /// The size of the segments that were read, in bytes.
    pub bytes: u64,
    /// The first line that can't be used, if there is one.
    pub tear: Option<Tear>,
}

/// Where the journal ends because what follows was never fsynced.
#[derive(Debug, PartialEq, Eq)]
pub struct Tear {
    /// The segment.
    segment: u64,
    /// The line.
    at: Position,
    /// The segments after it.
    rest: Vec<u64>,
    /// What is wrong there, for people.
    pub reason: String,
}

type Lines = LineReader<BufReader<Box<dyn Read + Send>>>;

/// What of a journal's damage ends the reading quietly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgiven {
    /// What a power cut leaves: lines after the last mark.
    TornEnd,
    /// Everything: for a repair that a person asked for.
    Everything,
}

struct Reader<'a> {
    volume: &'a dyn Volume,
    forgiven: Forgiven,
    /// The last change that was given out.
    last: u64,
    /// Up to where marks say that it is on the disk.
    synced: u64,
    changes: u64,
}

/// Why a segment was not read to its end.
enum Stop {
    At(Position, LineFault),
    Error(StoreError),
}

/// Gives every change from segment `first` on to `take`, in order; `after` is the position before them. Changes nothing
/// on the disk.
///
/// # Errors
/// [`StoreError`]: damage where the disk had it, a newer version, or what `take` says.
pub fn read_journal<E: From<StoreError>>(
    volume: &dyn Volume,
    first: u64,
    after: u64,
    forgiven: Forgiven,
    mut take: impl FnMut(Namespace, Vec<Record>) -> Result<(), E>,
) -> Result<Replayed, E> {
    let segments: Vec<u64> =
        numbered(volume, number)?.into_iter().filter(|segment| *segment >= first).collect();
    // A number is not used twice, also not that of a segment that was put aside.
    let used = numbered(volume, |name| number(name.strip_suffix(TORN_SUFFIX).unwrap_or(name)))?;
    let next_segment = used.last().map_or(first, |last| last + 1).max(first);
    let mut reader = Reader { volume, forgiven, last: after, synced: 0, changes: 0 };
    let mut bytes = 0;
    let mut tear = None;
    let mut whole = Vec::new();
    for (place, &segment) in segments.iter().enumerate() {
        let mut lines = reader.open(segment)?;
        match reader.read_segment(&mut lines, &mut take)? {
            Ok(()) => {
                bytes += lines.position().offset;
                whole.push((segment, reader.last));
            }
            Err(Stop::Error(error)) => return Err(error.into()),
            Err(Stop::At(_, fault)) if reader.ends_without_loss(&fault, &segments[place + 1..]) => {
                whole.push((segment, reader.last));
            }
            Err(Stop::At(at, fault)) => {
                let rest = segments[place + 1..].to_vec();
                tear = Some(reader.judge(segment, &mut lines, at, fault, rest)?);
                break;
            }
        }
    }
    let Reader { last, synced, changes, .. } = reader;
    let unmarked = whole.iter().filter(|(_, last)| *last > synced).map(|(segment, _)| *segment).collect();
    Ok(Replayed { last, next_segment, changes, unmarked, bytes, tear })
}

impl Replayed {
    /// Makes durable what was given out: a daemon that crashed may have left it with the operating system, and what comes
    /// next leans on it. It is written anew: a sync that failed before may have lost what still can be read, and then no
    /// later one would bring it to the disk. Blocks.
    ///
    /// # Errors
    /// [`StoreError`]: nothing may be built on it.
    pub fn make_durable(&self, volume: &Arc<dyn Volume>) -> Result<(), StoreError> {
        for &segment in &self.unmarked {
            let name = name(segment);
            replace(volume, &name, &read_whole(volume.as_ref(), &name)?)?;
        }
        volume.sync_names().map_err(|source| StoreError::write(&volume.path_of(""), source))
    }
}

impl Reader<'_> {
    fn path(&self, segment: u64) -> PathBuf {
        self.volume.path_of(&name(segment))
    }

    fn open(&self, segment: u64) -> Result<Lines, StoreError> {
        let file = self.volume.read(&name(segment));
        let file = file.map_err(|source| StoreError::read(&self.path(segment), source))?;
        Ok(LineReader::new(BufReader::with_capacity(READ_BYTES, file)))
    }

    /// Whether no change can be missing at the end of a segment, as the next one that says where it begins does so right
    /// after what was read.
    fn ends_without_loss(&self, fault: &LineFault, rest: &[u64]) -> bool {
        let is_newer = matches!(fault, LineFault::Version { .. });
        let mut begins = rest.iter().filter_map(|segment| {
            let mut lines = self.open(*segment).ok()?;
            let header: Header = line::parse(lines.next_record().ok()??).ok()?;
            Some(self.check_header(&header).is_ok())
        });
        !is_newer && begins.next() == Some(true)
    }

    fn read_segment<E>(
        &mut self,
        lines: &mut Lines,
        take: &mut impl FnMut(Namespace, Vec<Record>) -> Result<(), E>,
    ) -> Result<Result<(), Stop>, E> {
        let mut is_first = true;
        loop {
            let entry = match lines.next_record() {
                Ok(Some(record)) if is_first => self.read_header(record).map(|()| None),
                Ok(Some(record)) => self.read_entry(record),
                Ok(None) if is_first => Err(LineFault::Torn),
                Ok(None) => return Ok(Ok(())),
                Err(ReadError::Io(source)) => {
                    let path = self.volume.path_of("");
                    return Ok(Err(Stop::Error(StoreError::read(&path, source))));
                }
                Err(ReadError::Line(LineError { fault, .. })) => Err(fault),
            };
            // Without its header nothing of a segment can be kept, not even blank lines before it.
            let start = std::mem::take(&mut is_first).then_some(Position { line: 1, offset: 0 });
            match entry {
                Ok(None) => {}
                Ok(Some((namespace, records))) => {
                    take(namespace, records)?;
                    self.changes += 1;
                }
                Err(fault) => return Ok(Err(Stop::At(start.unwrap_or_else(|| lines.position()), fault))),
            }
        }
    }

    fn read_header(&self, record: &[u8]) -> Result<(), LineFault> {
        self.check_header(&line::parse(record)?)
    }

    fn check_header(&self, header: &Header) -> Result<(), LineFault> {
        if header.format != FORMAT {
            return Err(LineFault::Place("this header is of another file"));
        }
        if header.version > VERSION {
            return Err(LineFault::Version { found: header.version, supported: VERSION });
        }
        if header.after != self.last {
            return Err(LineFault::Place("changes before this segment are missing"));
        }
        Ok(())
    }

    fn read_entry(&mut self, record: &[u8]) -> Result<Option<(Namespace, Vec<Record>)>, LineFault> {
        match line::parse(record)? {
            Entry { position: Some(position), namespace: Some(namespace), records, synced: None } => {
                if position != self.last + 1 {
                    return Err(LineFault::Place(
                        "a change before this one is missing, or this one is doubled",
                    ));
                }
                self.last = position;
                Ok(Some((namespace, records)))
            }
            Entry { synced: Some(synced), position: None, namespace: None, .. } => {
                self.synced = self.synced.max(synced);
                Ok(None)
            }
            Entry { .. } => Err(LineFault::Place("this line is neither a change nor a mark")),
        }
    }

    /// Decides about a line that can't be used: a tear, unless a mark anywhere says that the disk had had it.
    fn judge(
        &mut self,
        segment: u64,
        lines: &mut Lines,
        at: Position,
        fault: LineFault,
        rest: Vec<u64>,
    ) -> Result<Tear, StoreError> {
        let path = self.path(segment);
        if let LineFault::Version { found, supported } = fault {
            return Err(StoreError::Version { path, found, supported });
        }
        self.find_marks(lines);
        for &later in &rest {
            let mut lines = self.open(later)?;
            self.find_marks(&mut lines);
        }
        let fault = LineError { position: at, fault };
        if self.synced > self.last && self.forgiven == Forgiven::TornEnd {
            return Err(StoreError::Damaged { path, fault, advice: ADVICE });
        }
        Ok(Tear { segment, at, rest, reason: format!("{}, {fault}", path.display()) })
    }

    fn find_marks(&mut self, lines: &mut Lines) {
        loop {
            match lines.next_record() {
                Ok(Some(record)) => {
                    if let Ok(Entry { synced: Some(synced), position: None, .. }) = line::parse(record) {
                        self.synced = self.synced.max(synced);
                    }
                }
                Ok(None) | Err(ReadError::Io(_)) => return,
                Err(ReadError::Line(_)) => {}
            }
        }
    }
}

impl Tear {
    /// Cuts the journal here, and keeps the rest beside it as `*.torn`; gives the paths of what was kept. Durable on
    /// return.
    ///
    /// # Errors
    /// [`StoreError`]: tried again, it goes on where it stopped.
    pub fn cut(&self, volume: &Arc<dyn Volume>) -> Result<Vec<PathBuf>, StoreError> {
        let mut kept = Vec::new();
        // From the end, so that a journal that is cut halfway is still one with a tear.
        for &segment in self.rest.iter().rev() {
            kept.push(set_aside(volume, segment)?);
        }
        if self.at.offset == 0 {
            kept.push(set_aside(volume, self.segment)?);
        } else {
            kept.push(self.split(volume)?);
        }
        volume.sync_names().map_err(|source| StoreError::write(&volume.path_of(""), source))?;
        Ok(kept)
    }

    fn split(&self, volume: &Arc<dyn Volume>) -> Result<PathBuf, StoreError> {
        let name = name(self.segment);
        let bytes = read_whole(volume.as_ref(), &name)?;
        let offset = usize::try_from(self.at.offset).unwrap_or(bytes.len()).min(bytes.len());
        let (good, torn) = bytes.split_at(offset);
        replace(volume, &torn_name(self.segment), torn)?;
        replace(volume, &name, good)?;
        Ok(volume.path_of(&torn_name(self.segment)))
    }
}

fn read_whole(volume: &dyn Volume, name: &str) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    let read = volume.read(name).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(|source| StoreError::read(&volume.path_of(name), source))?;
    Ok(bytes)
}

fn replace(volume: &Arc<dyn Volume>, name: &str, content: &[u8]) -> Result<(), StoreError> {
    let mut file = Replacement::begin(Arc::clone(volume), name)?;
    file.write(|buffer| {
        buffer.extend_from_slice(content);
        Ok(())
    })?;
    file.commit()?;
    Ok(())
}

fn torn_name(segment: u64) -> String {
    format!("{}{TORN_SUFFIX}", name(segment))
}

fn set_aside(volume: &Arc<dyn Volume>, segment: u64) -> Result<PathBuf, StoreError> {
    let (from, to) = (name(segment), torn_name(segment));
    volume.rename(&from, &to).map_err(|source| StoreError::write(&volume.path_of(&from), source))?;
    Ok(volume.path_of(&to))
}
