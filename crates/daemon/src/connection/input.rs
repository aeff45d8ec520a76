//! From bytes to requests: frames are cut, requests carried out in order, replies encoded.

use bytes::Buf as _;
use callboard_protocol::error::Error;
use callboard_protocol::methods::{Answer, Command, Empty, Method, unknown_method};
use callboard_protocol::{Cut, FrameError, Request, RequestId, UsualRequest};
use serde_json::value::RawValue;

use super::{Connection, FAIL_TIME, Phase};
use crate::dispatch::Reply;
use crate::outbox::encode_response;

impl Connection {
    /// Carries out every whole request of what just came, unless too many replies wait to be written, and keeps the
    /// rest.
    pub(super) fn take_input(&mut self, bytes: &mut [u8]) {
        if !self.input.is_empty() {
            self.input.extend_from_slice(bytes);
            return self.take_requests();
        }
        let end = self.take_frames(bytes);
        self.input.extend_from_slice(&bytes[end..]);
    }

    /// As [`Connection::take_input`], for what was kept. At the end of input a last line without LF still counts; half a
    /// frame is dropped.
    pub(super) fn take_requests(&mut self) {
        let mut input = std::mem::take(&mut self.input);
        let end = self.take_frames(&mut input);
        input.advance(end);
        while self.phase == Phase::HalfClosed && self.takes_requests() {
            match self.decoder.decode_eof(&mut input) {
                Ok(Some(mut frame)) => self.take_frame(&mut frame),
                Ok(None) => break,
                Err(error) => self.fail(error),
            }
        }
        if !input.is_empty() && self.phase != Phase::Failing {
            self.input = input;
        }
    }

    /// Gives how many bytes are done with.
    fn take_frames(&mut self, bytes: &mut [u8]) -> usize {
        // Those that had to wait for the ones before them take effect now, not when they came.
        self.moment.1 = 0;
        let mut start = 0;
        while self.takes_requests() {
            match self.decoder.cut(&bytes[start..]) {
                Ok(Cut { frame, end }) => {
                    let cut = &mut bytes[start..];
                    start += end;
                    match frame {
                        Some(frame) => self.take_frame(&mut cut[frame]),
                        None => break,
                    }
                }
                Err(error) => {
                    self.fail(error);
                    return bytes.len();
                }
            }
        }
        start
    }

    /// Whether requests are carried out now: not behind one that takes its time, nor while replies pile up.
    pub(super) fn takes_requests(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::HalfClosed) && self.busy.is_none() && !self.is_behind()
    }

    /// A fatal error of framing: it is told, then the connection closes.
    fn fail(&mut self, error: FrameError) {
        self.respond::<Empty>(None, Err(&Error::from(error)));
        self.phase = Phase::Failing;
        self.deadline = Some(Box::pin(tokio::time::sleep(FAIL_TIME)));
    }

    fn take_frame(&mut self, frame: &mut [u8]) {
        if let Some(UsualRequest { id, method, command }) =
            UsualRequest::read(frame, self.host.config.limits.value_bytes)
        {
            self.host.stats.count_request(method);
            return self.take_command(id, command);
        }
        match Request::parse(frame) {
            Err(rejection) => self.respond::<Empty>(rejection.id.as_ref(), Err(&rejection.error)),
            Ok(Request { id, method, params }) => {
                let known = Method::from_name(&method);
                let result = known.ok_or_else(|| unknown_method(&method)).and_then(|method| {
                    self.host.stats.count_request(method);
                    Command::decode(method, params.map(RawValue::get), self.host.config.limits.value_bytes)
                });
                match result {
                    Ok(command) => self.take_command(id, command),
                    Err(error) => {
                        if known != Some(Method::SessionOpen) {
                            // A refused request came before `session.open` all the same. Where no session can be
                            // opened the next request tells why.
                            let _ = self.seat();
                        }
                        self.respond_to::<Empty>(id.as_ref(), Err(&error));
                    }
                }
            }
        }
    }

    fn take_command(&mut self, id: Option<RequestId>, command: Command) {
        let reply = self.dispatch(id.as_ref(), command);
        self.take_seen();
        match reply {
            Reply::Board(Ok(ref answer), stamp) => {
                let start = self.output.len();
                self.respond_to(id.as_ref(), Ok(answer));
                if id.is_some() {
                    self.note_unstored(start, stamp);
                }
            }
            Reply::Host(Ok(ref answer)) => self.respond_to(id.as_ref(), Ok(answer)),
            Reply::Board(Err(error), _) | Reply::Host(Err(error)) => {
                self.respond_to::<Empty>(id.as_ref(), Err(&error));
            }
            Reply::Later => {}
            Reply::Closing => {
                self.respond_to(id.as_ref(), Ok(&Empty {}));
                self.phase = Phase::Closing;
            }
            Reply::Busy(work) => {
                let framing = self.framing();
                let host = std::sync::Arc::clone(&self.host);
                self.busy = Some(Box::pin(async move {
                    let mut reply = Vec::new();
                    let result = work.await;
                    if let Err(error) = &result {
                        host.stats.count_error(error);
                    }
                    if let Some(id) = &id {
                        encode_response(framing, Some(id), result.as_ref(), &mut reply);
                    }
                    reply
                }));
            }
        }
    }

    /// Answers a request; a notification gets no answer.
    fn respond_to<T: Answer>(&mut self, id: Option<&RequestId>, outcome: Result<&T, &Error>) {
        match id {
            Some(id) => self.respond(Some(id), outcome),
            None => {
                if let Err(error) = outcome {
                    self.host.stats.count_error(error);
                }
            }
        }
    }

    fn respond<T: Answer>(&mut self, id: Option<&RequestId>, outcome: Result<&T, &Error>) {
        if let Err(error) = outcome {
            self.host.stats.count_error(error);
        }
        encode_response(self.framing(), id, outcome, &mut self.output);
    }
}
