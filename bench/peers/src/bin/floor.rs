//! `floor PORT tokio|smol|async-std`: the cost of a runtime and its system calls. It searches for
//! the end of the head, sends constants, and has no other HTTP code.

use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use async_io::Async;
use memchr::memmem;
use rustix::fs::sendfile;
use rustix::net::{SendFlags, send};
use smol::LocalExecutor;
use tokio::io::{AsyncReadExt, Interest};

const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: floor\r\nDate: Sun, 22 Nov 2026 13:00:00 GMT\r\n";

/// A socket of a runtime, whose operations wait until they are ready.
trait Socket {
    async fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Calls an operation that sends, whenever the socket is writable, until it does not block.
    async fn send_with(&mut self, operation: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>) -> io::Result<usize>;
}

impl Socket for tokio::net::TcpStream {
    async fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer).await
    }

    async fn send_with(&mut self, mut operation: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>) -> io::Result<usize> {
        self.async_io(Interest::WRITABLE, || operation(self.as_fd())).await
    }
}

/// A socket of async-io, which waits after a short read, because another read would fail.
struct Reactor {
    socket: Async<TcpStream>,
    is_empty: bool,
}

impl Socket for Reactor {
    async fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_empty {
            self.socket.readable().await?;
        }
        let room = buffer.len();
        let count = self.socket.read_with(|mut socket| io::Read::read(&mut socket, buffer)).await?;
        self.is_empty = count < room;
        Ok(count)
    }

    async fn send_with(&mut self, mut operation: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>) -> io::Result<usize> {
        self.socket.write_with(|socket| operation(socket.as_fd())).await
    }
}

/// The next operation of a connection.
enum Step {
    Receive,
    SendFile(&'static str),
    Close,
}

/// One connection: the bytes that are not processed yet, and the bytes to send.
struct Connection {
    received: Vec<u8>,
    filled: usize,
    out: Vec<u8>,
    body: usize,
    body_left: usize,
    closes: bool,
}

impl Connection {
    fn new() -> Self {
        Self { received: vec![0; 4096], filled: 0, out: Vec::with_capacity(512), body: 0, body_left: 0, closes: false }
    }

    fn respond(&mut self, fields: &str, content: &str) {
        let close = if self.closes { "Connection: close\r\n" } else { "" };
        let length = content.len();
        let _ = write!(self.out, "{HEAD}{fields}{close}Content-Length: {length}\r\n\r\n{content}");
    }

    /// Returns the buffer to receive into; it is larger while a body is received.
    fn room(&mut self) -> &mut [u8] {
        if self.body_left > 4096 && self.received.len() < 65536 {
            self.received.resize(65536, 0);
        } else if self.filled == self.received.len() {
            self.received.resize(2 * self.filled, 0);
        }
        &mut self.received[self.filled..]
    }

    fn process(&mut self) -> Step {
        let mut at = 0;
        let step = loop {
            if self.body_left > 0 {
                let count = self.body_left.min(self.filled - at);
                at += count;
                self.body_left -= count;
                if self.body_left > 0 {
                    break Step::Receive;
                }
                self.respond("", &self.body.to_string());
                continue;
            }
            if self.closes {
                break Step::Close;
            }
            let received = &self.received[at..self.filled];
            let Some(end) = memmem::find(received, b"\r\n\r\n") else { break Step::Receive };
            let head = &received[..end + 2];
            at += end + 4;
            self.closes = memmem::find(head, b"onnection: close").is_some();
            if head.starts_with(b"GET /file/") {
                break Step::SendFile(if head[10..].starts_with(b"1m") { "1m" } else { "16k" });
            } else if head.starts_with(b"POST ") {
                let value = memmem::find(head, b"ontent-Length: ").map_or(&[][..], |start| &head[start + 15..]);
                let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
                self.body = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
                self.body_left = self.body;
            } else {
                self.respond("Content-Type: text/plain\r\n", "Hello, World!");
            }
        };
        self.received.copy_within(at..self.filled, 0);
        self.filled -= at;
        if self.body_left == 0 && self.received.len() > 4096 && self.filled < 4096 {
            self.received.truncate(4096);
            self.received.shrink_to_fit();
        }
        step
    }
}

async fn send_all(socket: &mut impl Socket, out: &mut Vec<u8>, flags: SendFlags) -> io::Result<()> {
    let mut sent = 0;
    while sent < out.len() {
        sent += socket.send_with(|fd| Ok(send(fd, &out[sent..], flags | SendFlags::NOSIGNAL)?)).await?;
    }
    out.clear();
    Ok(())
}

async fn send_file(socket: &mut impl Socket, out: &mut Vec<u8>, name: &str) -> io::Result<()> {
    let root = std::env::var("FILE_ROOT").map_err(io::Error::other)?;
    let file = File::open(format!("{root}/{name}"))?;
    let length = file.metadata()?.len();
    write!(out, "{HEAD}Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n")?;
    send_all(socket, out, SendFlags::MORE).await?;
    let mut offset = 0;
    while offset < length {
        let rest = usize::try_from(length - offset).unwrap_or(usize::MAX);
        socket.send_with(|fd| Ok(sendfile(fd, &file, Some(&mut offset), rest)?)).await?;
    }
    Ok(())
}

async fn serve(mut socket: impl Socket) -> io::Result<()> {
    let mut connection = Box::new(Connection::new());
    loop {
        let step = connection.process();
        if !connection.out.is_empty() {
            send_all(&mut socket, &mut connection.out, SendFlags::empty()).await?;
        }
        match step {
            Step::Close => return Ok(()),
            Step::SendFile(name) => send_file(&mut socket, &mut connection.out, name).await?,
            Step::Receive => match socket.recv(connection.room()).await? {
                0 => return Ok(()),
                count => connection.filled += count,
            },
        }
    }
}

async fn on_tokio(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(serve(socket));
    }
}

async fn on_reactor(listener: TcpListener, spawn: impl Fn(Reactor)) -> io::Result<()> {
    let listener = Async::new_nonblocking(listener)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.get_ref().set_nodelay(true)?;
        spawn(Reactor { socket, is_empty: true });
    }
}

fn main() -> io::Result<()> {
    let [_, port, runtime] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err(io::Error::other("expected a port and a runtime: tokio, smol or async-std"));
    };
    let port: u16 = port.parse().map_err(io::Error::other)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    match runtime.as_str() {
        "tokio" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(on_tokio(listener))
        }
        "smol" => {
            let executor = LocalExecutor::new();
            let accept = on_reactor(listener, |socket| executor.spawn(serve(socket)).detach());
            smol::block_on(executor.run(accept))
        }
        "async-std" => {
            let accept = on_reactor(listener, |socket| {
                async_std::task::spawn(serve(socket));
            });
            async_std::task::block_on(accept)
        }
        _ => Err(io::Error::other("expected a runtime: tokio, smol or async-std")),
    }
}
