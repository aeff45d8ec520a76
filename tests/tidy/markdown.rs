//! The relative links of a Markdown document.
//!
//! Deliberately knows only `[text](target)` and `[label]: target`, outside of code.

/// The targets that should exist as files, each with its line, from 1; anchors are cut off.
pub fn relative_links(document: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut found = Vec::new();
    for (line, text) in (1..).zip(document.lines()) {
        if text.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if !is_code {
            let text = without_inline_code(text);
            let targets = inline_targets(&text).into_iter().chain(definition_target(&text));
            found.extend(targets.filter_map(|target| Some((line, relative(target)?))));
        }
    }
    found
}

fn without_inline_code(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

fn inline_targets(text: &str) -> Vec<&str> {
    let afters = text.split("](").skip(1);
    afters.filter_map(|after| after.split([')', ' ']).next()).collect()
}

fn definition_target(text: &str) -> Option<&str> {
    let (_, target) = text.strip_prefix('[')?.split_once("]: ")?;
    target.split_whitespace().next()
}

/// None for an anchor in the same document and for what has a scheme.
fn relative(target: &str) -> Option<String> {
    let file = target.split('#').next()?;
    let is_relative = !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:");
    is_relative.then(|| file.to_owned())
}
