//! The stage for runtimes with sockets of the platform.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use httpants_driver::protocol::Address;
use httpants_driver::runtime::{Runtime, Spawn};
use httpants_driver::{Handle, ListenAddress, Serve, Server};
use socket2::{Domain, SockAddr, Socket, Type};

use super::handler::{CaseHandler, Task};
use super::stage::{PATIENCE, Platform, Received, Stage, StageClient};

/// A runtime with real sockets and real time: the server runs on a thread, by
/// [`BoundServer::run`](httpants_driver::BoundServer::run), and its clients are blocking sockets.
pub struct Sockets<R> {
    runtime: R,
    since: Instant,
    /// The addresses on which [`Stage::listen`] or the server listens.
    addresses: Vec<ListenAddress>,
    running: Option<JoinHandle<io::Result<()>>>,
}

impl<R> fmt::Debug for Sockets<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl<R> Stage for Sockets<R>
where
    R: Runtime<Transport: Send> + Spawn<Serve<R, CaseHandler>> + Spawn<Task> + Default + Send,
{
    type Runtime = R;
    type Client = SocketClient;

    fn set() -> Self {
        Self { runtime: R::default(), since: Instant::now(), addresses: Vec::new(), running: None }
    }

    fn runtime(&self) -> R {
        self.runtime.clone()
    }

    fn listen(&mut self) -> io::Result<R::Listener> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        self.addresses = vec![listener.local_addr()?.into()];
        self.runtime.listen_tcp(listener)
    }

    fn server(&self, handler: CaseHandler) -> Server<R, CaseHandler> {
        Server::with_runtime(self.runtime(), handler).listen("127.0.0.1:0").workers(1)
    }

    fn start(&mut self, server: Server<R, CaseHandler>) -> Handle {
        let bound = server.bind().expect("a server that listens");
        self.addresses = bound.local_addresses().to_vec();
        let handle = bound.handle();
        self.running = Some(thread::spawn(|| bound.run()));
        handle
    }

    fn end(&mut self) {
        let Some(running) = self.running.take() else { return };
        assert!(self.wait(&|| running.is_finished()), "the server did not end");
        running.join().expect("a server that does not panic").expect("a server without errors");
    }

    fn connect(&self) -> SocketClient {
        self.connect_to(&self.addresses[0]).expect("a connection")
    }

    fn pass(&self, _: Duration) {}

    fn time(&self) -> Duration {
        self.since.elapsed()
    }

    fn wait(&self, until: &dyn Fn() -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        while !until() {
            if Instant::now() > end {
                return false;
            }
            // Most conditions, such as a closed file, have no notification.
            thread::park_timeout(Duration::from_millis(1));
        }
        true
    }
}

impl<R> Platform for Sockets<R>
where
    Self: Stage<Client = SocketClient>,
{
    fn addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }

    fn connect_to(&self, address: &ListenAddress) -> io::Result<SocketClient> {
        match address {
            ListenAddress::Socket(address) => SocketClient::tcp(*address),
            ListenAddress::Unix(path) => SocketClient::unix(path),
            other => Err(io::Error::other(format!("{other} is not bound"))),
        }
    }

    fn local_address(client: &SocketClient) -> Address {
        let local = client.socket.local_addr().ok().and_then(|address| address.as_socket());
        local.map_or(Address::Unix, Into::into)
    }
}

/// A client with a blocking socket.
#[derive(Debug)]
pub struct SocketClient {
    socket: Socket,
    sending: Option<JoinHandle<()>>,
}

impl SocketClient {
    /// Connects over TCP, with `TCP_NODELAY`.
    ///
    /// # Errors
    /// Returns the errors of the platform.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_tcp_nodelay(true)?;
        Self::connected(socket, &address.into())
    }

    /// Connects to a unix socket.
    ///
    /// # Errors
    /// Returns the errors of the platform.
    pub fn unix(path: &Path) -> io::Result<Self> {
        Self::connected(Socket::new(Domain::UNIX, Type::STREAM, None)?, &SockAddr::unix(path)?)
    }

    fn connected(socket: Socket, address: &SockAddr) -> io::Result<Self> {
        socket.connect(address)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, sending: None })
    }
}

fn send(mut socket: &Socket, bytes: &[u8]) {
    if let Err(error) = socket.write_all(bytes) {
        let stalled = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!stalled, "the server took nothing for {PATIENCE:?}");
    }
}

impl StageClient for SocketClient {
    fn send(&mut self, bytes: &[u8]) {
        send(&self.socket, bytes);
    }

    fn send_meanwhile(&mut self, bytes: Vec<u8>) {
        let socket = self.socket.try_clone().expect("another descriptor");
        self.sending = Some(thread::spawn(move || send(&socket, &bytes)));
    }

    fn receive(&mut self, received: &mut Vec<u8>, patience: Duration) -> Received {
        let patience = patience.max(Duration::from_millis(1));
        if self.socket.set_read_timeout(Some(patience)).is_err() {
            return Received::Reset;
        }
        let mut buffer = [0; 16 << 10];
        loop {
            return match self.socket.read(&mut buffer) {
                Ok(0) => Received::End,
                Ok(count) => {
                    received.extend_from_slice(&buffer[..count]);
                    Received::Bytes
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => Received::Nothing,
                    _ => Received::Reset,
                },
            };
        }
    }

    fn end(&mut self) {
        // Fails if the server has closed; then there is nothing to end.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    fn reset(self) {
        self.socket.set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    }
}

impl Drop for SocketClient {
    fn drop(&mut self) {
        if let Some(sending) = self.sending.take() {
            // Ends the sending thread, even if the server does not read its bytes.
            let _ = self.socket.shutdown(Shutdown::Both);
            let _ = sending.join();
        }
    }
}
