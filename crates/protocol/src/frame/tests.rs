//! Both framings, byte by byte.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MAX: usize = 16;

/// Everything that a connection which sends `pieces`, one after the other, and then ends gives: its frames, and the error that ended it.
fn receive(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut decoder = Decoder::new(MAX);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    loop {
        match decoder.decode_eof(&mut buffer) {
            Ok(Some(frame)) => frames.push(frame.to_vec()),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

fn byte_by_byte(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<FrameError>) {
    receive(&bytes.chunks(1).collect::<Vec<_>>())
}

#[test]
fn frames_are_cut_as_the_contract_says() {
    let large = |size| Some(FrameError::TooLarge { size, max: MAX });
    let bad = |byte| Some(FrameError::BadFirstByte { byte });
    type Case<'a> = (&'a str, &'a [u8], &'a [&'a [u8]], Option<FrameError>);
    let cases: &[Case<'_>] = &[
        ("nothing", b"", &[], None),
        ("one counted frame", b"\0\0\0\x02{}", &[b"{}"], None),
        ("an empty frame and the next", b"\0\0\0\0\0\0\0\x02{}", &[b"", b"{}"], None),
        ("a line break inside a counted frame", b"\0\0\0\x03{\n}", &[b"{\n}"], None),
        ("half a counted frame", b"\0\0\0\x02{}\0\0\0\x05{", &[b"{}"], None),
        ("half a header", b"\0\0", &[], None),
        ("the longest frame", b"\0\0\0\x101234567890123456", &[b"1234567890123456"], None),
        ("a frame too long, judged by its header", b"\0\0\0\x11", &[], large(17)),
        ("a later header beyond 2^24", b"\0\0\0\x02{}\xff\0\0\0", &[b"{}"], large(0xff00_0000)),
        ("lines", b"{1}\n{2}\r\n{3}", &[b"{1}", b"{2}", b"{3}"], None),
        ("blank lines", b"{1}\n\n \r\n\t\n{2}\n\n", &[b"{1}", b"{2}"], None),
        ("what may stand before the first brace", b" \r\n\xef\xbb\xbf \n{}\n", &[b"{}"], None),
        ("only what may stand before it", b" \r\n", &[], None),
        ("a last line with CR alone", b"{}\r", &[b"{}"], None),
        ("a later line that is no object", b"{}\n[]\n", &[b"{}", b"[]"], None),
        ("a CR inside a line", b"{\r}\n", &[b"{\r}"], None),
        ("the longest line", b"{23456789012345}\r\n", &[b"{23456789012345}"], None),
        ("another first byte", b"GET / HTTP/1.1\r\n", &[], bad(b'G')),
        ("an array first", b"[{}]\n", &[], bad(b'[')),
        ("a length after a space", b" \0\0\0\x02{}", &[], bad(0)),
        ("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbf{}", &[], bad(0xef)),
        ("half a byte order mark", b"\xef\xbb", &[], bad(0xef)),
        ("a broken byte order mark", b"\xef\xbb{", &[], bad(0xef)),
        ("a tab first", b"\t{}", &[], bad(b'\t')),
    ];
    for (what, bytes, frames, error) in cases {
        for (found, how) in [(receive(&[bytes]), "at once"), (byte_by_byte(bytes), "byte by byte")] {
            assert_eq!(found.0, *frames, "{what}, {how}");
            assert_eq!(found.1, *error, "{what}, {how}");
        }
    }
}

#[test]
fn a_line_is_refused_as_soon_as_it_is_too_long() {
    for line in [&b"{2345678901234567"[..], b"{2345678901234567\n", b"{2345678901234567\r\n"] {
        assert_eq!(byte_by_byte(line).1, Some(FrameError::TooLarge { size: 17, max: MAX }));
    }
}

#[test]
fn a_fatal_error_stays() {
    let mut decoder = Decoder::new(MAX);
    let mut buffer = BytesMut::from(&b"\0\0\0\xff{}"[..]);
    let first = decoder.decode(&mut buffer).unwrap_err();
    assert_eq!(decoder.decode(&mut buffer), Err(first));
    assert_eq!(Error::from(first).details["max"], MAX);
    assert_eq!(decoder.framing(), Some(Framing::LengthDelimited));
}

#[test]
fn the_announced_length_costs_nothing() {
    let mut buffer = BytesMut::from(&b"\0\xff\xff\xff{"[..]);
    let before = buffer.capacity();
    assert_eq!(Decoder::new(FRAME_BYTES_CEILING).decode(&mut buffer), Ok(None));
    assert_eq!(buffer.capacity(), before);
}

#[test]
fn a_long_line_in_many_pieces_is_searched_once() {
    let mut decoder = Decoder::new(FRAME_BYTES_CEILING);
    let mut buffer = BytesMut::from(&b"{"[..]);
    for pieces in 1..=100 {
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
        assert_eq!(decoder.searched, buffer.len(), "after {pieces} pieces");
        buffer.extend_from_slice(&[b' '; 1000]);
    }
    buffer.extend_from_slice(b"}\n{}\n");
    assert_eq!(decoder.decode(&mut buffer).unwrap().unwrap().len(), 100_002);
    assert_eq!(decoder.decode(&mut buffer).unwrap().unwrap(), b"{}"[..]);
}

#[test]
fn what_is_written_is_read_back() {
    for framing in [Framing::LengthDelimited, Framing::LineDelimited] {
        let mut out = Vec::new();
        framing.encode(b"{\"a\":1}", &mut out).unwrap();
        framing.encode_value(&serde_json::json!({ "b": "\n" }), &mut out).unwrap();
        assert_eq!(receive(&[&out]), (vec![b"{\"a\":1}".to_vec(), b"{\"b\":\"\\n\"}".to_vec()], None));
    }
}

#[test]
fn what_can_not_be_written_leaves_nothing_behind() {
    let mut out = b"kept".to_vec();
    let huge = vec![b' '; FRAME_BYTES_CEILING + 1];
    assert!(Framing::LengthDelimited.encode(&huge, &mut out).is_err());
    let no_json = std::collections::BTreeMap::from([((1, 2), 3)]);
    for framing in [Framing::LengthDelimited, Framing::LineDelimited] {
        assert_eq!(framing.encode_value(&no_json, &mut out).unwrap_err().kind, ErrorKind::Internal);
    }
    assert_eq!(out, b"kept");
}

/// Bytes that look like a connection's more often than chance would have it.
fn connection() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..8),
        prop_oneof![Just("{"), Just("}\n"), Just("\r\n"), Just(" "), Just("\u{feff}"), Just("\0\0\0\u{2}{}")]
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn how_the_bytes_arrive_makes_no_difference(bytes in connection(), cut in any::<prop::sample::Index>()) {
        let whole = receive(&[&bytes]);
        let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
        // A header announces more than has come, a line counts what has: only the size told may differ.
        let frames_and_kind = |(frames, error): (Vec<Vec<u8>>, Option<FrameError>)| {
            (frames, error.map(|error| match error {
                FrameError::TooLarge { max, .. } => FrameError::TooLarge { size: 0, max },
                FrameError::BadFirstByte { .. } => error,
            }))
        };
        let whole = frames_and_kind(whole);
        prop_assert_eq!(&frames_and_kind(receive(&[head, tail])), &whole);
        prop_assert_eq!(&frames_and_kind(byte_by_byte(&bytes)), &whole);
    }
}
