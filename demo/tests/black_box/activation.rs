//! Tests of inherited sockets, and of the files of unix sockets.

use std::fs::File;
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::client::Client;
use crate::demo::{Demo, PATIENCE, inheriting, run};
use crate::port::Port;
use crate::runtimes::RUNTIMES;

#[test]
fn inherited_socket_is_served_and_outlives_the_server() {
    for workers in ["1", "3"] {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut demo = Demo::inheriting(socket.try_clone().unwrap(), &["--workers", workers]);
        assert_eq!(demo.addresses(), [address]);
        for _ in 0..10 {
            assert_eq!(demo.get("/plaintext").text(), "Hello, World!");
        }
        demo.terminate();
        assert_eq!(demo.exit().code(), Some(0));
        // This connection is neither served nor refused: it waits for the next server.
        let mut early = Client::connect(address);
        early.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
        let _next = Demo::inheriting(socket, &[]);
        assert_eq!(early.response().text(), "Hello, World!");
    }
}

#[test]
fn missing_inherited_sockets_exit_with_1_and_one_line() {
    let connected = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    };
    let wrong: [OwnedFd; 4] = [
        File::open("/dev/null").unwrap().into(),
        UdpSocket::bind("127.0.0.1:0").unwrap().into(),
        connected.into(),
        UnixStream::pair().unwrap().0.into(),
    ];
    let outputs = wrong.into_iter().map(|socket| inheriting(&[], socket).output().unwrap());
    let elsewhere = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--listen-fds", "--listen", "127.0.0.1:0"])
        .envs([("LISTEN_FDS", "1"), ("LISTEN_PID", "1")])
        .output();
    let none = [run(&["--listen-fds"]), elsewhere.unwrap()];
    for (output, said) in outputs
        .map(|output| (output, "socket 1 of LISTEN_FDS is not a listening TCP or unix socket: "))
        .chain(none.map(|output| (output, "no socket was passed: ")))
    {
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.starts_with(&format!("demo: {said}")) && line.matches('\n').count() == 1, "{line}");
        assert_eq!(output.status.code(), Some(1), "{line}");
    }
}

/// Starts the new server on the same socket, and then stops the old one.
fn restart_rolling(start: impl Fn(TcpListener) -> Demo) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut slow = Client::connect(address);
    // The old server is started on demand.
    let mut old = start(socket.try_clone().unwrap());
    slow.begin_slow(500);
    let (running, restarted) = (AtomicBool::new(true), AtomicBool::new(false));
    let served_since = thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut served_since = 0;
                    while running.load(Ordering::Relaxed) {
                        let since = restarted.load(Ordering::Relaxed);
                        // A refused connection would fail here.
                        let mut client = Client::connect(address);
                        client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                        // A connection without its first byte is idle and is closed; such a client
                        // retries (RFC 9112 section 9.5).
                        if let Ok(Some(response)) = client.try_response("GET") {
                            assert_eq!(response.text(), "Hello, World!");
                            served_since += usize::from(since);
                        }
                    }
                    served_since
                })
            })
            .collect();
        let mut new = start(socket);
        old.terminate();
        assert_eq!(slow.response().text(), "slow");
        assert_eq!(old.exit().code(), Some(0));
        restarted.store(true, Ordering::Relaxed);
        for _ in 0..100 {
            assert_eq!(new.get("/plaintext").status, 200);
        }
        running.store(false, Ordering::Relaxed);
        let served = clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>();
        new.terminate();
        assert_eq!(new.exit().code(), Some(0));
        served
    });
    assert!(served_since > 0);
}

#[test]
fn rolling_restart_refuses_no_connection() {
    restart_rolling(|socket| Demo::inheriting(socket, &[]));
}

#[test]
#[ignore = "needs systemd-socket-activate (Debian: systemd)"]
fn rolling_restart_works_under_systemd() {
    for runtime in RUNTIMES {
        restart_rolling(|socket| Demo::activated(socket, &["--runtime", runtime]));
    }
}

#[test]
#[ignore = "needs systemd-socket-activate (Debian: systemd)"]
fn systemd_activates_on_the_first_connection() {
    let port = Port::reserve();
    for runtime in RUNTIMES {
        let mut demo = Demo::awaiting(port.address(), &["--runtime", runtime]);
        for mut client in [Client::connect_once_possible(port.address()), Client::connect(port.address())] {
            assert_eq!(client.get("/plaintext").text(), "Hello, World!", "{runtime}");
        }
        demo.terminate();
        assert_eq!(demo.exit().code(), Some(0));
    }
}

#[test]
fn unix_socket_file_is_removed_by_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.sock");
    let address = format!("unix:{}", path.display());
    for workers in ["1", "2"] {
        let mut demo = Demo::listening(&[&address], &["--workers", workers]);
        assert!(path.exists());
        demo.terminate();
        assert_eq!(demo.exit().code(), Some(0));
        assert!(!path.exists(), "{workers} workers");
    }

    // Another file has replaced it.
    let mut demo = Demo::listening(&[&address], &[]);
    std::fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    demo.terminate();
    assert_eq!(demo.exit().code(), Some(0));
    UnixStream::connect(&path).unwrap();

    // The socket was inherited: its creator removes the file.
    let mut demo = Demo::inheriting(other, &[]);
    assert_eq!(demo.urls(), [address]);
    let stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(Client::new(&stream).get("/plaintext").text(), "Hello, World!");
    stream.shutdown(Shutdown::Both).unwrap();
    demo.terminate();
    assert_eq!(demo.exit().code(), Some(0));
    assert!(path.exists());
}
