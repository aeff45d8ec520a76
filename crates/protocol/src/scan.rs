//! What JSON's grammar leaves open and the contract does not: nesting, lone surrogates, numbers beyond a double,
//! and raw line breaks between tokens; and where in a text a fault is.
//!
//! Invariant: one linear pass, no allocation, no panic on any input. [`scan`] answers for syntactically valid text
//! only.

use crate::{Error, ErrorKind};

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not JSON; the parser's words.
    Grammar(Box<str>),
    /// It is nested deeper than this many levels.
    Depth(usize),
    /// A `\u` escape is half of a surrogate pair.
    LoneSurrogate,
    /// A number's magnitude is beyond a double.
    NumberOverflow,
}

/// A fault and where it begins, in bytes from the start of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    /// Where it begins, in bytes.
    pub offset: usize,
    /// What it is.
    pub fault: Fault,
}

impl Offence {
    /// The same offence in a text that begins `bytes` earlier.
    #[must_use]
    pub fn shifted(self, bytes: usize) -> Self {
        Self { offset: self.offset + bytes, ..self }
    }

    /// The `parse_error` that says so, with `offset`.
    #[must_use]
    pub fn into_error(self) -> Error {
        let Self { offset, fault } = self;
        let message = match fault {
            Fault::Grammar(why) => format!("not valid JSON at byte {offset}: {why}"),
            Fault::Depth(max) => {
                format!("nested deeper than {max} levels at byte {offset}: flatten the value")
            }
            Fault::LoneSurrogate => {
                format!(
                    "a lone surrogate at byte {offset}: write both halves of the pair, or the character itself"
                )
            }
            Fault::NumberOverflow => {
                format!("a number beyond a double at byte {offset}: send it as a string")
            }
        };
        Error::new(ErrorKind::ParseError, message).with("offset", offset)
    }
}

/// Finds the first offence of a syntactically valid text: nesting over `depth_max`, a lone surrogate, or a number
/// beyond a double. Gives the nesting of the whole: 0 for a scalar, 1 for `[]`.
///
/// # Errors
/// The offence that begins first.
pub fn scan(text: &[u8], depth_max: usize) -> Result<usize, Offence> {
    let mut depth = 0_usize;
    let mut deepest = 0;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at + 1)?,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
                if depth > depth_max {
                    return Err(Offence { offset: at, fault: Fault::Depth(depth_max) });
                }
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'-' | b'0'..=b'9' => at = number_end(text, at)?,
            _ => at += 1,
        }
    }
    Ok(deepest)
}

/// As [`scan`], without the nesting. Most texts have nothing that needs a closer look, which costs a tenth to find out.
///
/// # Errors
/// The offence that begins first.
pub fn check(text: &[u8], depth_max: usize) -> Result<(), Offence> {
    if is_plain(text, depth_max) { Ok(()) } else { scan(text, depth_max).map(drop) }
}

/// Whether no byte of `text`, inside of strings or not, could be part of an offence: no `\u`, no digit before an
/// `e`, no number as long as [`SAFE_DIGITS`], no more than `depth_max` brackets. Loops without branches, for the
/// compiler to vectorise.
fn is_plain(text: &[u8], depth_max: usize) -> bool {
    // Counted by the 255, so that a byte holds each count and sixteen are made at once.
    let count = |part: &[u8]| part.iter().map(|&byte| u8::from(byte | 0x20 == b'{')).sum::<u8>();
    let brackets: usize = text.chunks(255).map(|part| usize::from(count(part))).sum();
    let pairs = text.iter().zip(text.get(1..).unwrap_or_default());
    let suspects = pairs.fold(0, |suspects, (&first, &second)| {
        let exponent = u8::from(first.wrapping_sub(b'0') < 10) & u8::from(second | 0x20 == b'e');
        let code_unit = u8::from(first == b'\\') & u8::from(second == b'u');
        suspects | exponent | code_unit
    });
    let number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'-');
    brackets <= depth_max && suspects == 0 && !text.iter().step_by(SAFE_DIGITS).any(number)
}

/// How deeply a syntactically valid text is nested: 0 for a scalar, 1 for `[]`.
#[must_use]
pub fn depth(text: &[u8]) -> usize {
    scan(text, usize::MAX).unwrap_or(0)
}

/// The index behind the closing quote of the string whose content begins at `at`.
fn string_end(text: &[u8], mut at: usize) -> Result<usize, Offence> {
    loop {
        match text.get(at) {
            None => return Ok(at),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape_end(text, at)?,
            Some(_) => at += 1,
        }
    }
}

/// The index behind the escape whose backslash is at `at`; behind the second half of a surrogate pair.
fn escape_end(text: &[u8], at: usize) -> Result<usize, Offence> {
    match code_unit(text, at) {
        None => Ok(at + 2),
        Some(0xD800..=0xDBFF) if matches!(code_unit(text, at + 6), Some(0xDC00..=0xDFFF)) => Ok(at + 12),
        Some(0xD800..=0xDFFF) => Err(Offence { offset: at, fault: Fault::LoneSurrogate }),
        Some(_) => Ok(at + 6),
    }
}

