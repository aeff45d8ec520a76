//! The text is what a serializer that knows nothing of this would write.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::RequestId;
use crate::methods::kv::GetResult;
use crate::methods::message::Message;
use crate::methods::task::Task;

/// Written by hand, read by `serde_json`, and written again: nothing is lost, doubled or changed.
#[track_caller]
fn round_trip<T>(value: &T)
where
    T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
    let compact = serde_json::from_str::<Value>(&text).unwrap();
    assert_eq!(serde_json::to_value(value).unwrap(), compact, "as a value");
    assert_eq!(text.len(), compact.to_string().len(), "{text}");
}

fn task(title: String, tags: Vec<String>, numbers: (u64, u32), json: Option<Json>) -> Task {
    let label = |text: &String| Label::new(text).unwrap();
    Task {
        id: Revision(numbers.0),
        title,
        description: Some(String::new()),
        payload: json.clone(),
        status: Status::PendingReview,
        why: Some(Why::Dependency),
        priority: Priority::Urgent,
        tags: tags.iter().map(label).collect(),
        role: Some(Role::new("tester").unwrap()),
        depends_on: vec![Revision(1), Revision(u64::MAX)],
        parent: None,
        attempts: numbers.1,
        max_attempts: u32::MAX,
        assignee: Some(AgentName::new("ana").unwrap()),
        result: None,
        error: Some("\u{1}\u{7f}\u{2028}\u{1F980}".to_owned()),
        checkpoint: json,
        progress: Scalar::new(Json::parse("\"2/5\"").unwrap()),
        note: None,
        comments: None,
        created_by: None,
        created_at: 0,
        updated_at: numbers.0,
        expires_at: Some(numbers.0),
    }
}

proptest! {
    #[test]
    fn a_task_reads_back_whatever_is_in_it(
        title in any::<String>(),
        tags in proptest::collection::vec("[ -~]{1,8}", 0..3),
        numbers: (u64, u32),
        json in proptest::option::of(any::<String>()),
    ) {
        let json = json.map(|text| Json::from_value(&text).unwrap());
        round_trip(&task(title, tags, numbers, json));
    }
}

#[test]
fn every_character_is_escaped_as_a_serializer_does_it() {
    for code in (0..0x300).chain([0xd7ff, 0xe000, 0xfffd, 0x10_ffff]) {
        let text: String = ['a', char::from_u32(code).unwrap(), 'b'].iter().collect();
        let mut out = String::new();
        text.write(&mut out);
        assert_eq!(out, serde_json::to_string(&text).unwrap());
    }
}

#[test]
fn names_are_those_of_the_wire() {
    for priority in [Priority::Low, Priority::Normal, Priority::High, Priority::Urgent] {
        assert_eq!(serde_json::to_value(priority).unwrap(), priority.name());
    }
    for status in Status::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.name());
    }
}

#[test]
fn a_key_reads_back_and_what_it_lacks_is_left_out_or_null() {
    let missing = GetResult::default();
    assert_eq!(serde_json::to_string(&missing).unwrap(), r#"{"exists":false}"#);
    round_trip(&missing);
    let forever = GetResult {
        key: Some(Key::new("a \"key\"").unwrap()),
        exists: true,
        value: Some(Json::null()),
        revision: Some(Revision(7)),
        ttl_ms: Some(None),
        updated_at: Some(0),
        updated_by: Some(None),
    };
    let text = serde_json::to_string(&forever).unwrap();
    assert!(text.contains(r#""value":null,"#) && text.contains(r#""ttl_ms":null,"#), "{text}");
    assert!(text.ends_with(r#""updated_by":null}"#), "{text}");
    round_trip(&forever);
    let ends = GetResult { ttl_ms: Some(Some(1)), updated_by: Some(AgentName::new("ana").ok()), ..forever };
    round_trip(&ends);
}

#[test]
fn a_request_id_is_written_as_a_serializer_does_it() {
    for text in ["7", "-9223372036854775808", "123456789012345678901234567890", "-0", r#""a\n\u0001""#] {
        let id = RequestId::from_json(text).unwrap();
        let mut out = String::new();
        id.write(&mut out);
        assert_eq!(out, serde_json::to_string(&id).unwrap());
    }
}

#[test]
fn a_message_reads_back() {
    let message = Message {
        id: Revision(7),
        from: None,
        to: "ana,role:tester,*".parse().unwrap(),
        r#type: Label::new("it's \"odd\"").unwrap(),
        subject: Some("two\nlines".to_owned()),
        payload: Json::parse("{\"a\": [1, 2.50, null]}").unwrap(),
        correlation_id: serde_json::from_str("12").unwrap(),
        in_reply_to: Some(Revision(6)),
        reply_to: Some(AgentName::new("ben").unwrap()),
        thread_id: serde_json::from_str("\"t\"").unwrap(),
        priority: Priority::Low,
        sent_at: 1,
        attempt: 2,
        receipt: Some("7.2".to_owned()),
        lease_expires_at: None,
        late: true,
    };
    let text = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
    assert!(text.contains(r#""payload":{"a": [1, 2.50, null]},"#), "as it came: {text}");
    assert!(text.contains(r#""type":"it's \"odd\"","#), "{text}");
}
