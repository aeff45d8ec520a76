//! A graph of tasks in the languages of programs that draw: Graphviz and Mermaid.

use callboard_protocol::methods::task::GraphResult;

use crate::table::one_line;

/// The graph for Graphviz.
pub fn dot(graph: &GraphResult) -> String {
    let mut lines = vec!["digraph tasks {".to_owned(), "  rankdir=LR;".to_owned()];
    for node in &graph.nodes {
        let title = one_line(&node.title).replace('\\', "\\\\").replace('"', "\\\"");
        lines.push(format!("  {id} [label=\"{id} {title}\\n{}\"];", node.status, id = node.id));
    }
    lines.extend(graph.edges.iter().map(|(before, after)| format!("  {before} -> {after};")));
    lines.push("}".to_owned());
    lines.join("\n")
}

/// The graph for Mermaid.
pub fn mermaid(graph: &GraphResult) -> String {
    let mut lines = vec!["flowchart LR".to_owned()];
    for node in &graph.nodes {
        let title = harmless(&one_line(&node.title));
        lines.push(format!("  t{id}[\"{id} {title}<br/>{}\"]", node.status, id = node.id));
    }
    lines.extend(graph.edges.iter().map(|(before, after)| format!("  t{before} --> t{after}")));
    lines.join("\n")
}

/// `text` as Mermaid shows it and takes none of it for its own, for HTML or for Markdown.
fn harmless(text: &str) -> String {
    let mut label = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_alphanumeric() || " .,:/()-".contains(character) {
            label.push(character);
        } else {
            label.push_str(&format!("#{};", u32::from(character)));
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(title: &str) -> GraphResult {
        let nodes = serde_json::json!([
            {"id": 1, "title": title, "status": "completed"}, {"id": 2, "title": "b", "status": "blocked"}
        ]);
        serde_json::from_value(serde_json::json!({"nodes": nodes, "edges": [[1, 2]]})).unwrap()
    }

    #[test]
    fn graphviz_gets_nodes_and_edges() {
        let expected = "digraph tasks {\n  rankdir=LR;\n  1 [label=\"1 say \\\"\\\\n\\\" \\\\nhi\\ncompleted\"];\n  \
                        2 [label=\"2 b\\nblocked\"];\n  1 -> 2;\n}";
        assert_eq!(dot(&graph("say \"\\n\" \nhi")), expected);
    }

    #[test]
    fn mermaid_gets_nodes_and_edges() {
        let expected = "flowchart LR\n  t1[\"1 #96;a#34;#93; #60;b#62; größer#59;<br/>completed\"]\n  \
                        t2[\"2 b<br/>blocked\"]\n  t1 --> t2";
        assert_eq!(mermaid(&graph("`a\"] <b> größer;")), expected);
    }
}
