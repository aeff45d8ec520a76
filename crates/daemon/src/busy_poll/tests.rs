//! What a thread has seen, and what follows from it, at made-up moments.

use super::*;

const SOON: Duration = Duration::from_micros(10);
const LATE: Duration = Duration::from_millis(5);
const SHORT: usize = 100;

/// A thread that slept for so long.
fn woken_after(slept: Duration) -> Thread {
    let mut thread = Thread::default();
    let now = Instant::now();
    thread.falls_asleep(now);
    thread.wakes(now + slept);
    thread
}

/// How long it looks when nothing comes, looking once in `lap`.
fn looks_in_vain(looking: &mut Looking, mut now: Instant, lap: Duration) -> Duration {
    let begin = now;
    assert!(looking.begins(now));
    loop {
        now += lap;
        if !looking.goes_on(now, false) {
            return now - begin;
        }
    }
}

/// Loses the core at its first look, which begins at `now`; how long it pauses then.
fn pause_after_a_loss(looking: &mut Looking, now: Instant) -> Duration {
    assert!(looking.begins(now), "still in a pause");
    assert!(!looking.goes_on(now + 3 * LOST_CORE, false));
    let end = now + 3 * LOST_CORE;
    let mut pause = Duration::ZERO;
    while !looking.begins(end + pause) {
        pause += PAUSE_MIN;
    }
    pause
}

#[test]
fn a_client_that_wakes_it_soon_is_looked_for_and_one_that_takes_its_time_is_not() {
    assert!(woken_after(SOON).reads(1, SHORT));
    assert!(!woken_after(LATE).reads(1, SHORT));
    assert!(!woken_after(WINDOW).reads(1, SHORT));
}

#[test]
fn a_short_sleep_counts_once() {
    let mut thread = woken_after(SOON);
    assert!(thread.reads(1, SHORT));
    assert!(!thread.reads(1, SHORT));
}

#[test]
fn a_client_that_alone_waits_for_an_answer_is_awaited() {
    let mut thread = woken_after(LATE);
    assert!(thread.awaits(1) && thread.awaits(2));
    thread.reads(1, SHORT);
    assert!(thread.awaits(1) && !thread.awaits(2));
    thread.reads(2, SHORT);
    assert!(thread.awaits(2) && !thread.awaits(1));
    thread.reads(2, LONE_BYTES + 1);
    assert!(!thread.awaits(2), "it asks for more than one thing at once");
    assert!(thread.looks(), "something was read");
    assert!(!thread.awaits(1));
    assert!(!thread.looks(), "nothing was read since");
    assert!(thread.awaits(1));
}

#[test]
fn it_looks_for_the_window_and_again_from_each_input() {
    let mut looking = Looking::default();
    let start = Instant::now();
    assert_eq!(looks_in_vain(&mut looking, start, SOON), WINDOW);
    let mut now = start + LATE;
    assert!(looking.begins(now));
    for _ in 0..1_000 {
        now += SOON;
        assert!(looking.goes_on(now, false));
        now += SOON;
        assert!(looking.goes_on(now, true));
    }
    assert!(looking.goes_on(now + WINDOW - SOON, false));
    assert!(!looking.goes_on(now + WINDOW, false));
}

#[test]
fn a_lost_core_is_left_alone_each_time_for_longer() {
    let mut looking = Looking::default();
    let mut now = Instant::now();
    looks_in_vain(&mut looking, now, SOON);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        now += 2 * PAUSE_MAX;
        pauses.push(pause_after_a_loss(&mut looking, now).as_millis());
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
}

#[test]
fn who_had_the_core_for_longer_than_the_last_pause_pauses_shortly_again() {
    let mut looking = Looking::default();
    let mut now = Instant::now();
    for _ in 0..5 {
        now += 2 * PAUSE_MAX;
        pause_after_a_loss(&mut looking, now);
    }
    now += 2 * PAUSE_MAX;
    assert!(looking.begins(now));
    for _ in 0..20_000 {
        now += SOON;
        assert!(looking.goes_on(now, true));
    }
    assert_eq!(pause_after_a_loss(&mut looking, now), PAUSE_MIN);
}
