//! Graphs as people see them: as indented text, as DOT for Graphviz, as Mermaid for Markdown.
//!
//! Invariant: a label can't break out of its place, whatever is in it. Lacks any layout, which the readers of DOT and Mermaid
//! have, and any knowledge of what nodes and edges stand for.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::table::one_line;

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Indented lines.
    Text,
    /// The language of Graphviz.
    Dot,
    /// The language of Mermaid.
    Mermaid,
}

/// The formats on the command line.
pub const FORMATS: [&str; 3] = ["text", "dot", "mermaid"];

/// The outline of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Round, for who acts.
    Round,
    /// A box, for what is acted upon.
    Box,
}

/// Something on the picture.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is, for people.
    pub label: String,
    /// Its outline.
    pub shape: Shape,
}

/// An arrow from a node to another, by their places among the nodes.
#[derive(Debug, Clone)]
pub struct Edge {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// Why it is there, for people.
    pub label: String,
    /// Drawn as less than certain.
    pub is_dashed: bool,
    /// Drawn as what to look at first, with this word in text.
    pub mark: Option<&'static str>,
}

/// The picture. Every edge is between two of the nodes.
#[derive(Debug, Default)]
pub struct Drawing {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The edges.
    pub edges: Vec<Edge>,
}

impl Drawing {
    /// The picture in this format, line by line.
    pub fn draw(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Dot => self.dot(),
            Format::Mermaid => self.mermaid(),
        }
    }

    /// Each node under those with an arrow to it; what follows from it is shown once.
    fn text(&self) -> String {
        let mut targets = vec![Vec::new(); self.nodes.len()];
        let mut is_target = vec![false; self.nodes.len()];
        for edge in &self.edges {
            targets[edge.from].push(edge);
            is_target[edge.to] = true;
        }
        let mut is_drawn = vec![false; self.nodes.len()];
        let mut text = String::new();
        // What nothing points at comes first; what is left then is in circles.
        let (inner, outer): (Vec<usize>, Vec<usize>) = (0..self.nodes.len()).partition(|at| is_target[*at]);
        for root in outer.into_iter().chain(inner) {
            if is_drawn[root] {
                continue;
            }
            let mut stack = vec![(root, 0, None)];
            while let Some((at, depth, by)) = stack.pop() {
                let is_known = std::mem::replace(&mut is_drawn[at], true) && !targets[at].is_empty();
                text.push_str(&self.line(at, depth, by, is_known));
                if !is_known {
                    stack.extend(targets[at].iter().rev().map(|edge| (edge.to, depth + 1, Some(*edge))));
                }
            }
        }
        text
    }

    fn line(&self, at: usize, depth: usize, by: Option<&Edge>, is_known: bool) -> String {
        let label = one_line(&self.nodes[at].label);
        let above = if is_known { " (see above)" } else { "" };
        let Some(edge) = by else {
            return format!("{label}{above}\n");
        };
        let arrow = if edge.is_dashed { "~>" } else { "->" };
        let mark = edge.mark.map(|mark| format!("  [{mark}]")).unwrap_or_default();
        let indent = "   ".repeat(depth - 1);
        format!("{indent}{arrow} {label}{above}  {}{mark}\n", one_line(&edge.label))
    }

    fn dot(&self) -> String {
        let mut text = "digraph {\n  rankdir=LR;\n".to_owned();
        for (at, node) in self.nodes.iter().enumerate() {
            let shape = match node.shape {
                Shape::Round => "ellipse",
                Shape::Box => "box",
            };
            push(&mut text, format_args!("  n{at} [label={}, shape={shape}];\n", dot_string(&node.label)));
        }
        for Edge { from, to, label, is_dashed, mark } in &self.edges {
            let style = if *is_dashed { ", style=dashed" } else { "" };
            let color = if mark.is_some() { ", color=red, fontcolor=red" } else { "" };
            let label = dot_string(label);
            push(&mut text, format_args!("  n{from} -> n{to} [label={label}{style}{color}];\n"));
        }
        text + "}\n"
    }

    fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for (at, node) in self.nodes.iter().enumerate() {
            let label = mermaid_string(&node.label);
            let (open, close) = match node.shape {
                Shape::Round => ("([", "])"),
                Shape::Box => ("[", "]"),
            };
            push(&mut text, format_args!("  n{at}{open}{label}{close}\n"));
        }
        for Edge { from, to, label, is_dashed, .. } in &self.edges {
            let arrow = if *is_dashed { "-.->" } else { "-->" };
            push(&mut text, format_args!("  n{from} {arrow}|{}| n{to}\n", mermaid_string(label)));
        }
        let marked = self.edges.iter().enumerate().filter(|(_, edge)| edge.mark.is_some());
        let marked: Vec<String> = marked.map(|(at, _)| at.to_string()).collect();
        if !marked.is_empty() {
            push(&mut text, format_args!("  linkStyle {} stroke:red,color:red\n", marked.join(",")));
        }
        text
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Memory takes whatever is written to it.
    let _ = text.write_fmt(line);
}