/// The code unit that the escape at `at` stands for, if it is one of the form `\uXXXX`.
fn code_unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

/// Digits that a number without exponent may have and still fit a double: the largest has 309.
const SAFE_DIGITS: usize = 308;

/// The index behind the number that begins at `start`.
fn number_end(text: &[u8], start: usize) -> Result<usize, Offence> {
    let mut at = start;
    let mut exponent = false;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'0'..=b'9' | b'.' | b'-' | b'+' => {}
            b'e' | b'E' => exponent = true,
            _ => break,
        }
        at += 1;
    }
    let fits = !exponent && at - start <= SAFE_DIGITS
        || str::from_utf8(&text[start..at])
            .ok()
            .and_then(|number| number.parse().ok())
            .is_none_or(f64::is_finite);
    if fits { Ok(at) } else { Err(Offence { offset: start, fault: Fault::NumberOverflow }) }
}

/// Turns CR and LF into spaces, in place. In a syntactically valid text they stand between tokens only.
pub fn blank_line_breaks(text: &mut [u8]) {
    for byte in text {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
}

/// Holds `text` against JSON's grammar: one value, spaces around it allowed.
///
/// # Errors
/// Where it stops being JSON.
pub fn grammar(text: &str) -> Result<(), Offence> {
    match serde_json::from_str::<&serde_json::value::RawValue>(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Offence { offset: offset(text, &error), fault: Fault::Grammar(reason(&error).into()) })
        }
    }
}

/// The parser's words without its line and column.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let mut words = error.to_string();
    if let Some(end) = words.rfind(" at line ") {
        words.truncate(end);
    }
    words
}

/// The byte that line and column of `error` mean.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return text.len();
    }
    let bytes = text.as_bytes();
    let line_start: usize = bytes
        .split_inclusive(|&byte| byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let offset = (line_start + error.column()).saturating_sub(1);
    // The parser counts a control character inside a string sometimes from 0 and else from 1.
    let before_control =
        reason(error).starts_with("control character") && bytes.get(offset).is_some_and(|&byte| byte >= b' ');
    offset + usize::from(before_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<(usize, Fault)> {
        grammar(text).unwrap();
        scan(text.as_bytes(), 80).err().map(|offence| (offence.offset, offence.fault))
    }

    #[test]
    fn nesting_is_counted_outside_of_strings() {
        assert_eq!(scan(br#"{"a":[{"b":"]]}}[[[["}],"c":[]}"#, 80), Ok(3));
        assert_eq!(depth(b"7"), 0);
        assert_eq!(scan(b"[[[]]]", 2).unwrap_err().offset, 2);
    }

    #[test]
    fn lone_surrogates_are_found_and_pairs_are_not() {
        for good in [r#""\ud83d\ude00""#, r#""\uD83D\uDE00\u00e9\\ud800""#, r#""\\\"\ud83d\ude00""#] {
            assert_eq!(first(good), None, "{good}");
        }
        for (bad, offset) in [
            (r#""\ud800""#, 1),
            (r#""a\udc00""#, 2),
            (r#""\ud800\ud800\udc00""#, 1),
            (r#""\ud800\n""#, 1),
            (r#"{"\udfff":1}"#, 2),
        ] {
            assert_eq!(first(bad), Some((offset, Fault::LoneSurrogate)), "{bad}");
        }
    }

    #[test]
    fn only_numbers_beyond_a_double_are_refused() {
        let nines = "9".repeat(400);
        let quick =
            |text: &str| check(text.as_bytes(), 80).err().map(|offence| (offence.offset, offence.fault));
        for good in [
            "1e308",
            "-1.5E+300",
            "1e-999",
            "0e999",
            "0.1234567890123456789",
            &"1".repeat(309),
            &format!("0.{nines}"),
        ] {
            assert_eq!((first(good), quick(good)), (None, None), "{good}");
        }
        for bad in ["1e309", "-1E+999", nines.as_str()] {
            for before in [0, 1, 200, 307, 308, 309] {
                let text = format!("{}[{bad}]", " ".repeat(before));
                let overflow = Some((before + 1, Fault::NumberOverflow));
                assert_eq!((first(&text), quick(&text)), (overflow.clone(), overflow), "{text}");
            }
        }
        assert_eq!(first(r#""1e999""#), None);
    }

    #[test]
    fn the_first_bad_byte_is_named() {
        for (text, offset) in [
            ("", 0),
            ("{", 1),
            (r#"{"a":}"#, 5),
            ("{\n\"a\":\n}", 7),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("[tru]", 4),
            ("\"a\u{1}\"", 2),
            ("\"\n\"", 1),
            ("{\"a\nb\":1}", 3),
            (r#"["\x"]"#, 3),
            ("{} x", 3),
            ("[01]", 2),
            ("\u{feff}{}", 0),
        ] {
            assert_eq!(grammar(text).unwrap_err().offset, offset, "{text:?}");
        }
    }

    #[test]
    fn line_breaks_become_spaces() {
        let mut text = *b"{\r\n\"a\\n\":\n1}";
        blank_line_breaks(&mut text);
        assert_eq!(&text, b"{  \"a\\n\": 1}");
    }
}
