//! The settings of a server for its listening sockets.

use super::Server;
use super::socket_options::TcpKeepalive;
use crate::runtime::Runtime;

impl<R: Runtime, H> Server<R, H> {
    /// Sets how many connections may wait to be accepted, for each worker; the system also has a
    /// maximum (`net.core.somaxconn` on Linux). Default: 1024, as in Pants. Less than 1 is an error
    /// of [`bind`](Self::bind).
    #[must_use]
    pub fn backlog(mut self, connections: i32) -> Self {
        self.options.backlog = connections;
        self
    }

    /// Enables TCP keepalive probes on accepted connections. Default: disabled.
    ///
    /// ```
    /// use std::time::Duration;
    /// use httpants_driver::{Request, Server, TcpKeepalive};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let probes = TcpKeepalive::after(Duration::from_secs(60)).interval(Duration::from_secs(10)).probes(3);
    /// let server = Server::with_runtime(Memory::new(), async |_: Request| "ok").tcp_keepalive(probes);
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn tcp_keepalive(mut self, keepalive: TcpKeepalive) -> Self {
        self.options.keepalive = Some(keepalive);
        self
    }

    /// Sets the permissions of the files of unix sockets, such as `0o660`: clients need write
    /// permission to connect. No client can connect before they are set. Default: those that
    /// the process's umask leaves.
    ///
    /// ```
    /// use httpants_driver::{Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// // The proxy is in this group.
    /// let www_data = 33;
    /// let server = Server::with_runtime(Memory::new(), async |_: Request| "ok")
    ///     .listen("unix:/run/app.sock")
    ///     .unix_socket_mode(0o660)
    ///     .unix_socket_group(www_data);
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn unix_socket_mode(mut self, mode: u32) -> Self {
        self.options.unix_mode = Some(mode);
        self
    }

    /// Sets the group of the files of unix sockets, by its number (`getent group NAME` shows it).
    /// The process must be a member of it or privileged. Default: the group of the process.
    #[must_use]
    pub fn unix_socket_group(mut self, group: u32) -> Self {
        self.options.unix_group = Some(group);
        self
    }
}
