//! The journal on a simulated disk: what counts as stored is there after the next start, whatever fails.

use std::task::Waker;

use callboard_broker::Record;
use callboard_protocol::revision::Revision;

use super::*;
use crate::files::simulated::{Fault, SimulatedVolume};

fn namespace(name: &str) -> Namespace {
    Namespace::new(name).unwrap()
}

/// A journal after a restart on `volume`, with the revisions that were found in it.
fn start(volume: &SimulatedVolume, is_sync: bool) -> Result<(Journal, Vec<u64>), StoreError> {
    let mut found = Vec::new();
    let shared: Arc<dyn Volume> = Arc::new(volume.clone());
    let replayed = read_journal::<StoreError>(shared.as_ref(), 0, 0, Forgiven::TornEnd, |_, records| {
        found.extend(records.iter().map(revision));
        Ok(())
    })?;
    if let Some(tear) = &replayed.tear {
        tear.cut(&shared)?;
    }
    replayed.make_durable(&shared)?;
    Ok((Journal::new(shared, is_sync, 1 << 20, &replayed), found))
}

fn revision(record: &Record) -> u64 {
    match record {
        Record::Revision(revision) => revision.0,
        other => panic!("{other:?}"),
    }
}

fn append(journal: &Journal, revision: u64) -> Position {
    journal.append(&namespace("default"), &[Record::Revision(Revision(revision))])
}

fn poll(journal: &Journal, position: Position) -> Poll<Fate> {
    journal.poll_stored(&Context::from_waker(Waker::noop()), position)
}

/// What a power cut leaves when the system had written back nothing by itself.
fn cut(volume: &SimulatedVolume) -> SimulatedVolume {
    volume.cut_power(|_| false, |bytes, synced| bytes[..synced].to_vec())
}

fn found(volume: &SimulatedVolume) -> Vec<u64> {
    start(&volume.copied(), false).unwrap().1
}

#[test]
fn in_journal_mode_whoever_asks_writes_for_all_and_a_restart_finds_it() {
    let volume = SimulatedVolume::default();
    let (journal, _) = start(&volume, false).unwrap();
    let positions: Vec<Position> = (1..=3).map(|revision| append(&journal, revision)).collect();
    assert!(found(&volume).is_empty(), "nothing was asked for yet");
    assert_eq!(poll(&journal, positions[1]), Poll::Ready(Fate::Stored));
    assert_eq!(poll(&journal, positions[2]), Poll::Ready(Fate::Stored));
    assert_eq!(found(&volume), [1, 2, 3]);
    assert!(found(&cut(&volume)).is_empty(), "a power cut takes back what was not synced");
    journal.sync();
    assert_eq!(found(&cut(&volume)), [1, 2, 3]);
}

#[test]
fn in_sync_mode_nothing_counts_as_stored_before_its_fsync() {
    let volume = SimulatedVolume::default();
    let (journal, _) = start(&volume, true).unwrap();
    let position = append(&journal, 1);
    assert_eq!(poll(&journal, position), Poll::Pending);
    assert!(journal.wait_for_work());
    journal.sync();
    assert_eq!(poll(&journal, position), Poll::Ready(Fate::Stored));
    assert_eq!(found(&cut(&volume)), [1]);
}

#[test]
fn a_restart_goes_on_after_the_last_change() {
    let volume = SimulatedVolume::default();
    let mut all = Vec::new();
    for round in 0..4 {
        let (journal, found) = start(&volume, false).unwrap();
        assert_eq!(found, all);
        for revision in [round * 10, round * 10 + 1] {
            append(&journal, revision);
            all.push(revision);
        }
        journal.close();
        assert!(!journal.wait_for_work(), "closed");
    }
    let idle = start(&volume, false).unwrap().0;
    idle.close();
    assert_eq!(volume.names().unwrap().len(), 4, "a daemon that changes nothing leaves no file");
}

#[test]
fn the_form_on_disk_stays_as_it_is() {
    let volume = SimulatedVolume::default();
    let (journal, _) = start(&volume, false).unwrap();
    append(&journal, 7);
    journal.close();
    let text = String::from_utf8(volume.content(&segment::name(0)).unwrap()).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty());
    let records: Vec<&str> = lines.map(|line| &line[20..line.len() - 1]).collect();
    assert_eq!(
        records,
        [
            r#"{"format":"callboard-journal","version":1,"after":0}"#,
            r#"{"position":1,"namespace":"default","records":[{"revision":7}]}"#,
            r#"{"synced":1}"#
        ]
    );
}

