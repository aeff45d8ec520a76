//! The JSON-RPC envelope: reading a frame as a request, writing replies and events, and the same seen from a client.
//!
//! Invariant: a [`Request`] is all that the contract asks of an envelope, its text has no raw line break, and every
//! value in it is one that every client can read. Nothing of a good frame is copied. What `params` means is for
//! [`crate::params`]; [`UsualRequest`] reads both at once, where a request is written as nearly all are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use serde_json::value::RawValue;

use crate::json::object::Text;
use crate::limits::FRAME_DEPTH_MAX;
use crate::methods::Answer;
use crate::params::clip;
use crate::scan::{self, Fault, Offence};
use crate::{Error, ErrorKind, RequestId, json};

mod usual;

pub use usual::UsualRequest;

/// A request or notification as it came.
#[derive(Debug)]
pub struct Request<'a> {
    /// What the reply carries; `None` for a notification, which gets none.
    pub id: Option<RequestId>,
    /// The method's name, which need not exist.
    pub method: Cow<'a, str>,
    /// An object, where there is one: null counts as absent.
    pub params: Option<&'a RawValue>,
}

/// Why a frame is no request, and whom to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The id of the request, where it has a single valid one.
    pub id: Option<RequestId>,
    /// `parse_error` with `offset` (in bytes of the frame), or `invalid_request`, with `member` where one is at fault.
    pub error: Error,
}

impl<'a> Request<'a> {
    /// Reads `frame`, in which raw line breaks between tokens become spaces.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with; the connection lives on.
    pub fn parse(frame: &'a mut [u8]) -> Result<Self, Rejection> {
        if memchr::memchr2(b'\r', b'\n', frame).is_some() {
            // Before that a line break inside a string would pass for a space.
            let text = utf8(frame)?;
            scan::grammar(text).map_err(|offence| refuse(None, offence))?;
            scan::blank_line_breaks(frame);
        }
        let text = utf8(frame)?;
        let Ok(members) = serde_json::from_str::<Members<'_>>(text) else {
            return Err(no_object(text));
        };
        match scan::check(text.as_bytes(), FRAME_DEPTH_MAX) {
            Ok(()) => members.into_request(),
            Err(offence) => Err(refuse(members.request_id(), offence)),
        }
    }
}

fn refuse(id: Option<RequestId>, offence: Offence) -> Rejection {
    Rejection { id, error: offence.into_error() }
}

fn utf8(frame: &[u8]) -> Result<&str, Rejection> {
    str::from_utf8(frame).map_err(|error| {
        let text = String::from_utf8_lossy(frame);
        let members: Option<Members<'_>> = serde_json::from_str(&text).ok();
        // With a replacement character in it, the id may be the very place that was damaged.
        let id = members.filter(|members| !members.id.is_some_and(|raw| raw.get().contains('\u{fffd}')));
        let offence = Offence { offset: error.valid_up_to(), fault: Fault::Grammar("invalid UTF-8".into()) };
        refuse(id.and_then(|members| members.request_id()), offence)
    })
}

/// What is wrong with a text that is no JSON object.
fn no_object(text: &str) -> Rejection {
    let offence = scan::grammar(text).and_then(|()| scan::check(text.as_bytes(), FRAME_DEPTH_MAX));
    match offence {
        Err(offence) => refuse(None, offence),
        Ok(()) => {
            let message = if text.trim_ascii_start().starts_with('[') {
                "batches are not taken: send each request in a frame of its own"
            } else {
                "a request is an object, such as {\"id\":1,\"method\":\"server.ping\"}"
            };
            Rejection { id: None, error: Error::new(ErrorKind::InvalidRequest, message) }
        }
    }
}

/// The members of an object, as an envelope has them.
#[derive(Default)]
struct Members<'a> {
    jsonrpc: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    id_doubled: bool,
    /// The first member that is unknown or doubled.
    flaw: Option<Error>,
}

fn flaw(name: &str, what: &str) -> Error {
    let name = clip(name);
    let message = format!("the member `{name}` of the request {what}");
    Error::new(ErrorKind::InvalidRequest, message).with("member", name)
}

