//! Graphs of tasks: brought in from a file in one step, and shown.

use std::fs;

use serde_json::{Value, json};

use crate::harness::Home;

const YAML: &str = r#"
- ref: design
  title: agree on the format
  priority: high
- ref: parser
  title: say "no" `at` <b>once</b>
  depends_on: [design]
  payload: {version: 1.0, country: no}
- title: release
  depends_on: [parser, design]
"#;

fn home() -> Home {
    Home::in_memory().with("CALLBOARD_NAMESPACE", "work")
}

/// Imports the file above; the ids in its order.
#[track_caller]
fn import(home: &Home) -> Vec<String> {
    let imported = home.run_with_input(["task", "import", "-", "--json"], YAML).json();
    let tasks = imported["tasks"].as_array().expect("tasks").clone();
    tasks.iter().map(|task| task["id"].to_string()).collect()
}

#[test]
fn a_graph_comes_from_yaml_and_from_json() {
    let home = home();
    let _daemon = home.start();
    let file = home.folder().join("graph.yaml");
    fs::write(&file, YAML).expect("a file");
    let table = home.run(["task", "import", file.to_str().expect("a name")]).text();
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
    assert_eq!(lines[0], ["REF", "ID", "STATUS"]);
    assert_eq!((lines[1][0], lines[1][2]), ("design", "pending"));
    assert_eq!((lines[3][0], lines[3][2]), ("-", "blocked"));
    let parser = home.run(["task", "show", lines[2][1], "--json"]).json()["task"].take();
    assert_eq!(parser["depends_on"].to_string(), format!("[{}]", lines[1][1]));
    assert_eq!(parser["payload"], json!({"version": 1.0, "country": "no"}));

    let on_board: Value = lines[1][1].parse().expect("an id");
    let graph = json!({"tasks": [{"ref": "a", "title": "a"}, {"title": "b", "depends_on": ["a", on_board]}]});
    let imported = home.run_with_input(["task", "import", "-", "--json"], &graph.to_string()).json();
    let (a, b) = (&imported["tasks"][0], &imported["tasks"][1]);
    assert_eq!((&a["ref"], &b["ref"]), (&json!("a"), &json!(null)));
    assert_eq!(b["depends_on"], json!([on_board, a["id"]]));
}

#[test]
fn a_file_that_is_wrong_adds_nothing() {
    let home = home();
    let _daemon = home.start();
    let import = |text: &str| home.run_with_input(["task", "import", "-", "--json"], text);
    let cycle = "- {ref: a, title: a, depends_on: [b]}\n- {ref: b, title: b, depends_on: [a]}\n";
    assert_eq!(import(cycle).with_code(5).error_kind(), "dependency_cycle");
    assert!(home.run_with_input(["task", "import", "-"], cycle).stderr.contains("a, b depend on each other"));
    assert_eq!(
        import("- {title: a}\n- {title: b, depends_on: [c]}\n").with_code(4).error_kind(),
        "unknown_dependency"
    );
    assert_eq!(import("- {title: a}\n- {titel: b}\n").with_code(2).error_kind(), "invalid_params");
    let dangling = home.run_with_input(["task", "import", "-"], "- {title: b, depends_on: [c, 99]}\n");
    assert!(dangling.stderr.contains("not there: 99, c"), "{dangling:?}");
    let misspelt = home.run_with_input(["task", "import", "-"], "- {title: a}\n- {titel: b}\n");
    assert!(misspelt.stderr.contains("`tasks[1].titel`"), "{misspelt:?}");
    assert!(import("- title: [a\n").with_code(2).stderr.contains("line 2"));
    import("").with_code(2);
    home.run(["task", "import", "no such file"]).with_code(2);
    assert_eq!(home.run(["task", "list", "--json"]).json()["tasks"], json!([]));
}

#[test]
fn a_graph_is_shown_as_a_tree_and_for_programs_that_draw() {
    let home = home();
    let _daemon = home.start();
    assert!(home.run(["task", "graph"]).text().is_empty());
    let ids = import(&home);
    let [a, b, c] = [&ids[0], &ids[1], &ids[2]];
    let tree = home.run(["task", "graph"]).text();
    let expected = format!(
        "{a} agree on the format (pending)\n├─ {b} say \"no\" `at` <b>once</b> (blocked)\n\
         │  └─ {c} release (blocked)\n└─ {c} release (blocked)"
    );
    assert_eq!(tree, expected);
    let dot = home.run(["task", "graph", "--format", "dot"]).text();
    assert!(dot.starts_with("digraph tasks {") && dot.ends_with('}'), "{dot}");
    assert!(dot.contains(&format!(r#"  {b} [label="{b} say \"no\" `at` <b>once</b>\nblocked"];"#)), "{dot}");
    assert!(dot.contains(&format!("  {a} -> {b};")), "{dot}");
    let mermaid = home.run(["task", "graph", "--format", "mermaid"]).text();
    let label = "say #34;no#34; #96;at#96; #60;b#62;once#60;/b#62;";
    assert!(mermaid.contains(&format!("  t{b}[\"{b} {label}<br/>blocked\"]")), "{mermaid}");
    assert!(mermaid.contains(&format!("  t{b} --> t{c}")), "{mermaid}");

    let alone = home.run(["task", "add", "alone"]).text();
    let nodes = |graph: Value| graph["nodes"].as_array().map(Vec::len);
    assert_eq!(nodes(home.run(["task", "graph", "--json"]).json()), Some(4));
    assert_eq!(nodes(home.run(["task", "graph", b, "--json"]).json()), Some(3));
    let both = home.run(["task", "graph", b, &alone, c, "--json"]).json();
    assert_eq!((nodes(both.clone()), both["edges"].as_array().map(Vec::len)), (Some(4), Some(3)));
    home.run(["task", "graph", "99"]).with_code(4);
}