/// A quoted string of DOT. A backslash begins an escape there, also of control characters that are shown as such.
fn dot_string(label: &str) -> String {
    format!("\"{}\"", one_line(label).replace('\\', "\\\\").replace('"', "\\\""))
}

/// A quoted string of Mermaid. What could mean something to it or to the page around it is a character code.
fn mermaid_string(label: &str) -> String {
    let mut text = "\"".to_owned();
    for character in one_line(label).chars() {
        if character.is_alphanumeric() || " .,:/_-*()".contains(character) {
            text.push(character);
        } else {
            push(&mut text, format_args!("#{};", u32::from(character)));
        }
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(label: &str, shape: Shape) -> Node {
        Node { label: label.to_owned(), shape }
    }

    fn edge(from: usize, to: usize, label: &str) -> Edge {
        Edge { from, to, label: label.to_owned(), is_dashed: false, mark: None }
    }

    /// a and d wait for b, b for c, c perhaps for b again.
    fn drawing() -> Drawing {
        let nodes = ["a", "b", "c", "d"].map(|label| node(label, Shape::Round));
        let mut back = edge(2, 1, "back");
        (back.is_dashed, back.mark) = (true, Some("cycle"));
        Drawing {
            nodes: nodes.to_vec(),
            edges: vec![edge(0, 1, "x"), edge(1, 2, "y"), back, edge(3, 1, "z")],
        }
    }

    #[test]
    fn text_shows_what_follows_from_what_once() {
        assert_eq!(
            drawing().draw(Format::Text),
            "a\n-> b  x\n   -> c  y\n      ~> b (see above)  back  [cycle]\nd\n-> b (see above)  z\n"
        );
    }

    #[test]
    fn a_circle_that_nothing_leads_into_is_drawn_too() {
        let nodes = ["a", "b"].map(|label| node(label, Shape::Round)).to_vec();
        let circle = Drawing { nodes, edges: vec![edge(0, 1, "x"), edge(1, 0, "y")] };
        assert_eq!(circle.draw(Format::Text), "a\n-> b  x\n   -> a (see above)  y\n");
    }

    #[test]
    fn dot_and_mermaid_have_every_node_edge_and_mark() {
        let mut drawing = drawing();
        drawing.nodes[2].shape = Shape::Box;
        let dot = drawing.draw(Format::Dot);
        assert!(dot.starts_with("digraph {\n") && dot.ends_with("}\n"));
        assert!(dot.contains("n2 [label=\"c\", shape=box];"), "{dot}");
        assert!(dot.contains("n2 -> n1 [label=\"back\", style=dashed, color=red, fontcolor=red];"), "{dot}");
        assert_eq!(
            drawing.draw(Format::Mermaid),
            "flowchart LR\n  n0([\"a\"])\n  n1([\"b\"])\n  n2[\"c\"]\n  n3([\"d\"])\n  n0 -->|\"x\"| n1\n  \
             n1 -->|\"y\"| n2\n  n2 -.->|\"back\"| n1\n  n3 -->|\"z\"| n1\n  linkStyle 2 stroke:red,color:red\n"
        );
    }

    #[test]
    fn a_label_stays_in_its_place() {
        assert_eq!(dot_string("a\"];\n\\"), r#""a\"];\\n\\""#);
        assert_eq!(mermaid_string("%%{a}<b>\"|`"), "\"#37;#37;#123;a#125;#60;b#62;#34;#124;#96;\"");
        assert_eq!(mermaid_string("src/**, größer (1)"), "\"src/**, größer (1)\"");
    }
}
