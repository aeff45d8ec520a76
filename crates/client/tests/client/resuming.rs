//! Connections that are lost and made again.

use callboard_client::{Client, ClientError, EventStream};
use callboard_protocol::event::Gap;
use callboard_protocol::methods::{kv, server};
use callboard_protocol::{Key, Revision};
use serde_json::{Value, json};

use crate::fake::{Fake, Peer};

async fn watch(client: &Client, peer: &mut Peer) -> EventStream {
    let watch = kv::Watch {
        key: Some(Key::new("a").unwrap()),
        from_revision: Some(Revision(4)),
        ..kv::Watch::default()
    };
    let answer = json!({"subscription": 1, "revision": 4});
    let (stream, _) = tokio::join!(client.subscribe(&watch), peer.expect("kv.watch", answer));
    stream.unwrap()
}

async fn seqs(stream: &mut EventStream, peer: &mut Peer, subscription: u64, seq: u64) {
    peer.event(subscription, seq, "kv.put").await;
    let event = stream.next().await.unwrap();
    assert_eq!((event.subscription, event.seq), (subscription, seq));
}

/// The connection is lost and made again; the client subscribes anew and tells so.
async fn made_anew(resumed: bool, started_at: u64) -> Value {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect_resuming().await;
    let mut stream = watch(&client, &mut peer).await;
    seqs(&mut stream, &mut peer, 1, 1).await;
    drop(peer);
    let mut peer = fake.reopen(resumed, started_at).await;
    let again = peer.expect("kv.watch", json!({"subscription": 7, "revision": 20})).await;
    let gap = stream.next().await.unwrap();
    assert!(gap.is_gap());
    assert_eq!((gap.subscription, gap.seq), (7, 0));
    let gap: Gap = gap.to().unwrap();
    assert_eq!((gap.missed, gap.revision), (0, Some(Revision(20))));
    seqs(&mut stream, &mut peer, 7, 1).await;
    assert_eq!(stream.subscription(), 7);
    drop(stream);
    assert_eq!(peer.read("session.unsubscribe").await.params, json!({"subscription": 7}));
    again.params
}

#[tokio::test]
async fn a_resumed_session_goes_on_with_its_subscriptions() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect_resuming().await;
    let mut stream = watch(&client, &mut peer).await;
    seqs(&mut stream, &mut peer, 1, 1).await;
    drop(peer);
    let mut peer = fake.accept().await;
    let open = peer.expect("session.open", crate::fake::opened(true)).await;
    assert_eq!(open.params["resume"], "token");
    // What waited at the daemon comes before anything else is answered.
    peer.event(1, 2, "kv.put").await;
    peer.expect("server.info", crate::fake::info(1)).await;
    assert_eq!(stream.next().await.unwrap().seq, 2);
    seqs(&mut stream, &mut peer, 1, 3).await;
    assert!(client.opened().resumed);
}

#[tokio::test]
async fn a_session_that_was_too_late_subscribes_again() {
    let params = made_anew(false, 1).await;
    assert_eq!(params, json!({"key": "a"}), "what came already is not asked for again");
}

#[tokio::test]
async fn a_session_resumed_by_a_new_daemon_subscribes_again() {
    made_anew(true, 2).await;
}

#[tokio::test]
async fn what_was_under_way_is_never_sent_twice_and_what_comes_meanwhile_waits() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect_resuming().await;
    let under_way = client.pending(&server::Ping {});
    peer.read("server.ping").await;
    drop(peer);
    let lost = under_way.await.unwrap_err();
    assert!(matches!(lost, ClientError::Disconnected { .. }), "{lost:?}");
    let later = client.pending(&server::ReadStats {});
    let mut peer = fake.reopen(true, 1).await;
    let request = peer.read("server.stats").await;
    peer.reply(&request, serde_json::to_value(server::Stats::default()).unwrap()).await;
    later.await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_comes_back_later_is_found() {
    let mut fake = Fake::new();
    let (client, mut peer) = fake.connect_resuming().await;
    let lost = client.pending(&server::Ping {});
    peer.read("server.ping").await;
    fake.leave();
    drop(peer);
    lost.await.unwrap_err();
    let waits = client.pending(&server::Ping {});
    fake.listen();
    fake.reopen(true, 2).await.expect("server.ping", json!({})).await;
    waits.await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_stays_away_ends_calls_and_streams() {
    let mut fake = Fake::new();
    let daemon = async {
        let mut peer = fake.accept().await;
        let mut opened = crate::fake::opened(false);
        opened["grace_ms"] = json!(1);
        peer.expect("session.open", opened).await;
        peer.expect("server.info", crate::fake::info(1)).await;
        peer
    };
    let mut options = fake.resuming();
    options.connect_timeout = std::time::Duration::from_millis(50);
    let (client, mut peer) = tokio::join!(Client::connect(options), daemon);
    let client = client.unwrap();
    let mut stream = watch(&client, &mut peer).await;
    fake.leave();
    drop(peer);
    assert_eq!(stream.next().await, None);
    assert!(client.call(&server::Ping {}).await.unwrap_err().is_connection_loss());
}

#[tokio::test]
async fn a_client_that_was_closed_does_not_come_back() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect_resuming().await;
    let daemon = async {
        peer.expect("session.close", json!({})).await;
        drop(peer);
    };
    let (closed, ()) = tokio::join!(client.close(false), daemon);
    closed.unwrap();
    let next = async { fake.accept().await.expect("session.open", crate::fake::opened(false)).await.params };
    let (_, params) = tokio::join!(Client::connect(fake.options()), next);
    assert!(params["resume"].is_null(), "{params}");
}