impl<'a> Members<'a> {
    fn take<A: MapAccess<'a>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        let member = match name {
            "jsonrpc" => &mut self.jsonrpc,
            "id" => &mut self.id,
            "method" => &mut self.method,
            "params" => &mut self.params,
            unknown => {
                self.flaw.get_or_insert_with(|| {
                    flaw(unknown, "is unknown: there are `jsonrpc`, `id`, `method` and `params`")
                });
                members.next_value::<IgnoredAny>()?;
                return Ok(());
            }
        };
        if member.replace(members.next_value()?).is_some() {
            self.id_doubled |= name == "id";
            self.flaw.get_or_insert_with(|| flaw(name, "is given twice"));
        }
        Ok(())
    }

    fn request_id(&self) -> Option<RequestId> {
        match self.id {
            Some(raw) if !self.id_doubled => RequestId::from_json(raw.get()),
            Some(_) | None => None,
        }
    }

    fn into_request(mut self) -> Result<Request<'a>, Rejection> {
        let id = self.request_id();
        let error = match self.flaw.take() {
            Some(flaw) => flaw,
            None if self.id.is_some() && id.is_none() => {
                flaw("id", "is neither an integer nor a string: leave it out for a notification")
            }
            None => match self.content() {
                Ok((method, params)) => return Ok(Request { id, method, params }),
                Err(error) => error,
            },
        };
        Err(Rejection { id, error })
    }

    fn content(&self) -> Result<(Cow<'a, str>, Option<&'a RawValue>), Error> {
        let version = self.jsonrpc.map(RawValue::get);
        if version.is_some_and(|raw| json::string(raw).as_deref() != Some(VERSION)) {
            return Err(flaw("jsonrpc", "is not \"2.0\": it may be left out"));
        }
        let method = self.method.and_then(|raw| json::string(raw.get()));
        let method = method.ok_or_else(|| flaw("method", "has to be a string"))?;
        let params = self.params.filter(|raw| raw.get() != "null");
        if params.is_some_and(|raw| !raw.get().starts_with('{')) {
            return Err(flaw("params", "is not an object"));
        }
        Ok((method, params))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                // Raw, because a name may have a lone surrogate and the id still be known.
                while let Some(raw) = map.next_key::<&'de RawValue>()? {
                    let name = json::string(raw.get()).unwrap_or(Cow::Borrowed(raw.get()));
                    members.take(&name, &mut map)?;
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

const VERSION: &str = "2.0";

/// A reply, as it is written.
#[derive(Debug)]
pub struct Response<'a, T: ?Sized> {
    /// The request's id; `None` is written as null.
    pub id: Option<&'a RequestId>,
    /// `result` or `error`.
    pub outcome: Result<&'a T, &'a Error>,
}

impl<T: Answer + ?Sized> Response<'_, T> {
    /// Appends it as JSON. The envelope is most of a short answer, and the same each time.
    ///
    /// # Errors
    /// When JSON can't express the result; `out` has a part of it then.
    pub fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        Text::write(&self.id, out);
        match self.outcome {
            Ok(result) => {
                out.extend_from_slice(br#","result":"#);
                result.write(out)?;
            }
            Err(error) => {
                out.extend_from_slice(br#","error":"#);
                serde_json::to_writer(&mut *out, error)?;
            }
        }
        out.push(b'}');
        Ok(())
    }
}

/// An event on its way to a client, as it is written: `{"jsonrpc":"2.0","method":"event","params":..}`.
#[derive(Debug)]
pub struct Push<'a, T: ?Sized> {
    /// The event, an object.
    pub params: &'a T,
}

impl<T: Serialize + ?Sized> Serialize for Push<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut push = serializer.serialize_struct("Push", 3)?;
        push.serialize_field("jsonrpc", VERSION)?;
        push.serialize_field("method", EVENT)?;
        push.serialize_field("params", self.params)?;
        push.end()
    }
}

const EVENT: &str = "event";

/// A request or notification, as a client writes it.
#[derive(Debug, serde::Serialize)]
pub struct Call<'a, T: ?Sized> {
    /// `None` for a notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a RequestId>,
    /// The method's name.
    pub method: &'a str,
    /// Its parameters, an object.
    pub params: &'a T,
}

/// What a client reads. Members that it does not know are passed over.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// The answer to a request.
    Response {
        /// The request's id; `None` when the daemon could not tell it.
        id: Option<RequestId>,
        /// Its result, or why there is none.
        outcome: Result<&'a RawValue, Error>,
    },
    /// An event.
    Event {
        /// The event, an object.
        params: &'a RawValue,
    },
    /// A notification that this version does not know: to be ignored.
    Unknown,
}

#[derive(serde::Deserialize)]
struct IncomingMembers<'a> {
    id: Option<RequestId>,
    #[serde(borrow, default, deserialize_with = "some")]
    result: Option<&'a RawValue>,
    error: Option<Error>,
    method: Option<String>,
    #[serde(borrow, default, deserialize_with = "some")]
    params: Option<&'a RawValue>,
}

/// For a member that may be left out, where null is no way to leave it out: it is for `T` to take or to refuse.
fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<'a> Incoming<'a> {
    /// Reads a frame that came from the daemon.
    ///
    /// # Errors
    /// `parse_error` when it is not JSON or has the wrong types, `invalid_request` when it is neither a reply nor
    /// an event.
    pub fn parse(frame: &'a [u8]) -> Result<Self, Error> {
        let members: IncomingMembers<'a> = serde_json::from_slice(frame).map_err(|error| {
            Error::new(ErrorKind::ParseError, format!("failed to read a frame of the daemon: {error}"))
        })?;
        let IncomingMembers { id, result, error, method, params } = members;
        match (method.as_deref(), params, error, result) {
            (Some(EVENT), Some(params), _, _) => Ok(Self::Event { params }),
            (Some(_), ..) => Ok(Self::Unknown),
            (None, _, Some(error), _) => Ok(Self::Response { id, outcome: Err(error) }),
            (None, _, None, Some(result)) => Ok(Self::Response { id, outcome: Ok(result) }),
            (None, _, None, None) => Err(Error::new(
                ErrorKind::InvalidRequest,
                "the daemon's frame is neither a reply nor an event",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
