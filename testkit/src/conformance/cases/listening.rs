//! Many connections, and their addresses.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use httpants_driver::{ListenAddress, Request};

use crate::conformance::handler::Gate;
use crate::conformance::running::{assert_same, get, noise, post, start, start_with};
use crate::conformance::stage::{Platform, Stage};

async fn remote(request: Request) -> String {
    format!("{:?}", request.connection_info().remote_addr.ip())
}

/// Connections over the maximum wait to be accepted, and are served when others end.
pub fn connections_over_the_maximum_wait<S: Stage>() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = start_with::<S, _, _>(
        move |request: Request| {
            let gate = waiting.clone();
            async move {
                if request.path() == "/wait" {
                    gate.pass().await;
                }
                "done"
            }
        },
        |server| server.max_connections(2),
    );
    let (mut first, mut second) = (server.connect(), server.connect());
    assert_eq!(first.ask(get("/")).text(), "done");
    assert_eq!(second.ask(get("/")).text(), "done");
    let mut third = server.connect();
    third.send(get("/wait"));
    assert_eq!(first.ask(get("/")).text(), "done");
    assert_eq!((server.handle.connections(), gate.arrived()), (2, 0));
    assert!(third.is_quiet());
    drop(first);
    server.wait("the third is served", || gate.arrived() == 1);
    gate.open();
    assert_eq!(third.response().text(), "done");
    assert_eq!(second.ask(get("/")).text(), "done");
}

/// Clients that were refused and do not disconnect are closed at once when others need their
/// places; clients that are being served are not.
pub fn lingering_connections_make_room<S: Stage>() {
    let server = start_with::<S, _, _>(async |_: Request| "done", |server| server.max_connections(4));
    let mut served = server.connect();
    assert_eq!(served.ask(get("/")).text(), "done");
    let since = server.stage.time();
    let refused: Vec<_> = (0..20)
        .map(|_| {
            let mut client = server.connect();
            client.send("nonsense\r\n\r\n");
            assert_eq!(client.response().status, 400);
            client
        })
        .collect();
    let mut others = [server.connect(), server.connect(), server.connect()];
    for client in &mut others {
        assert_eq!(client.ask(get("/")).text(), "done");
    }
    assert_eq!(served.ask(get("/")).text(), "done");
    // Without that, each refused client could hold its place for 5 s.
    assert!(server.stage.time() - since < Duration::from_secs(5));
    drop(refused);
}

/// Two hundred clients at once, each with a connection that is open while the others are, get their
/// own responses.
pub fn two_hundred_clients_are_served_at_once<S: Stage>() {
    let server = start::<S, _, _>(async |mut request: Request| match request.body_mut().bytes().await {
        Ok(content) => content.to_vec(),
        Err(_) => Vec::new(),
    });
    let content = noise(220_000);
    let mut clients: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(post("/", "", &content[number * 100..][..2000 + round]));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_same(&client.response().content, &content[number * 100..][..2000 + round]);
        }
    }
    assert_eq!(server.handle.connections(), 200);
    drop(clients);
    server.wait_for_connections(0);
}

/// The handler gets the client's address and the TLVs of a PROXY header of version 2, at whatever
/// position the header is split; the next request on the connection has them, too.
pub fn proxy_header_tlvs_reach_the_handler<S: Stage>() {
    let server = start_with::<S, _, _>(
        async |request: Request| {
            let tlvs = request.proxy_tlvs();
            format!("{:?} {:?} {:?}", request.remote_ip(), tlvs.authority(), tlvs.get(0xe0))
        },
        |server| server.config(|config| config.proxy_protocol = true),
    );
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1d\xcb\0\x71\x09\x0a\0\0\x01\xc3\x50\x01\xbb\
        \x02\0\x09a.example\xe0\0\x02\xff\0";
    for cut in [0, 1, 15, 16, 27, 29, 35, header.len() - 1] {
        let mut client = server.connect();
        let (first, rest) = header.split_at(cut);
        client.send(first);
        if cut > 0 {
            assert!(client.is_quiet());
        }
        client.send([rest, &get("/")].concat());
        let expected = "Some(203.0.113.9) Some(\"a.example\") Some([255, 0])";
        assert_eq!(client.response().text(), expected, "cut {cut}");
        assert_eq!(client.ask(get("/")).text(), expected, "cut {cut}");
    }
    // A TLV that does not end with its header.
    let mut client = server.connect();
    client.send([&header[..header.len() - 3], &[9, 0, 0], &get("/")].concat());
    client.expect_close();
    server.wait_for_connections(0);
}

/// Connections that follow each other are all served, and nothing is left of the previous ones.
pub fn successive_connections_leave_nothing_behind<S: Stage>() {
    let server = start::<S, _, _>(async |_: Request| "done");
    for number in 0..200 {
        let mut client = server.connect();
        match number % 4 {
            0 => drop(client),
            1 => client.reset(),
            _ => assert_eq!(client.ask(get("/")).text(), "done"),
        }
    }
    server.wait_for_connections(0);
}

/// Several addresses are served at once, including unix sockets; a request has the address to which
/// its client connected.
#[cfg(unix)]
pub fn several_addresses_are_served<S: Platform>() {
    let folder = tempfile::tempdir().expect("a folder");
    let unix = ListenAddress::Unix(folder.path().join("socket"));
    let added = unix.clone();
    let server = start_with::<S, _, _>(remote, |server| server.listen("127.0.0.1:0").listen(added));
    assert_eq!(server.stage.addresses().len(), 3);
    assert_eq!(server.stage.addresses()[2], unix);
    let mut clients: Vec<_> = server.stage.addresses().iter().map(|address| server.connect_to(address)).collect();
    let responses: Vec<_> = clients.iter_mut().map(|client| client.ask(get("/")).text().to_owned()).collect();
    assert_eq!(responses, ["Some(127.0.0.1)", "Some(127.0.0.1)", "None"]);
}

/// The unspecified address of IPv6 serves IPv4, too, and such clients have IPv4 addresses. On a
/// machine without IPv6, a port alone means the unspecified address of IPv4.
pub fn one_port_serves_ipv4_and_ipv6<S: Platform>() {
    let server = start_with::<S, _, _>(remote, |server| server.listen(0));
    let ListenAddress::Socket(bound) = server.stage.addresses()[1].clone() else { panic!("a port was asked for") };
    let mut ips = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    if bound.is_ipv6() {
        ips.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
    }
    for ip in ips {
        let mut client = server.connect_to(&ListenAddress::Socket(SocketAddr::new(ip, bound.port())));
        assert_eq!(client.ask(get("/")).text(), format!("Some({ip})"));
    }
}

/// Several workers share the port, each on its own thread, and all of them end.
pub fn each_worker_serves_on_its_own_thread<S: Platform>() {
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&threads);
    let server = start_with::<S, _, _>(
        move |_: Request| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).insert(thread::current().id());
            async { "done" }
        },
        |server| server.workers(3),
    );
    let used = || threads.lock().unwrap_or_else(PoisonError::into_inner).len();
    let mut clients = Vec::new();
    // Which worker accepts a connection is not deterministic.
    while used() < 3 && clients.len() < 500 {
        let mut client = server.connect();
        assert_eq!(client.ask(get("/")).text(), "done");
        clients.push(client);
    }
    assert_eq!(used(), 3, "after {} connections", clients.len());
    server.handle.close();
    clients.iter_mut().for_each(|client| client.expect_close());
}
