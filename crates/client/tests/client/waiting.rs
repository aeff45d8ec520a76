//! Calls that wait, and their end.

use callboard_protocol::methods::{Verb, message, server};
use serde_json::json;

use crate::fake::Fake;

#[tokio::test]
async fn a_call_that_is_dropped_is_withdrawn() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let call = client.pending(&message::Receive::default());
    let waiting = peer.read(message::Receive::METHOD.name()).await;
    drop(call);
    let cancel = peer.read("session.cancel").await;
    assert_eq!(cancel.params, json!({"id": waiting.id}));
    assert_eq!(cancel.id, None);
}

#[tokio::test]
async fn a_call_that_was_answered_is_not_withdrawn() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let call = client.pending(&server::Ping {});
    let answered = peer.expect("server.ping", json!({})).await;
    assert!(answered.id.is_some());
    call.await.unwrap();
    drop(client);
    assert!(peer.next().await.is_none());
}

#[tokio::test]
async fn a_pending_call_keeps_the_connection() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let call = client.pending(&server::Ping {});
    drop(client);
    peer.expect("server.ping", json!({})).await;
    call.await.unwrap();
    assert!(peer.next().await.is_none());
}

#[tokio::test]
async fn closing_says_so_and_ends_every_clone() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let other = client.clone();
    let mut notices = other.notices();
    let (closed, close) = tokio::join!(client.close(true), peer.expect("session.close", json!({})));
    closed.unwrap();
    assert_eq!(close.params, json!({"leave": true}));
    assert!(other.call(&server::Ping {}).await.is_err());
    assert_eq!(notices.next().await, None);
    assert!(peer.next().await.is_none());
}
