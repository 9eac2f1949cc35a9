//! A port for another program.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt};

/// A port of this machine for a program that cannot say which one it found.
///
/// A socket is bound to it, and does not listen: until that is dropped nobody is given the port,
/// and who asks for it by its number may listen there, with `SO_REUSEADDR` as all servers have it.
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
