//! Ends and starts of the daemon, and what must be there afterwards.

use std::sync::Arc;

use callboard_broker::{Now, Record};

use super::daemon::{Daemon, board_config};
use super::entities::{Entities, Tolerance};
use super::model::{LEASE_MS_MIN, Restart};
use super::world::{Shared, World, locked};
use crate::config::Durability;
use crate::files::Volume;
use crate::files::simulated::SimulatedVolume;
use crate::recovery::recover;
use crate::store::{Forgiven, Opened, StoreError};

/// How a daemon ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By a crash, sometimes of the whole machine.
    Killed,
    /// By a clean stop.
    Stopped,
}

/// Ends the daemon and starts it again.
pub fn end(world: &Shared, end: End) {
    let mut is_clean = false;
    if end == End::Stopped {
        is_clean = stop(world);
    }
    let mut this = locked(world);
    this.tally.stops += u64::from(is_clean);
    // The mode in which a stop is clean keeps everything there was.
    if is_clean && this.volume.left().is_none() {
        let last = this.history.len();
        (this.told, this.durable, this.saved) = (last, last, vec![last]);
    }
    this.trace(&format!("{end:?}, clean {is_clean}"));
    start(&mut this);
}

/// A clean stop: whether it was one.
fn stop(world: &Shared) -> bool {
    let keeper = Arc::clone(&locked(world).daemon.keeper);
    locked(world).harvest();
    keeper.close();
    let is_stored = keeper.journal().is_some() && !keeper.is_failed();
    if is_stored || !keeper.is_on_disk() {
        return is_stored && locked(world).volume.left().is_none();
    }
    let walks = locked(world).tally.walks;
    locked(world).volume.mend();
    super::steps::walk(world);
    let this = locked(world);
    this.tally.walks > walks && this.volume.left().is_none() && this.saved.last() == Some(&this.history.len())
}

fn start(world: &mut World) {
    let left = world.volume.left().unwrap_or_else(|| world.volume.copied());
    let is_power_cut = world.random.chance(500);
    world.trace(&format!("power cut {is_power_cut}, left{}", left.listing()));
    world.volume = if is_power_cut { cut(world, &left) } else { left };
    world.tally.crashes += u64::from(!is_power_cut);
    world.tally.power_cuts += u64::from(is_power_cut);
    world.volume.mend();
    world.forget_process();
    let down_ms = if world.random.chance(700) { world.random.ms(1000) } else { world.random.ms(600_000) };
    let started_us = u64::try_from(world.random.below(10_000_000)).unwrap();
    let apart_ms = world.time.moved_ms() + 2;
    let before = world.time.now();
    let offset_ms = world.time.restart(down_ms, started_us);
    let now = world.time.now();
    if world.mode == Durability::Memory {
        return start_empty(world);
    }
    let lease_floor_ms = world.started_at + LEASE_MS_MIN + apart_ms;
    let needed = needed(world, is_power_cut);
    let (found, position) = found(&world.volume);
    let tolerance = Tolerance { unix_ms: now.unix_ms, apart_ms, lease_floor_ms };
    let positions = world.history.positions_at(position);
    let (is_snapshot, saved) = (world.mode == Durability::Snapshot, world.saved.clone());
    let is_candidate =
        |count: usize, at: u64| if is_snapshot { saved.contains(&count) } else { positions.contains(&at) };
    let count = world.history.find(&found, tolerance, is_candidate);
    let count = count.unwrap_or_else(|difference| {
        panic!("what a restart finds was never there (position {position}): {difference}")
    });
    assert!(count >= needed, "changes {count}..{needed} were promised to survive, and are lost");
    bring_back(world, is_power_cut, count, &Restart { before, now, offset_ms }, found);
}

fn needed(world: &World, is_power_cut: bool) -> usize {
    match (world.mode, is_power_cut) {
        (Durability::Memory, _) => 0,
        // Exactly the last one, or one whose commit was under way.
        (Durability::Snapshot, _) => world.saved[0],
        (Durability::Journal, true) => world.durable,
        (Durability::Journal, false) | (Durability::Sync, _) => world.told.max(world.durable),
    }
}

fn bring_back(world: &mut World, is_power_cut: bool, count: usize, restart: &Restart, found: Entities) {
    let now = restart.now;
    // The start too may be cut off; the next one goes on.
    if world.random.chance(200) {
        let operations = u64::try_from(world.random.below(8)).unwrap();
        world.volume.die_after(operations, 50);
    }
    let mut daemon = open(world, now);
    while let Some(left) = world.volume.left() {
        world.volume = if is_power_cut { cut(world, &left) } else { left };
        daemon = open(world, now);
    }
    let mut daemon = daemon.unwrap_or_else(|error| panic!("the daemon refuses to start: {error}"));
    let position = daemon.position();
    world.history.restart(count, position, found);
    let restored = image(&daemon, now);
    world.model.restart(count, restart, &restored);
    let namespaces: Vec<_> = daemon.seats.keys().cloned().collect();
    for namespace in &namespaces {
        let revision = daemon.seats[namespace].board.revision().0;
        let last = world.revisions.get(namespace).copied().unwrap_or_default();
        assert!(revision >= last, "{namespace}: revisions go back from {last} to {revision}");
        daemon.prepare(namespace);
        // What the restore itself changed; nobody waits for it.
        let settled = daemon.settle(namespace, &mut world.history);
        assert!(settled.outputs.iter().all(|(output, _)| !is_reply(output)), "{settled:?}");
    }
    world.model.changes = world.history.len();
    world.daemon = daemon;
    world.started_at = now.unix_ms;
    world.trace(&format!("started after {count} changes, power cut {is_power_cut}"));
    // What a daemon found, it shows: it is told, and in `sync` mode therefore durable.
    (world.told, world.durable) = (0, 0);
    world.saved = vec![0];
}

