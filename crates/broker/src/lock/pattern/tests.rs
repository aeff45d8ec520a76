//! What a lock name means: its normal form, and which names meet.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> LockName {
    LockName::parse(text).unwrap()
}

/// Matches by trying everything: the meaning of patterns, written as plainly as possible.
fn matches(pattern: &LockName, path: &LockName) -> bool {
    let segments = |name: &LockName| -> Vec<Vec<u8>> {
        (0..name.0.len()).map(|position| name.0.at(position).to_vec()).collect()
    };
    pattern.is_absolute() == path.is_absolute() && matches_segments(&segments(pattern), &segments(path))
}

fn matches_segments(pattern: &[Vec<u8>], path: &[Vec<u8>]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((first, rest)) if first == DEEP => {
            (0..=path.len()).any(|taken| matches_segments(rest, &path[taken..]))
        }
        Some((first, rest)) => {
            !path.is_empty() && matches_bytes(first, &path[0]) && matches_segments(rest, &path[1..])
        }
    }
}

fn matches_bytes(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((&RUN, rest)) => (0..=text.len()).any(|taken| matches_bytes(rest, &text[taken..])),
        Some((first, rest)) => text.first() == Some(first) && matches_bytes(rest, &text[1..]),
    }
}

/// Every name that the texts over `alphabet` of up to `len_max` characters give.
fn names_over(alphabet: &str, len_max: usize) -> BTreeSet<LockName> {
    let mut names = BTreeSet::new();
    let mut texts = vec![String::new()];
    for _ in 0..len_max {
        texts = texts.iter().flat_map(|text| alphabet.chars().map(move |c| format!("{text}{c}"))).collect();
        names.extend(texts.iter().filter_map(|text| LockName::parse(text).ok()));
    }
    names
}

#[test]
fn names_are_normalised() {
    for (text, normal) in [
        ("src/auth/login.ts", "src/auth/login.ts"),
        ("./src//auth/./login.ts", "src/auth/login.ts"),
        ("src/", "src/**"),
        ("src/.", "src"),
        ("src/./", "src/**"),
        ("./", "**"),
        ("/", "/**"),
        ("//etc//passwd", "/etc/passwd"),
        ("a/**/**/b", "a/**/b"),
        ("a/**/", "a/**"),
        ("**/./**", "**"),
        ("a**b", "a*b"),
        ("***", "*"),
        (r"a\**", r"a\**"),
        (r"\*\*", r"\*\*"),
        (r"a\\b", r"a\\b"),
        ("...", "..."),
        ("a b@(c)[d]é", "a b@(c)[d]é"),
    ] {
        assert_eq!(name(text).as_str(), normal, "{text}");
        assert_eq!(name(normal), name(text), "{text}");
    }
    assert!(name(r"\*").is_exact() && !name("*").is_exact() && !name("dir/").is_exact());
    assert!(name("/a").is_absolute() && !name("a").is_absolute());
}

#[test]
fn what_is_no_name_is_refused_with_a_reason() {
    assert_eq!(LockName::parse(""), Err(LockNameError::Empty));
    assert_eq!(LockName::parse(&"x".repeat(513)), Err(LockNameError::TooLong { len: 513 }));
    assert!(LockName::parse(&"x".repeat(512)).is_ok());
    for text in [r"a\b", r"a\", r"a\/b", r"\?"] {
        assert!(matches!(LockName::parse(text), Err(LockNameError::Escape { .. })), "{text}");
    }
    for text in ["..", "a/../b", "/..", "../"] {
        assert!(matches!(LockName::parse(text), Err(LockNameError::Parent { .. })), "{text}");
    }
    for text in [".", "/.", "./."] {
        assert!(matches!(LockName::parse(text), Err(LockNameError::Nothing { .. })), "{text}");
    }
    for text in ["a\n", "a\u{0}", "a\u{7f}", "a\u{85}"] {
        assert!(matches!(LockName::parse(text), Err(LockNameError::Control { offset: 1, .. })), "{text:?}");
    }
}

#[test]
fn the_longest_directory_can_be_read_back() {
    let longest = name(&format!("{}/", "x".repeat(511)));
    assert_eq!(longest.as_str().len(), 514);
    assert_eq!(LockName::restore(longest.as_str()), Ok(longest));
}

#[test]
fn names_meet_where_some_path_matches_both() {
    for (a, b) in [
        ("src/a.rs", "src/a.rs"),
        ("dir/**", "dir"),
        ("b*", "b"),
        ("*", ".gitignore"),
        ("src/*.rs", "src/main*"),
        ("**/test/*", "src/**"),
        ("a/**/c", "a/c"),
        (r"a\*b", r"a*b"),
        ("é*", "*é"),
    ] {
        assert!(name(a).overlaps(&name(b)) && name(b).overlaps(&name(a)), "{a} {b}");
    }
    for (a, b) in [
        ("**", "/x"),
        ("src/*", "src/a/b"),
        ("src/*", "src"),
        ("dir/**", "dirty"),
        ("*.rs", "*.ts"),
        ("a/**/c", "a/b"),
        (r"a\*b", "axb"),
        ("é", "e"),
        ("Src/a", "src/a"),
    ] {
        assert!(!name(a).overlaps(&name(b)) && !name(b).overlaps(&name(a)), "{a} {b}");
    }
}

