//! Connected sockets.

#[cfg(target_os = "linux")]
use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use httpants_driver::runtime;
#[cfg(target_os = "linux")]
use tokio::io::Interest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// A connected socket that tokio watches.
#[derive(Debug)]
pub struct Transport(Socket);

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// The same call on whichever socket it is.
macro_rules! on_socket {
    ($transport:expr, $stream:ident => $call:expr) => {
        match &mut $transport.0 {
            Socket::Tcp($stream) => $call,
            #[cfg(unix)]
            Socket::Unix($stream) => $call,
        }
    };
}

impl From<TcpStream> for Transport {
    fn from(stream: TcpStream) -> Self {
        Self(Socket::Tcp(stream))
    }
}

#[cfg(unix)]
impl From<UnixStream> for Transport {
    fn from(stream: UnixStream) -> Self {
        Self(Socket::Unix(stream))
    }
}

impl runtime::Transport for Transport {
    fn poll_recv(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        // tokio takes a short read for an emptied socket and waits for the next event, so
        // nothing is read in vain.
        let mut buffer = ReadBuf::new(buffer);
        ready!(on_socket!(self, stream => Pin::new(stream).poll_read(context, &mut buffer)))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_send(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>], more: bool) -> Poll<io::Result<usize>> {
        #[cfg(target_os = "linux")]
        if more && let Socket::Tcp(stream) = &self.0 {
            return poll_send_more(stream, context, slices);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = more;
        match slices {
            [slice] => on_socket!(self, stream => Pin::new(stream).poll_write(context, slice)),
            _ => on_socket!(self, stream => Pin::new(stream).poll_write_vectored(context, slices)),
        }
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(self, stream => Pin::new(stream).poll_shutdown(context))
    }

    #[cfg(target_os = "linux")]
    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        length: u64,
    ) -> Option<Poll<io::Result<usize>>> {
        match &self.0 {
            Socket::Tcp(stream) => poll_send_file(stream, context, file, offset, length),
            Socket::Unix(_) => None,
        }
    }

    fn reset_on_close(&mut self) {
        // A unix socket has no reset to send. Where the option fails, the socket is already
        // gone.
        if let Socket::Tcp(stream) = &self.0 {
            let _ = stream.set_zero_linger();
        }
    }
}

/// Sends what the kernel may hold back until the rest comes.
#[cfg(target_os = "linux")]
fn poll_send_more(stream: &TcpStream, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

    poll_write_with(stream, context, || {
        sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), SendFlags::MORE | SendFlags::NOSIGNAL)
    })
}

/// `sendfile(2)`; `None` where the file is none that the kernel can send from.
#[cfg(target_os = "linux")]
fn poll_send_file(
    stream: &TcpStream,
    context: &mut Context<'_>,
    file: &File,
    offset: u64,
    length: u64,
) -> Option<Poll<io::Result<usize>>> {
    use rustix::io::Errno;

    // The kernel moves at most 2 GiB at once, and takes counts past isize::MAX for negative.
    let length = length.min(1 << 30) as usize;
    let sent = poll_write_with(stream, context, || rustix::fs::sendfile(stream, file, Some(&mut { offset }), length));
    match &sent {
        Poll::Ready(Err(error)) if matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS)) => None,
        _ => Some(sent),
    }
}

/// A system call that tokio does not know, once the socket takes something.
#[cfg(target_os = "linux")]
fn poll_write_with(
    stream: &TcpStream,
    context: &mut Context<'_>,
    mut call: impl FnMut() -> rustix::io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(context))?;
        match stream.try_io(Interest::WRITABLE, || Ok(call()?)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return Poll::Ready(sent),
        }
    }
}
