//! Checksummed lines: what is read back, and what counts as damage.

use serde_json::json;
use serde_json::value::RawValue;

use super::*;

fn encoded(records: &[serde_json::Value]) -> Vec<u8> {
    let mut buffer = Vec::new();
    for record in records {
        encode(&mut buffer, record).unwrap();
    }
    buffer
}

#[test]
fn the_form_on_disk_stays_as_it_is() {
    let line = encoded(&[json!({"key": "a", "value": "é\n"})]);
    let text = String::from_utf8(line).unwrap();
    assert_eq!(text, "{\"c\":\"b844b225\",\"r\":{\"key\":\"a\",\"value\":\"é\\n\"}}\n");
}

#[test]
fn records_come_back_in_order_byte_for_byte() {
    let raw = "{ \"price\" : 1.0,  \"price\":100000000000000000000000001 }";
    let mut buffer = encoded(&[json!(null), json!([1, 2])]);
    encode(&mut buffer, &RawValue::from_string(raw.to_owned()).unwrap()).unwrap();
    let mut reader = LineReader::new(&buffer[..]);
    for expected in ["null", "[1,2]", raw] {
        assert_eq!(reader.next_record().unwrap().unwrap(), expected.as_bytes());
    }
    assert!(reader.next_record().unwrap().is_none());
}

#[test]
fn json_with_a_raw_line_break_is_refused_and_leaves_the_buffer_alone() {
    let mut buffer = encoded(&[json!(1)]);
    let before = buffer.clone();
    let raw = RawValue::from_string("[1,\n2]".to_owned()).unwrap();
    assert!(matches!(encode(&mut buffer, &raw), Err(EncodeError::LineBreak)));
    assert_eq!(buffer, before);
}

#[test]
fn any_changed_bit_is_noticed() {
    let whole = encoded(&[json!({"key": "a", "token": 7})]);
    for position in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[position] ^= 1 << bit;
            let mut reader = LineReader::new(&bytes[..]);
            assert!(reader.next_record().is_err(), "byte {position}, bit {bit}");
        }
    }
}

#[test]
fn a_fault_is_named_with_its_line_and_byte() {
    let mut bytes = encoded(&[json!(1), json!(2), json!(3)]);
    let line_bytes = bytes.len() / 3;
    bytes[line_bytes + 8] ^= 1;
    let mut reader = LineReader::new(&bytes[..]);
    reader.next_record().unwrap();
    let error = reader.next_record().unwrap_err().to_string();
    assert!(error.starts_with(&format!("line 2 (byte {line_bytes}): the checksum says ")), "{error}");
    assert_eq!(reader.next_record().unwrap().unwrap(), b"3", "what follows can still be read");

    bytes.truncate(bytes.len() - 1);
    let mut reader = LineReader::new(&bytes[2 * line_bytes..]);
    let error = reader.next_record().unwrap_err().to_string();
    assert_eq!(error, "line 1 (byte 0): the file ends here too early");
}

#[test]
fn a_record_of_another_kind_is_named() {
    let fault = parse::<u64>(b"\"text\"").unwrap_err().to_string();
    assert!(fault.contains("not understood") && fault.contains("u64"), "{fault}");
}
