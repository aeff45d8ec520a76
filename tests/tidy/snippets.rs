//! The readers of this test, tried on snippets: what they must see and what they must not fall for.

use crate::manifest::dependencies;
use crate::markdown::relative_links;
use crate::source::{Function, Source};

fn scan(text: &str) -> Source {
    Source::new("snippet.rs", text)
}

fn function(name: &str, line: usize, lines: usize) -> Function {
    Function { name: name.to_owned(), line, lines }
}

#[test]
fn literals_and_comments_are_no_code() {
    let cases = [
        r#"let a = "{ // \" {"; let b = 1;"#,
        r##"let a = r#"{ " /* "#; let b = 1;"##,
        r#"let a = b"\\"; let b = 1;"#,
        r"let a = '{'; let b = 1;",
        r"let a = '\''; let b = 1;",
        r"let a = b'\\'; let b = 1;",
        r"let a = '\u{7b}'; let b = 1;",
        r"let a = /* { /* { */ { */ 0; let b = 1;",
        "let a = \"ä{é\"; let b = 1;",
    ];
    for case in cases {
        let file = scan(case);
        assert_eq!(file.code.len(), case.len(), "{case}");
        assert!(!file.code.contains('{'), "{case}: {}", file.code);
        assert!(file.code.ends_with("; let b = 1;"), "{case}: {}", file.code);
    }
}

#[test]
fn comments_are_kept_apart() {
    let file = scan("let url = \"http://a\"; // why\n/* more */ let b = 1;\n");
    assert_eq!(file.comments.replace(' ', ""), "//why\n/*more*/\n");
    assert_eq!(file.comments.len(), file.text.len());
}

#[test]
fn lifetimes_and_labels_are_code() {
    let file = scan("fn a<'a, 'b>(x: &'a str, y: &'b str) { 'outer: loop { break 'outer } }");
    assert_eq!(file.code, file.text);
    assert_eq!(file.functions(), [function("a", 1, 1)]);
}

#[test]
fn functions_end_at_their_own_brace() {
    let file = scan(
        "fn first<const N: usize>(\n    a: [u8; N],\n) -> [u8; 2]\nwhere\n    F: Fn(u8) -> u8,\n{\n    let c = '}';\n    call(\"}\", r#\"}\"#); // }\n}\n\n\
         trait T {\n    fn second(&self, a: [u8; 4]);\n    fn third() {\n        fn inner() {}\n    }\n}\n",
    );
    let expected = [
        function("first", 1, 9),
        function("second", 12, 1),
        function("third", 13, 3),
        function("inner", 14, 1),
    ];
    assert_eq!(file.functions(), expected);
}

#[test]
fn function_pointers_and_raw_names_are_no_functions() {
    assert_eq!(scan("type F = fn(u8) -> u8;\nlet r#fn = 1; let fnord = 2;\n").functions(), []);
}

#[test]
fn test_parts_are_left_out_of_production() {
    let file = scan(
        "fn a() { x.unwrap(); }\n\
         #[cfg(test)]\nmod tests {\n    #[test]\n    fn b() { x.unwrap(); }\n}\n\
         #[cfg(all(test, unix))]\n#[path = \"t.rs\"]\nmod more;\n\
         #[cfg(not(test))]\nfn c() { x.unwrap(); }\n",
    );
    let lines: Vec<_> = file.in_production(".unwrap()").into_iter().map(|at| file.line_of(at)).collect();
    assert_eq!(lines, [1, 11]);
    assert_eq!(file.place(0), "snippet.rs:1");
}

#[test]
fn test_files_are_known_by_their_place() {
    let is_test = |path: &str| Source::new(path, "").is_test_file();
    assert!(is_test("crates/broker/src/lock/tests.rs"));
    assert!(is_test("tests/e2e/main.rs"));
    assert!(!is_test("crates/broker/src/contests.rs"));
}

#[test]
fn an_expect_with_a_message_is_seen_but_a_parser_method_is_not() {
    let file = scan("fn a() {\n    b.expect(\"c\");\n    self.expect(b'{');\n}\n");
    assert_eq!(file.in_production(".expect(\"").len(), 1);
}

#[test]
fn dependencies_are_read_from_every_table() {
    let manifest = "[package]\nname = \"a\"\n\n[dependencies]\n# note = 1\nserde.workspace = true\n\
                    b = { package = \"real\", version = \"1\" }\n\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n\n\
                    [dev-dependencies.tokio]\nversion = \"1\"\n\n[lints]\nworkspace = true\n";
    let names: Vec<_> = dependencies(manifest).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["serde", "b", "real", "libc", "tokio"]);
}

#[test]
fn links_are_found_outside_of_code() {
    let document = "See [a](A.md#part), [b](#here), [c](https://example.com/x), `[d](no.md)`.\n\
                    ```\n[e](no.md)\n```\n[f]: docs/F.md \"title\"\n";
    assert_eq!(relative_links(document), [(1, "A.md".to_owned()), (5, "docs/F.md".to_owned())]);
}
