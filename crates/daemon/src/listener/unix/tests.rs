//! The socket file: bound, replaced, brought back and removed.

use std::os::unix::net::{UnixListener, UnixStream};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::home::Home;

struct Place {
    _above: TempDir,
    instance: Instance,
    socket: PathBuf,
}

fn place() -> Place {
    let above = tempfile::tempdir().unwrap();
    let home = Home::open(&above.path().join("home")).unwrap();
    let socket = home.socket();
    let instance = Instance::acquire(&home, &socket).unwrap();
    Place { _above: above, instance, socket }
}

async fn talk(listener: &Listener) -> PeerIdentity {
    let mut client = Stream::connect(listener.path()).await.unwrap();
    let (mut stream, peer) = listener.accept().await;
    client.write_all(b"ping").await.unwrap();
    let mut heard = [0; 4];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"ping");
    peer
}

#[tokio::test]
async fn a_client_of_our_own_gets_in_and_is_known() {
    let place = place();
    let listener = Listener::bind(&place.socket, &place.instance).unwrap();
    let peer = talk(&listener).await;
    assert_eq!(peer.pid, Some(std::process::id()));
    assert_eq!(fs::metadata(&place.socket).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn only_our_own_user_and_root_may_connect() {
    assert!(may_connect(1000, 1000) && may_connect(0, 1000));
    assert!(!may_connect(1001, 1000) && !may_connect(1000, 0));
}

#[tokio::test]
async fn the_socket_of_a_dead_daemon_is_replaced_and_anything_else_is_left_alone() {
    let place = place();
    drop(UnixListener::bind(&place.socket).unwrap());
    talk(&Listener::bind(&place.socket, &place.instance).unwrap()).await;

    fs::remove_file(&place.socket).unwrap();
    fs::write(&place.socket, "precious").unwrap();
    let error = Listener::bind(&place.socket, &place.instance).unwrap_err();
    assert!(matches!(error, ListenerError::NotASocket { .. }));
    assert_eq!(fs::read_to_string(&place.socket).unwrap(), "precious");
}

#[tokio::test]
async fn a_path_that_is_too_long_is_refused_with_the_numbers() {
    let place = place();
    let room = PATH_BYTES_MAX - place.socket.parent().unwrap().as_os_str().len() - 1;
    let longest = place.socket.with_file_name("s".repeat(room));
    Listener::bind(&longest, &place.instance).unwrap().close();
    let error =
        Listener::bind(&place.socket.with_file_name("s".repeat(room + 1)), &place.instance).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("{} bytes, at most {PATH_BYTES_MAX}", PATH_BYTES_MAX + 1)), "{text}");
    assert!(text.contains("CALLBOARD_SOCKET"), "{text}");
}

#[tokio::test]
async fn close_removes_our_socket_and_no_other() {
    let place = place();
    Listener::bind(&place.socket, &place.instance).unwrap().close();
    assert!(!place.socket.exists());

    let listener = Listener::bind(&place.socket, &place.instance).unwrap();
    fs::remove_file(&place.socket).unwrap();
    let _other = UnixListener::bind(&place.socket).unwrap();
    listener.close();
    assert!(place.socket.exists(), "somebody else's socket stays");
}

#[tokio::test]
async fn a_socket_deleted_or_replaced_under_the_daemon_comes_back() {
    let place = place();
    let mut listener = Listener::bind(&place.socket, &place.instance).unwrap();
    let mut old_client = Stream::connect(&place.socket).await.unwrap();
    let (mut old_stream, _) = listener.accept().await;
    assert!(!listener.rebind(&place.instance).unwrap(), "nothing to do");

    fs::remove_file(&place.socket).unwrap();
    assert!(listener.rebind(&place.instance).unwrap());
    talk(&listener).await;

    fs::remove_file(&place.socket).unwrap();
    drop(UnixListener::bind(&place.socket).unwrap());
    assert!(listener.rebind(&place.instance).unwrap());
    talk(&listener).await;

    old_stream.write_all(b"x").await.unwrap();
    assert_eq!(old_client.read_u8().await.unwrap(), b'x', "connected clients notice nothing");
}

#[tokio::test]
async fn without_its_lock_file_the_daemon_does_not_take_the_path_back() {
    let place = place();
    let mut listener = Listener::bind(&place.socket, &place.instance).unwrap();
    fs::remove_dir_all(place.socket.parent().unwrap()).unwrap();
    let home = Home::open(place.socket.parent().unwrap()).unwrap();
    let next = Instance::acquire(&home, &place.socket).unwrap();
    let other = Listener::bind(&place.socket, &next).unwrap();
    assert!(matches!(listener.rebind(&place.instance), Err(ListenerError::LockLost { .. })));
    talk(&other).await;
}

#[tokio::test]
async fn an_activated_socket_is_served_and_never_removed() {
    let place = place();
    let manager = UnixListener::bind(&place.socket).unwrap();
    let mut listener = Listener::from_activated(manager.try_clone().unwrap().into()).unwrap();
    assert_eq!(listener.path(), place.socket);
    assert!(!listener.is_bound());
    talk(&listener).await;
    assert!(!listener.rebind(&place.instance).unwrap());
    listener.close();
    UnixStream::connect(&place.socket).expect("the manager's socket still listens");
}