#[test]
fn overlap_and_cover_are_what_enumeration_finds() {
    let paths: Vec<LockName> = names_over("ab/", 6).into_iter().filter(LockName::is_exact).collect();
    let patterns: Vec<LockName> = names_over("ab*/", 3).union(&names_over("a*/", 4)).cloned().collect();
    let matched: Vec<BTreeSet<usize>> = patterns
        .iter()
        .map(|pattern| (0..paths.len()).filter(|&path| matches(pattern, &paths[path])).collect())
        .collect();
    for (a, in_a) in patterns.iter().zip(&matched) {
        for (b, in_b) in patterns.iter().zip(&matched) {
            assert_eq!(a.overlaps(b), !in_a.is_disjoint(in_b), "{a} overlaps {b}");
            if b.is_exact() {
                assert_eq!(a.covers(b), in_a.is_superset(in_b), "{a} covers {b}");
            } else if a.covers(b) {
                assert!(in_a.is_superset(in_b), "{a} covers {b}");
            }
        }
    }
}

#[test]
fn a_pattern_covers_the_narrower_ones() {
    for (wide, narrow) in [
        ("**", "src/**"),
        ("src/**", "src/*.rs"),
        ("src/*", "src/*.rs"),
        ("a*c", "ab*c"),
        ("**", "**/a/**"),
        ("dir/**", "dir"),
    ] {
        assert!(name(wide).covers(&name(narrow)), "{wide} {narrow}");
        assert!(!name(narrow).covers(&name(wide)), "{narrow} {wide}");
    }
    assert!(!name("*").covers(&name("**")));
}

/// Whether some path matches both, by the product of the two automata.
fn overlap_by_product<T: Copy>(a: &[Option<T>], b: &[Option<T>], meets: &dyn Fn(T, T) -> bool) -> bool {
    let mut meet = vec![vec![false; b.len() + 1]; a.len() + 1];
    for i in (0..=a.len()).rev() {
        for j in (0..=b.len()).rev() {
            meet[i][j] = match (a.get(i), b.get(j)) {
                (None, None) => true,
                (Some(None), None) => meet[i + 1][j],
                (None, Some(None)) => meet[i][j + 1],
                (Some(None), Some(None)) => meet[i + 1][j] || meet[i][j + 1],
                (Some(None), Some(Some(_))) => meet[i + 1][j] || meet[i][j + 1],
                (Some(Some(_)), Some(None)) => meet[i][j + 1] || meet[i + 1][j],
                (Some(Some(x)), Some(Some(y))) => meets(*x, *y) && meet[i + 1][j + 1],
                _ => false,
            };
        }
    }
    meet[0][0]
}

fn segments_overlap_by_product(a: &LockName, b: &LockName) -> bool {
    let bytes = |segment: &[u8]| -> Vec<Option<u8>> {
        segment.iter().map(|&byte| (byte != RUN).then_some(byte)).collect()
    };
    let segments = |name: &LockName| -> Vec<Vec<u8>> {
        (0..name.0.len()).map(|position| name.0.at(position).to_vec()).collect()
    };
    let (a, b) = (segments(a), segments(b));
    let positions = |segments: &[Vec<u8>]| -> Vec<Option<usize>> {
        (0..segments.len()).map(|position| (segments[position] != DEEP).then_some(position)).collect()
    };
    overlap_by_product(&positions(&a), &positions(&b), &|x, y| {
        overlap_by_product(&bytes(&a[x]), &bytes(&b[y]), &|x, y| x == y)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_names_meet_as_their_automata_do(a in "([ab*]{1,4}/|\\*\\*/){0,6}[ab*]{1,4}", b in "([ab*]{1,4}/|\\*\\*/){0,6}[ab*]{1,4}") {
        let (a, b) = (name(&a), name(&b));
        prop_assert_eq!(a.overlaps(&b), segments_overlap_by_product(&a, &b));
        prop_assert_eq!(b.overlaps(&a), a.overlaps(&b));
        prop_assert!(a.overlaps(&a) && a.covers(&a));
        prop_assert!(!a.covers(&b) || a.overlaps(&b));
    }

    #[test]
    fn a_normal_form_is_its_own(text in "[ab*./\\\\é]{1,12}") {
        if let Ok(parsed) = LockName::parse(&text) {
            prop_assert_eq!(&LockName::restore(parsed.as_str()).unwrap(), &parsed);
            prop_assert_eq!(parsed.is_exact(), parsed.literal_prefix() == parsed.as_str());
        }
    }
}

#[test]
fn hostile_patterns_cost_no_more_than_the_product_of_their_lengths() {
    let within = [name(&"*a".repeat(256)), name(&"a*".repeat(256)), name(&format!("{}b", "a".repeat(511)))];
    let over =
        [name(&"**/a/".repeat(102)), name(&"a/".repeat(256)), name(&format!("{}b", "**/*/".repeat(102)))];
    for _ in 0..20 {
        for a in within.iter().chain(&over) {
            for b in within.iter().chain(&over) {
                assert_eq!(a.overlaps(b), b.overlaps(a));
                assert!(!a.covers(b) || a.overlaps(b));
            }
        }
    }
}

#[test]
fn names_of_a_request_are_a_set() {
    let set: LockNames = ["b", "a", "./b", "c/"].into_iter().map(name).collect();
    assert_eq!(set.as_slice(), [name("a"), name("b"), name("c/**")]);
    assert!([name("b")].into_iter().collect::<LockNames>().is_subset(&set));
    assert!(![name("c")].into_iter().collect::<LockNames>().is_subset(&set));
}
