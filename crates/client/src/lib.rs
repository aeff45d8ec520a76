//! The thin client of Callboard: it finds the daemon, starts it where that is allowed, and speaks its protocol.
//!
//! ```no_run
//! use callboard_client::{Client, ConnectOptions};
//!
//! # async fn run() -> Result<(), callboard_client::ClientError> {
//! let client = Client::connect(ConnectOptions {
//!     agent: Some("ada".parse()?),
//!     ..ConnectOptions::default()
//! })
//! .await?;
//! client.kv_set("build/status", "green").await?;
//! let mut topics = client.topic_subscribe("build.>").await?;
//! while let Some(event) = topics.next().await {
//!     println!("{}", event.params);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Calls.** [`Client::call`] takes the parameters of any method and gives its result; most verbs also have a method of their
//! name. Calls of many tasks share one connection and one write. [`Client::pending`] starts a call to be awaited later. A call
//! that is dropped is withdrawn.
//!
//! **Events.** [`Client::subscribe`] gives an [`EventStream`] from which nothing is missing; what had to be dropped is marked by
//! a `gap`. [`Client::notices`] has what concerns the agent without being asked for, such as a lock that was lost.
//!
//! **A lost connection** ends the calls under way with [`ClientError::Disconnected`]: they may have been carried out, and are
//! never sent again by themselves. With [`ConnectOptions::resume`] the connection is made again and the session taken over, for
//! as long as the session's grace and no less than [`ConnectOptions::connect_timeout`]; calls made meanwhile wait, and streams
//! go on as [`EventStream`] says. After a clean stop no daemon is started for it: somebody wanted it stopped.
//!
//! **Without async** there is [`blocking::Client`].
//!
//! Invariant: one session per client, nothing sent twice, nothing lost without a word. Deliberately absent: any knowledge of what
//! the methods mean, retries of calls, and timeouts beyond those that a method has itself; drop a call to give up on it.
//!
//! The examples need a daemon, so they are compiled only; this one brings its own, which answers three frames:
//!
//! ```ignore-windows
//! # use std::io::{Read, Write};
//! # let directory = tempfile::tempdir()?;
//! # let socket = directory.path().join("callboard.sock");
//! # let listener = std::os::unix::net::UnixListener::bind(&socket)?;
//! # let daemon = std::thread::spawn(move || {
//! #     let limits = serde_json::to_string(&callboard_protocol::Limits::default()).unwrap();
//! #     let opened = format!(r#"{{"protocol":1,"server":{{"name":"fake","version":"0"}},"instance_id":"i","session_id":"s","resume_token":"t","resumed":false,
//! #         "namespace":"default","agent":null,"sessions":0,"durability":"memory","grace_ms":5000,"limits":{limits}}}"#);
//! #     let mut stream = listener.accept().unwrap().0;
//! #     for (id, result) in [(-1, opened.as_str()), (1, r#"{"revision":1,"created":true}"#), (2, r#"{"exists":true,"value":"green"}"#)] {
//! #         let mut length = [0; 4];
//! #         stream.read_exact(&mut length).unwrap();
//! #         let mut frame = vec![0; u32::from_be_bytes(length) as usize];
//! #         stream.read_exact(&mut frame).unwrap();
//! #         let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
//! #         stream.write_all(&(answer.len() as u32).to_be_bytes()).unwrap();
//! #         stream.write_all(answer.as_bytes()).unwrap();
//! #     }
//! # });
//! use callboard_client::{ConnectOptions, blocking::Client};
//!
//! let client = Client::connect(ConnectOptions { socket: Some(socket), ..ConnectOptions::default() })?;
//! let set = client.kv_set("build/status", "green")?;
//! assert!(set.created);
//! let status = client.kv_get("build/status")?;
//! assert_eq!(status.value.unwrap().as_str(), r#""green""#);
//! # drop(client);
//! # daemon.join().unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod blocking;
mod client;
mod connect;
mod driver;
mod error;
mod event;
mod feed;
pub mod home;
mod options;
mod pending;
mod shared;
mod spawn;
mod verbs;
mod wire;

pub use client::Client;
pub use error::ClientError;
pub use event::{Event, EventStream};
pub use options::{CONNECT_TIMEOUT, ConnectOptions, Program, Spawn};
pub use pending::Pending;
pub use shared::EVENT_BYTES_MAX;
