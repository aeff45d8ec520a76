//! Clients of three work queues: Callboard's tasks, a reliable queue of two Redis lists, a beanstalkd tube.
//!
//! Invariant: all three are the same small blocking client, and differ only in the bytes of their protocol, so that the
//! client's side costs the same. A job is its number and filling, 100 bytes; its handle is what finishes it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// How many jobs are added without waiting for answers.
const ADDED_AT_ONCE: usize = 100;

/// What a client does at a work queue.
pub trait Queue: Send {
    /// Writes the request that adds a job.
    fn request_add(&mut self, job: &str, out: &mut Vec<u8>);
    /// Reads what adding a job was answered with.
    fn read_added(&mut self);
    /// Writes the request that takes a job.
    fn request_take(&mut self, out: &mut Vec<u8>);
    /// Reads the job that was taken; gives its handle.
    fn read_taken(&mut self) -> String;
    /// Writes the request that finishes a job for good.
    fn request_finish(&mut self, handle: &str, out: &mut Vec<u8>);
    /// Reads what finishing a job was answered with.
    fn read_finished(&mut self);
    /// The connection.
    fn wire(&mut self) -> &mut Wire;

    /// Adds so many jobs, pipelined.
    fn add(&mut self, count: usize) {
        for first in (0..count).step_by(ADDED_AT_ONCE) {
            let mut out = Vec::new();
            let numbers = first..count.min(first + ADDED_AT_ONCE);
            numbers.clone().for_each(|number| self.request_add(&format!("{number:0>100}"), &mut out));
            self.wire().send(&out);
            numbers.for_each(|_| self.read_added());
        }
    }

    /// Takes so many jobs, with `window` requests under way at once, and finishes each.
    fn work(&mut self, count: usize, window: usize) {
        let mut out = Vec::new();
        for _ in 0..count / window {
            out.clear();
            (0..window).for_each(|_| self.request_take(&mut out));
            self.wire().send(&out);
            let handles: Vec<String> = (0..window).map(|_| self.read_taken()).collect();
            out.clear();
            handles.iter().for_each(|handle| self.request_finish(handle, &mut out));
            self.wire().send(&out);
            (0..window).for_each(|_| self.read_finished());
        }
    }
}

/// A blocking connection.
pub struct Wire {
    reader: BufReader<UnixStream>,
    text: String,
}

impl Wire {
    /// Connects.
    pub fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        Self { reader: BufReader::with_capacity(64 << 10, stream), text: String::new() }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    fn line(&mut self) -> &str {
        self.text.clear();
        self.reader.read_line(&mut self.text).unwrap();
        self.text.trim_end()
    }

    fn bytes(&mut self, count: usize) -> &str {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.resize(count, 0);
        self.reader.read_exact(&mut bytes).unwrap();
        self.text = String::from_utf8(bytes).unwrap();
        &self.text
    }
}

/// Callboard: `task.create`, `task.claim`, `task.complete`.
pub struct Tasks(Wire);

impl Tasks {
    /// A client with an agent of its own.
    pub fn connect(socket: &Path, agent: &str) -> Self {
        let mut tasks = Self(Wire::connect(socket));
        let mut out = Vec::new();
        frame(&format!(r#"{{"id":0,"method":"session.open","params":{{"agent":"{agent}"}}}}"#), &mut out);
        tasks.0.send(&out);
        tasks.read_done();
        tasks
    }

    fn read_frame(&mut self) -> &str {
        let mut header = [0; 4];
        self.0.reader.read_exact(&mut header).unwrap();
        self.0.bytes(u32::from_be_bytes(header) as usize)
    }

    fn read_done(&mut self) {
        let answer = self.read_frame();
        assert!(answer.contains(r#""result":"#), "{answer}");
    }
}

fn frame(json: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(json.len()).unwrap().to_be_bytes());
    out.extend_from_slice(json.as_bytes());
}

impl Queue for Tasks {
    fn request_add(&mut self, job: &str, out: &mut Vec<u8>) {
        frame(&format!(r#"{{"id":1,"method":"task.create","params":{{"title":"{job}"}}}}"#), out);
    }
    fn read_added(&mut self) {
        self.read_done();
    }
    fn request_take(&mut self, out: &mut Vec<u8>) {
        frame(r#"{"id":2,"method":"task.claim"}"#, out);
    }
    fn read_taken(&mut self) -> String {
        let answer = self.read_frame();
        let token = answer.rsplit(r#""token":"#).next().and_then(|rest| rest.split('}').next());
        token.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
    fn request_finish(&mut self, handle: &str, out: &mut Vec<u8>) {
        frame(&format!(r#"{{"id":3,"method":"task.complete","params":{{"token":{handle}}}}}"#), out);
    }
    fn read_finished(&mut self) {
        self.read_done();
    }
    fn wire(&mut self) -> &mut Wire {
        &mut self.0
    }
}

/// Redis: RPUSH, LMOVE to a second list, LREM from there.
pub struct Lists(pub Wire);

fn command(words: &[&str], out: &mut Vec<u8>) {
    write!(out, "*{}\r\n", words.len()).unwrap();
    words.iter().for_each(|word| write!(out, "${}\r\n{word}\r\n", word.len()).unwrap());
}

impl Queue for Lists {
    fn request_add(&mut self, job: &str, out: &mut Vec<u8>) {
        command(&["RPUSH", "ready", job], out);
    }
    fn read_added(&mut self) {
        let answer = self.0.line();
        assert!(answer.starts_with(':'), "{answer}");
    }
    fn request_take(&mut self, out: &mut Vec<u8>) {
        command(&["LMOVE", "ready", "taken", "LEFT", "RIGHT"], out);
    }
    fn read_taken(&mut self) -> String {
        let length = self.0.line().trim_start_matches('$').parse::<usize>().unwrap();
        self.0.bytes(length + 2).trim_end().to_owned()
    }
    fn request_finish(&mut self, handle: &str, out: &mut Vec<u8>) {
        command(&["LREM", "taken", "1", handle], out);
    }
    fn read_finished(&mut self) {
        assert_eq!(self.0.line(), ":1");
    }
    fn wire(&mut self) -> &mut Wire {
        &mut self.0
    }
}

/// beanstalkd: put, reserve, delete.
pub struct Tube(pub Wire);

impl Queue for Tube {
    fn request_add(&mut self, job: &str, out: &mut Vec<u8>) {
        write!(out, "put 1 0 300 {}\r\n{job}\r\n", job.len()).unwrap();
    }
    fn read_added(&mut self) {
        let answer = self.0.line();
        assert!(answer.starts_with("INSERTED"), "{answer}");
    }
    fn request_take(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"reserve\r\n");
    }
    fn read_taken(&mut self) -> String {
        let mut words = self.0.line().split(' ').skip(1);
        let (id, length) =
            (words.next().unwrap().to_owned(), words.next().unwrap().parse::<usize>().unwrap());
        self.0.bytes(length + 2);
        id
    }
    fn request_finish(&mut self, handle: &str, out: &mut Vec<u8>) {
        write!(out, "delete {handle}\r\n").unwrap();
    }
    fn read_finished(&mut self) {
        assert_eq!(self.0.line(), "DELETED");
    }
    fn wire(&mut self) -> &mut Wire {
        &mut self.0
    }
}
