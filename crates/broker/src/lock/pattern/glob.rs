//! Sequences in which some items stand for a run of any length, also none, of other items.
//!
//! Both questions are answered exactly and without a table. A run that was tried is never given up for an earlier
//! one: the leftmost place for the items between two runs leaves the most to those behind them. So the worst case
//! is the product of the two lengths.

/// A sequence of items and runs.
pub(super) trait Glob {
    /// What one position holds when it is no run.
    type Item<'a>
    where
        Self: 'a;

    fn len(&self) -> usize;

    fn at(&self, position: usize) -> Self::Item<'_>;

    fn is_run(&self, position: usize) -> bool;
}

/// Whether `pattern` matches `word`, whose own runs only a run of `pattern` takes in (unless `meets` says otherwise).
/// `meets` says whether an item of `pattern` takes an item of `word`.
pub(super) fn covers<G: Glob + ?Sized>(
    pattern: &G,
    word: &G,
    meets: impl Fn(G::Item<'_>, G::Item<'_>) -> bool,
) -> bool {
    let (mut in_pattern, mut in_word) = (0, 0);
    let mut last_run = None;
    while in_word < word.len() {
        if in_pattern < pattern.len() && pattern.is_run(in_pattern) {
            in_pattern += 1;
            last_run = Some((in_pattern, in_word));
        } else if in_pattern < pattern.len() && meets(pattern.at(in_pattern), word.at(in_word)) {
            in_pattern += 1;
            in_word += 1;
        } else if let Some((after_run, taken_to)) = last_run {
            (in_pattern, in_word) = (after_run, taken_to + 1);
            last_run = Some((in_pattern, in_word));
        } else {
            return false;
        }
    }
    (in_pattern..pattern.len()).all(|position| pattern.is_run(position))
}

/// Whether some sequence without runs matches both. `meets` says whether two items have something in common.
///
/// When both have a run, what stands before the first and behind the last decides: everything between has room,
/// one after the other, where the runs of the other one are.
pub(super) fn overlap<G: Glob + ?Sized>(
    a: &G,
    b: &G,
    meets: impl Fn(G::Item<'_>, G::Item<'_>) -> bool,
) -> bool {
    let has_run = |glob: &G| (0..glob.len()).any(|position| glob.is_run(position));
    match (has_run(a), has_run(b)) {
        (_, false) => covers(a, b, meets),
        (false, true) => covers(b, a, |in_b, in_a| meets(in_a, in_b)),
        (true, true) => {
            let up_to_run = |in_a: &dyn Fn(usize) -> usize, in_b: &dyn Fn(usize) -> usize| {
                (0..a.len().min(b.len()))
                    .map(|step| (in_a(step), in_b(step)))
                    .take_while(|&(in_a, in_b)| !a.is_run(in_a) && !b.is_run(in_b))
                    .all(|(in_a, in_b)| meets(a.at(in_a), b.at(in_b)))
            };
            up_to_run(&|step| step, &|step| step)
                && up_to_run(&|step| a.len() - 1 - step, &|step| b.len() - 1 - step)
        }
    }
}
