//! Events and their streams.

use callboard_client::{Event, EventStream};
use callboard_protocol::ErrorKind;
use callboard_protocol::methods::{agent, kv, server};
use serde_json::json;

use crate::fake::{Fake, Peer, event};

async fn subscribe(client: &callboard_client::Client, peer: &mut Peer, subscription: u64) -> EventStream {
    let answer = json!({"subscription": subscription});
    let watch = agent::Watch {};
    let (stream, _) = tokio::join!(client.subscribe(&watch), peer.expect("agent.watch", answer));
    stream.unwrap()
}

fn head(event: Option<Event>) -> (u64, u64, String) {
    let event = event.unwrap();
    (event.subscription, event.seq, event.kind)
}

#[tokio::test]
async fn no_event_is_lost_between_the_answer_and_the_stream() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let daemon = async {
        let request = peer.read("agent.watch").await;
        let answer = json!({"jsonrpc": "2.0", "id": request.id, "result": {"subscription": 3}});
        peer.send_all(&[answer, event(3, 1, "agent.joined"), event(3, 2, "agent.left")]).await;
    };
    let watch = agent::Watch {};
    let (stream, ()) = tokio::join!(client.subscribe(&watch), daemon);
    let mut stream = stream.unwrap();
    assert_eq!(stream.answer().as_str(), r#"{"subscription":3}"#);
    assert_eq!(head(stream.next().await), (3, 1, "agent.joined".to_owned()));
    assert_eq!(head(stream.next().await), (3, 2, "agent.left".to_owned()));
    assert_eq!(stream.try_next(), None);
}

#[tokio::test]
async fn each_stream_has_its_own_events_and_notices_have_the_rest() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    peer.event(0, 1, "lock.lost").await;
    let mut first = subscribe(&client, &mut peer, 1).await;
    let mut second = subscribe(&client, &mut peer, 2).await;
    peer.send_all(&[event(2, 1, "two"), event(1, 1, "one"), event(0, 2, "deadline_soon")]).await;
    assert_eq!(head(first.next().await), (1, 1, "one".to_owned()));
    assert_eq!(head(second.next().await), (2, 1, "two".to_owned()));
    let mut notices = client.notices();
    assert_eq!(head(notices.next().await), (0, 1, "lock.lost".to_owned()));
    assert_eq!(head(notices.next().await), (0, 2, "deadline_soon".to_owned()));
}

#[tokio::test]
async fn dropping_a_stream_ends_its_subscription() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let stream = subscribe(&client, &mut peer, 5).await;
    drop(stream);
    let request = peer.read("session.unsubscribe").await;
    assert_eq!(request.params, json!({"subscription": 5}));
    peer.event(5, 1, "late").await;
    let (pong, _) = tokio::join!(client.call(&server::Ping {}), peer.expect("server.ping", json!({})));
    pong.unwrap();
}

#[tokio::test]
async fn a_subscription_that_nobody_reads_is_ended() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    peer.event(9, 1, "stray").await;
    let request = peer.read("session.unsubscribe").await;
    assert_eq!(request.params, json!({"subscription": 9}));
    drop(client);
}

#[tokio::test]
async fn a_subscription_refused_is_an_error() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let refuse = async {
        let request = peer.read("agent.watch").await;
        let error = json!({"code": -32008, "message": "full", "data": {"kind": "limit_exceeded"}});
        peer.refuse(&request, error).await;
    };
    let watch = agent::Watch {};
    let (stream, ()) = tokio::join!(client.subscribe(&watch), refuse);
    assert_eq!(stream.unwrap_err().to_string(), "full");
}

#[tokio::test]
async fn a_subscription_that_fits_into_no_frame_fails_alone() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let watch = kv::Watch { prefix: Some("x".repeat(70_000)), ..kv::Watch::default() };
    let error = client.kv_watch(&watch).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::FrameTooLarge));
    subscribe(&client, &mut peer, 1).await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_up_no_call() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let mut stream = subscribe(&client, &mut peer, 1).await;
    for seq in 1..=2000 {
        peer.event(1, seq, "k").await;
    }
    let (pong, _) = tokio::join!(client.server_ping(), peer.expect("server.ping", json!({})));
    pong.unwrap();
    for seq in 1..=2000 {
        assert_eq!(stream.try_next().unwrap().seq, seq);
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_connection_and_says_why() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let mut stream = subscribe(&client, &mut peer, 1).await;
    peer.event(1, 1, "last").await;
    drop(peer);
    assert_eq!(head(stream.next().await), (1, 1, "last".to_owned()));
    assert_eq!(stream.next().await, None);
    assert!(stream.end().unwrap().is_connection_loss());
    assert_eq!(client.notices().next().await, None);
}
