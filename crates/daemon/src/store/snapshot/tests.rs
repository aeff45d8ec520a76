//! Snapshots on a real disk: whole or refused, the last two kept.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::files::replace_tests::SmallDisk;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Meta {
    revision: u64,
}

type Record = BTreeMap<String, u64>;

fn records(count: u64) -> Vec<Record> {
    (0..count).map(|value| Record::from([("value".to_owned(), value)])).collect()
}

fn directory() -> (tempfile::TempDir, Arc<PrivateDirectory>) {
    let above = tempfile::tempdir().unwrap();
    let directory = Arc::new(PrivateDirectory::open(above.path()).unwrap());
    (above, directory)
}

fn read(directory: &Arc<PrivateDirectory>) -> Result<Option<(Meta, Vec<Record>)>, StoreError> {
    let Some(mut reader) = Snapshots::of(Arc::clone(directory)).open_newest()? else {
        return Ok(None);
    };
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push(record);
    }
    Ok(Some((reader.meta()?, records)))
}

fn files(directory: &PrivateDirectory) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory.path()).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn newest(directory: &PrivateDirectory) -> std::path::PathBuf {
    directory.join(files(directory).last_key_value().unwrap().0)
}

#[test]
fn what_was_written_is_read_and_the_last_two_stay() {
    let (_above, directory) = directory();
    assert!(read(&directory).unwrap().is_none());
    let mut snapshots = Snapshots::of(Arc::clone(&directory));
    for count in 0..4 {
        let written = snapshots.write(&Meta { revision: count }, records(count)).unwrap();
        assert_eq!(written.records, count);
        assert_eq!(written.bytes, fs::metadata(&written.path).unwrap().len());
        assert_eq!(read(&directory).unwrap(), Some((Meta { revision: count }, records(count))));
    }
    let names: Vec<_> = files(&directory).into_keys().collect();
    assert_eq!(names, ["snapshot-00000000000000000003.jsonl", "snapshot-00000000000000000004.jsonl"]);
}

#[test]
fn the_form_on_disk_stays_as_it_is() {
    let (_above, directory) = directory();
    let written = Snapshots::of(Arc::clone(&directory)).write(&Meta { revision: 7 }, records(1)).unwrap();
    let text = fs::read_to_string(written.path).unwrap();
    let records: Vec<&str> = text.lines().map(|line| &line[20..line.len() - 1]).collect();
    assert_eq!(
        records,
        [r#"{"format":"callboard-snapshot","version":1,"revision":7}"#, r#"{"value":0}"#, r#"{"records":1}"#]
    );
}

#[test]
fn a_cut_or_changed_snapshot_is_an_error_that_says_where_and_what_to_do() {
    let (_above, directory) = directory();
    let mut snapshots = Snapshots::of(Arc::clone(&directory));
    snapshots.write(&Meta { revision: 1 }, records(1)).unwrap();
    snapshots.write(&Meta { revision: 2 }, records(3)).unwrap();
    let path = newest(&directory);
    let whole = fs::read(&path).unwrap();
    let cuts = (0..whole.len()).map(|len| whole[..len].to_vec());
    let flips = (0..whole.len()).map(|position| {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x20;
        bytes
    });
    for bytes in cuts.chain(flips) {
        fs::write(&path, &bytes).unwrap();
        let error = read(&directory).unwrap_err().to_string();
        assert!(error.contains("0002.jsonl, line ") && error.contains("move this snapshot out"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "the evidence stays");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(read(&directory).unwrap(), Some((Meta { revision: 1 }, records(1))), "the advice works");
}

#[test]
fn a_missing_and_a_doubled_line_are_noticed() {
    let (_above, directory) = directory();
    let written = Snapshots::of(Arc::clone(&directory)).write(&Meta { revision: 1 }, records(3)).unwrap();
    let text = fs::read_to_string(&written.path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for kept in
        [vec![0, 1, 3, 4], vec![0, 1, 2, 2, 3, 4], vec![0, 1, 2, 3, 4, 4], vec![1, 2, 3, 4], vec![0, 4]]
    {
        fs::write(&written.path, kept.iter().map(|&line| lines[line]).collect::<String>()).unwrap();
        assert!(matches!(read(&directory), Err(StoreError::Damaged { .. })), "{kept:?}");
    }
}

#[test]
fn a_record_that_is_not_understood_is_named_with_its_own_line() {
    let (_above, directory) = directory();
    Snapshots::of(Arc::clone(&directory)).write(&Meta { revision: 1 }, [1, 2]).unwrap();
    let error = read(&directory).unwrap_err().to_string();
    assert!(error.contains(", line 2 (byte "), "{error}");
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let (_above, directory) = directory();
    let newer = SealedFormat { version: 2, ..FORMAT };
    newer.write(&directory, &name(1), |file| file, &Meta { revision: 1 }, records(1)).unwrap();
    let error = read(&directory).unwrap_err().to_string();
    assert!(
        error.contains("version 2") && error.contains("up to 1") && error.contains("newer callboard"),
        "{error}"
    );
}

#[test]
fn a_disk_that_fails_at_any_point_leaves_the_old_snapshots_and_nothing_else() {
    let (_above, directory) = directory();
    let mut snapshots = Snapshots::of(Arc::clone(&directory));
    snapshots.write(&Meta { revision: 1 }, records(1)).unwrap();
    snapshots.write(&Meta { revision: 2 }, records(2)).unwrap();
    let before = files(&directory);
    let mut fail = |room_bytes, fails_sync| {
        let wrap = |file| SmallDisk { file, room_bytes, fails_sync };
        snapshots.write_through(wrap, &Meta { revision: 3 }, records(3))
    };
    let mut room_bytes = 0;
    while let Err(error) = fail(room_bytes, false) {
        assert!(matches!(error, StoreError::Write(_)), "{error}");
        assert_eq!(files(&directory), before);
        room_bytes += 1;
        if room_bytes % 50 == 0 {
            assert!(fail(usize::MAX, true).is_err());
            assert_eq!(files(&directory), before);
        }
    }
    assert!(room_bytes > 100, "the loop went through the whole file");
    assert_eq!(read(&directory).unwrap(), Some((Meta { revision: 3 }, records(3))));
}

#[test]
fn other_files_in_the_store_are_left_alone() {
    let (_above, directory) = directory();
    for name in ["snapshot-1.jsonl", "snapshot-99999999999999999999.jsonl", "journal-1.jsonl"] {
        fs::write(directory.join(name), "").unwrap();
    }
    let mut snapshots = Snapshots::of(Arc::clone(&directory));
    for revision in 0..4 {
        snapshots.write(&Meta { revision }, records(1)).unwrap();
    }
    assert_eq!(files(&directory).len(), 5);
}
