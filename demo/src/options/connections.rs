//! The flags about connections and listening sockets.

use std::time::Duration;

use httpants_driver::Server;
use httpants_driver::runtime::Runtime;
use httpants_tokio::{Handler, TcpKeepalive};

use super::Flag;
use super::values::{Count, Full, Group, Mode, Seconds};

/// The settings of connections and listening sockets. A setting that is `None` leaves the server's
/// default.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Connections {
    max: Option<Count>,
    max_per_address: Option<Count>,
    when_full: Option<Full>,
    max_age: Option<Seconds>,
    max_requests: Option<Count>,
    backlog: Option<Count>,
    keepalive: Option<Seconds>,
    socket_mode: Option<Mode>,
    socket_group: Option<Group>,
}

impl Connections {
    /// Parses the value of this flag; returns the flag if it is none of these.
    pub(super) fn read<'a>(&mut self, flag: Flag<'a>) -> Result<Option<Flag<'a>>, lexopt::Error> {
        match flag.name {
            "max-connections" => self.max = Some(flag.value()?),
            "max-connections-per-address" => self.max_per_address = Some(flag.value()?),
            "when-full" => self.when_full = Some(flag.value()?),
            "max-connection-age" => self.max_age = Some(flag.value()?),
            "max-requests-per-connection" => self.max_requests = Some(flag.value()?),
            "backlog" => self.backlog = Some(flag.value()?),
            "tcp-keepalive" => self.keepalive = Some(flag.value()?),
            "socket-mode" => self.socket_mode = Some(flag.value()?),
            "socket-group" => self.socket_group = Some(flag.value()?),
            _ => return Ok(Some(flag)),
        }
        Ok(None)
    }

    /// Checks the values that depend on others or on the server.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_short = |Seconds(time): Seconds| time.is_some_and(|time| time < Duration::from_secs(1));
        if self.keepalive.is_some_and(is_short) {
            return Err("invalid value for --tcp-keepalive: expected at least 1 second, or 0 for none");
        }
        Ok(())
    }

    /// Applies the given settings.
    pub(super) fn apply<R: Runtime, H: Handler>(&self, mut server: Server<R, H>) -> Server<R, H> {
        if let Some(Count(count)) = self.max {
            server = server.max_connections(count as usize);
        }
        if let Some(Count(count)) = self.max_per_address {
            server = server.max_connections_per_address(count as usize);
        }
        if let Some(Full(when_full)) = self.when_full {
            server = server.when_full(when_full);
        }
        if let Some(Seconds(Some(age))) = self.max_age {
            server = server.max_connection_age(age);
        }
        if let Some(Count(count)) = self.max_requests {
            server = server.max_requests_per_connection(count.into());
        }
        if let Some(Count(count)) = self.backlog {
            server = server.backlog(i32::try_from(count).unwrap_or(i32::MAX));
        }
        if let Some(Seconds(Some(idle))) = self.keepalive {
            server = server.tcp_keepalive(TcpKeepalive::after(idle));
        }
        if let Some(Mode(mode)) = self.socket_mode {
            server = server.unix_socket_mode(mode);
        }
        if let Some(Group(group)) = self.socket_group {
            server = server.unix_socket_group(group);
        }
        server
    }
}
