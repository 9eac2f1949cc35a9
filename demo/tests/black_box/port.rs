//! A reserved port for another program.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt};

/// A local port for a program that cannot choose a free one and report it.
///
/// A socket is bound to it without listening: until it is dropped, the system does not assign the
/// port, and a program that binds it explicitly with `SO_REUSEADDR` may listen on it.
pub(crate) struct Port {
    address: SocketAddr,
    _socket: OwnedFd,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = getsockname(&socket).unwrap().try_into().unwrap();
        Self { address, _socket: socket }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
