//! The cost of only the runtime: one task and socket per connection, a constant response to any
//! input, and no HTTP.
//!
//! bare tokio|smol|async-std    prints its address

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use async_io::Async;
use smol::LocalExecutor;

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";

fn main() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    println!("bare listens on http://{}/", listener.local_addr()?);
    match std::env::args().nth(1).as_deref() {
        Some("tokio") => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(on_tokio(listener))
        }
        Some("smol") => {
            let executor = LocalExecutor::new();
            smol::block_on(executor.run(on_async_io(listener, &executor)))
        }
        Some("async-std") => async_std::task::block_on(on_async_io(listener, &AsyncStd)),
        _ => Err(io::Error::other("expected a runtime: tokio, smol or async-std")),
    }
}

async fn on_tokio(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            while stream.readable().await.is_ok()
                && may_continue(converse(|buffer| stream.try_read(buffer), |bytes| stream.try_write(bytes)))
            {
            }
        });
    }
}

trait Spawn {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

impl Spawn for LocalExecutor<'_> {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        LocalExecutor::spawn(self, task).detach();
    }
}

struct AsyncStd;

impl Spawn for AsyncStd {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        async_std::task::spawn(task);
    }
}

async fn on_async_io(listener: TcpListener, executor: &impl Spawn) -> io::Result<()> {
    let listener = Async::new_nonblocking(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        executor.spawn(async move {
            let socket: &Async<TcpStream> = &stream;
            while socket.readable().await.is_ok()
                && may_continue(converse(|buffer| socket.get_ref().read(buffer), |bytes| socket.get_ref().write(bytes)))
            {
            }
        });
    }
}

/// Reads and responds with a buffer on the stack, so that no task holds a buffer while it waits.
fn converse(
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    write: impl FnOnce(&[u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    match read(&mut [0; 4096])? {
        0 => Ok(0),
        _ => write(RESPONSE),
    }
}

fn may_continue(conversed: io::Result<usize>) -> bool {
    match conversed {
        Ok(count) => count > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
