//! The client without async.

use std::thread;
use std::time::Duration;

use callboard_client::blocking::Client;
use callboard_protocol::ErrorKind;
use callboard_protocol::methods::server;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::fake::{Fake, Peer, opened};

/// Runs `program` with a client, and `daemon` with the other end of its connection.
fn together(program: impl FnOnce(Client) + Send + 'static, daemon: impl AsyncFnOnce(&mut Peer)) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let fake = Fake::new();
        let options = fake.options();
        let program = thread::spawn(move || program(Client::connect(options).unwrap()));
        let mut peer = fake.accept().await;
        peer.expect("session.open", opened(false)).await;
        daemon(&mut peer).await;
        assert!(peer.next().await.is_none(), "the connection ends with its last user");
        program.join().unwrap();
    });
}

#[test]
fn verbs_block_until_they_are_answered() {
    let program = |client: Client| {
        assert!(client.kv_set("a", &[1, 2]).unwrap().created);
        let pending = client.pending(&server::Ping {});
        assert_eq!(client.message_counts().unwrap().queued, 2);
        pending.wait().unwrap();
        let error = client.kv_get("\n").unwrap_err();
        assert_eq!(error.kind(), Some(ErrorKind::InvalidParams));
    };
    together(program, async |peer| {
        let set = peer.expect("kv.set", json!({"revision": 1, "created": true})).await;
        assert_eq!(set.params, json!({"key": "a", "value": [1, 2]}));
        let ping = peer.read("server.ping").await;
        let counts = json!({"queued": 2, "leased": 0, "dead": 0, "oldest_ms": null});
        peer.expect("message.counts", counts).await;
        peer.reply(&ping, json!({})).await;
    });
}

#[test]
fn a_stream_is_an_iterator_and_keeps_its_connection() {
    let program = |client: Client| {
        let mut stream = client.topic_subscribe("a.>").unwrap();
        drop(client);
        assert_eq!(stream.next().unwrap().seq, 1);
        assert_eq!(stream.next_within(Duration::ZERO), None);
        assert!(stream.end().is_none());
    };
    together(program, async |peer| {
        let subscribe = peer.expect("topic.subscribe", json!({"subscription": 1})).await;
        assert_eq!(subscribe.params["pattern"], Value::from("a.>"));
        peer.event(1, 1, "topic").await;
        peer.read("session.unsubscribe").await;
    });
}

#[test]
fn what_was_sent_last_is_written_before_the_end() {
    let program = |client: Client| client.notify(&server::Ping {}).unwrap();
    together(program, async |peer| {
        assert_eq!(peer.read("server.ping").await.id, None);
    });
}

#[test]
fn closing_is_answered() {
    let program = |client: Client| client.close(false).unwrap();
    together(program, async |peer| {
        assert_eq!(peer.expect("session.close", json!({})).await.params, json!({}));
    });
}
