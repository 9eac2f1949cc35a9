//! Connected sockets.

#[cfg(target_os = "linux")]
use std::fs::File;
use std::io::{self, IoSlice};
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

#[cfg(target_os = "linux")]
use httpants_driver::linux::{PeerWatch, declined, send, send_file, try_recv, unless_blocked};
#[cfg(target_os = "linux")]
use httpants_driver::runtime::PeerClose;
use httpants_driver::runtime::{self, SendHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(target_os = "linux")]
use tokio::io::{Interest, unix::AsyncFd};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// A connected socket that is registered with tokio.
#[derive(Debug)]
pub struct Transport {
    socket: Socket,
    /// True if calls do not wait for tokio's readiness, until one of them would block.
    #[cfg(target_os = "linux")]
    retries: bool,
    /// The watch for the end of the peer's stream while received bytes are still unread.
    #[cfg(target_os = "linux")]
    peer: Option<Box<AsyncFd<PeerWatch>>>,
}

impl Transport {
    fn new(socket: Socket) -> Self {
        Self {
            socket,
            #[cfg(target_os = "linux")]
            retries: false,
            #[cfg(target_os = "linux")]
            peer: None,
        }
    }
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Calls the same method on either kind of socket.
macro_rules! on_socket {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($stream) => $call,
            #[cfg(unix)]
            Socket::Unix($stream) => $call,
        }
    };
}

impl From<TcpStream> for Transport {
    fn from(stream: TcpStream) -> Self {
        Self::new(Socket::Tcp(stream))
    }
}

#[cfg(unix)]
impl From<UnixStream> for Transport {
    fn from(stream: UnixStream) -> Self {
        Self::new(Socket::Unix(stream))
    }
}

impl runtime::Transport for Transport {
    fn poll_recv(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        // tokio treats a short read as a drained socket and waits for the next event, so there is
        // no extra read that fails.
        #[cfg(target_os = "linux")]
        if self.retries {
            match on_socket!(&self.socket, stream => try_recv(stream, buffer)) {
                Some(received) => return Poll::Ready(received),
                None => self.retries = false,
            }
        }
        let mut buffer = ReadBuf::new(buffer);
        let received = on_socket!(&mut self.socket, stream => Pin::new(stream).poll_read(context, &mut buffer));
        #[cfg(target_os = "linux")]
        if received.is_pending() {
            // All bytes are read, so reading detects the end of the stream.
            self.peer = None;
        }
        received.map_ok(|()| buffer.filled().len())
    }

    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "tokio cannot delay bytes"))]
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        hint: SendHint,
    ) -> Poll<io::Result<usize>> {
        #[cfg(target_os = "linux")]
        if self.retries || hint == SendHint::More {
            // Unix sockets have no such flag.
            let hint = if matches!(self.socket, Socket::Tcp(_)) { hint } else { SendHint::Last };
            return self.poll_write_with(context, |socket| send(socket, slices, hint));
        }
        match slices {
            [slice] => on_socket!(&mut self.socket, stream => Pin::new(stream).poll_write(context, slice)),
            _ => on_socket!(&mut self.socket, stream => Pin::new(stream).poll_write_vectored(context, slices)),
        }
    }

    #[cfg(target_os = "linux")]
    fn retry_recv(&mut self) {
        self.retries = true;
    }

    #[cfg(target_os = "linux")]
    fn retry_send(&mut self) {
        self.retries = true;
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(&mut self.socket, stream => Pin::new(stream).poll_shutdown(context))
    }

    #[cfg(target_os = "linux")]
    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        length: u64,
    ) -> Option<Poll<io::Result<usize>>> {
        declined(self.poll_write_with(context, |socket| send_file(socket, file, offset, length)))
    }

    #[cfg(target_os = "linux")]
    fn poll_peer_closed(&mut self, context: &mut Context<'_>, awaited: PeerClose) -> Poll<io::Result<()>> {
        if self.peer.as_ref().is_none_or(|watch| watch.get_ref().awaited() != awaited) {
            self.peer = self.watch_peer(awaited).ok().map(Box::new);
        }
        // If there is no descriptor for a watch, that is not an error of the connection.
        let Some(watch) = &mut self.peer else { return Poll::Pending };
        loop {
            let mut ready = std::task::ready!(watch.poll_read_ready(context))?;
            match ready.get_inner().poll()? {
                Poll::Ready(()) => return Poll::Ready(Ok(())),
                Poll::Pending => ready.clear_ready(),
            }
        }
    }

    fn reset_on_close(&mut self) {
        // A unix socket has no reset. If the option fails, the socket is already closed.
        if let Socket::Tcp(stream) = &self.socket {
            let _ = stream.set_zero_linger();
        }
    }
}

#[cfg(target_os = "linux")]
impl Transport {
    fn watch_peer(&self, awaited: PeerClose) -> io::Result<AsyncFd<PeerWatch>> {
        let watch = on_socket!(&self.socket, stream => PeerWatch::new(stream, awaited))?;
        // The replacement of this function is unsafe, because a descriptor might change between
        // calls. A `PeerWatch` owns its descriptor, which never changes.
        #[expect(deprecated, reason = "unsafe code is forbidden here, and the condition holds")]
        AsyncFd::with_interest(watch, Interest::READABLE)
    }

    /// Runs a system call that tokio does not provide, once the socket is writable.
    fn poll_write_with(
        &mut self,
        context: &mut Context<'_>,
        mut call: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.retries
            && let Some(sent) = on_socket!(&self.socket, stream => unless_blocked(call(stream.as_fd())))
        {
            // tokio still waits for much room, and there may be more than was taken.
            return Poll::Ready(sent);
        }
        self.retries = false;
        on_socket!(&self.socket, stream => loop {
            std::task::ready!(stream.poll_write_ready(context))?;
            if let Some(sent) = unless_blocked(stream.try_io(Interest::WRITABLE, || call(stream.as_fd()))) {
                return Poll::Ready(sent);
            }
        })
    }
}
