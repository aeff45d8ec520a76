//! Golden envelopes: what is a request, and what the others are refused with.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::Json;
use crate::methods::kv::DeleteResult;
use crate::methods::{BoardAnswer, Empty};

fn rejection(frame: &[u8]) -> Rejection {
    let mut bytes = frame.to_vec();
    let outcome = Request::parse(&mut bytes);
    outcome.map(drop).expect_err(&String::from_utf8_lossy(frame))
}

#[test]
fn requests_and_notifications_are_read() {
    let mut frame = *br#"{"jsonrpc":"2.0","id":7,"method":"kv.get","params":{"key":"a"}}"#;
    let request = Request::parse(&mut frame).unwrap();
    assert_eq!((request.id, &*request.method), (Some(7.into()), "kv.get"));
    assert_eq!(request.params.unwrap().get(), r#"{"key":"a"}"#);
    for (frame, id, method) in [
        (r#"{"id":1,"method":"server.ping"}"#, Some("1"), "server.ping"),
        (r#" {"method":"server.ping","params":null} "#, None, "server.ping"),
        (r#"{"\u0069d":"\u0061","method":"\u0061","jsonrpc":"\u0032.0"}"#, Some("\"a\""), "a"),
        (r#"{"id":123456789012345678901234567890,"method":""}"#, Some("123456789012345678901234567890"), ""),
        (r#"{"params":{},"method":"no.such","id":-1}"#, Some("-1"), "no.such"),
    ] {
        let mut bytes = frame.as_bytes().to_vec();
        let request = Request::parse(&mut bytes).unwrap();
        assert_eq!(request.id, id.and_then(RequestId::from_json), "{frame}");
        assert_eq!(request.method, method, "{frame}");
    }
}

#[test]
fn what_is_not_json_is_a_parse_error_at_its_byte() {
    let cases: &[(&[u8], Option<i64>, usize)] = &[
        (b"", None, 0),
        (b" ", None, 1),
        (b"nonsense", None, 1),
        (b"{\"id\":7,", None, 8),
        (b"{\"id\":7,\"method\":\"a\"", None, 20),
        (b"{\"id\":7,\"method\":\"a\"} x", None, 22),
        (b"{\"id\":7,\r\n\"method\":}", None, 19),
        (b"{\"id\":7,\"method\":\"a\nb\"}", None, 19),
        (b"{\"id\":7,\"me\rthod\":\"a\"}", None, 11),
        (b"{id:7}", None, 1),
        (b"{\"id\":07}", None, 7),
        (b"{\"id\":7}\0", None, 8),
        (b"\xef\xbb\xbf{}", None, 0),
        (b"[1,]", None, 3),
        // From here on it is JSON, and the id can be known.
        (b"{\"id\":7,\"method\":\"\xff\"}", Some(7), 18),
        (b"{\"id\":\"\xff\",\"method\":\"a\"}", None, 7),
        (b"{\"id\":7,\"method\":\"a\",\"params\":{\"a\":\"\xed\xa0\x80\"}}", Some(7), 36),
        (b"{\"id\":7,\xff}", None, 8),
        (br#"{"id":7,"method":"a","params":{"a":"\ud800"}}"#, Some(7), 36),
        (br#"{"\udc00":1,"id":7,"method":"a"}"#, Some(7), 2),
        (br#"{"id":"\udc00","method":"a"}"#, None, 7),
        (br#"{"id":7,"method":"a","params":{"a":-1e999}}"#, Some(7), 35),
        (br#"{"id":1e999,"method":"a"}"#, None, 6),
        (br#"{"id":7,"id":8,"method":"a","params":{"a":1e999}}"#, None, 42),
        (br#"[{"id":7,"a":1e999}]"#, None, 13),
    ];
    for (frame, id, offset) in cases {
        let shown = String::from_utf8_lossy(frame);
        let Rejection { id: found, error } = rejection(frame);
        assert_eq!(error.kind, ErrorKind::ParseError, "{shown}");
        assert_eq!(error.details["offset"], *offset, "{shown}: {error}");
        assert_eq!(found, id.map(RequestId::from), "{shown}");
    }
}

#[test]
fn a_frame_is_nested_80_levels_at_most() {
    let of = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 2), "]".repeat(levels - 2));
        format!(r#"{{"params":{{"value":{open}{close}}},"method":"a","id":7}}"#).into_bytes()
    };
    assert!(Request::parse(&mut of(80)).is_ok());
    let found = rejection(&of(81));
    assert_eq!((found.id, found.error.kind), (Some(7.into()), ErrorKind::ParseError));
    assert_eq!(found.error.details["offset"], 97);
    let found = rejection("[".repeat(100_000).as_bytes());
    assert_eq!(found.error.kind, ErrorKind::ParseError);
    let batch = format!("{}{}", "[".repeat(81), "]".repeat(81));
    assert_eq!(rejection(batch.as_bytes()).error.details["offset"], 80);
}

#[test]
fn what_is_json_but_no_request_is_invalid() {
    for (frame, id, member) in [
        ("[]", None, None),
        (r#"[{"id":1,"method":"server.ping"}]"#, None, None),
        (r#"["2.0",7,"a",{}]"#, None, None),
        ("1", None, None),
        ("null", None, None),
        (r#""text""#, None, None),
        ("{}", None, Some("method")),
        (r#"{"id":7}"#, Some(7), Some("method")),
        (r#"{"id":7,"method":5}"#, Some(7), Some("method")),
        (r#"{"id":7,"method":null}"#, Some(7), Some("method")),
        (r#"{"id":null,"method":"a"}"#, None, Some("id")),
        (r#"{"id":1.0,"method":"a"}"#, None, Some("id")),
        (r#"{"id":1e2,"method":"a"}"#, None, Some("id")),
        (r#"{"id":true,"method":"a"}"#, None, Some("id")),
        (r#"{"id":[7],"method":"a"}"#, None, Some("id")),
        (r#"{"id":7,"jsonrpc":"1.0","method":"a"}"#, Some(7), Some("jsonrpc")),
        (r#"{"id":7,"jsonrpc":2.0,"method":"a"}"#, Some(7), Some("jsonrpc")),
        (r#"{"id":7,"jsonrpc":null,"method":"a"}"#, Some(7), Some("jsonrpc")),
        (r#"{"id":7,"method":"a","parms":{}}"#, Some(7), Some("parms")),
        (r#"{"parms":[[]],"method":"a","id":7}"#, Some(7), Some("parms")),
        (r#"{"method":"a","parms":{}}"#, None, Some("parms")),
        (r#"{"id":7,"method":"a","method":"a"}"#, Some(7), Some("method")),
        (r#"{"id":7,"method":"a","id":7}"#, None, Some("id")),
        (r#"{"id":7,"method":"a","\u0069d":7}"#, None, Some("id")),
        (r#"{"id":7,"method":"a","params":[]}"#, Some(7), Some("params")),
        (r#"{"id":7,"method":"a","params":"x"}"#, Some(7), Some("params")),
        (r#"{"id":7,"method":"a","params":{},"params":{}}"#, Some(7), Some("params")),
    ] {
        let Rejection { id: found, error } = rejection(frame.as_bytes());
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{frame}");
        assert_eq!(found, id.map(RequestId::from), "{frame}");
        assert_eq!(error.details.get("member").and_then(|member| member.as_str()), member, "{frame}");
    }
}

#[test]
fn values_are_kept_as_written_but_for_line_breaks_between_tokens() {
    let mut frame = b"{\"method\":\"a\",\r\n\"params\":{\"b\":1.0,\n\"a\":\"\\n\",\"b\":1E2}}\n".to_vec();
    let request = Request::parse(&mut frame).unwrap();
    assert_eq!(request.params.unwrap().get(), r#"{"b":1.0, "a":"\n","b":1E2}"#);
}

fn written<T: Answer>(response: &Response<'_, T>) -> String {
    let mut out = Vec::new();
    response.write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn replies_and_events_are_written_as_the_contract_shows_and_read_back() {
    let id = RequestId::from(7);
    let result = BoardAnswer::KvDelete(DeleteResult { deleted: true });
    let text = written(&Response { id: Some(&id), outcome: Ok(&result) });
    assert_eq!(text, r#"{"jsonrpc":"2.0","id":7,"result":{"deleted":true}}"#);
    let Ok(Incoming::Response { id: back, outcome: Ok(raw) }) = Incoming::parse(text.as_bytes()) else {
        panic!("{text} is a result");
    };
    assert_eq!((back, raw.get()), (Some(id), r#"{"deleted":true}"#));

    let error = Error::new(ErrorKind::LockHeld, "m").with("conflicts", [1]);
    let text = written(&Response::<Empty> { id: None, outcome: Err(&error) });
    assert_eq!(
        text,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32003,"message":"m","data":{"kind":"lock_held","conflicts":[1]}}}"#
    );
    let Ok(Incoming::Response { id: None, outcome: Err(back) }) = Incoming::parse(text.as_bytes()) else {
        panic!("{text} is an error");
    };
    assert_eq!(back, error);

    let text = serde_json::to_string(&Push { params: &serde_json::json!({ "seq": 1 }) }).unwrap();
    assert_eq!(text, r#"{"jsonrpc":"2.0","method":"event","params":{"seq":1}}"#);
    assert!(
        matches!(Incoming::parse(text.as_bytes()), Ok(Incoming::Event { params }) if params.get() == r#"{"seq":1}"#)
    );
}

#[test]
fn a_client_passes_over_what_it_does_not_know() {
    let of = |text: &'static str| Incoming::parse(text.as_bytes());
    assert!(matches!(
        of(r#"{"id":"a","result":null,"took":[1]}"#),
        Ok(Incoming::Response { outcome: Ok(_), .. })
    ));
    assert!(matches!(of(r#"{"method":"hint","params":{}}"#), Ok(Incoming::Unknown)));
    assert_eq!(of("{}").unwrap_err().kind, ErrorKind::InvalidRequest);
    assert_eq!(of("{").unwrap_err().kind, ErrorKind::ParseError);
}

#[test]
fn what_a_client_calls_is_a_request() {
    let id = RequestId::from("a");
    let mut frame =
        serde_json::to_vec(&Call { id: Some(&id), method: "kv.get", params: &serde_json::json!({}) })
            .unwrap();
    let request = Request::parse(&mut frame).unwrap();
    assert_eq!((request.id, &*request.method), (Some(id), "kv.get"));
    let mut frame = serde_json::to_vec(&Call { id: None, method: "a", params: &Json::null() }).unwrap();
    assert_eq!(Request::parse(&mut frame).unwrap().id, None);
}

/// Texts that are nearly requests.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\"id\":",
        "\"method\":\"a\"",
        "\"params\":{}",
        "\\ud800",
        "1e999",
        "7",
        "null",
        "\r\n",
        " ",
        "-",
        "{\"id\":7,\"method\":\"a\"",
        "\u{feff}",
        "é",
    ];
    let piece = prop_oneof![
        9 => prop::sample::select(pieces.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..4),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Objects whose members are those of requests, now and then wrong, doubled or strangely written.
fn members() -> impl Strategy<Value = Vec<u8>> {
    let members = [
        r#""id":7"#,
        r#""id":"a""#,
        r#""id":"\u0061""#,
        r#""id":"\ud800""#,
        r#""id":-0"#,
        r#""id":9223372036854775808"#,
        r#""id":1.5"#,
        r#""id":null"#,
        r#""\u0069d":7"#,
        r#""method":"a""#,
        r#""method":"a""#,
        r#""method":"a""#,
        r#""method":"\u0061""#,
        r#""method":"\udc00""#,
        r#""method":null"#,
        r#""params":{}"#,
        r#""params":{"b":[1e999]}"#,
        r#""params":{"b":"\ud83d\ude00"}"#,
        r#""params":{"b":}"#,
        r#""params":null"#,
        r#""params":[]"#,
        r#""jsonrpc":"2.0""#,
        r#""jsonrpc":"1.0""#,
        r#""jsonrpc":null"#,
        r#""parms":{}"#,
    ];
    vec(prop::sample::select(members.to_vec()), 0..5)
        .prop_map(|members| format!("{{{}}}", members.join(",")).into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_bytes_are_a_request_or_rejected_with_a_place_inside_the_frame(bytes in prop_oneof![nearly(), members()]) {
        let mut frame = bytes.clone();
        match Request::parse(&mut frame) {
            Ok(request) => {
                let whole: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                prop_assert_eq!(request.method, whole["method"].as_str().unwrap());
                prop_assert!(memchr::memchr2(b'\r', b'\n', &frame).is_none());
            }
            Err(Rejection { error, .. }) if error.kind == ErrorKind::ParseError => {
                let offset = error.details["offset"].as_u64().unwrap();
                prop_assert!(usize::try_from(offset).unwrap() <= bytes.len());
            }
            Err(Rejection { error, .. }) => {
                prop_assert_eq!(error.kind, ErrorKind::InvalidRequest);
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
            }
        }
    }

    #[test]
    fn the_quick_check_says_what_the_scan_says(bytes in prop_oneof![nearly(), vec(any::<u8>(), 0..64)], depth in 0_usize..4) {
        let scanned = scan::scan(&bytes, depth).map(drop);
        let checked = scan::check(&bytes, depth);
        if str::from_utf8(&bytes).is_ok_and(|text| scan::grammar(text).is_ok()) {
            prop_assert_eq!(checked, scanned);
        }
    }
}
