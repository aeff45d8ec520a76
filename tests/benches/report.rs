//! How figures are printed: what was measured on what, and lines of columns below it.
//!
//! Invariant: every table says machine, versions, durability and what the peer was asked to do, so that none of them is
//! ever quoted without.

use std::path::Path;
use std::time::Duration;

/// A label's width.
const LABEL: usize = 52;

/// Prints what stands above a table: the daemon's durability, what the peer does, the columns' names.
pub fn heading(title: &str, durability: &str, peer: &str, columns: &[&str]) {
    println!("{title}");
    println!("  {}", machine());
    println!("  callboard {}, release build; durability: {durability}", env!("CARGO_PKG_VERSION"));
    println!("  peer: {peer}\n");
    line("", columns);
}

/// Prints a label and its columns.
pub fn line(label: &str, columns: &[impl AsRef<str>]) {
    let columns: String = columns.iter().map(|column| format!("{:>12}", column.as_ref())).collect();
    println!("  {label:<LABEL$}{columns}");
}

/// Prints an empty line: the table is over.
pub fn end() {
    println!();
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cpu = cpu.trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    let files = file_system(&std::env::temp_dir(), &read("/proc/self/mounts"));
    format!("machine: {cores} cores of {cpu}, Linux {}, files on {files}", kernel.trim())
}

/// The kind of file system that `path` is on: that of the longest mount point above it.
fn file_system(path: &Path, mounts: &str) -> String {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounts.filter(|(point, _)| path.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map_or("unknown", |(_, kind)| kind).to_owned()
}

/// The time at a share of all, in microseconds.
pub fn percentile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let place = ((times.len() - 1) as f64 * share) as usize;
    times[place].as_secs_f64() * 1e6
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// So many in that time, a second.
pub fn rate(count: usize, time: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let count = count as f64;
    count / time.as_secs_f64()
}

/// A number with so many digits behind the point.
pub fn number(value: f64, digits: usize) -> String {
    format!("{value:.digits$}")
}
