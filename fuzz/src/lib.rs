//! What must hold for any bytes at all: each function takes some, and panics when a reader of untrusted input does
//! anything but read or refuse them.
//!
//! The fuzzer's binaries in `targets` call them with bytes that it makes up (`just fuzz TARGET`), and `tests/replay.rs`
//! with those that were worth keeping, in `corpus`.

mod store;

use std::fmt::Debug;
use std::mem::{Discriminant, discriminant};

use bytes::BytesMut;
use callboard_broker::lock::LockName;
use callboard_broker::{Board, BoardConfig, Monotonic, Now, OpenSession, SessionId};
use callboard_protocol::limits::KEY_BYTES_MAX;
use callboard_protocol::methods::session::Program;
use callboard_protocol::methods::{Command, Method};
use callboard_protocol::revision::Revision;
use callboard_protocol::{AgentName, Decoder, Error, FrameError, Request, RequestId, UsualRequest};
use serde_json::value::RawValue;

pub use store::{journal, snapshot};

/// Small, so that the fuzzer gets past it.
const FRAME_BYTES: usize = 4096;
/// As the default.
const VALUE_BYTES: usize = 1 << 20;

/// What is left of a stream of frames, however it was cut.
type Frames = (Vec<Vec<u8>>, Option<Discriminant<FrameError>>);

/// Both framings: however the bytes arrive in pieces, the same frames come out, and the same error. How much of a line
/// that is too long had come by then is the only thing that may differ.
///
/// # Panics
/// When they do not.
pub fn frames(bytes: &[u8]) {
    let Some((&step, stream)) = bytes.split_first() else { return };
    let whole = decoded(stream, stream.len().max(1));
    let pieces = decoded(stream, usize::from(step) + 1);
    assert_eq!(whole, pieces);
}

fn decoded(stream: &[u8], step: usize) -> Frames {
    let mut decoder = Decoder::new(FRAME_BYTES);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    for piece in stream.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(discriminant(&error))),
            }
        }
    }
    loop {
        match decoder.decode_eof(&mut buffer) {
            Ok(Some(frame)) => frames.push(frame.to_vec()),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(discriminant(&error))),
        }
    }
}

/// The envelope: what is read as a request has no raw line break left, and is read the same again.
///
/// # Panics
/// When it is not.
pub fn envelope(bytes: &[u8]) {
    let mut frame = bytes.to_vec();
    let Ok(request) = Request::parse(&mut frame) else { return };
    let method = request.method.clone().into_owned();
    let params = request.params.map(|params| params.get().to_owned());
    assert!(params.as_ref().is_none_or(|params| !params.contains(['\r', '\n'])));
    let again = Request::parse(&mut frame)
        .map(|again| (again.method.into_owned(), again.params.map(|params| params.get().to_owned())));
    assert_eq!(again.ok(), Some((method, params)));
}

/// The parameters of every method: the first byte chooses it, the rest is `params`.
///
/// # Panics
/// When a command or its error can't be made without.
pub fn params(bytes: &[u8]) {
    if let Some(Err(error)) = with_command(bytes, |_| ()) {
        assert!(!error.is_empty(), "an error says what is wrong");
    }
}

/// Commands against a board, one a line, each as in [`params`]: no order of them breaks it, and what it holds can be
/// restored from its image.
///
/// # Panics
/// When one does.
pub fn board(bytes: &[u8]) {
    let mut board = Board::new(BoardConfig::default(), Revision(0));
    let mut now = Now { monotonic: Monotonic(1_000_000), unix_ms: 1_700_000_000_000 };
    let sessions = [("ada", SessionId(1)), ("bob", SessionId(2))];
    for (name, id) in sessions {
        let agent = AgentName::new(name).ok();
        let open = OpenSession { id, resume_token: Some(id.to_string()), agent, client: Program::default() };
        must(board.open_session(now, open));
    }
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let (_, session) = sessions[number % sessions.len()];
        let request = RequestId::from(i64::try_from(number).unwrap_or_default());
        with_command(line, |command| {
            if let Command::BoardCommand(command) = command {
                board.apply(now, session, Some(&request), command);
            }
        });
        now.monotonic = now.monotonic.plus_ms(line.len() as u64);
        now.unix_ms += line.len() as u64;
        board.advance(now, 64);
        drop(board.take_effects());
    }
    store::check_image(&board, now);
}

/// Reads a line as a method and its parameters; `None` when it is not even an envelope.
fn with_command(bytes: &[u8], act: impl FnOnce(Command)) -> Option<Result<(), String>> {
    let (&first, params) = bytes.split_first()?;
    let method = Method::ALL[usize::from(first) % Method::ALL.len()];
    let name = method.name();
    let mut frame = format!("{{\"id\":1,\"method\":\"{name}\",\"params\":").into_bytes();
    frame.extend_from_slice(params);
    frame.push(b'}');
    let usual = UsualRequest::read(&frame, VALUE_BYTES);
    let request = Request::parse(&mut frame).ok();
    assert!(usual.is_none() || request.is_some(), "a frame is read that is none");
    let Request { id, params, .. } = request?;
    let decoded = Command::decode(method, params.map(RawValue::get), VALUE_BYTES);
    if let Some(usual) = usual {
        assert_eq!((usual.id, usual.method), (id, method));
        assert_eq!(format!("{:?}", Ok::<_, Error>(&usual.command)), format!("{:?}", decoded.as_ref()));
    }
    Some(decoded.map(act).map_err(|error| error.message.to_string()))
}

/// Lock names: two, with a zero byte between. A name overlaps itself and what it covers, overlapping has no direction,
/// and the normalised form stays as it is.
///
/// # Panics
/// When a rule does not hold.
pub fn lock_names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (one, other) = text.split_once('\0').unwrap_or((text, text));
    let (Ok(one), Ok(other)) = (LockName::parse(one), LockName::parse(other)) else { return };
    for name in [&one, &other] {
        assert!(name.overlaps(name) && name.covers(name), "{}", name.as_str());
        // A normal form may be longer than what clients may give: `dir/` is `dir/**`.
        if name.as_str().len() <= KEY_BYTES_MAX {
            assert_eq!(must(LockName::parse(name.as_str())).as_str(), name.as_str());
        }
        assert_eq!(must(LockName::restore(name.as_str())).as_str(), name.as_str());
    }
    assert_eq!(one.overlaps(&other), other.overlaps(&one), "{} {}", one.as_str(), other.as_str());
    if one.covers(&other) {
        assert!(one.overlaps(&other), "{} {}", one.as_str(), other.as_str());
    }
    if one.is_exact() && other.is_exact() {
        assert_eq!(one.overlaps(&other), one.as_str() == other.as_str());
    }
}

/// What must succeed.
///
/// # Panics
/// When it did not.
#[track_caller]
fn must<T, E: Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error:?}"),
    }
}
