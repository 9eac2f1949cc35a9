//! A relay between a proxy and this server that records the bytes. It identifies each connection to
//! the server by the PROXY protocol, because the system reuses ports.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// One connection between a proxy and this server.
pub(crate) struct Passed {
    /// The port that identifies the connection: the client's port in the PROXY header.
    pub(crate) port: u16,
    pub(crate) requests: Vec<u8>,
    pub(crate) responses: Vec<u8>,
}

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Passed>>,
}

impl Relay {
    pub(crate) fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, over) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut connections = Vec::new();
            for (port, stream) in (1..).zip(listener.incoming()) {
                if flag.load(Ordering::SeqCst) {
                    break;
                }
                let stream = stream.unwrap();
                connections.push(thread::spawn(move || pass(stream, to, port)));
            }
            connections.into_iter().map(|connection| connection.join().unwrap()).collect()
        });
        Self { address, over, thread }
    }

    /// Returns the connections, after the proxy and its connections have ended.
    pub(crate) fn finish(self) -> Vec<Passed> {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address).unwrap());
        self.thread.join().unwrap()
    }
}

fn pass(proxy: TcpStream, to: SocketAddr, port: u16) -> Passed {
    let mut server = TcpStream::connect(to).unwrap();
    proxy.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    server.write_all(format!("PROXY TCP4 127.0.0.1 127.0.0.1 {port} 80\r\n").as_bytes()).unwrap();
    let (from_server, to_proxy) = (server.try_clone().unwrap(), proxy.try_clone().unwrap());
    let responses = thread::spawn(move || copy(from_server, to_proxy));
    let requests = copy(proxy, server);
    Passed { port, requests, responses: responses.join().unwrap() }
}

/// Copies to the end of the stream; returns the bytes.
fn copy(mut from: TcpStream, mut to: TcpStream) -> Vec<u8> {
    let (mut kept, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    // A reset counts as the end.
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..count]);
        let written: io::Result<()> = to.write_all(&buffer[..count]);
        if written.is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    kept
}
