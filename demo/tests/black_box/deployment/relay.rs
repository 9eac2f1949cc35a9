//! A relay between a proxy and the demo that counts connections and stores the bytes of the proxy.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// The bytes of each connection.
type Received = Arc<Mutex<Vec<Vec<u8>>>>;

pub(super) struct Relay {
    address: SocketAddr,
    received: Received,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    pub(super) fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (received, is_over) = (Received::default(), Arc::new(AtomicBool::new(false)));
        let (all, flag) = (Arc::clone(&received), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if flag.load(Ordering::SeqCst) {
                    return;
                }
                let all = Arc::clone(&all);
                let stream = stream.unwrap();
                thread::spawn(move || pass(&stream, to, &all));
            }
        });
        Self { address, received, is_over, thread: Some(thread) }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the bytes of each connection of the proxy, except health checks.
    pub(super) fn received(&self) -> Vec<Vec<u8>> {
        let received = self.received.lock().unwrap();
        received.iter().filter(|bytes| !bytes.is_empty() && !bytes.starts_with(b"GET /healthz ")).cloned().collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn pass(proxy: &TcpStream, to: SocketAddr, received: &Received) {
    let Ok(server) = TcpStream::connect(to) else { return };
    proxy.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let key = {
        let mut all = received.lock().unwrap();
        all.push(Vec::new());
        all.len() - 1
    };
    thread::scope(|scope| {
        scope.spawn(|| copy(&server, proxy, |_| ()));
        copy(proxy, &server, |bytes| received.lock().unwrap()[key].extend_from_slice(bytes));
    });
}

/// Copies to the end of the stream. An error ends both directions, because the side that caused it
/// no longer waits for anything.
fn copy(mut from: &TcpStream, mut to: &TcpStream, keep: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(count) => {
                keep(&buffer[..count]);
                if to.write_all(&buffer[..count]).is_ok() {
                    continue;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => {}
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        return;
    }
}
