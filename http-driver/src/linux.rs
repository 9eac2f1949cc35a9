//! Linux system calls that runtimes do not provide, for adapters. None of them blocks on a
//! non-blocking socket.

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::Poll;

use httpants_core::{Address, ConnectionInfo};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags, acceptfrom_with, sendmsg};

use crate::descriptors::{Permit, WATCHES};
use crate::runtime::{PeerClose, SendHint};

/// A watch for the end of a peer's stream while received bytes are still unread, for
/// [`Transport::poll_peer_closed`](crate::runtime::Transport::poll_peer_closed).
///
/// Readability of the socket would only report those bytes. The watch is a separate epoll(7)
/// descriptor that becomes readable at the end of the stream; register it with the runtime.
#[derive(Debug)]
pub struct PeerWatch {
    epoll: OwnedFd,
    awaited: PeerClose,
    _permit: Permit,
}

impl PeerWatch {
    /// Watches a socket for the end of the peer's stream and for a reset, or for a reset alone.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::QuotaExceeded`] if watches already use an eighth of the process's
    /// descriptors, and the errors of epoll_create1(2) and epoll_ctl(2). These are not errors of
    /// the connection: serve it without a watch.
    pub fn new(socket: impl AsFd, awaited: PeerClose) -> io::Result<Self> {
        let too_many = || io::Error::new(io::ErrorKind::QuotaExceeded, "too many watched connections");
        let permit = WATCHES.take().ok_or_else(too_many)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        // EPOLLERR and EPOLLHUP are always reported.
        let end = match awaited {
            PeerClose::EndOrReset => epoll::EventFlags::RDHUP,
            PeerClose::Reset => epoll::EventFlags::empty(),
        };
        epoll::add(&epoll, socket, epoll::EventData::new_u64(0), end)?;
        Ok(Self { epoll, awaited, _permit: permit })
    }

    /// Returns the event that the watch reports.
    #[must_use]
    pub fn awaited(&self) -> PeerClose {
        self.awaited
    }

    /// Returns `Ready(Ok(()))` at the end of the stream, and an error after a reset.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::ConnectionReset`] for a reset, and the errors of epoll_wait(2).
    pub fn poll(&self) -> io::Result<Poll<()>> {
        let mut events = Vec::with_capacity(1);
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&Timespec::default()))?;
        let Some(event) = events.first() else { return Ok(Poll::Pending) };
        let flags = event.flags;
        if flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(Poll::Ready(()))
    }
}

impl AsFd for PeerWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl AsRawFd for PeerWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }
}

/// Accepts a connection as a non-blocking socket; returns it with its IP address, if it has one.
///
/// # Errors
/// Returns the errors of accept4(2).
pub fn accept(listener: impl AsFd) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    let (socket, remote) = acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    Ok((socket, remote.and_then(|remote| remote.try_into().ok())))
}

/// Accepts a connection like [`accept`], and makes a transport of its socket; returns `None` if there
/// is no connection. For [`Listener::retry_accept`](crate::runtime::Listener::retry_accept).
pub fn try_accept<S: From<OwnedFd>, C, T: From<C>>(
    listener: impl AsFd,
    local: Address,
    register: impl FnOnce(S) -> io::Result<C>,
) -> Option<io::Result<(T, ConnectionInfo)>> {
    let accepted = unless_blocked(accept(listener))?;
    Some(accepted.and_then(|(socket, remote)| {
        let remote = remote.map_or(Address::Unix, Address::from);
        Ok((register(socket.into())?.into(), ConnectionInfo::new(remote, local)))
    }))
}

/// Receives into the front of the buffer; returns the number of bytes, 0 at the end of the stream, or
/// the errors of recv(2). Returns `None` if there are no bytes. For
/// [`Transport::retry_recv`](crate::runtime::Transport::retry_recv).
pub fn try_recv(socket: impl AsFd, buffer: &mut [u8]) -> Option<io::Result<usize>> {
    let received = rustix::net::recv(socket, buffer, RecvFlags::empty());
    unless_blocked(received.map(|(count, _)| count).map_err(Into::into))
}

/// Returns the result of a system call, but `None` if the call would have blocked.
pub fn unless_blocked<T>(result: io::Result<T>) -> Option<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        result => Some(result),
    }
}

/// Sends the first bytes of the slices; returns the number of bytes sent. With [`SendHint::More`]
/// the kernel may delay them until more bytes are sent (`MSG_MORE`).
///
/// # Errors
/// Returns the errors of send(2) and sendmsg(2).
pub fn send(socket: impl AsFd, slices: &[IoSlice<'_>], hint: SendHint) -> io::Result<usize> {
    let mut flags = SendFlags::NOSIGNAL;
    flags.set(SendFlags::MORE, hint == SendHint::More);
    Ok(match slices {
        [slice] => rustix::net::send(socket, slice, flags),
        _ => sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags),
    }?)
}

/// Sends up to `length` bytes of the file from `offset`; returns the number of bytes sent, 0 at the
/// end of the file.
///
/// # Errors
/// Returns the errors of sendfile(2); [`declined`] recognizes those after which the file can still
/// be sent by reading it.
pub fn send_file(socket: impl AsFd, file: &File, offset: u64, length: u64) -> io::Result<usize> {
    // The kernel moves at most 2 GiB at once, and treats counts above isize::MAX as negative.
    let length = length.min(1 << 30) as usize;
    Ok(rustix::fs::sendfile(socket, file, Some(&mut { offset }), length)?)
}

/// Converts the result of [`send_file`] to that of
/// [`poll_send_file`](crate::runtime::Transport::poll_send_file): `None` if sendfile is not
/// supported for this file.
#[must_use]
pub fn declined(sent: Poll<io::Result<usize>>) -> Option<Poll<io::Result<usize>>> {
    match &sent {
        Poll::Ready(Err(error)) if matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS)) => None,
        _ => Some(sent),
    }
}
