//! JSON text of what is sent most (tasks, messages, the answers of `kv.get` and `kv.set`) and of all that is stored, written
//! without asking a serializer about each member.
//!
//! Invariant: the text is the one that a derived `Serialize` gives. [`object!`](crate::object) names every member or
//! variant of its type, so one that is added to the type and forgotten there does not compile. It lacks what these objects
//! don't have: members that are left out by a rule of their own. Like a [`Json`] they are for `serde_json` alone, and can't
//! be flattened into another object.
//!
//! A serializer looks for characters to escape in every text, member names included: a quarter of a task's way from the
//! request to the answer and the record.

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use super::Json;
use crate::address::Recipients;
use crate::methods::agent;
use crate::methods::lock::Mode;
use crate::methods::message::{DeliveryState, Priority, Recipient};
use crate::methods::session::Program;
use crate::methods::task::{OnDependencyFailure, Status, Why};
use crate::names::{AgentName, Key, Label, Namespace, Role};
use crate::revision::Revision;
use crate::scalar::{Object, Scalar};

/// Room for a task or a message without long texts, in bytes.
const USUAL_BYTES: usize = 768;
/// The name under which `serde_json` takes a text as it is.
const VERBATIM: &str = "$serde_json::private::RawValue";

/// Where text goes: to a text of its own, or among the bytes that are written or stored.
pub trait Sink {
    /// Appends `text`.
    fn put(&mut self, text: &str);
}

impl Sink for String {
    #[inline]
    fn put(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

/// What can append itself as JSON text.
pub trait Text {
    /// Appends it.
    fn write(&self, out: &mut impl Sink);

    /// Whether a sparse object leaves it out: nothing, or a list of nothing.
    fn is_absent(&self) -> bool {
        false
    }
}

/// Implements [`Text`] and `Serialize` for a struct by its members, in this order; one whose name is a word of Rust's is
/// followed by its name in JSON. The first one is always there. A `sparse` object leaves out what is absent, others write
/// null or `[]`. A `tagged` one is an enum, written as an object of one member with the variant's content.
#[macro_export]
macro_rules! object {
    (sparse $type:ident { $($members:tt)+ }) => {
        $crate::object!(@impl sparse_member $type { $($members)+ });
    };
    ($type:ident { $($members:tt)+ }) => {
        $crate::object!(@impl full_member $type { $($members)+ });
    };
    (tagged $type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $crate::json::object::Text for $type {
            fn write(&self, out: &mut impl $crate::json::object::Sink) {
                match self {
                    $(Self::$variant(content) => {
                        $crate::json::object::full_member(out, concat!("{\"", $name, "\":"), content);
                    })+
                }
                out.put("}");
            }
        }

        $crate::object!(@serialize $type);
    };
    (@impl $kind:ident $type:ident { $first:ident $(, $member:ident $(= $name:literal)?)* $(,)? }) => {
        impl $crate::json::object::Text for $type {
            fn write(&self, out: &mut impl $crate::json::object::Sink) {
                let Self { $first $(, $member)* } = self;
                let key = concat!("{\"", stringify!($first), "\":");
                $crate::json::object::full_member(out, key, $first);
                $($crate::json::object::$kind(out, $crate::object!(@key $member $($name)?), $member);)*
                out.put("}");
            }
        }

        $crate::object!(@serialize $type);
    };
    (@serialize $type:ident) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::json::object::serialize(self, serializer)
            }
        }
    };
    (@key $member:ident) => { concat!(",\"", stringify!($member), "\":") };
    (@key $member:ident $name:literal) => { concat!(",\"", $name, "\":") };
}

/// Appends a member; `key` has all that stands before the value.
#[inline]
pub fn full_member<T: Text + ?Sized>(out: &mut impl Sink, key: &'static str, value: &T) {
    out.put(key);
    value.write(out);
}

/// Appends a member, unless it is absent.
#[inline]
pub fn sparse_member<T: Text>(out: &mut impl Sink, key: &'static str, value: &T) {
    if !value.is_absent() {
        full_member(out, key, value);
    }
}

