//! The core in a single-threaded event loop on mio (epoll or kqueue).
//!
//! In this folder: `cargo run --bin event_loop -- 127.0.0.1:8080`
//!
//! Readiness is edge-triggered: it is reported once and must be stored, because the core may not
//! want bytes, or may have none to send, at that time. For the same reason a client whose turn has
//! ended must be stored: it is not reported again.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use httpants_core::{Close, Config, Connection, ConnectionInfo, Transmit};
use httpants_custom_runtimes::{Clocks, Echo};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

const LISTENER: Token = Token(usize::MAX);
// Number of reads from a client before the others get a turn: a client that sends requests as fast
// as they are read would otherwise occupy the loop.
const READS: u32 = 16;
// Delay after an error of accepting: waiting connections are not reported again, so accepting is
// tried again.
const PAUSE: Duration = Duration::from_millis(100);

struct Client {
    socket: TcpStream,
    connection: Connection,
    application: Echo,
    readable: bool,
    writable: bool,
    /// The deadline of this connection in the set of all deadlines.
    deadline: Option<Duration>,
}

enum Next {
    Wait,
    /// The turn is over, and there is more to do.
    Continue,
    Close,
}

impl Client {
    /// Does the work that is possible before the next event of the socket or the clock, for at most
    /// one turn.
    fn drive(&mut self, clocks: Clocks) -> io::Result<Next> {
        self.connection.handle_timeout(clocks.now());
        let mut reads = 0;
        loop {
            self.application.handle_events(&mut self.connection);
            if self.writable && self.send(clocks)? {
                continue;
            }
            match self.connection.poll_close() {
                Some(Close::ShutdownWrite) => self.socket.shutdown(Shutdown::Write)?,
                Some(Close::Reset) => {
                    socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO))?;
                    return Ok(Next::Close);
                }
                Some(_) => return Ok(Next::Close),
                None => {}
            }
            if !(self.readable && self.connection.wants_recv()) {
                return Ok(Next::Wait);
            }
            if reads == READS {
                return Ok(Next::Continue);
            }
            reads += 1;
            self.receive(clocks)?;
        }
    }

    fn send(&mut self, clocks: Clocks) -> io::Result<bool> {
        let Some(Transmit::Bytes(slices)) = self.connection.poll_transmit() else {
            return Ok(false);
        };
        let slices: Vec<_> = slices.map(IoSlice::new).collect();
        let sent = ready(&mut self.writable, self.socket.write_vectored(&slices))?;
        self.connection.handle_sent(sent.unwrap_or(0) as u64, clocks.now());
        Ok(sent.is_some())
    }

    fn receive(&mut self, clocks: Clocks) -> io::Result<()> {
        let received = ready(&mut self.readable, self.socket.read(self.connection.recv_buf()))?;
        match received {
            Some(0) => self.connection.handle_eof(clocks.now()),
            Some(count) => self.connection.handle_recv(count, clocks.now()),
            None => {}
        }
        Ok(())
    }
}

/// Converts the result of a call; `None` if the socket is no longer ready.
fn ready(readiness: &mut bool, result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            *readiness = false;
            Ok(None)
        }
        result => result.map(Some),
    }
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    clients: Slab<Client>,
    deadlines: BTreeSet<(Duration, usize)>,
    /// The clients whose turn ended before their work was done.
    unfinished: BTreeSet<usize>,
    /// The time at which accepting is tried again after an error.
    accept_at: Option<Duration>,
    config: Arc<Config>,
    clocks: Clocks,
}

impl Server {
    fn accept(&mut self) {
        self.accept_at = None;
        loop {
            let (mut socket, remote) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // This client has disconnected; others may wait.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => continue,
                Err(error) => {
                    eprintln!("accept failed: {error}");
                    self.accept_at = Some(self.clocks.now().mono + PAUSE);
                    return;
                }
            };
            // Some systems have no address for a socket whose client has disconnected.
            let Ok(local) = socket.local_addr() else { continue };
            let peer = ConnectionInfo::new(remote, local);
            let entry = self.clients.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = self.poll.registry().register(&mut socket, Token(entry.key()), interest) {
                eprintln!("registering a connection failed: {error}");
                continue;
            }
            let key = entry.key();
            entry.insert(Client {
                socket,
                connection: Connection::new(Arc::clone(&self.config), peer, self.clocks.now()),
                application: Echo::default(),
                readable: false,
                writable: false,
                deadline: None,
            });
            self.drive(key);
        }
    }

    fn drive(&mut self, key: usize) {
        let Some(client) = self.clients.get_mut(key) else {
            return; // Closed since the event.
        };
        let next = client.drive(self.clocks);
        if let Some(at) = client.deadline.take() {
            self.deadlines.remove(&(at, key));
        }
        match next {
            Ok(next @ (Next::Wait | Next::Continue)) => {
                if let Next::Continue = next {
                    self.unfinished.insert(key);
                }
                client.deadline = client.connection.poll_timeout().map(|deadline| deadline.at);
                self.deadlines.extend(client.deadline.map(|at| (at, key)));
            }
            Ok(Next::Close) | Err(_) => drop(self.clients.remove(key)),
        }
    }

    /// Returns the maximum time to wait for an event of a socket.
    fn wait(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.clocks.now().mono;
        let first = self.deadlines.first().map(|(at, _)| *at);
        first.into_iter().chain(self.accept_at).min().map(|at| at.saturating_sub(now))
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        loop {
            match self.poll.poll(&mut events, self.wait()) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let unfinished = std::mem::take(&mut self.unfinished);
            for event in &events {
                if event.token() == LISTENER {
                    self.accept();
                    continue;
                }
                let Token(key) = event.token();
                if let Some(client) = self.clients.get_mut(key) {
                    client.readable |= event.is_readable();
                    client.writable |= event.is_writable();
                }
                self.drive(key);
            }
            for key in unfinished {
                self.drive(key);
            }
            let now = self.clocks.now().mono;
            if self.accept_at.is_some_and(|at| at <= now) {
                self.accept();
            }
            while let Some(&(at, key)) = self.deadlines.first()
                && at <= now
            {
                self.drive(key);
            }
        }
    }
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    println!("listening on http://{}/", listener.local_addr()?);
    let mut listener = TcpListener::from_std(listener);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let server = Server {
        poll,
        listener,
        clients: Slab::new(),
        deadlines: BTreeSet::new(),
        unfinished: BTreeSet::new(),
        accept_at: None,
        config: Arc::new(Config::default()),
        clocks: Clocks::default(),
    };
    server.run()
}
