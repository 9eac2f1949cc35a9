//! An HTTP server over `std::net` with one thread per connection, which shows the whole contract of
//! the core in one loop. Run `cargo run -p httpants-core --example blocking`, then
//! `curl -d hello http://127.0.0.1:8080/`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is a caller of the core")]

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use httpants_core::{Close, Config, Connection, ConnectionInfo, Event, Now, RequestId, ResponseHead, Transmit};

fn now(start: Instant) -> Now {
    Now::new(start.elapsed(), SystemTime::now().try_into().unwrap_or_default())
}

/// Returns how long the socket may block; std does not accept a timeout of zero.
fn wait(connection: &Connection, start: Instant) -> Option<Duration> {
    let deadline = connection.poll_timeout()?;
    Some(deadline.at.saturating_sub(start.elapsed()).max(Duration::from_millis(1)))
}

fn ran_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Sends the body of the request back. Fails if the connection has ended in the meantime.
fn respond(connection: &mut Connection, request: RequestId, content: &mut Vec<u8>) {
    let _ = connection.respond_with(request, &ResponseHead::default(), std::mem::take(content));
}

fn serve(mut socket: TcpStream, config: Arc<Config>) -> io::Result<()> {
    let start = Instant::now();
    let peer = ConnectionInfo::new(socket.peer_addr()?, socket.local_addr()?);
    let mut connection = Connection::new(config, peer, now(start));
    let mut content = Vec::new();
    loop {
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Request(request) if !request.has_body() => respond(&mut connection, request.id(), &mut content),
                Event::Expect100(id) => drop(connection.send_continue(id)),
                Event::Data(_, data) => content.extend_from_slice(&data),
                Event::End(id, _) => respond(&mut connection, id, &mut content),
                Event::Closed(reason) => eprintln!("{:?}: {reason}", peer.remote_addr),
                _ => {}
            }
        }
        if let Some(Transmit::Bytes(slices)) = connection.poll_transmit() {
            let slices: Vec<_> = slices.map(IoSlice::new).collect();
            socket.set_write_timeout(wait(&connection, start))?;
            match socket.write_vectored(&slices) {
                Ok(count) => connection.handle_sent(count as u64, now(start)),
                Err(error) if ran_out(&error) => connection.handle_timeout(now(start)),
                Err(_) => connection.handle_io_error(now(start)),
            }
            continue;
        }
        match connection.poll_close() {
            Some(Close::ShutdownWrite) => socket.shutdown(Shutdown::Write)?,
            Some(_) => return Ok(()),
            None => {}
        }
        socket.set_read_timeout(wait(&connection, start))?;
        match socket.read(connection.recv_buf()) {
            Ok(0) => connection.handle_eof(now(start)),
            Ok(count) => connection.handle_recv(count, now(start)),
            Err(error) if ran_out(&error) => {}
            Err(_) => connection.handle_io_error(now(start)),
        }
        connection.handle_timeout(now(start));
    }
}

fn main() -> io::Result<()> {
    let config = Arc::new(Config::default());
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    for socket in TcpListener::bind(address)?.incoming() {
        let config = Arc::clone(&config);
        // Without free descriptors or threads, a client has to wait until others have finished.
        let started = socket.and_then(|socket| thread::Builder::new().spawn(move || serve(socket, config)));
        if let Err(error) = started {
            eprintln!("cannot serve a connection: {error}");
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}
