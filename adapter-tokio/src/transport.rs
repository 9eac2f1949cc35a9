//! Connected sockets.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use httpants_driver::runtime;
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

    loop {
        ready!(stream.poll_write_ready(context))?;
        let sent = stream.try_io(tokio::io::Interest::WRITABLE, || {
            let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
            Ok(sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), flags)?)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return Poll::Ready(sent),
        }
    }
}
