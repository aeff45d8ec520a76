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

/// How long it polls when nothing comes, once in `lap`.
fn polls_in_vain(polling: &mut Polling, mut now: Instant, lap: Duration) -> Duration {
    let begin = now;
    assert!(polling.begins(now));
    loop {
        now += lap;
        if !polling.goes_on(now, false) {
            return now - begin;
        }
    }
}

/// Loses the core at its first poll, which begins at `now`; how long it pauses then.
fn pause_after_a_loss(polling: &mut Polling, now: Instant) -> Duration {
    assert!(polling.begins(now), "still in a pause");
    assert!(!polling.goes_on(now + 3 * LOST_CORE, false));
    let end = now + 3 * LOST_CORE;
    let mut pause = Duration::ZERO;
    while !polling.begins(end + pause) {
        pause += PAUSE_MIN;
    }
    pause
}

#[test]
fn a_client_that_wakes_it_soon_is_polled_for_and_one_that_takes_its_time_is_not() {
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
    assert!(thread.polls(), "something was read");
    assert!(!thread.awaits(1));
    assert!(!thread.polls(), "nothing was read since");
    assert!(thread.awaits(1));
}

#[test]
fn it_polls_for_the_window_and_again_from_each_input() {
    let start = Instant::now();
    let mut polling = Polling::new(start);
    assert_eq!(polls_in_vain(&mut polling, start, SOON), WINDOW);
    let mut now = start + LATE;
    assert!(polling.begins(now));
    for _ in 0..1_000 {
        now += SOON;
        assert!(polling.goes_on(now, false));
        now += SOON;
        assert!(polling.goes_on(now, true));
    }
    assert!(polling.goes_on(now + WINDOW - SOON, false));
    assert!(!polling.goes_on(now + WINDOW, false));
}

#[test]
fn a_lost_core_is_left_alone_each_time_for_longer() {
    let mut now = Instant::now();
    let mut polling = Polling::new(now);
    polls_in_vain(&mut polling, now, SOON);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        now += 2 * PAUSE_MAX;
        pauses.push(pause_after_a_loss(&mut polling, now).as_millis());
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
}

#[test]
fn who_had_the_core_for_longer_than_the_last_pause_pauses_shortly_again() {
    let mut now = Instant::now();
    let mut polling = Polling::new(now);
    for _ in 0..5 {
        now += 2 * PAUSE_MAX;
        pause_after_a_loss(&mut polling, now);
    }
    now += 2 * PAUSE_MAX;
    assert!(polling.begins(now));
    for _ in 0..20_000 {
        now += SOON;
        assert!(polling.goes_on(now, true));
    }
    assert_eq!(pause_after_a_loss(&mut polling, now), PAUSE_MIN);
}
