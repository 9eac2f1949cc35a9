//! `floor_tls PORT CERTIFICATE KEY`: the cost of TLS 1.3 and its system calls, with rustls on
//! blocking sockets, each served by a thread that was started before. It searches for the end of
//! the head, sends constants and files, and has no other HTTP code.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use memchr::memmem;
use rustls::{ServerConfig, ServerConnection};

/// Number of threads: more than a scenario has connections.
const THREADS: usize = 32;
const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: floor\r\nDate: Sun, 22 Nov 2026 13:00:00 GMT\r\n";

struct Connection {
    socket: TcpStream,
    session: ServerConnection,
}

impl Connection {
    /// Returns the number of bytes received; 0 at the end of the stream.
    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.session.complete_io(&mut self.socket)?;
                }
                received => return received,
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.session.writer().write_all(bytes)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    fn send_file(&mut self, piece: &mut [u8]) -> io::Result<()> {
        let root = std::env::var("FILE_ROOT").map_err(io::Error::other)?;
        let mut file = File::open(format!("{root}/1m"))?;
        let length = file.metadata()?.len();
        let head = format!("{HEAD}Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n");
        self.session.writer().write_all(head.as_bytes())?;
        loop {
            match file.read(piece)? {
                0 => return Ok(()),
                count => self.send(&piece[..count])?,
            }
        }
    }
}

fn serve(socket: TcpStream, config: &Arc<ServerConfig>, piece: &mut [u8]) -> Result<(), Box<dyn Error>> {
    socket.set_nodelay(true)?;
    let mut connection = Connection { socket, session: ServerConnection::new(Arc::clone(config))? };
    connection.session.set_buffer_limit(None);
    let (mut received, mut filled) = ([0; 4096], 0);
    loop {
        let count = connection.recv(&mut received[filled..])?;
        if count == 0 {
            return Ok(());
        }
        filled += count;
        let head = &received[..filled];
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let closes = memmem::find(head, b"onnection: close").is_some();
        if head.starts_with(b"GET /file/1m ") {
            connection.send_file(piece)?;
        } else {
            let close = if closes { "Connection: close\r\n" } else { "" };
            let fields = format!("Content-Type: text/plain\r\n{close}Content-Length: 13\r\n");
            connection.send(format!("{HEAD}{fields}\r\nHello, World!").as_bytes())?;
        }
        filled = 0;
        if closes {
            connection.session.send_close_notify();
            return Ok(connection.flush()?);
        }
    }
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let [_, port, certificate, key] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("expected a port, a certificate and a key".into());
    };
    let config = httpants_peers::server_config(certificate, key)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?))?;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut piece = vec![0; 65536];
                while let Ok((socket, _)) = listener.accept() {
                    // Errors of a client do not stop the server.
                    let _ = serve(socket, &config, &mut piece);
                }
            });
        }
    });
    Ok(())
}
