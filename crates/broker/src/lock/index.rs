//! From a name to the ids whose names meet it, without looking at all of them.
//!
//! A trie by segment, kept flat: instead of nodes there are ordered maps by the text of the path to the node, so a
//! subtree is a range, nothing recurses, and a deep name costs one entry. A pattern stands at its literal prefix
//! (what precedes its first wildcard segment). An exact name is looked for on the way from the root to itself, a
//! pattern on the way to its literal prefix and in everything below it.
//!
//! Invariant: a name of an id is found by exactly the names that overlap it. There is no empty entry. Nothing is
//! known here of agents and modes.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::ops::Bound;

use super::pattern::LockName;

/// Ids by name. Relative and absolute names are kept apart, as they never meet.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    relative: Tree,
    absolute: Tree,
}

#[derive(Debug, Default)]
struct Tree {
    exact: BTreeMap<LockName, BTreeSet<u64>>,
    patterns: BTreeMap<Box<str>, BTreeSet<(LockName, u64)>>,
}

impl NameIndex {
    /// Adds one name of `id`.
    pub(super) fn insert(&mut self, name: &LockName, id: u64) {
        let tree = self.tree_mut(name);
        if name.is_exact() {
            tree.exact.entry(name.clone()).or_default().insert(id);
        } else {
            let prefix = name.literal_prefix().into();
            tree.patterns.entry(prefix).or_default().insert((name.clone(), id));
        }
    }

    /// Takes one name of `id` out again.
    pub(super) fn remove(&mut self, name: &LockName, id: u64) {
        let tree = self.tree_mut(name);
        if name.is_exact() {
            if let Some(ids) = tree.exact.get_mut(name) {
                ids.remove(&id);
                if ids.is_empty() {
                    tree.exact.remove(name);
                }
            }
        } else if let Some(patterns) = tree.patterns.get_mut(name.literal_prefix()) {
            patterns.remove(&(name.clone(), id));
            if patterns.is_empty() {
                tree.patterns.remove(name.literal_prefix());
            }
        }
    }

    /// Gives `found` each id with a name that overlaps `name`, once for each such name.
    pub(super) fn for_each_overlapping(&self, name: &LockName, mut found: impl FnMut(u64)) {
        let tree = if name.is_absolute() { &self.absolute } else { &self.relative };
        tree.visit_patterns_above(name, &mut found);
        if name.is_exact() {
            tree.exact.get(name).into_iter().flatten().copied().for_each(found);
        } else {
            tree.visit_below(name, &mut found);
        }
    }

    fn tree_mut(&mut self, name: &LockName) -> &mut Tree {
        if name.is_absolute() { &mut self.absolute } else { &mut self.relative }
    }
}

impl Tree {
    /// The patterns whose literal prefix is that of `name` or above it.
    fn visit_patterns_above(&self, name: &LockName, found: &mut impl FnMut(u64)) {
        if self.patterns.is_empty() {
            return;
        }
        for path in path_from_root(name.literal_prefix()) {
            visit_patterns(self.patterns.get(path), name, found);
        }
    }

    /// What stands at the literal prefix of `name` and below, without the patterns at the prefix itself.
    fn visit_below(&self, name: &LockName, found: &mut impl FnMut(u64)) {
        let prefix = name.literal_prefix();
        // '0' is the byte after '/': between the two is what begins with the prefix and a separator.
        let (first, end) = (format!("{prefix}/"), format!("{prefix}0"));
        let below: (Bound<&str>, Bound<&str>) = if prefix.is_empty() {
            (Bound::Excluded(""), Bound::Unbounded)
        } else {
            (Bound::Included(&first), Bound::Excluded(&end))
        };
        let at_prefix = self.exact.get_key_value(prefix);
        for (exact, ids) in at_prefix.into_iter().chain(self.exact.range::<str, _>(below)) {
            if name.overlaps(exact) {
                ids.iter().copied().for_each(&mut *found);
            }
        }
        for (_, patterns) in self.patterns.range::<str, _>(below) {
            visit_patterns(Some(patterns), name, found);
        }
    }
}

fn visit_patterns(
    patterns: Option<&BTreeSet<(LockName, u64)>>,
    name: &LockName,
    found: &mut impl FnMut(u64),
) {
    for (pattern, id) in patterns.into_iter().flatten() {
        if name.overlaps(pattern) {
            found(*id);
        }
    }
}

/// `a/b` gives the root (empty), `a` and `a/b`; `/a/b` the root, `/a` and `/a/b`.
fn path_from_root(path: &str) -> impl Iterator<Item = &str> {
    let above = path.match_indices('/').map(|(end, _)| &path[..end]);
    let below_root = above.chain(iter::once(path)).filter(|path| !path.is_empty());
    iter::once("").chain(below_root)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> LockName {
        LockName::parse(text).unwrap()
    }

    fn overlapping(index: &NameIndex, text: &str) -> Vec<u64> {
        let mut ids = Vec::new();
        index.for_each_overlapping(&name(text), |id| ids.push(id));
        ids.sort_unstable();
        ids
    }

    #[test]
    fn a_name_is_found_by_the_names_that_overlap_it() {
        let mut index = NameIndex::default();
        for (id, text) in (1..).zip(["src/a.rs", "src/*.rs", "src/", "**/*.rs", "/src/a.rs", "src.rs", "src"])
        {
            index.insert(&name(text), id);
        }
        assert_eq!(overlapping(&index, "src/a.rs"), [1, 2, 3, 4]);
        assert_eq!(overlapping(&index, "src/"), [1, 2, 3, 4, 7]);
        assert_eq!(overlapping(&index, "/**"), [5]);
        assert_eq!(overlapping(&index, "*.rs"), [4, 6]);
        index.remove(&name("src/*.rs"), 2);
        index.remove(&name("src/*.rs"), 2);
        assert_eq!(overlapping(&index, "src/a.rs"), [1, 3, 4]);
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let mut index = NameIndex::default();
        for text in ["a/b/c", "a/*/c", "/x", "**"] {
            index.insert(&name(text), 1);
            index.insert(&name(text), 2);
            index.remove(&name(text), 1);
            index.remove(&name(text), 2);
        }
        for tree in [&index.relative, &index.absolute] {
            assert!(tree.exact.is_empty() && tree.patterns.is_empty());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_index_finds_what_comparing_with_each_finds(
            texts in prop::collection::vec("/?([ab!0]{1,2}/|[ab]?\\*b?/|\\*\\*/){0,3}([ab!0]{1,2}|[ab]?\\*|\\*\\*)", 1..40),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let names: Vec<LockName> = texts.iter().map(|text| name(text)).collect();
            let mut index = NameIndex::default();
            for (id, name) in (0..).zip(&names) {
                index.insert(name, id);
            }
            let removed: BTreeSet<usize> = removed.iter().map(|at| at.index(names.len())).collect();
            for &at in &removed {
                index.remove(&names[at], at as u64);
            }
            for text in &texts {
                let expected: Vec<u64> = (0..names.len())
                    .filter(|at| !removed.contains(at) && names[*at].overlaps(&name(text)))
                    .map(|at| at as u64)
                    .collect();
                prop_assert_eq!(overlapping(&index, text), expected);
            }
        }
    }
}
