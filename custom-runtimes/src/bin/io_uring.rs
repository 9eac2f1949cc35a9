//! The core on completions instead of readiness: io_uring through compio.
//!
//! In this folder: `cargo run --bin io_uring -- 127.0.0.1:8080`
//!
//! The kernel writes to a buffer while the operation is in progress, so the operation owns the
//! buffer and returns it. An operation is never dropped because of a deadline, because the bytes it
//! had received would be lost.

#[cfg(target_os = "linux")]
mod server {
    use std::future::{Future, poll_fn};
    use std::io;
    use std::pin::{Pin, pin};
    use std::sync::Arc;
    use std::task::Poll;
    use std::time::Duration;

    use compio::BufResult;
    use compio::io::{AsyncRead, AsyncWrite};
    use compio::net::{TcpListener, TcpStream};
    use httpants_core::{Close, Config, Connection, ConnectionInfo, Transmit};
    use httpants_custom_runtimes::{Clocks, Echo};

    /// Size in bytes of a buffer lent to the kernel.
    const BUFFER: usize = 16 * 1024;

    type Operation = Pin<Box<dyn Future<Output = BufResult<usize, Vec<u8>>>>>;

    enum Done {
        Received(BufResult<usize, Vec<u8>>),
        Sent(BufResult<usize, Vec<u8>>),
        Deadline,
    }

    fn receive(mut socket: TcpStream, buffer: Vec<u8>) -> Operation {
        Box::pin(async move { socket.read(buffer).await })
    }

    fn send(mut socket: TcpStream, bytes: Vec<u8>) -> Operation {
        Box::pin(async move { socket.write(bytes).await })
    }

    /// Waits for the first operation to complete; the others stay in progress.
    async fn first(receiving: &mut Option<Operation>, sending: &mut Option<Operation>, wait: Option<Duration>) -> Done {
        let mut timer = pin!(async {
            match wait {
                Some(wait) => compio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        });
        poll_fn(|context| {
            if let Some(Poll::Ready(sent)) = sending.as_mut().map(|operation| operation.as_mut().poll(context)) {
                *sending = None;
                return Poll::Ready(Done::Sent(sent));
            }
            if let Some(Poll::Ready(received)) = receiving.as_mut().map(|operation| operation.as_mut().poll(context)) {
                *receiving = None;
                return Poll::Ready(Done::Received(received));
            }
            timer.as_mut().poll(context).map(|()| Done::Deadline)
        })
        .await
    }

    async fn serve(mut socket: TcpStream, peer: ConnectionInfo, config: Arc<Config>, clocks: Clocks) -> io::Result<()> {
        let mut connection = Connection::new(config, peer, clocks.now());
        let mut application = Echo::default();
        let (mut receiving, mut sending) = (None, None);
        let mut buffer = Vec::with_capacity(BUFFER);
        loop {
            connection.handle_timeout(clocks.now());
            application.handle_events(&mut connection);
            // Passes on bytes for which the core had no room before.
            if !buffer.is_empty() && connection.wants_recv() {
                let taken = connection.receive(&buffer, clocks.now());
                buffer.drain(..taken);
                continue;
            }
            if sending.is_none()
                && let Some(Transmit::Bytes(slices)) = connection.poll_transmit()
            {
                sending = Some(send(socket.clone(), slices.collect::<Vec<_>>().concat()));
            }
            match connection.poll_close() {
                Some(Close::ShutdownWrite) => socket.shutdown().await?,
                Some(Close::Reset) => return socket.set_zero_linger(),
                Some(_) => return Ok(()),
                None => {}
            }
            if receiving.is_none() && buffer.is_empty() && connection.wants_recv() {
                receiving = Some(receive(socket.clone(), std::mem::take(&mut buffer)));
            }
            let wait = connection.poll_timeout().map(|deadline| deadline.at.saturating_sub(clocks.now().mono));
            match first(&mut receiving, &mut sending, wait).await {
                Done::Received(BufResult(result, bytes)) => {
                    buffer = bytes;
                    if result? == 0 {
                        connection.handle_eof(clocks.now());
                    }
                }
                Done::Sent(BufResult(result, _)) => connection.handle_sent(result? as u64, clocks.now()),
                Done::Deadline => {}
            }
        }
    }

    pub(crate) async fn run(address: &str) -> io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        println!("listening on http://{}/", listener.local_addr()?);
        let (config, clocks) = (Arc::new(Config::default()), Clocks::default());
        loop {
            match listener.accept().await {
                Ok((socket, remote)) => {
                    let (peer, config) = (ConnectionInfo::new(remote, socket.local_addr()?), Arc::clone(&config));
                    compio::runtime::spawn(async move {
                        // An error of the peer is not an error of this server.
                        let _ = serve(socket, peer, config, clocks).await;
                    })
                    .detach();
                }
                Err(error) => {
                    eprintln!("accept failed: {error}");
                    compio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let runtime = compio::runtime::Runtime::new()
        .map_err(|error| std::io::Error::other(format!("io_uring is not available: {error}")))?;
    runtime.block_on(server::run(&address))
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("io_uring requires Linux");
}
