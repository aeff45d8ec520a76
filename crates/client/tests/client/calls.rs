//! Calls and their answers.

use callboard_client::{ClientError, Program};
use callboard_protocol::methods::{kv, lock, server};
use callboard_protocol::{ErrorKind, Json, Key};
use serde_json::json;

use crate::fake::{Fake, Peer};

fn get(key: &str) -> kv::Get {
    kv::Get { key: Key::new(key).unwrap() }
}

#[tokio::test]
async fn a_call_gives_the_typed_result() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let answer = json!({"exists": true, "value": 7, "revision": 3, "ttl_ms": null, "updated_at": 1, "updated_by": null});
    let ask = get("a");
    let (result, request) = tokio::join!(client.call(&ask), peer.expect("kv.get", answer));
    assert_eq!(request.params, json!({"key": "a"}));
    let result = result.unwrap();
    assert!(result.exists);
    assert_eq!(result.value.unwrap().as_str(), "7");
    assert_eq!(client.opened().session_id, "s");
}

#[tokio::test]
async fn a_session_is_opened_with_what_the_options_say() {
    let fake = Fake::new();
    let mut options = fake.options();
    options.namespace = Some("n".parse().unwrap());
    options.agent = Some("ada".parse().unwrap());
    options.program = Program { name: Some("p".parse().unwrap()), version: None, pid: Some(1) };
    let daemon = async {
        let mut peer = fake.accept().await;
        peer.expect("session.open", crate::fake::opened(false)).await
    };
    let (client, open) = tokio::join!(callboard_client::Client::connect(options), daemon);
    client.unwrap();
    let expected = json!({"protocol": {"min": 1, "max": 1}, "namespace": "n", "agent": "ada", "client": {"name": "p", "pid": 1}});
    assert_eq!(open.params, expected);
}

#[tokio::test]
async fn a_thousand_calls_are_on_their_way_at_once_and_answered_in_any_order() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let calls: Vec<_> = (0..1000).map(|index| client.pending(&get(&index.to_string()))).collect();
    let mut requests = Vec::new();
    while requests.len() < 1000 {
        requests.push(peer.next().await.unwrap());
    }
    let asked = requests.iter().map(|request| request.params["key"].as_str().unwrap());
    assert!(asked.eq((0..1000).map(|index| index.to_string())), "in the order made");
    let answer = async {
        for request in requests.iter().rev() {
            let value = request.params["key"].clone();
            peer.reply(request, json!({"exists": true, "value": value})).await;
        }
    };
    let check = async {
        for (index, call) in calls.into_iter().enumerate() {
            let value = call.await.unwrap().value.unwrap();
            assert_eq!(value.as_str(), format!("\"{index}\""));
        }
    };
    tokio::join!(answer, check);
}

#[tokio::test]
async fn errors_are_typed_and_keep_their_details() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let acquire = lock::Acquire {
        keys: vec!["a".to_owned()],
        mode: None,
        ttl_ms: None,
        wait_ms: None,
        bind: None,
        reason: None,
    };
    let refuse = async {
        let request = peer.read("lock.acquire").await;
        let error =
            json!({"code": -32003, "message": "held", "data": {"kind": "lock_held", "conflicts": [1]}});
        peer.refuse(&request, error).await;
        let request = peer.read("server.ping").await;
        peer.reply(&request, json!("pong")).await;
    };
    let calls = async {
        let held = client.call(&acquire).await.unwrap_err();
        assert_eq!(held.kind(), Some(ErrorKind::LockHeld));
        assert_eq!(held.to_string(), "held");
        let ClientError::Rpc(error) = held else { panic!("{held:?}") };
        assert_eq!(error.details["conflicts"], json!([1]));
        let decode = client.call(&server::Ping {}).await.unwrap_err();
        assert!(matches!(decode, ClientError::Decode { .. }), "{decode:?}");
    };
    tokio::join!(refuse, calls);
}

#[tokio::test]
async fn any_method_can_be_called_by_name() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let params = Json::parse(r#"{"depth": 1.0}"#).unwrap();
    let answer = json!({"new": [1]});
    let (result, request) =
        tokio::join!(client.call_raw("later.method", &params), peer.expect("later.method", answer));
    assert_eq!(result.unwrap().as_str(), r#"{"new":[1]}"#);
    assert_eq!(request.params, json!({"depth": 1.0}));
}

#[tokio::test]
async fn a_notification_has_no_id_and_a_last_one_is_still_written() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    client.notify(&get("a")).await.unwrap();
    drop(client);
    assert_eq!(peer.read("kv.get").await.id, None);
    assert!(peer.next().await.is_none(), "the connection ends with its last user");
}

#[tokio::test]
async fn a_request_that_fits_into_no_frame_fails_alone() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let large = Json::from_value(&"x".repeat(70_000)).unwrap();
    let error = client.call_raw("kv.set", &large).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::FrameTooLarge));
    let (pong, _) = tokio::join!(client.call(&server::Ping {}), peer.expect("server.ping", json!({})));
    pong.unwrap();
}

async fn lost(client: &callboard_client::Client, peer: &mut Peer, last_words: &[u8]) -> ClientError {
    let call = client.pending(&server::Ping {});
    peer.read("server.ping").await;
    peer.raw(last_words).await;
    call.await.unwrap_err()
}

#[tokio::test]
async fn a_reply_beyond_every_limit_ends_the_connection_and_all_who_wait() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let error = lost(&client, &mut peer, &[0xff, 0xff, 0xff, 0xff]).await;
    assert!(matches!(error, ClientError::Disconnected { .. }), "{error:?}");
    let later = client.call(&server::Ping {}).await.unwrap_err();
    assert!(matches!(later, ClientError::Disconnected { .. }), "{later:?}");
}

#[tokio::test]
async fn the_daemons_last_words_in_a_line_are_passed_on() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connect().await;
    let words = b"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32016,\"message\":\"send less\",\"data\":{\"kind\":\"frame_too_large\"}}}\n";
    let error = lost(&client, &mut peer, words).await;
    assert!(matches!(error, ClientError::Disconnected { .. }), "{error:?}");
    assert!(error.to_string().contains("send less"), "{error}");
}
