//! What can happen next: commands, time, the store's threads, and faults.
//!
//! Invariant: a step that is interrupted lets in only what another thread could do at that moment.

use std::sync::Arc;

use callboard_broker::ImageCursor;
use callboard_protocol::Namespace;

use super::restart::{self, End};
use super::world::{Shared, locked};
use crate::config::Durability;
use crate::files::simulated::Fault;
use crate::store::WalkError;

/// Makes one step.
pub fn step(world: &Shared) {
    let choice = {
        let mut world = locked(world);
        world.tally.steps += 1;
        world.random.below(1000)
    };
    match choice {
        0..700 => locked(world).command(),
        700..800 => locked(world).tick(),
        800..880 => locked(world).harvest(),
        880..935 => sync(world),
        935..950 => walk(world),
        950..970 => locked(world).disconnect(),
        970..980 => begin_fault(world),
        980..986 => locked(world).volume.mend(),
        986..989 => move_wall_clock(world),
        989..994 => die_soon(world),
        994..998 => restart::end(world, End::Killed),
        _ => restart::end(world, End::Stopped),
    }
    if locked(world).volume.left().is_some() {
        restart::end(world, End::Killed);
    }
}

/// What may happen while a thread of the store waits for the disk.
fn meanwhile(world: &Shared) {
    let count = locked(world).random.below(6);
    for _ in 0..count {
        let mut world = locked(world);
        match world.random.below(20) {
            0..14 => world.command(),
            14..16 => world.tick(),
            16 => begin_fault_in(&mut world),
            _ => world.harvest(),
        }
    }
}

fn begin_fault(world: &Shared) {
    begin_fault_in(&mut locked(world));
}

fn begin_fault_in(world: &mut super::world::World) {
    let fault = *world.random.pick(&[Fault::StorageFull, Fault::Device]);
    let first = u64::try_from(world.random.below(6)).unwrap();
    let count = 1 + u64::try_from(world.random.below(8)).unwrap();
    world.volume.fail_between(first, count, fault);
    world.trace(&format!("{fault:?} after {first} operations, for {count}"));
}

fn die_soon(world: &Shared) {
    let mut world = locked(world);
    let operations = u64::try_from(world.random.below(12)).unwrap();
    let portion = world.random.below(101);
    world.volume.die_after(operations, portion);
    world.trace(&format!("dies after {operations} operations"));
}

fn move_wall_clock(world: &Shared) {
    let mut world = locked(world);
    let by_ms = i64::try_from(world.random.ms(7_200_000)).unwrap();
    let by_ms = if world.random.chance(500) { by_ms } else { -by_ms };
    world.time.move_wall_clock(by_ms);
}

/// The thread that syncs makes a round.
pub fn sync(world: &Shared) {
    let (keeper, before, was_failed) = {
        let mut this = locked(world);
        let keeper = Arc::clone(&this.daemon.keeper);
        let is_failed = keeper.is_failed();
        if keeper.journal().is_some() && !this.is_walking && this.random.chance(400) {
            let other = Arc::clone(world);
            this.volume.interrupt_sync(move || meanwhile(&other));
        }
        (keeper, this.history.len(), is_failed)
    };
    let Some(journal) = keeper.journal() else { return };
    journal.sync();
    let mut this = locked(world);
    this.volume.leave_sync_alone();
    if !was_failed && !keeper.is_failed() && this.volume.left().is_none() {
        this.durable = this.durable.max(before);
    }
    if !was_failed && keeper.is_failed() {
        this.tally.failures += 1;
    }
    this.trace("synced");
}

/// A snapshot is written, while the boards go on.
pub fn walk(world: &Shared) {
    let (keeper, boards) = {
        let mut this = locked(world);
        if this.is_walking {
            return;
        }
        this.is_walking = true;
        let boards: Vec<Namespace> = this.daemon.seats.keys().cloned().collect();
        (Arc::clone(&this.daemon.keeper), boards)
    };
    let written_at = locked(world).time.now().unix_ms;
    let walked = (|| {
        let mut walk = keeper.begin_walk("simulation", written_at)?;
        for namespace in boards {
            let mut cursor = ImageCursor::default();
            while cursor != ImageCursor::End {
                let slice = {
                    let mut this = locked(world);
                    let (now, size) = (this.time.now(), 1 + this.random.below(10));
                    let board = &this.daemon.seats[&namespace].board;
                    if board.is_empty() {
                        break;
                    }
                    board.image_slice(now, &mut cursor, size)
                };
                if locked(world).random.chance(500) {
                    meanwhile(world);
                }
                walk.write(&namespace, slice)?;
                if locked(world).random.chance(300) {
                    between_slices(world);
                }
            }
        }
        finish(world, walk)
    })();
    let mut this = locked(world);
    this.is_walking = false;
    this.volume.leave_sync_alone();
    if this.volume.left().is_some() {
        return;
    }
    this.trace(&format!("walked: {walked:?}"));
    match walked {
        Ok(()) => this.tally.walks += 1,
        Err(WalkError::InMemory) => assert_eq!(this.mode, Durability::Memory),
        Err(_) => {}
    }
}

fn between_slices(world: &Shared) {
    meanwhile(world);
    if locked(world).random.chance(300) {
        sync(world);
    }
}

fn finish(world: &Shared, walk: crate::store::Walk<'_>) -> Result<(), WalkError> {
    let (before, is_interrupted) = {
        let mut this = locked(world);
        let before = this.history.len();
        this.saved.push(before);
        let is_interrupted = this.mode != Durability::Snapshot && this.random.chance(300);
        if is_interrupted {
            let other = Arc::clone(world);
            this.volume.interrupt_sync(move || meanwhile(&other));
        }
        (before, is_interrupted)
    };
    walk.finish()?;
    let mut this = locked(world);
    if this.volume.left().is_some() {
        return Ok(());
    }
    this.durable = this.durable.max(before);
    if this.mode == Durability::Snapshot {
        this.saved = vec![before];
    } else {
        this.told = this.told.max(before);
    }
    if !is_interrupted && !this.daemon.keeper.is_failed() {
        restart::check_convergence(&mut this);
    }
    Ok(())
}
