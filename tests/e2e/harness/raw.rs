//! A client that hides nothing: one connection, both framings, bytes as they come.
//!
//! Replies may be awaited in any order: what comes before the one that is asked for is kept. It checks what holds for
//! every frame: it is one JSON object without a raw line break, and says `"jsonrpc":"2.0"`.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};

use serde_json::{Value, json};

use super::{PATIENCE, Stream};

/// How frames are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One JSON object a line.
    Lines,
    /// A length of four bytes, then as many bytes.
    Lengths,
}

impl Framing {
    /// One frame around a text.
    pub fn frame(self, text: &str) -> Vec<u8> {
        match self {
            Self::Lines => format!("{text}\n").into_bytes(),
            Self::Lengths => {
                let length = u32::try_from(text.len()).expect("a frame");
                [&length.to_be_bytes(), text.as_bytes()].concat()
            }
        }
    }

    /// Where the first frame in `bytes` starts and ends, and where the next one starts.
    fn bounds(self, bytes: &[u8]) -> Option<(usize, usize, usize)> {
        let bounds = match self {
            Self::Lines => {
                let end = bytes.iter().position(|byte| *byte == b'\n')?;
                (0, end, end + 1)
            }
            Self::Lengths => {
                let end = 4 + u32::from_be_bytes(*bytes.first_chunk()?) as usize;
                (4, end, end)
            }
        };
        (bounds.1 <= bytes.len()).then_some(bounds)
    }
}