#[test]
fn every_torn_tail_is_cut_and_kept_and_what_was_synced_is_there() {
    let volume = SimulatedVolume::default();
    let (journal, _) = start(&volume, false).unwrap();
    append(&journal, 1);
    append(&journal, 2);
    journal.sync();
    let synced_bytes = volume.content(&segment::name(0)).unwrap().len();
    append(&journal, 3);
    append(&journal, 4);
    journal.write();
    let whole = volume.content(&segment::name(0)).unwrap();
    for len in synced_bytes..whole.len() {
        let after = SimulatedVolume::default();
        after.put(&segment::name(0), &whole[..len]);
        let (_, found) = start(&after, false).unwrap();
        assert!(found.starts_with(&[1, 2]) && found.len() <= 3, "{found:?}");
        let torn = after.content(&format!("{}.torn", segment::name(0))).unwrap_or_default();
        let kept = after.content(&segment::name(0)).unwrap();
        assert_eq!([kept, torn].concat(), &whole[..len], "no byte is lost");
    }
}

#[test]
fn any_flipped_bit_is_a_refusal_or_costs_nothing_that_was_marked() {
    let volume = SimulatedVolume::default();
    let (journal, _) = start(&volume, false).unwrap();
    (1..=3).for_each(|revision| {
        append(&journal, revision);
    });
    journal.close();
    let whole = volume.content(&segment::name(0)).unwrap();
    let mark = whole.len() - whole.split_inclusive(|byte| *byte == b'\n').next_back().unwrap().len() - 1;
    for position in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[position] ^= 1 << bit;
            let after = SimulatedVolume::default();
            after.put(&segment::name(0), &bytes);
            match start(&after, false) {
                Ok((_, found)) => {
                    assert!(position >= mark, "byte {position}, bit {bit} was not noticed");
                    assert_eq!(found, [1, 2, 3]);
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("journal-") && error.contains("callboard store"), "{error}");
                    assert_eq!(after.content(&segment::name(0)).unwrap(), bytes, "the evidence stays");
                }
            }
        }
    }
}

#[test]
fn a_missing_segment_is_noticed() {
    let volume = SimulatedVolume::default();
    for revision in 1..=3 {
        let (journal, _) = start(&volume, false).unwrap();
        append(&journal, revision);
        journal.close();
    }
    volume.remove(&segment::name(1)).unwrap();
    let error = start(&volume, false).unwrap_err().to_string();
    assert!(error.contains("changes before this segment are missing"), "{error}");
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let volume = SimulatedVolume::default();
    let mut bytes = Vec::new();
    let header = segment::Header { format: segment::FORMAT.to_owned(), version: 2, after: 0 };
    line::encode(&mut bytes, &header).unwrap();
    volume.put(&segment::name(0), &bytes);
    let error = start(&volume, false).unwrap_err().to_string();
    assert!(error.contains("version 2") && error.contains("newer callboard"), "{error}");
}

#[test]
fn after_a_failure_nothing_counts_until_a_snapshot_succeeds() {
    for fault in [Fault::StorageFull, Fault::Device] {
        let volume = SimulatedVolume::default();
        let (journal, _) = start(&volume, false).unwrap();
        let stored = append(&journal, 1);
        assert_eq!(poll(&journal, stored), Poll::Ready(Fate::Stored));
        volume.fail_after(0, fault);
        let lost = append(&journal, 2);
        assert_eq!(poll(&journal, lost), Poll::Ready(Fate::Lost { after: stored }));
        assert!(journal.is_failed());
        let in_memory = append(&journal, 3);
        assert_eq!(
            poll(&journal, in_memory),
            Poll::Ready(Fate::Lost { after: stored }),
            "nobody is told it is safe"
        );

        let (segment, _) = journal.rotate();
        assert_eq!(poll(&journal, lost), Poll::Ready(Fate::Lost { after: stored }), "not yet");
        journal.end_snapshot(SnapshotEnd::Absent);
        assert!(journal.is_failed());
        volume.mend();
        assert_eq!(journal.rotate().0, segment, "an attempt that failed leaves nothing behind");
        assert!(journal.sync_for_snapshot());
        journal.end_snapshot(SnapshotEnd::Durable);
        assert!(!journal.is_failed());
        assert_eq!(poll(&journal, lost), Poll::Ready(Fate::Stored), "it is in the snapshot");
        let later = append(&journal, 4);
        assert_eq!(poll(&journal, later), Poll::Ready(Fate::Stored));
        assert!(journal.bytes() > 0 && later > lost);
    }
}

#[test]
fn a_failed_fsync_ends_what_counts_as_stored_for_good() {
    let volume = SimulatedVolume::default();
    let (journal, _) = start(&volume, true).unwrap();
    let position = append(&journal, 1);
    // The segment is created and written, the fsync fails.
    volume.fail_after(3, Fault::Device);
    journal.sync();
    volume.mend();
    journal.sync();
    assert_eq!(poll(&journal, position), Poll::Ready(Fate::Lost { after: Position(0) }));
    assert!(journal.is_failed(), "a later success of the same file means nothing");
}

