//! Requests as nearly all clients write them, read without a parser for the envelope: `params` last, nothing escaped,
//! at most a space after each colon and comma.
//!
//! Invariant: what is read here is what [`Request::parse`](super::Request::parse) and [`Command::decode`] make of the same
//! frame. It never says what is wrong: a frame that is not read here is for those two to judge.

use crate::limits::FRAME_DEPTH_MAX;
use crate::methods::{Command, Method};
use crate::{RequestId, scan};

use super::VERSION;

/// Digits that any integer may have and still be given back as it came.
const DIGITS_MAX: usize = 18;

/// A request whose parameters are known to be its method's.
#[derive(Debug)]
pub struct UsualRequest {
    /// What the reply carries; `None` for a notification, which gets none.
    pub id: Option<RequestId>,
    /// The method.
    pub method: Method,
    /// The call.
    pub command: Command,
}

impl UsualRequest {
    /// The request that `frame` is, if it is a usual one and right in all; no payload may be longer than `value_bytes`.
    #[must_use]
    pub fn read(frame: &[u8], value_bytes: usize) -> Option<Self> {
        if memchr::memchr2(b'\r', b'\n', frame).is_some() {
            return None;
        }
        let Envelope { id, method, params } = Envelope::cut(str::from_utf8(frame).ok()?)?;
        // The rest of the frame is one level and has nothing to find: its strings have no escapes, its number is short.
        params.map_or(Ok(()), |params| scan::check(params.as_bytes(), FRAME_DEPTH_MAX - 1)).ok()?;
        // This reads the parameters to their last byte, which is what makes the rest of the frame JSON.
        let command = Command::decode(method, params, value_bytes).ok()?;
        Some(Self { id, method, command })
    }
}

/// The members of a request, `params` not looked at.
struct Envelope<'a> {
    id: Option<RequestId>,
    method: Method,
    params: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    fn cut(text: &'a str) -> Option<Self> {
        let mut rest = Rest(text);
        let (mut version, mut id, mut method) = (None, None, None);
        rest.eat("{")?;
        let params = loop {
            let name = rest.string()?;
            rest.eat(":")?;
            let is_first = match name {
                "jsonrpc" => version.replace(rest.string().filter(|text| *text == VERSION)?).is_none(),
                "id" => id.replace(rest.id()?).is_none(),
                "method" => method.replace(Method::from_name(rest.string()?)?).is_none(),
                "params" => break Some(rest.0.strip_suffix('}').filter(|object| object.starts_with('{'))?),
                _unknown => false,
            };
            if !is_first {
                return None;
            }
            if rest.0 == "}" {
                break None;
            }
            rest.eat(",")?;
        };
        Some(Self { id, method: method?, params })
    }
}

/// What is left of a text.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Takes a mark and the space behind it.
    fn eat(&mut self, mark: &str) -> Option<()> {
        let rest = self.0.strip_prefix(mark)?;
        self.0 = rest.strip_prefix(' ').unwrap_or(rest);
        Some(())
    }

    /// Takes a string with nothing escaped.
    fn string(&mut self) -> Option<&'a str> {
        let text = self.0.strip_prefix("\"")?;
        let end = text.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
        self.0 = text[end..].strip_prefix("\"")?;
        Some(&text[..end])
    }

    fn id(&mut self) -> Option<RequestId> {
        if self.0.starts_with('"') {
            return self.string().map(RequestId::from);
        }
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at(digits);
        let is_usual = digits <= DIGITS_MAX && (digits == 1 || !number.starts_with('0'));
        self.0 = rest;
        number.parse::<i64>().ok().filter(|_| is_usual).map(RequestId::from)
    }
}

#[cfg(test)]
mod tests;