/// A value nested `levels` deep.
pub fn deeply(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

/// The client.
#[derive(Debug)]
pub struct Raw {
    stream: Stream,
    framing: Framing,
    buffer: Vec<u8>,
    /// How much of the buffer has been taken.
    taken: usize,
    last_id: u64,
    replies: VecDeque<Value>,
    events: VecDeque<Value>,
}

impl Raw {
    /// Speaks on a stream that is connected.
    pub fn of(stream: Stream, framing: Framing) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self {
            stream,
            framing,
            buffer: Vec::new(),
            taken: 0,
            last_id: 0,
            replies: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Another handle on the same connection that only writes; its framing frames nothing by itself.
    pub fn writer(&self) -> Stream {
        self.stream.try_clone().expect("a descriptor")
    }

    /// Writes bytes as they are.
    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the daemon reads");
    }

    /// Writes one frame.
    #[track_caller]
    pub fn send(&mut self, text: &str) {
        let frame = self.framing.frame(text);
        self.write(frame);
    }

    /// Sends a request; gives its id.
    #[track_caller]
    pub fn start(&mut self, method: &str, params: Value) -> u64 {
        self.try_start(method, params).expect("the daemon reads")
    }

    /// Sends a request to a daemon that may be killed meanwhile: `None` when it is gone.
    pub fn try_start(&mut self, method: &str, params: Value) -> Option<u64> {
        self.last_id += 1;
        let id = self.last_id;
        let request = json!({"id": id, "method": method, "params": params});
        self.stream.write_all(&self.framing.frame(&request.to_string())).ok().map(|()| id)
    }

    /// Sends a notification.
    #[track_caller]
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"method": method, "params": params}).to_string());
    }

    /// Sends a request and waits for its result.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.start(method, params);
        self.result(id)
    }

    /// Sends a request that has to fail; gives the error's `data`.
    #[track_caller]
    pub fn refused(&mut self, kind: &str, method: &str, params: Value) -> Value {
        let id = self.start(method, params);
        self.failure(kind, id)
    }

    /// Waits for the result of a request.
    #[track_caller]
    pub fn result(&mut self, id: u64) -> Value {
        let mut reply = self.reply(id);
        assert!(reply.get("error").is_none(), "{reply}");
        reply["result"].take()
    }

    /// Waits for the error of a request; gives its `data`.
    #[track_caller]
    pub fn failure(&mut self, kind: &str, id: u64) -> Value {
        let mut reply = self.reply(id);
        assert_eq!(reply["error"]["data"]["kind"], kind, "{reply}");
        reply["error"]["data"].take()
    }

    /// Waits for the reply to a request.
    #[track_caller]
    pub fn reply(&mut self, id: u64) -> Value {
        let reply = self.try_reply(id);
        reply.unwrap_or_else(|| panic!("the connection ended before the reply to {id} came"))
    }

    /// Waits for the reply to a request; `None` when the connection ended before it came.
    #[track_caller]
    pub fn try_reply(&mut self, id: u64) -> Option<Value> {
        if let Some(at) = self.replies.iter().position(|reply| reply["id"] == id) {
            return self.replies.remove(at);
        }
        loop {
            let frame: Value = serde_json::from_str(&self.frame()?).expect("JSON");
            if frame.get("method").is_some() {
                self.events.push_back(frame);
            } else if frame["id"] == id {
                return Some(frame);
            } else {
                self.replies.push_back(frame);
            }
        }
    }

    /// Waits for the next reply, whosever it is.
    #[track_caller]
    pub fn next_reply(&mut self) -> Value {
        if let Some(reply) = self.replies.pop_front() {
            return reply;
        }
        loop {
            let frame = self.next("a reply");
            if frame.get("method").is_none() {
                return frame;
            }
            self.events.push_back(frame);
        }
    }

    /// Waits for the next error that has no id; gives its `data`.
    #[track_caller]
    pub fn next_failure(&mut self, kind: &str) -> Value {
        let mut reply = self.next_reply();
        assert_eq!(reply["error"]["data"]["kind"], kind, "{reply}");
        assert_eq!(reply["id"], Value::Null, "{reply}");
        reply["error"]["data"].take()
    }

    /// Waits for the next event; gives its `params`.
    #[track_caller]
    pub fn event(&mut self) -> Value {
        let mut event = match self.events.pop_front() {
            Some(event) => event,
            None => loop {
                let frame = self.next("an event");
                if frame.get("method").is_some() {
                    break frame;
                }
                self.replies.push_back(frame);
            },
        };
        assert_eq!(event["method"], "event");
        event["params"].take()
    }

    /// Waits for the next event, which has to be of this kind.
    #[track_caller]
    pub fn event_of(&mut self, kind: &str) -> Value {
        let event = self.event();
        assert_eq!(event["kind"], kind, "{event}");
        event
    }

    /// A round trip, after which every event that was pushed before it is here: whether there is any.
    #[track_caller]
    pub fn has_events(&mut self) -> bool {
        self.call("server.ping", json!({}));
        !self.events.is_empty()
    }

    #[track_caller]
    fn next(&mut self, what: &str) -> Value {
        let Some(frame) = self.frame() else {
            panic!("the connection ended before {what} came");
        };
        serde_json::from_str(&frame).expect("JSON")
    }

    /// Waits for the next frame as it is on the wire; `None` at the end of the connection.
    #[track_caller]
    pub fn frame(&mut self) -> Option<String> {
        loop {
            if let Some((start, end, next)) = self.framing.bounds(&self.buffer[self.taken..]) {
                let frame = self.buffer[self.taken..][start..end].to_vec();
                self.taken += next;
                let frame = String::from_utf8(frame).expect("UTF-8");
                assert!(!frame.contains(['\r', '\n']), "a raw line break: {frame}");
                assert!(frame.starts_with(r#"{"jsonrpc":"2.0","#), "{frame}");
                return Some(frame);
            }
            self.buffer.drain(..self.taken);
            self.taken = 0;
            let mut chunk = [0; 64 << 10];
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    assert!(self.buffer.is_empty(), "half a frame at the end");
                    return None;
                }
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    /// Says that nothing more will be sent. A pipe can't say it.
    #[cfg(unix)]
    #[track_caller]
    pub fn end_input(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).expect("the end of input");
    }

    /// Waits for the end of the connection, before which nothing else may come.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let rest = self.frame();
        assert_eq!(rest, None, "the end of the connection was expected");
    }

    /// Waits for the end of the connection, whatever comes before.
    #[track_caller]
    pub fn drain(&mut self) {
        while self.frame().is_some() {}
    }
}
