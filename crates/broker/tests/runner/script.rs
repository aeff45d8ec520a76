//! A script's text: statements without their comments, words and numbers of commands.

/// One statement with the line that it begins on.
#[derive(Debug)]
pub struct Statement {
    /// From 1.
    pub line: usize,
    /// Without comments, on one line.
    pub text: String,
}

/// Cuts a script into statements.
pub fn statements(script: &str) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    for (number, line) in script.lines().enumerate() {
        let line = with_runs(without_comment(line));
        if line.trim().is_empty() {
            continue;
        }
        match statements.last_mut().filter(|_| line.starts_with("    ")) {
            Some(last) => {
                last.text.push(' ');
                last.text.push_str(line.trim());
            }
            None => statements.push(Statement { line: number + 1, text: line.trim().to_owned() }),
        }
    }
    statements
}

fn without_comment(line: &str) -> &str {
    let mut in_string = false;
    let mut before = ' ';
    for (at, character) in line.char_indices() {
        in_string ^= character == '"' && before != '\\';
        if character == '#' && before == ' ' && !in_string {
            return &line[..at];
        }
        before = character;
    }
    line
}

/// The line with a thousand x for each `{x:1000}`.
fn with_runs(line: &str) -> String {
    let mut parts = line.split("{x:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (count, rest) = part.split_once('}').unwrap();
        text.push_str(&"x".repeat(count.parse().unwrap()));
        text.push_str(rest);
    }
    text
}

/// Whether `text` could name a session.
pub fn is_label(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The value of an option such as `agent=`.
pub fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name))
}

/// A count.
pub fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("this is no number: {word}"))
}

/// A unit of time, in milliseconds.
pub fn unit_ms(word: &str) -> Result<u64, String> {
    match word {
        "ms" => Ok(1),
        "s" => Ok(1000),
        "min" => Ok(60_000),
        "h" => Ok(3_600_000),
        _ => Err(format!("this is no unit of time: {word}")),
    }
}
