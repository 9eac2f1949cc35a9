//! Options of listening sockets.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive as Probes};

/// The settings of TCP keepalive: probes of whether the peer of a silent connection still exists.
///
/// If the peer does not respond to the probes, because its machine lost power or its network, the
/// system closes the connection. For HTTP the timeouts of the server do the same; probes are for
/// streams that may be silent for a long time, such as WebSockets, and for firewalls that forget
/// silent connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpKeepalive {
    idle: Duration,
    interval: Option<Duration>,
    probes: Option<u32>,
}

impl TcpKeepalive {
    /// Creates settings that send the first probe after this time without a received byte. Times
    /// are in whole seconds; less than one second is an error of [`bind`](crate::Server::bind).
    #[must_use]
    pub fn after(idle: Duration) -> Self {
        Self { idle, interval: None, probes: None }
    }

    /// Sets the time between probes. Default: that of the system; 75 s on Linux.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Sets the number of probes without a response after which the connection is closed. Default:
    /// that of the system; 9 on Linux.
    #[must_use]
    pub fn probes(mut self, probes: u32) -> Self {
        self.probes = Some(probes);
        self
    }

    fn check(&self) -> io::Result<()> {
        let seconds = [Some(self.idle), self.interval];
        let is_too_short = seconds.into_iter().flatten().any(|span| span < Duration::from_secs(1));
        let expected = match self.probes {
            _ if is_too_short => "TCP keep-alive: expected a time of at least one second",
            Some(0) => "TCP keep-alive: expected at least one probe",
            _ => return Ok(()),
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, expected))
    }

    fn probing(&self) -> Probes {
        let probes = Probes::new().with_time(self.idle);
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_vendor = "apple",
            target_os = "freebsd",
            windows
        ))]
        let probes = match self.interval {
            Some(interval) => probes.with_interval(interval),
            None => probes,
        };
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd"))]
        let probes = match self.probes {
            Some(count) => probes.with_retries(count),
            None => probes,
        };
        probes
    }
}

/// The options of the listening sockets of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    pub(super) backlog: i32,
    pub(super) keepalive: Option<TcpKeepalive>,
    pub(super) unix_mode: Option<u32>,
    pub(super) unix_group: Option<u32>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { backlog: 1024, keepalive: None, unix_mode: None, unix_group: None }
    }
}

impl SocketOptions {
    /// Checks the values.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.unix_mode.is_some_and(|mode| mode & !0o777 != 0) {
            let text = "mode of unix sockets: expected permissions such as 0o660";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if self.backlog < 1 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "backlog: expected at least 1"));
        }
        self.keepalive.as_ref().map_or(Ok(()), TcpKeepalive::check)
    }

    /// Sets the options that accepted sockets inherit from a listening TCP socket, which saves
    /// system calls per connection.
    pub(super) fn set_inherited(&self, socket: SockRef<'_>) -> io::Result<()> {
        socket.set_tcp_nodelay(true)?;
        self.keepalive.map_or(Ok(()), |keepalive| socket.set_tcp_keepalive(&keepalive.probing()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_options_are_errors() {
        let keepalive = |keepalive| SocketOptions { keepalive: Some(keepalive), ..SocketOptions::default() };
        let minute = TcpKeepalive::after(Duration::from_secs(60));
        for (options, expected) in [
            (SocketOptions { unix_mode: Some(0o1777), ..SocketOptions::default() }, "permissions such as 0o660"),
            (SocketOptions { backlog: 0, ..SocketOptions::default() }, "backlog: expected at least 1"),
            (keepalive(TcpKeepalive::after(Duration::from_millis(999))), "at least one second"),
            (keepalive(minute.interval(Duration::ZERO)), "at least one second"),
            (keepalive(minute.probes(0)), "at least one probe"),
        ] {
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(keepalive(minute).check().is_ok() && SocketOptions::default().check().is_ok());
    }
}
