//! A Rust file as the house rules see it: its code and its comments apart, its functions, its test parts.
//!
//! Invariant: `code` and `comments` have the length and the line breaks of `text`, so an offset or a line number
//! found in one holds in all three. This is a scanner, not a parser: it knows where comments, literals and
//! brackets begin and end, and nothing of types, macros or name resolution.

use std::ops::Range;

/// One Rust file.
pub struct Source {
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// The file as it is.
    pub text: String,
    /// The text with comments and literals blanked; the `"` of literals stay, so that `.expect("` can be found.
    pub code: String,
    /// The text with all but comments blanked.
    pub comments: String,
}

/// A function or method.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `fn`, from 1.
    pub line: usize,
    /// Lines from its `fn` to its closing brace, both counted.
    pub lines: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Region {
    Code,
    Comment,
    Literal,
}

impl Source {
    /// Scans `text`, the content of the file at `path`.
    pub fn new(path: &str, text: &str) -> Self {
        let mut code = String::with_capacity(text.len());
        let mut comments = String::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let (region, end) = region_at(text, at);
            for byte in text[at..end].bytes() {
                let shown = if byte.is_ascii() { char::from(byte) } else { '~' };
                let is_kept_in_code = region == Region::Code || (region == Region::Literal && byte == b'"');
                code.push(if is_kept_in_code || byte == b'\n' { shown } else { ' ' });
                comments.push(if region == Region::Comment || byte == b'\n' { shown } else { ' ' });
            }
            at = end;
        }
        Self { path: path.to_owned(), text: text.to_owned(), code, comments }
    }

    /// The line of `offset`, from 1.
    pub fn line_of(&self, offset: usize) -> usize {
        1 + self.code[..offset].matches('\n').count()
    }

    /// `path:line`, as editors and terminals understand it.
    pub fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.line_of(offset))
    }

    /// Whether the whole file is test code: `tests.rs`, or anything below `tests`, `benches`, `examples` or `fuzz`.
    pub fn is_test_file(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.split('/').any(|part| matches!(part, "tests" | "benches" | "examples" | "fuzz"))
    }

    /// Every function of the file, nested ones too, in order.
    pub fn functions(&self) -> Vec<Function> {
        let functions = self.words("fn").filter_map(|at| {
            let after = self.code[at + 2..].trim_start();
            let name = &after[..word_len(after)];
            let end = item_end(&self.code, at)?;
            let line = self.line_of(at);
            (!name.is_empty()).then(|| Function {
                name: name.to_owned(),
                line,
                lines: self.line_of(end) + 1 - line,
            })
        });
        functions.collect()
    }

    /// The parts of a file that only a test build has: each item under `#[test]` or `#[cfg(test)]`.
    pub fn test_parts(&self) -> Vec<Range<usize>> {
        let attributes = self.code.match_indices("#[");
        let parts = attributes.filter_map(|(at, _)| {
            let inner = at + 2..closing(&self.code, at + 1)?;
            let attribute = Source::new("", &self.code[inner.clone()]);
            let is_for_tests =
                attribute.words("test").next().is_some() && !attribute.code.contains("not(test");
            is_for_tests.then(|| Some(at..item_end(&self.code, inner.end + 1)?))?
        });
        parts.collect()
    }

    /// Offsets of `needle` in the code, test parts left out.
    pub fn in_production(&self, needle: &str) -> Vec<usize> {
        if self.is_test_file() {
            return Vec::new();
        }
        let parts = self.test_parts();
        let hits = self.code.match_indices(needle).map(|(at, _)| at);
        hits.filter(|at| !parts.iter().any(|part| part.contains(at))).collect()
    }

    /// Offsets of `word` in the code where it is a whole identifier, not a raw one.
    pub fn words(&self, word: &str) -> impl Iterator<Item = usize> {
        let code = self.code.as_str();
        let len = word.len();
        let hits = code.match_indices(word).map(|(at, _)| at);
        hits.filter(move |&at| {
            let is_start = !code[..at].ends_with(|before| is_word(before) || before == '#');
            is_start && !code[at + len..].starts_with(is_word)
        })
    }
}

/// The offset of the bracket that closes the one at `open`; `code` has no comments or literals.
pub fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => continue,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The offset of the `;` or `}` that ends the item which begins at `start`.
fn item_end(code: &str, start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += code[at..].find(['(', '[', '{', ';', '}'])?;
        match code.as_bytes()[at] {
            b'(' | b'[' => at = closing(code, at)? + 1,
            b'{' => return closing(code, at),
            _ => return Some(at),
        }
    }
}

fn region_at(text: &str, at: usize) -> (Region, usize) {
    let rest = &text[at..];
    if rest.starts_with("//") {
        return (Region::Comment, at + rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Region::Comment, at + block_comment_len(rest));
    }
    let word = word_len(rest);
    let (prefix, after) = rest.split_at(word);
    match literal_len(prefix, after) {
        Some(len) => (Region::Literal, at + word + len),
        None => (Region::Code, at + word.max(rest.chars().next().map_or(1, char::len_utf8))),
    }
}

/// The length of the block comment that `rest` begins with; block comments nest.
fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(found) = rest[at..].find("/*").into_iter().chain(rest[at..].find("*/")).min() {
        at += found + 2;
        if rest[..at].ends_with("/*") {
            depth += 1;
        } else {
            depth -= 1;
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of the literal that `after` begins with, given the `prefix` before it (`b`, `r`, none ...).
fn literal_len(prefix: &str, after: &str) -> Option<usize> {
    let hashes = after.len() - after.trim_start_matches('#').len();
    match (prefix, after[hashes..].bytes().next()?) {
        ("r" | "br" | "cr", b'"') => {
            let end = format!("\"{}", &after[..hashes]);
            let body = hashes + 1;
            Some(after[body..].find(&end).map_or(after.len(), |found| body + found + end.len()))
        }
        ("" | "b" | "c", b'"') if hashes == 0 => Some(quoted_len(after, '"')),
        ("" | "b", b'\'') if hashes == 0 && is_char(after) => Some(quoted_len(after, '\'')),
        _ => None,
    }
}

/// Whether the `'` that `after` begins with opens a character and not a lifetime or a label.
fn is_char(after: &str) -> bool {
    after.starts_with("'\\") || after.chars().nth(2) == Some('\'')
}

/// The length of a quoted literal with backslash escapes.
fn quoted_len(after: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in after.char_indices().skip(1) {
        if !is_escaped && character == quote {
            return at + 1;
        }
        is_escaped = !is_escaped && character == '\\';
    }
    after.len()
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The length of the identifier or number that `text` begins with.
fn word_len(text: &str) -> usize {
    text.find(|character| !is_word(character)).unwrap_or(text.len())
}
