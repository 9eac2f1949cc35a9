//! The core in a single-threaded event loop on mio (epoll or kqueue).
//!
//! In this folder: `cargo run --bin event_loop -- 127.0.0.1:8080`
//!
//! Readiness is edge-triggered: it is reported once and must be remembered, because the core may
//! not want bytes, or have any to send, at that moment.

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

struct Client {
    socket: TcpStream,
    connection: Connection,
    application: Echo,
    readable: bool,
    writable: bool,
    /// The deadline as registered among the deadlines of all connections.
    deadline: Option<Duration>,
}

enum Next {
    Wait,
    Close,
}

impl Client {
    /// Does everything that is possible before the next event of the socket or the clock.
    fn drive(&mut self, clocks: Clocks) -> io::Result<Next> {
        self.connection.handle_timeout(clocks.now());
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
            if !(self.readable && self.connection.wants_recv() && self.receive(clocks)?) {
                return Ok(Next::Wait);
            }
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

    fn receive(&mut self, clocks: Clocks) -> io::Result<bool> {
        let received = ready(&mut self.readable, self.socket.read(self.connection.recv_buf()))?;
        match received {
            Some(0) => self.connection.handle_eof(clocks.now()),
            Some(count) => self.connection.handle_recv(count, clocks.now()),
            None => {}
        }
        Ok(received.is_some())
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
    config: Arc<Config>,
    clocks: Clocks,
}

impl Server {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let (mut socket, remote) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    // Accepting is retried with the next connection.
                    eprintln!("accept failed: {error}");
                    return Ok(());
                }
            };
            let peer = ConnectionInfo::new(remote, socket.local_addr()?);
            let entry = self.clients.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(entry.key()), interest)?;
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
            Ok(Next::Wait) => {
                client.deadline = client.connection.poll_timeout().map(|deadline| deadline.at);
                self.deadlines.extend(client.deadline.map(|at| (at, key)));
            }
            Ok(Next::Close) | Err(_) => drop(self.clients.remove(key)),
        }
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        loop {
            let now = self.clocks.now().mono;
            let wait = self.deadlines.first().map(|(at, _)| at.saturating_sub(now));
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let Token(key) = event.token();
                if let Some(client) = self.clients.get_mut(key) {
                    client.readable |= event.is_readable();
                    client.writable |= event.is_writable();
                }
                self.drive(key);
            }
            let now = self.clocks.now().mono;
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
    let (clients, deadlines) = (Slab::new(), BTreeSet::new());
    let (config, clocks) = (Arc::new(Config::default()), Clocks::default());
    Server { poll, listener, clients, deadlines, config, clocks }.run()
}
