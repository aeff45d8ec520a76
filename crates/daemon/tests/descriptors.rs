//! The listener when the process has no descriptors left. A test binary of its own, with one test: it changes a limit of
//! the whole process.

#![cfg(unix)]

use std::fs::File;
use std::time::Duration;

use callboard_daemon::home::Home;
use callboard_daemon::instance::Instance;
use callboard_daemon::listener::{Listener, Stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::timeout;

#[tokio::test]
async fn a_client_that_comes_while_descriptors_are_used_up_gets_in_when_some_are_free() {
    let above = tempfile::tempdir().unwrap();
    let home = Home::open(&above.path().join("home")).unwrap();
    let instance = Instance::acquire(&home, &home.socket()).unwrap();
    let listener = Listener::bind(&home.socket(), &instance).unwrap();
    let present = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: present.maximum }).unwrap();

    let _client = Stream::connect(listener.path()).await.unwrap();
    let hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let accepting = tokio::spawn(async move { listener.accept().await });
    for _ in 0..256 {
        tokio::task::yield_now().await;
    }
    assert!(!hoard.is_empty() && !accepting.is_finished());

    drop(hoard);
    timeout(Duration::from_secs(5), accepting).await.unwrap().unwrap();
}
