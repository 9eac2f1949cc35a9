//! Tests of listening addresses.

use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use crate::client::Client;
use crate::demo::{Demo, PATIENCE};
use crate::process::wait_until;

#[test]
fn several_listeners_serve_and_are_announced() {
    let folder = tempfile::tempdir().unwrap();
    let unix = format!("unix:{}", folder.path().join("demo.sock").display());
    let demo = Demo::listening(&["127.0.0.1:0", "localhost:0", &unix], &[]);
    assert_eq!(demo.urls()[2], unix);
    for address in demo.addresses() {
        assert_eq!(Client::connect(address).get("/plaintext").status, 200);
    }
    let stream = UnixStream::connect(folder.path().join("demo.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = Client::new(stream);
    assert_eq!(client.get("/plaintext").text(), "Hello, World!");
    assert_eq!(client.get("/x").json()["remote_ip"], "");
}

#[test]
fn port_alone_serves_ipv4_and_ipv6() {
    let demo = Demo::listening(&["0"], &[]);
    let port = demo.address().port();
    let mut client = Client::tcp(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap());
    assert_eq!(client.get("/x").json()["remote_ip"], "127.0.0.1");
    if demo.address().is_ipv6() {
        let mut client = Client::tcp(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap());
        assert_eq!(client.get("/x").json()["remote_ip"], "::1");
    }
}

#[test]
fn workers_share_the_port_and_all_stop() {
    let mut demo = Demo::start(&["--workers", "4"]);
    let mut clients: Vec<_> = (0..40).map(|_| demo.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/plaintext").status, 200);
    }
    demo.terminate();
    assert!(clients.iter_mut().all(Client::is_at_end));
    assert_eq!(demo.exit().code(), Some(0));
}

#[test]
fn flags_limit_connections_per_address_and_their_requests() {
    let flags = ["--max-connections-per-address", "1", "--max-requests-per-connection", "2"];
    let demo = Demo::start(&[flags.as_slice(), &["--tcp-keepalive", "60", "--backlog", "16"]].concat());
    let mut first = demo.connect();
    assert_eq!(first.get("/plaintext").status, 200);
    assert_eq!(demo.connect().get("/plaintext").status, 503);
    assert_eq!(first.get("/plaintext").status, 200);
    assert!(first.is_at_end());
}

#[test]
fn connections_above_the_maximum_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.sock");
    let unix = format!("unix:{}", path.display());
    let flags = ["--socket-mode", "600", "--max-connections", "3", "--when-full", "refuse"];
    let _demo = Demo::listening(&["127.0.0.1:0", &unix], &flags);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let connect = || Client::new(UnixStream::connect(&path).unwrap());
    let mut held = [connect(), connect(), connect()];
    for client in &mut held {
        assert_eq!(client.get("/plaintext").status, 200);
    }
    assert_eq!(connect().get("/plaintext").status, 503);
}

#[test]
fn old_connection_is_closed() {
    let demo = Demo::start(&["--max-connection-age", "0.2"]);
    assert!(demo.connect().is_at_end());
}

#[test]
fn default_workers_is_one_per_core() {
    let cores = std::thread::available_parallelism().unwrap().get();
    for (flags, workers) in [(&[][..], cores), (&["--workers", "0"], cores), (&["--workers", "3"], 3)] {
        let demo = Demo::with_defaults(flags);
        wait_until("its workers run", || demo.process().other_workers() == workers - 1);
        assert_eq!(demo.get("/plaintext").status, 200);
        assert_eq!(demo.process().other_workers(), workers - 1, "{flags:?}");
    }
}
