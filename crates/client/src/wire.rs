//! One connection: frames out of the bytes that arrive, and a session's first requests.
//!
//! Invariant: frames are handed on whole and in order. They are sent length-delimited; what comes is cut by the framing that it
//! has, because a daemon that refuses a connection says so in a line. Lacks any knowledge of who waits for what.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use callboard_protocol::limits::FRAME_BYTES_CEILING;
use callboard_protocol::methods::Verb;
use callboard_protocol::{Call, Decoder, FrameError, Framing, Incoming, RequestId};
use interprocess::local_socket::tokio::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::ClientError;

/// What is read at once, in bytes: many small frames in one system call.
const READ_BYTES: usize = 64 * 1024;

/// A connection on which a session is being opened. Its requests have negative ids: later ones count from 1.
pub(crate) struct Wire {
    stream: Stream,
    frames: Frames,
    unsent: Vec<u8>,
    requested: i64,
    answered: i64,
    /// Events that came between the first answers.
    early: VecDeque<Bytes>,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            frames: Frames::new(),
            unsent: Vec::new(),
            requested: 0,
            answered: 0,
            early: VecDeque::new(),
        }
    }

    /// The stream, what was read of it and not cut yet, and the frames that are for others.
    pub(crate) fn into_parts(self) -> (Stream, Frames, VecDeque<Bytes>) {
        (self.stream, self.frames, self.early)
    }

    /// Puts a request behind those that [`Self::flush`] sends.
    pub(crate) fn request<V: Verb>(&mut self, params: &V) -> Result<(), ClientError> {
        self.requested += 1;
        let call = Call { id: Some(&RequestId::from(-self.requested)), method: V::METHOD.name(), params };
        Ok(Framing::LengthDelimited.encode_value(&call, &mut self.unsent)?)
    }

    /// Sends them in one write.
    pub(crate) async fn flush(&mut self) {
        let unsent = std::mem::take(&mut self.unsent);
        // A daemon that refused the connection has closed it already; its reason can still be read, and says more.
        let _ = (&self.stream).write_all(&unsent).await;
    }

    /// The answer to the first request that has none yet.
    pub(crate) async fn answer<V: Verb>(&mut self) -> Result<V::Result, ClientError> {
        let awaited = RequestId::from(-self.answered - 1);
        loop {
            let frame = self.frames.next(&self.stream).await.map_err(disconnected)?;
            match Incoming::parse(&frame) {
                Err(error) => return Err(disconnected(error.to_string())),
                Ok(Incoming::Event { .. }) => self.early.push_back(frame.clone()),
                Ok(Incoming::Response { id: Some(id), .. }) if id != awaited => {}
                Ok(Incoming::Response { outcome, .. }) => {
                    self.answered += 1;
                    let method = V::METHOD.name();
                    return serde_json::from_str(outcome?.get())
                        .map_err(|error| ClientError::decode(method, &error));
                }
                Ok(Incoming::Unknown) => {}
            }
        }
    }
}

fn disconnected(why: String) -> ClientError {
    ClientError::Disconnected { reason: why.into() }
}

/// The frames of one connection's input.
pub(crate) struct Frames {
    decoder: Decoder,
    buffer: BytesMut,
}

impl Frames {
    fn new() -> Self {
        // What the daemon sends is bounded by its own limits, which are not known yet, and by what a header may announce.
        Self { decoder: Decoder::new(FRAME_BYTES_CEILING), buffer: BytesMut::new() }
    }

    /// The next frame, or why there is none any more.
    pub(crate) async fn next(&mut self, mut stream: &Stream) -> Result<Bytes, String> {
        loop {
            if let Some(frame) = self.cut()? {
                return Ok(frame.freeze());
            }
            self.buffer.reserve(READ_BYTES);
            match stream.read_buf(&mut self.buffer).await {
                Ok(0) => {
                    let last = self.decoder.decode_eof(&mut self.buffer);
                    let last = last.map_err(|error| error.to_string())?;
                    return last.map(BytesMut::freeze).ok_or_else(|| "the daemon closed it".to_owned());
                }
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn cut(&mut self) -> Result<Option<BytesMut>, String> {
        match self.decoder.decode(&mut self.buffer) {
            Ok(frame) => Ok(frame),
            // A last word in a line, though frames came before: as a length its first byte is beyond every limit.
            Err(FrameError::TooLarge { .. }) if self.buffer.first() == Some(&b'{') => {
                self.decoder = Decoder::new(FRAME_BYTES_CEILING);
                self.decoder.decode(&mut self.buffer).map_err(|error| error.to_string())
            }
            Err(error) => Err(format!("the daemon sent {error}")),
        }
    }
}
