//! `callboard vote` and `callboard limit` as scripts use them, and what shells know of all verbs.

use serde_json::json;

use crate::harness::{Home, wait_for};

fn home_of_ada() -> Home {
    Home::in_memory().with("CALLBOARD_AGENT", "ada").with("CALLBOARD_NAMESPACE", "work")
}

#[test]
fn a_vote_is_opened_cast_shown_and_waited_for() {
    let home = home_of_ada();
    let _daemon = home.start();
    let open = [
        "vote",
        "open",
        "tabs?",
        "yes",
        "no",
        "--voter",
        "ada",
        "--voter",
        "bob",
        "--deadline",
        "1h",
        "--quorum",
        "2",
    ];
    let id = home.run(open).text();
    home.run(["vote", "wait", &id, "--timeout", "20ms"]).with_code(3);
    let waiting = home.begin(["vote", "wait", &id, "--json"], "");
    let mut client = home.connect();
    wait_for("somebody who waits", || {
        let requests = client.call("server.stats", json!({}))["requests"]["server.tail"].as_u64();
        (requests == Some(2)).then_some(())
    });
    home.run(["vote", "cast", &id, "yes", "--rationale", "the formatter has them"]).text();
    let shown = home.run(["vote", "show", &id]).text();
    assert!(shown.contains("quorum    not met") && shown.contains("the formatter has them"), "{shown}");
    home.run(["vote", "cast", &id, "maybe"]).with_code(2);
    assert_eq!(
        home.run(["vote", "cast", &id, "no", "-a", "eve", "--json"]).with_code(1).error_kind(),
        "permission_denied"
    );
    assert_eq!(home.run(["vote", "cast", &id, "yes", "-a", "bob", "--json"]).json(), json!({}));
    let vote = waiting.end().json();
    assert_eq!((&vote["state"], &vote["winner"]), (&json!("closed"), &json!("yes")));
    assert_eq!(home.run(["vote", "show", &id, "--json"]).json()["tally"], json!({"yes": 2, "no": 0}));
    assert_eq!(home.run(["vote", "cast", &id, "no", "--json"]).with_code(5).error_kind(), "not_ready");
    home.run(["vote", "show", "99"]).with_code(4);
    home.run(["vote", "open", "tabs?", "yes", "--deadline", "1h"]).with_code(2);
}

#[test]
fn a_rate_that_is_used_up_is_a_timeout_that_says_when_to_come_again() {
    let home = home_of_ada();
    let _daemon = home.start();
    let take = ["limit", "take", "api", "--rate", "1", "--per", "1h", "--burst", "2"];
    assert_eq!(home.run(take).text(), "allowed");
    assert_eq!(home.run(take).text(), "allowed");
    assert_eq!(home.run(take).with_code(3).stdout, "not allowed, retry after 1h\n");
    let refused = home
        .run(["limit", "take", "api", "--rate", "1", "--per", "1h", "--burst", "2", "--json"])
        .with_code(3);
    let refused = refused.object();
    assert_eq!(refused["allowed"], false);
    assert!(refused["retry_after_ms"].as_u64() > Some(3_500_000), "{refused}");
    let quick = ["limit", "take", "quick", "--rate", "1", "--per", "50ms", "--wait", "10s"];
    assert_eq!((home.run(quick).text(), home.run(quick).text()), ("allowed".into(), "allowed".into()));
    home.run(["limit", "take", "api", "--rate", "0", "--per", "1h"]).with_code(2);
    home.run(["limit", "take", "api", "--rate", "1"]).with_code(2);
}

#[test]
fn shells_complete_every_verb() {
    let home = home_of_ada();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = home.run(["completions", shell]).text();
        for word in ["task", "import", "vote", "limit"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}