/// Gives a serializer of `serde_json` the text of `value`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<T: Text, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(USUAL_BYTES);
    value.write(&mut text);
    let mut verbatim = serializer.serialize_struct(VERBATIM, 1)?;
    verbatim.serialize_field(VERBATIM, &text)?;
    verbatim.end()
}

/// Appends what is short, or rare, as its own `Serialize` has it.
fn write_plain<T: Serialize + ?Sized>(value: &T, out: &mut impl Sink) {
    // Texts, numbers and names have a form.
    if let Ok(text) = serde_json::to_string(value) {
        out.put(&text);
    }
}

/// Whether a text has nothing to escape.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    // Without a way out of the loop, so that it takes many bytes at once.
    text.bytes().fold(true, |plain, byte| plain & (byte >= b' ' && byte != b'"' && byte != b'\\'))
}

/// Appends as a JSON string what has nothing to escape.
fn quote(text: &str, out: &mut impl Sink) {
    out.put("\"");
    out.put(text);
    out.put("\"");
}

impl Text for str {
    fn write(&self, out: &mut impl Sink) {
        if is_plain(self) {
            quote(self, out);
        } else {
            write_plain(self, out);
        }
    }
}

impl Text for Json {
    fn write(&self, out: &mut impl Sink) {
        out.put(self.as_str());
    }
}

impl Text for bool {
    fn write(&self, out: &mut impl Sink) {
        out.put(if *self { "true" } else { "false" });
    }
}

impl<T: Text> Text for Option<T> {
    #[inline]
    fn write(&self, out: &mut impl Sink) {
        match self {
            Some(value) => value.write(out),
            None => out.put("null"),
        }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Text> Text for [T] {
    fn write(&self, out: &mut impl Sink) {
        out.put("[");
        for (place, item) in self.iter().enumerate() {
            if place > 0 {
                out.put(",");
            }
            item.write(out);
        }
        out.put("]");
    }
}

impl<T: Text> Text for Vec<T> {
    fn write(&self, out: &mut impl Sink) {
        self.as_slice().write(out);
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Text> Text for &T {
    fn write(&self, out: &mut impl Sink) {
        T::write(self, out);
    }
}

impl<T: Text> Text for Box<T> {
    fn write(&self, out: &mut impl Sink) {
        T::write(self, out);
    }
}

impl Text for u64 {
    fn write(&self, out: &mut impl Sink) {
        out.put(itoa::Buffer::new().format(*self));
    }
}

impl Text for u32 {
    fn write(&self, out: &mut impl Sink) {
        u64::from(*self).write(out);
    }
}

impl Text for usize {
    fn write(&self, out: &mut impl Sink) {
        (*self as u64).write(out);
    }
}

impl Text for Revision {
    fn write(&self, out: &mut impl Sink) {
        self.0.write(out);
    }
}

impl Text for Scalar {
    fn write(&self, out: &mut impl Sink) {
        self.as_json().write(out);
    }
}

/// What has a text to be written as a JSON string, and whether that may have something to escape.
macro_rules! text_of {
    ($($type:ty: $text:ident),+ ; plain $($plain:ty: $name:ident),+ $(,)?) => {
        $(impl Text for $type {
            fn write(&self, out: &mut impl Sink) {
                self.$text().write(out);
            }
        })+
        $(impl Text for $plain {
            fn write(&self, out: &mut impl Sink) {
                quote(self.$name(), out);
            }
        })+
    };
}
text_of!(
    String: as_str, Key: as_str, Label: as_str;
    plain AgentName: as_str, Namespace: as_str, Role: as_str, Priority: name, Status: name,
);

/// What has nothing of the kind.
macro_rules! plain {
    ($($type:ty),+ $(,)?) => {
        $(impl Text for $type {
            fn write(&self, out: &mut impl Sink) {
                write_plain(self, out);
            }
        })+
    };
}
plain!(agent::Status, DeliveryState, Mode, Object, OnDependencyFailure, Program, Recipient, Recipients, Why);

#[cfg(test)]
mod tests;
