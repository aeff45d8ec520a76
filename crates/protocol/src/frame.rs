//! The two framings of a connection: cutting frames out of the bytes that arrive, and writing them.
//!
//! Invariant: a connection has one framing, chosen by its first byte; buffers grow with the bytes that came, never
//! with the length that was announced. Nothing here reads a socket, and nothing looks into a frame.
//!
//! The length framing is cut by hand: tokio-util's `LengthDelimitedCodec` reserves the length announced in the
//! header, so that four bytes from anybody would cost a whole frame of memory.

use std::ops::Range;

use bytes::{Buf, BytesMut};
use serde::Serialize;

use crate::limits::FRAME_BYTES_CEILING;
use crate::{Error, ErrorKind};

/// How frames are told apart on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A 4-byte unsigned big-endian length, then that many bytes.
    LengthDelimited,
    /// One JSON object a line, ended by LF; a CR before it is ignored.
    LineDelimited,
}

/// A fault after which the bytes of a connection mean nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame or line is longer than allowed.
    #[error("a frame of {size} bytes or more, at most {max} are allowed: send less at once")]
    TooLarge {
        /// The length announced, or how much of the line came so far, in bytes.
        size: usize,
        /// The limit `frame_bytes`.
        max: usize,
    },
    /// The first byte chooses no framing.
    #[error(
        "the first byte is 0x{byte:02x}: begin with 0x00 (length-delimited frames) or {{ (one JSON object a line)"
    )]
    BadFirstByte {
        /// The byte.
        byte: u8,
    },
}

impl From<FrameError> for Error {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLarge { max, .. } => {
                Self::new(ErrorKind::FrameTooLarge, error.to_string()).with("max", max)
            }
            FrameError::BadFirstByte { .. } => {
                Self::new(ErrorKind::ParseError, error.to_string()).with("offset", 0)
            }
        }
    }
}

/// The length before a length-delimited frame, in bytes.
pub const HEADER_BYTES: usize = 4;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Where a frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The next frame, without header or line end; `None` when more bytes are needed.
    pub frame: Option<Range<usize>>,
    /// How many bytes are done with: the frame's, and what was passed over before it.
    pub end: usize,
}

/// Cuts frames out of the bytes of one connection.
///
/// An error is final: the bytes stay in the buffer, and asking again gives the same error.
#[derive(Debug)]
pub struct Decoder {
    frame_bytes: usize,
    framing: Option<Framing>,
    /// Something was skipped before the first byte that counts, so that it was not the connection's first.
    skipped: bool,
    byte_order_mark_seen: bool,
    /// How much of the line under way is known to have no LF.
    searched: usize,
}

impl Decoder {
    /// A decoder for a new connection whose frames have at most `frame_bytes` bytes (at most [`FRAME_BYTES_CEILING`]).
    #[must_use]
    pub fn new(frame_bytes: usize) -> Self {
        Self {
            frame_bytes: frame_bytes.min(FRAME_BYTES_CEILING),
            framing: None,
            skipped: false,
            byte_order_mark_seen: false,
            searched: 0,
        }
    }

