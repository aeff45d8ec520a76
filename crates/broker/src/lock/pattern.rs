//! Lock names: exact paths and patterns (`*` within a segment, `**` over segments), normalised when they are read.
//!
//! Invariant: equal names have equal text, and [`LockName::overlaps`] is exact. Comparison is by bytes; there is no
//! file system here, so no letter case, no links, no Unicode forms.
//!
//! Both levels, bytes in a segment and segments in a name, are the same problem: a sequence of items in which some
//! stand for a run of any length. `glob` solves it once for both.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use callboard_protocol::limits::KEY_BYTES_MAX;

use builder::Builder;
use glob::{Glob, covers, overlap};

mod builder;
mod glob;
#[cfg(test)]
mod tests;

/// Stands for `*` among the bytes of a segment. Names have no control characters, so it can be nothing else.
const RUN: u8 = 0;
/// Stands for the segment `**`. Runs within a segment are collapsed, so it can be nothing else.
const DEEP: &[u8] = &[RUN, RUN];
/// What a normal form may have beyond what a client gives, in bytes: `dir/` is `dir/**`.
const NORMAL_FORM_GROWTH: usize = 2;

/// Why a text is not a lock name. `Display` completes "failed to ...: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockNameError {
    /// The text is empty.
    #[error("a lock name is empty: give 1 to {KEY_BYTES_MAX} bytes")]
    Empty,
    /// The text is longer than 512 bytes.
    #[error(
        "a lock name has {len} bytes, at most {KEY_BYTES_MAX} are allowed: lock a directory instead (dir/**)"
    )]
    TooLong {
        /// The length given, in bytes.
        len: usize,
    },
    /// The text has a control character (C0, DEL or C1).
    #[error("a lock name has the character {found:?} at byte {offset}: control characters are not allowed")]
    Control {
        /// The offending character.
        found: char,
        /// Where it stands, in bytes.
        offset: usize,
    },
    /// A `\` stands before something other than `*` or `\`.
    #[error(
        "the lock name {name:?} has a \\ that escapes neither * nor \\: separate with /, write a plain \\ as \\\\"
    )]
    Escape {
        /// The name as given.
        name: String,
    },
    /// A segment is `..`.
    #[error("the lock name {name:?} has a .. segment: give the path itself, without ..")]
    Parent {
        /// The name as given.
        name: String,
    },
    /// Nothing is left once `.` segments are dropped.
    #[error("the lock name {name:?} names nothing: for everything below write {name}/")]
    Nothing {
        /// The name as given.
        name: String,
    },
}

/// A lock name in normal form: exact (`src/a.rs`) or a pattern (`src/**/*.rs`), relative or absolute.
///
/// Ordered and compared by its text. Cloning is a reference count.
#[derive(Clone)]
pub struct LockName(Arc<Parsed>);

/// `bytes` are the segments without separators and escapes, one after the other; `ends` is where each ends.
struct Parsed {
    text: Box<str>,
    literal_prefix_len: usize,
    bytes: Box<[u8]>,
    ends: Box<[u16]>,
}

impl LockName {
    /// Reads a name as a client gives it: 1 to 512 bytes, escapes, `.`, `..`, doubled and trailing `/` as the protocol
    /// says. Runs of `*` within a longer segment count as one, and so do neighbouring `**` segments.
    ///
    /// # Errors
    /// [`LockNameError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LockNameError> {
        if text.len() > KEY_BYTES_MAX {
            return Err(LockNameError::TooLong { len: text.len() });
        }
        Self::restore(text)
    }

    /// Reads a name back from its normal form, which may be 2 bytes longer than what a client may give (`dir/` is
    /// `dir/**`).
    ///
    /// # Errors
    /// [`LockNameError`] as for [`LockName::parse`].
    pub fn restore(text: &str) -> Result<Self, LockNameError> {
        if text.is_empty() {
            return Err(LockNameError::Empty);
        }
        if text.len() > KEY_BYTES_MAX + NORMAL_FORM_GROWTH {
            return Err(LockNameError::TooLong { len: text.len() });
        }
        if let Some((offset, found)) = text.char_indices().find(|(_, c)| c.is_control()) {
            return Err(LockNameError::Control { found, offset });
        }
        let mut builder = Builder::new(text.starts_with('/'));
        for segment in text.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    return Err(LockNameError::Parent { name: text.to_owned() });
                }
                "**" => builder.push_deep(),
                _ => builder.push(segment).ok_or_else(|| LockNameError::Escape { name: text.to_owned() })?,
            }
        }
        if text.ends_with('/') {
            builder.push_deep();
        }
        builder.finish().ok_or_else(|| LockNameError::Nothing { name: text.to_owned() })
    }

    /// The name in normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether it names one path: it has no wildcard.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.0.literal_prefix_len == self.0.text.len()
    }

    /// Whether it begins with `/`. Absolute and relative names never meet.
    #[must_use]
    pub fn is_absolute(&self) -> bool {
        self.0.text.starts_with('/')
    }

    /// The text before the first segment with a wildcard, without the `/` between them; of an exact name, all of it.
    pub(super) fn literal_prefix(&self) -> &str {
        &self.0.text[..self.0.literal_prefix_len]
    }

    /// Whether some path matches both. Exact; at worst the product of the two lengths.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.is_exact(), other.is_exact()) {
            (true, true) => self == other,
            (false, true) => self.covers(other),
            (true, false) => other.covers(self),
            (false, false) => {
                self.is_absolute() == other.is_absolute()
                    && overlap(&*self.0, &*other.0, |a, b| overlap(a, b, |a, b| a == b))
            }
        }
    }

    /// Whether every path that matches `other` matches this name. Exact when `other` is; for two patterns a yes is
    /// certain, and a no may be wrong where only a rearrangement would show it (`**/*` and `*/**`).
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.is_absolute() == other.is_absolute()
            && covers(&*self.0, &*other.0, |a, b| b != DEEP && covers(a, b, |a, b| a == b))
    }
}

impl Glob for Parsed {
    type Item<'a> = &'a [u8];

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn at(&self, position: usize) -> &[u8] {
        let start = position.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[usize::from(start)..usize::from(self.ends[position])]
    }

    fn is_run(&self, position: usize) -> bool {
        self.at(position) == DEEP
    }
}

impl Glob for [u8] {
    type Item<'a> = u8;

    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn at(&self, position: usize) -> u8 {
        self[position]
    }

    fn is_run(&self, position: usize) -> bool {
        self[position] == RUN
    }
}

impl PartialEq for LockName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for LockName {}

impl PartialOrd for LockName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LockName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for LockName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for LockName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for LockName {
    type Err = LockNameError;
    fn from_str(text: &str) -> Result<Self, LockNameError> {
        Self::parse(text)
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The names of one request as a set: sorted, each once. Cloning is a reference count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockNames(Arc<[LockName]>);

impl LockNames {
    /// The names in order.
    #[must_use]
    pub fn as_slice(&self) -> &[LockName] {
        &self.0
    }

    /// Whether each of these names is also one of `other`, letter for letter.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|name| other.0.binary_search(name).is_ok())
    }
}

impl FromIterator<LockName> for LockNames {
    fn from_iter<I: IntoIterator<Item = LockName>>(names: I) -> Self {
        let mut names: Vec<LockName> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into())
    }
}
