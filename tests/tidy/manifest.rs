//! What a `Cargo.toml` depends on, read line by line as the house writes its manifests.
//!
//! Deliberately no TOML parser: one dependency a line, `name.workspace = true` or `name = ...`.

/// The packages that `manifest` names in any of its dependency tables, each with its line, from 1.
pub fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut is_in_table = false;
    let mut found = Vec::new();
    for (line, text) in (1..).zip(manifest.lines()) {
        if let Some(header) = text.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            let (table, name) = header.split_once("dependencies.").unwrap_or((header, ""));
            is_in_table = table.ends_with("dependencies");
            found.extend((!name.is_empty()).then(|| (line, name.to_owned())));
        } else if is_in_table {
            found.extend(key(text).map(|name| (line, name)));
            found.extend(renamed(text).map(|name| (line, name)));
        } else {
            found.extend(text.strip_prefix("package = ").map(|name| (line, unquoted(name))));
        }
    }
    found
}

fn key(text: &str) -> Option<String> {
    let name = text.split(['.', '=', ' ']).next()?;
    let is_entry = text.contains('=') && !name.is_empty() && !name.starts_with(['#', '}']);
    is_entry.then(|| unquoted(name))
}

/// The real name in `name = { package = "real-name" }`.
fn renamed(text: &str) -> Option<String> {
    let (_, after) = text.split_once("package = ")?;
    after.split([',', ' ', '}']).next().map(unquoted)
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches('"').to_owned()
}