    /// The framing, once the first byte came.
    #[must_use]
    pub fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// Takes the next frame out of `buffer`, without header or line end; `None` when more bytes are needed. A frame
    /// may be empty (n = 0) and need not be JSON; blank lines are passed over.
    ///
    /// # Errors
    /// [`FrameError`], after which the connection can only be closed.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
        let Cut { frame, end } = self.cut(buffer)?;
        let mut taken = buffer.split_to(end);
        Ok(frame.map(|frame| {
            taken.truncate(frame.end);
            taken.advance(frame.start);
            taken
        }))
    }

    /// As [`Decoder::decode`], for bytes that stay where they are: says where the next frame of `bytes` is, and how
    /// many of them are done with. Those are to be left out the next time.
    ///
    /// # Errors
    /// [`FrameError`], after which the connection can only be closed.
    pub fn cut(&mut self, bytes: &[u8]) -> Result<Cut, FrameError> {
        let start = self.choose(bytes)?;
        match self.framing {
            None => Ok(Cut { frame: None, end: start }),
            Some(Framing::LengthDelimited) => self.cut_counted(bytes, start),
            Some(Framing::LineDelimited) => self.cut_line(bytes, start),
        }
    }

    /// As [`Decoder::decode`] once nothing more will come: a last line without LF is a frame, half a frame is
    /// dropped. Call it until it gives `None`.
    ///
    /// # Errors
    /// [`FrameError`], after which the connection can only be closed.
    pub fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
        if let Some(frame) = self.decode(buffer)? {
            return Ok(Some(frame));
        }
        let mut rest = buffer.split();
        self.searched = 0;
        match (self.framing, rest.first()) {
            (None, Some(&byte)) => Err(FrameError::BadFirstByte { byte }),
            (Some(Framing::LineDelimited), Some(_)) => {
                let line = trim_line(&rest).len();
                rest.truncate(line);
                Ok(Some(rest).filter(|line| !is_blank(line)))
            }
            (Some(Framing::LengthDelimited), _) | (_, None) => Ok(None),
        }
    }

    /// Finds the framing, from the first byte that is none of those passed over before a `{`. Gives how many were
    /// passed over.
    fn choose(&mut self, bytes: &[u8]) -> Result<usize, FrameError> {
        let mut start = 0;
        while self.framing.is_none() {
            let rest = &bytes[start..];
            match rest.first() {
                None => break,
                Some(b' ' | b'\r' | b'\n') => start += 1,
                Some(b'{') => self.framing = Some(Framing::LineDelimited),
                Some(0) if !self.skipped => self.framing = Some(Framing::LengthDelimited),
                Some(_) if !self.byte_order_mark_seen && rest.starts_with(BYTE_ORDER_MARK) => {
                    self.byte_order_mark_seen = true;
                    start += BYTE_ORDER_MARK.len();
                }
                Some(_) if !self.byte_order_mark_seen && BYTE_ORDER_MARK.starts_with(rest) => break,
                Some(&byte) => return Err(FrameError::BadFirstByte { byte }),
            }
            self.skipped = true;
        }
        Ok(start)
    }

    fn cut_counted(&self, bytes: &[u8], start: usize) -> Result<Cut, FrameError> {
        let Some(&header) = bytes[start..].first_chunk::<HEADER_BYTES>() else {
            return Ok(Cut { frame: None, end: start });
        };
        let size = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
        if size > self.frame_bytes {
            return Err(FrameError::TooLarge { size, max: self.frame_bytes });
        }
        let payload = start + HEADER_BYTES;
        if bytes.len() - payload < size {
            return Ok(Cut { frame: None, end: start });
        }
        Ok(Cut { frame: Some(payload..payload + size), end: payload + size })
    }

    fn cut_line(&mut self, bytes: &[u8], mut start: usize) -> Result<Cut, FrameError> {
        loop {
            let from = start + self.searched;
            let end = memchr::memchr(b'\n', &bytes[from..]).map(|index| from + index);
            let line = trim_line(&bytes[start..end.unwrap_or(bytes.len())]);
            if line.len() > self.frame_bytes {
                return Err(FrameError::TooLarge { size: line.len(), max: self.frame_bytes });
            }
            let Some(end) = end else {
                self.searched = bytes.len() - start;
                return Ok(Cut { frame: None, end: start });
            };
            self.searched = 0;
            if !is_blank(line) {
                return Ok(Cut { frame: Some(start..start + line.len()), end: end + 1 });
            }
            start = end + 1;
        }
    }
}

/// The line without a CR at its end.
fn trim_line(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

impl Framing {
    /// Appends `payload`, which has no raw LF, as one frame to `out`.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] when no header can announce it; `out` is as it was.
    pub fn encode(self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        let start = self.open(out);
        out.extend_from_slice(payload);
        self.close(start, out)
    }

    /// Appends `value` as one frame to `out`, without a buffer in between.
    ///
    /// # Errors
    /// `frame_too_large` when no header can announce it, `internal` when JSON can't express it; `out` is as it was.
    pub fn encode_value<T: Serialize + ?Sized>(self, value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
        self.encode_with(out, |out| serde_json::to_writer(out, value))
    }

    /// As [`Framing::encode_value`], for what `write` appends.
    ///
    /// # Errors
    /// `frame_too_large` when no header can announce it, `internal` when `write` fails; `out` is as it was.
    pub fn encode_with(
        self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
    ) -> Result<(), Error> {
        let start = self.open(out);
        if let Err(error) = write(out) {
            out.truncate(start);
            let message = format!("failed to write a frame as JSON: {error}");
            return Err(Error::new(ErrorKind::Internal, message));
        }
        Ok(self.close(start, out)?)
    }

    /// Appends what `write` appends as one frame: JSON without a raw LF. What no header can announce is left out.
    pub fn write(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.open(out);
        write(out);
        // A frame of ours holds at most one value and its envelope, far below what a header can announce.
        let _ = self.close(start, out);
    }

    /// Makes room for a header; gives where the frame begins.
    fn open(self, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        if self == Self::LengthDelimited {
            out.extend_from_slice(&[0; HEADER_BYTES]);
        }
        start
    }

    /// Ends the frame that begins at `start`: fills in its header, or ends its line.
    fn close(self, start: usize, out: &mut Vec<u8>) -> Result<(), FrameError> {
        match self {
            Self::LineDelimited => out.push(b'\n'),
            Self::LengthDelimited => {
                let size = out.len() - start - HEADER_BYTES;
                let header = u32::try_from(size).ok().filter(|_| size <= FRAME_BYTES_CEILING);
                let Some(header) = header else {
                    out.truncate(start);
                    return Err(FrameError::TooLarge { size, max: FRAME_BYTES_CEILING });
                };
                out[start..start + HEADER_BYTES].copy_from_slice(&header.to_be_bytes());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
