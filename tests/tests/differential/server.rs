//! This server, with a handler that records the requests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::{io, thread};

use httpants_tokio::protocol::Address;
use httpants_tokio::{Handle, ListenAddress, Request, Response, Server};

use crate::framing::Message;

/// The requests on each connection, by the port that the relay reports.
pub(crate) type Seen = BTreeMap<u16, Vec<Message>>;

/// A server that reads each body and responds with method and target.
pub(crate) struct Recording {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    handle: Handle,
    thread: JoinHandle<io::Result<()>>,
}

impl Recording {
    pub(crate) fn start() -> Self {
        let seen = Arc::new(Mutex::new(Seen::new()));
        let kept = Arc::clone(&seen);
        let server = Server::new(move |request| response(request, Arc::clone(&kept)));
        let bound = server.config(|config| config.proxy_protocol = true).listen("127.0.0.1:0").bind().unwrap();
        let ListenAddress::Socket(address) = bound.local_addresses()[0] else { panic!("no socket") };
        let handle = bound.handle();
        Self { address, seen, handle, thread: thread::spawn(|| bound.run()) }
    }

    /// Waits for the connections to end; returns the requests.
    pub(crate) fn finish(self) -> Seen {
        self.handle.shutdown(std::time::Duration::from_secs(30));
        self.thread.join().unwrap().unwrap();
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn response(request: Request, seen: Arc<Mutex<Seen>>) -> Response {
    let line = format!("{} {}", request.method(), request.target());
    let Address::Ip(remote) = request.connection_info().remote_addr else { panic!("no socket") };
    let message = Message {
        method: request.method().to_string(),
        target: request.target().to_owned(),
        content: request.body().map(|body| body.to_vec()).unwrap_or_default(),
    };
    seen.lock().unwrap().entry(remote.port()).or_default().push(message);
    Response::text(line)
}