#[test]
fn a_power_cut_after_a_crash_takes_nothing_that_the_next_daemon_built_on() {
    let volume = SimulatedVolume::default();
    let (crashed, _) = start(&volume, true).unwrap();
    append(&crashed, 1);
    // Created, written; the sync fails, and what it lost can still be read.
    volume.fail_after(3, Fault::Device);
    crashed.sync();
    volume.mend();
    let (journal, found_then) = start(&volume, true).unwrap();
    assert_eq!(found_then, [1]);
    append(&journal, 2);
    journal.sync();
    assert_eq!(found(&cut(&volume)), [1, 2]);
}

#[test]
fn a_torn_mark_at_the_end_of_a_segment_takes_nothing_of_the_next_one() {
    let volume = SimulatedVolume::default();
    let (journal, _) = start(&volume, false).unwrap();
    append(&journal, 1);
    journal.sync();
    let (next, _) = start(&volume, false).unwrap();
    append(&next, 2);
    next.sync();
    let zeroed = |bytes: &[u8], synced: usize| [&bytes[..synced], &vec![0; bytes.len() - synced]].concat();
    let after = volume.cut_power(|_| true, zeroed);
    assert_ne!(after.content(&segment::name(0)), volume.content(&segment::name(0)), "a mark was not synced");
    assert_eq!(found(&after), [1, 2]);
}

#[test]
fn what_was_written_beside_a_snapshot_that_never_came_does_not_count() {
    let volume = SimulatedVolume::default();
    let (journal, _) = start(&volume, false).unwrap();
    append(&journal, 1);
    journal.write();
    // The sync fails: all is written, nothing more counts.
    volume.fail_between(0, 1, Fault::Device);
    journal.sync();
    append(&journal, 2);
    journal.rotate();
    append(&journal, 3);
    assert!(journal.sync_for_snapshot());
    assert_eq!(found(&volume), [1], "3 leans on 2, which only the snapshot has");
    assert_eq!(found(&cut(&volume)), [] as [u64; 0]);
}

#[test]
fn a_snapshot_in_its_place_keeps_the_segments_that_it_leans_on() {
    for (end, is_kept) in [(SnapshotEnd::InPlace, true), (SnapshotEnd::Absent, false)] {
        let volume = SimulatedVolume::default();
        let (journal, _) = start(&volume, false).unwrap();
        volume.fail_between(0, 1, Fault::Device);
        append(&journal, 1);
        journal.write();
        let (segment, _) = journal.rotate();
        append(&journal, 2);
        assert!(journal.sync_for_snapshot());
        journal.end_snapshot(end);
        assert!(journal.is_failed());
        assert_eq!(volume.content(&segment::name(segment)).is_some(), is_kept);
    }
}

#[test]
fn a_change_of_the_last_moment_of_a_recovery_counts_only_when_it_is_written() {
    let volume = SimulatedVolume::default();
    let (journal, _) = start(&volume, false).unwrap();
    volume.fail_between(0, 1, Fault::Device);
    append(&journal, 1);
    journal.write();
    let (segment, _) = journal.rotate();
    assert!(journal.sync_for_snapshot());
    let position = append(&journal, 2);
    assert!(matches!(poll(&journal, position), Poll::Ready(Fate::Lost { .. })));
    let before = volume.content(&segment::name(segment));
    journal.end_snapshot(SnapshotEnd::Durable);
    assert_eq!(poll(&journal, position), Poll::Ready(Fate::Stored));
    assert_ne!(volume.content(&segment::name(segment)), before, "whoever was told of it would lose it");
}

#[test]
fn a_sync_that_finds_nothing_to_do_waits_for_the_one_that_does_it() {
    let volume = SimulatedVolume::default();
    let journal = Arc::new(start(&volume, true).unwrap().0);
    let position = append(&journal, 1);
    let (began, has_begun) = std::sync::mpsc::channel();
    let (answer, is_answered) = std::sync::mpsc::channel::<()>();
    volume.interrupt_sync(move || {
        began.send(()).unwrap();
        is_answered.recv().unwrap();
    });
    // The sync itself succeeds; that of the name fails.
    volume.fail_after(4, Fault::Device);
    let first = std::thread::spawn({
        let journal = Arc::clone(&journal);
        move || journal.sync()
    });
    has_begun.recv().unwrap();
    let second = std::thread::spawn({
        let journal = Arc::clone(&journal);
        move || journal.sync_for_snapshot()
    });
    answer.send(()).unwrap();
    first.join().unwrap();
    assert!(!second.join().unwrap(), "what the snapshot would lean on is not on the disk");
    assert_eq!(poll(&journal, position), Poll::Ready(Fate::Lost { after: Position(0) }));
}

mod concurrent;
