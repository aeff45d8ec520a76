//! A pipe of our own, and what comes and goes through it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::windows::io::AsHandle as _;

use callboard_windows::user;

use super::*;
use crate::home::Home;

struct Place {
    _above: tempfile::TempDir,
    home: Home,
    instance: Instance,
}

fn place() -> Place {
    let above = tempfile::tempdir().unwrap();
    let home = Home::open(&above.path().join("home")).unwrap();
    let instance = Instance::acquire(&home, &home.socket()).unwrap();
    Place { _above: above, home, instance }
}

fn client(listener: &Listener) -> File {
    OpenOptions::new().read(true).write(true).open(listener.path()).unwrap()
}

#[tokio::test]
async fn clients_get_in_one_after_the_other_each_by_an_instance_of_its_own() {
    let place = place();
    let listener = Listener::bind(&place.home.socket(), &place.instance).unwrap();
    let mut held = Vec::new();
    for number in 0..3_u8 {
        let mut client = client(&listener);
        let (mut stream, peer) = listener.accept().await;
        assert_eq!(peer.pid, Some(std::process::id()));
        stream.write_all(&[number]).await.unwrap();
        let mut heard = [0];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(heard, [number]);
        held.push((client, stream));
    }
}

#[tokio::test]
async fn the_pipe_belongs_to_the_user() {
    let place = place();
    let listener = Listener::bind(&place.home.socket(), &place.instance).unwrap();
    let client = client(&listener);
    assert_eq!(user::owner_of_pipe(client.as_handle()).unwrap(), user::sid().unwrap());
}

#[tokio::test]
async fn a_client_that_hangs_up_is_the_end_of_input_after_its_last_words() {
    let place = place();
    let listener = Listener::bind(&place.home.socket(), &place.instance).unwrap();
    let mut client = client(&listener);
    let (mut stream, _) = listener.accept().await;
    client.write_all(b"last words").unwrap();
    drop(client);
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "last words");
    assert!(is_hung_up(&stream));
}

#[tokio::test]
async fn who_is_turned_away_reads_why_and_closes_first() {
    let place = place();
    let listener = Listener::bind(&place.home.socket(), &place.instance).unwrap();
    let mut client = client(&listener);
    let (stream, _) = listener.accept().await;
    say_and_close(stream, b"too many\n");
    let mut heard = [0; 9];
    tokio::task::spawn_blocking(move || {
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"too many\n");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_no_pipe_is_refused() {
    let place = place();
    let error = Listener::bind(&place.home.join("callboard.sock"), &place.instance).unwrap_err();
    assert!(error.to_string().contains(r"\\.\pipe\"), "{error}");
}