fn is_reply(output: &callboard_broker::Output) -> bool {
    matches!(output.what, callboard_broker::Outgoing::Reply { .. })
}

fn open(world: &World, now: Now) -> Result<Daemon, crate::recovery::RecoveryError> {
    let opened = Opened::at(Arc::new(world.volume.clone()))?;
    Daemon::start(opened, world.mode, now)
}

fn start_empty(world: &mut World) {
    world.daemon = Daemon::in_memory();
    world.history = super::history::History::default();
    world.model = super::model::Model::default();
    world.revisions.clear();
    (world.told, world.durable, world.saved) = (0, 0, vec![0]);
}

/// What the files say, entity by entity, and the position that they end with.
fn found(volume: &SimulatedVolume) -> (Entities, u64) {
    let mut found = Entities::default();
    let opened = Opened::at(Arc::new(volume.copied()));
    let replayed = opened.and_then(|mut opened| {
        opened.replay::<StoreError>(Forgiven::TornEnd, |namespace, record| {
            found.apply(namespace, &record);
            Ok(())
        })
    });
    let replayed = replayed.unwrap_or_else(|error| {
        let names = volume.names().unwrap();
        panic!("the daemon refuses to start: {error}; {names:?}")
    });
    (found, replayed.last)
}

/// A power cut: what was synced is there, and of the rest anything.
fn cut(world: &mut World, left: &SimulatedVolume) -> SimulatedVolume {
    let random = std::cell::RefCell::new(&mut world.random);
    let names_kept = random.borrow_mut().below(3) * 500;
    left.cut_power(
        |_| random.borrow_mut().chance(names_kept),
        |bytes, synced| torn(&mut random.borrow_mut(), bytes, synced),
    )
}

/// What is left of a file: the synced part, then whole blocks, holes, garbage, or nothing.
fn torn(random: &mut super::random::Random, bytes: &[u8], synced: usize) -> Vec<u8> {
    let unsynced = bytes.len() - synced;
    let kept = match random.below(4) {
        0 => synced,
        1 => bytes.len(),
        _ => synced + random.below(unsynced + 1),
    };
    let mut left = bytes[..kept].to_vec();
    if random.chance(500) {
        let block = 1 << random.below(10);
        for start in (synced..kept).step_by(block) {
            let end = (start + block).min(kept);
            match random.below(4) {
                0 => left[start..end].fill(0),
                1 if random.chance(300) => {
                    left[start..end]
                        .iter_mut()
                        .for_each(|byte| *byte = u8::try_from(random.below(256)).unwrap());
                }
                _ => {}
            }
        }
    }
    left
}

fn image(daemon: &Daemon, now: Now) -> Entities {
    let mut entities = Entities::default();
    for (namespace, seat) in &daemon.seats {
        seat.image(now).iter().for_each(|record: &Record| entities.apply(namespace, record));
    }
    entities
}

/// What is on the disk now, restored, is what the boards have.
pub fn check_convergence(world: &mut World) {
    if let Some(journal) = world.daemon.keeper.journal() {
        journal.write();
    }
    if world.volume.left().is_some() || world.daemon.keeper.is_failed() {
        return;
    }
    let now = world.time.now();
    // A start ends at once what a running board clears in slices.
    let is_behind =
        |seat: &super::daemon::Seat| seat.board.next_due().is_some_and(|due| due <= now.monotonic);
    if world.daemon.seats.values().any(is_behind) {
        return;
    }
    let copy = world.volume.copied();
    let mut opened = Opened::at(Arc::new(copy)).unwrap();
    let restored = recover(&mut opened, Forgiven::TornEnd, &board_config(), now).unwrap();
    let mut seats = restored.boards;
    // It also works off at once what is due by the wall clock, if only by part of a millisecond.
    let worked_off = |record: &Record| matches!(record, Record::TaskState(_));
    if seats.values_mut().any(|board| board.take_effects().records.iter().any(worked_off)) {
        return;
    }
    let mut again = Entities::default();
    for (namespace, board) in &seats {
        let mut cursor = callboard_broker::ImageCursor::default();
        let records = board.image_slice(now, &mut cursor, usize::MAX);
        records.iter().for_each(|record| again.apply(namespace, record));
    }
    let apart_ms = world.time.moved_ms() + 2;
    let tolerance =
        Tolerance { unix_ms: now.unix_ms, apart_ms, lease_floor_ms: now.unix_ms + LEASE_MS_MIN + apart_ms };
    let live = image(&world.daemon, now);
    if let Some(difference) = again.difference(&live, tolerance) {
        panic!("image and records give another board: {difference}");
    }
    for (namespace, board) in &seats {
        let (restored, live) = (board.summary(now), world.daemon.seats[namespace].board.summary(now));
        let counted = |summary: &callboard_broker::Summary| {
            let inbox = &summary.inbox;
            (summary.agents, summary.locks, summary.tasks, inbox.queued, inbox.leased, inbox.dead)
        };
        assert_eq!(counted(&restored), counted(&live), "{namespace}: the counts of a restored board");
        assert!(restored.keys <= live.keys, "{namespace}: {restored:?} {live:?}");
        if restored.keys == live.keys {
            let bytes = world.daemon.seats[namespace].board.bytes();
            assert_eq!(board.bytes(), bytes, "{namespace}: the bytes of a restored board");
        }
    }
    world.model.check(now, &live);
}
