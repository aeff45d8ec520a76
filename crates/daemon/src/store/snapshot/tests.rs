//! Snapshots on a disk that fails: whole or refused, the last two kept.

use std::collections::BTreeMap;

use super::*;
use crate::files::simulated::{Fault, SimulatedVolume};
use crate::store::Written;

type Record = BTreeMap<String, u64>;

fn meta(position: u64) -> SnapshotMeta {
    SnapshotMeta { instance_id: "i".to_owned(), written_at: 1, journal: 3, position }
}

fn records(count: u64) -> Vec<Record> {
    (0..count).map(|value| Record::from([("value".to_owned(), value)])).collect()
}

fn snapshots(volume: &SimulatedVolume) -> Snapshots {
    Snapshots::of(Arc::new(volume.clone()))
}

fn write(volume: &SimulatedVolume, position: u64, records: &[Record]) -> Result<Written, StoreError> {
    let mut file = snapshots(volume).begin(&meta(position))?;
    for record in records {
        file.write(record)?;
    }
    let written = file.commit()?;
    snapshots(volume).remove_old()?;
    Ok(written)
}

fn read(volume: &SimulatedVolume) -> Result<Option<(SnapshotMeta, Vec<Record>)>, StoreError> {
    let Some(mut reader) = snapshots(volume).open_newest()? else {
        return Ok(None);
    };
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push(record);
    }
    Ok(Some((reader.meta()?, records)))
}

fn files(volume: &SimulatedVolume) -> BTreeMap<String, Vec<u8>> {
    let names = volume.names().unwrap();
    names.into_iter().map(|name| (name.clone(), volume.content(&name).unwrap())).collect()
}

#[test]
fn what_was_written_is_read_and_the_last_two_stay() {
    let volume = SimulatedVolume::default();
    assert!(read(&volume).unwrap().is_none());
    for count in 0..4 {
        let written = write(&volume, count, &records(count)).unwrap();
        assert_eq!(written.records, count);
        let after = volume.cut_power(|_| false, |bytes, synced| bytes[..synced].to_vec());
        assert_eq!(read(&after).unwrap(), Some((meta(count), records(count))));
        assert_eq!(written.bytes, files(&volume).last_key_value().unwrap().1.len() as u64);
    }
    let names: Vec<_> = files(&volume).into_keys().collect();
    assert_eq!(names, ["snapshot-00000000000000000003.jsonl", "snapshot-00000000000000000004.jsonl"]);
    assert_eq!(snapshots(&volume).remove_old().unwrap(), 3, "the first segment that the older one needs");
}

#[test]
fn the_form_on_disk_stays_as_it_is() {
    let volume = SimulatedVolume::default();
    write(&volume, 7, &records(1)).unwrap();
    let text = String::from_utf8(volume.content(&name(1)).unwrap()).unwrap();
    let records: Vec<&str> = text.lines().map(|line| &line[20..line.len() - 1]).collect();
    assert_eq!(
        records,
        [
            r#"{"format":"callboard-snapshot","version":2,"instance_id":"i","written_at":1,"journal":3,"position":7}"#,
            r#"{"value":0}"#,
            r#"{"records":1}"#
        ]
    );
}

#[test]
fn a_cut_or_changed_snapshot_is_an_error_that_says_where_and_what_to_do() {
    let volume = SimulatedVolume::default();
    write(&volume, 1, &records(1)).unwrap();
    write(&volume, 2, &records(3)).unwrap();
    let whole = volume.content(&name(2)).unwrap();
    let cuts = (0..whole.len()).map(|len| whole[..len].to_vec());
    let flips = (0..whole.len()).map(|position| {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x20;
        bytes
    });
    for bytes in cuts.chain(flips) {
        volume.put(&name(2), &bytes);
        let error = read(&volume).unwrap_err().to_string();
        assert!(error.contains("0002.jsonl, line ") && error.contains("move this snapshot out"), "{error}");
        assert_eq!(volume.content(&name(2)).unwrap(), bytes, "the evidence stays");
    }
    volume.remove(&name(2)).unwrap();
    assert_eq!(read(&volume).unwrap(), Some((meta(1), records(1))), "the advice works");
}

#[test]
fn a_missing_and_a_doubled_line_are_noticed() {
    let volume = SimulatedVolume::default();
    write(&volume, 1, &records(3)).unwrap();
    let text = String::from_utf8(volume.content(&name(1)).unwrap()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for kept in
        [vec![0, 1, 3, 4], vec![0, 1, 2, 2, 3, 4], vec![0, 1, 2, 3, 4, 4], vec![1, 2, 3, 4], vec![0, 4]]
    {
        volume.put(&name(1), kept.iter().map(|&line| lines[line]).collect::<String>().as_bytes());
        assert!(matches!(read(&volume), Err(StoreError::Damaged { .. })), "{kept:?}");
    }
}

#[test]
fn a_record_that_is_not_understood_is_named_with_its_own_line() {
    let volume = SimulatedVolume::default();
    let mut file = snapshots(&volume).begin(&meta(1)).unwrap();
    file.write(&1).unwrap();
    file.write(&2).unwrap();
    file.commit().unwrap();
    let error = read(&volume).unwrap_err().to_string();
    assert!(error.contains(", line 2 (byte "), "{error}");
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let volume = SimulatedVolume::default();
    let newer = SealedFormat { version: FORMAT.version + 1, ..FORMAT };
    let volume_of: Arc<dyn Volume> = Arc::new(volume.clone());
    newer.begin(&volume_of, &name(1), &meta(1)).unwrap().commit().unwrap();
    let error = read(&volume).unwrap_err().to_string();
    assert!(
        error.contains("version 3") && error.contains("up to 2") && error.contains("newer callboard"),
        "{error}"
    );
}

#[test]
fn a_disk_that_fails_at_any_point_leaves_the_old_snapshots_and_nothing_else() {
    let volume = SimulatedVolume::default();
    write(&volume, 1, &records(1)).unwrap();
    write(&volume, 2, &records(2)).unwrap();
    let before = files(&volume);
    let mut operations = 0;
    loop {
        volume.fail_after(operations, if operations % 2 == 0 { Fault::StorageFull } else { Fault::Device });
        let written = write(&volume, 3, &records(3));
        volume.mend();
        match written {
            Err(StoreError::Write(crate::files::ReplaceError::Write { .. })) => {
                assert_eq!(files(&volume), before);
            }
            // The new one stands, but a power cut could bring back the directory without it.
            Err(StoreError::Write(crate::files::ReplaceError::Sync { .. })) => break,
            other => panic!("{other:?}"),
        }
        operations += 1;
    }
    assert!(operations >= 4, "create, append, fsync, rename");
    assert_eq!(read(&volume).unwrap(), Some((meta(3), records(3))));
}

#[test]
fn other_files_in_the_store_are_left_alone() {
    let volume = SimulatedVolume::default();
    for name in ["snapshot-1.jsonl", "snapshot-99999999999999999999.jsonl", "journal-1.jsonl"] {
        volume.put(name, b"");
    }
    for position in 0..4 {
        write(&volume, position, &records(1)).unwrap();
    }
    assert_eq!(files(&volume).len(), 5);
}
