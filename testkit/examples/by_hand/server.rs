//! A server without the driver: the core over non-blocking sockets, with the time as an argument.
//! The application belongs to the simulation; everything else could serve a `TcpStream`.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use httpants_driver::protocol::{Close, Config, Connection, ConnectionInfo, Now, Transmit};
use httpants_driver::runtime::Transport;
use httpants_testkit::memory::MemoryTransport;
use httpants_testkit::simulation::{Application, Scene, System, config};

/// The operations of a socket besides reading and writing.
pub(crate) trait Socket: Read + Write {
    fn shutdown(&mut self);
    fn reset_on_close(&mut self);
}

impl Socket for MemoryTransport {
    fn shutdown(&mut self) {
        self.shutdown();
    }

    fn reset_on_close(&mut self) {
        Transport::reset_on_close(self);
    }
}

struct Client<S> {
    socket: S,
    connection: Connection,
    application: Application,
}

impl<S: Socket> Client<S> {
    /// Processes input and output until the socket would block; returns whether the connection
    /// continues.
    fn drive(&mut self, now: Now) -> io::Result<bool> {
        self.connection.handle_timeout(now);
        loop {
            self.application.respond(&mut self.connection, now);
            let sent = self.send(now)?;
            match self.connection.poll_close() {
                Some(Close::ShutdownWrite) => self.socket.shutdown(),
                Some(Close::Reset) => {
                    self.socket.reset_on_close();
                    return Ok(false);
                }
                Some(_) => return Ok(false),
                None => {}
            }
            if !sent && !self.receive(now)? {
                return Ok(true);
            }
        }
    }

    fn send(&mut self, now: Now) -> io::Result<bool> {
        let Some(Transmit::Bytes(slices)) = self.connection.poll_transmit() else { return Ok(false) };
        let slices: Vec<_> = slices.map(IoSlice::new).collect();
        let sent = ready(self.socket.write_vectored(&slices))?;
        self.connection.handle_sent(sent.unwrap_or(0) as u64, now);
        Ok(sent.is_some())
    }

    fn receive(&mut self, now: Now) -> io::Result<bool> {
        if !self.connection.wants_recv() {
            return Ok(false);
        }
        let received = ready(self.socket.read(self.connection.recv_buf()))?;
        match received {
            Some(0) => self.connection.handle_eof(now),
            Some(count) => self.connection.handle_recv(count, now),
            None => {}
        }
        Ok(received.is_some())
    }

    /// Drops the connection so that an incomplete response does not look complete.
    fn drop_at(mut self, now: Now) {
        self.connection.handle_io_error(now);
        if self.connection.poll_close() == Some(Close::Reset) {
            self.socket.reset_on_close();
        }
    }

    fn deadline(&self) -> Option<Duration> {
        let timeout = self.connection.poll_timeout().map(|deadline| deadline.at);
        timeout.into_iter().chain(self.application.deadline()).min()
    }
}

fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}

pub(crate) struct Server<S> {
    config: Arc<Config>,
    max_connections: usize,
    waiting: VecDeque<(S, ConnectionInfo)>,
    clients: Vec<Client<S>>,
    /// The end of the grace period, after a shutdown was requested.
    end: Option<Duration>,
}

impl<S: Socket> Server<S> {
    pub(crate) fn new(scene: &Scene) -> Self {
        let (waiting, clients, config) = (VecDeque::new(), Vec::new(), Arc::new(config()));
        Self { config, max_connections: scene.max_connections, waiting, clients, end: None }
    }

    pub(crate) fn connect(&mut self, socket: S, peer: ConnectionInfo) {
        self.waiting.push_back((socket, peer));
    }

    pub(crate) fn turn(&mut self, now: Now) -> Option<Duration> {
        if self.end.is_some_and(|end| end <= now.mono) {
            self.clients.drain(..).for_each(|client| client.drop_at(now));
        }
        loop {
            // A connection with an error is dropped like one that ended.
            self.clients.retain_mut(|client| client.drive(now).unwrap_or(false));
            if self.clients.len() >= self.max_connections {
                break;
            }
            let Some((socket, peer)) = self.waiting.pop_front() else { break };
            let connection = Connection::new(Arc::clone(&self.config), peer, now);
            self.clients.push(Client { socket, connection, application: Application::default() });
        }
        let end = self.end.filter(|_| !self.clients.is_empty());
        self.clients.iter().filter_map(Client::deadline).chain(end).min()
    }

    pub(crate) fn shutdown(&mut self, grace: Duration, now: Now) {
        self.end = Some(now.mono + grace);
        self.waiting.clear();
        self.clients.iter_mut().for_each(|client| client.connection.handle_shutdown(now));
    }

    pub(crate) fn connections(&self) -> usize {
        self.clients.len()
    }
}

impl System for Server<MemoryTransport> {
    fn connect(&mut self, socket: MemoryTransport, peer: ConnectionInfo, _: Now) {
        self.connect(socket, peer);
    }

    fn turn(&mut self, now: Now) -> Option<Duration> {
        self.turn(now)
    }

    fn shutdown(&mut self, grace: Duration, now: Now) {
        self.shutdown(grace, now);
    }

    fn connections(&self) -> usize {
        self.connections()
    }
}
