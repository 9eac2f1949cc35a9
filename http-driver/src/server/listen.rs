//! Addresses to listen on, and the sockets bound to them.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

#[cfg(unix)]
use super::socket_file;
use super::socket_options::SocketOptions;

/// An address to listen on.
///
/// Parsed from a port (`8080`: all addresses, IPv6 and IPv4), from `host:port` (`127.0.0.1:8080`,
/// `[::1]:8080`, `localhost:8080`; `[::]` serves IPv4 too), or from `unix:` and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListenAddress {
    /// All addresses of the machine, on this port.
    Port(u16),
    /// One address, or all of one family.
    Socket(SocketAddr),
    /// A host name with a port, resolved when the server starts.
    Name(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "{port}"),
            Self::Socket(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<&str> for ListenAddress {
    fn from(text: &str) -> Self {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::Unix(path.into());
        }
        match (text.parse(), text.parse()) {
            (Ok(port), _) => Self::Port(port),
            (_, Ok(address)) => Self::Socket(address),
            _ => Self::Name(text.into()),
        }
    }
}

impl From<String> for ListenAddress {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<u16> for ListenAddress {
    fn from(port: u16) -> Self {
        Self::Port(port)
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

/// A bound, listening socket that is not yet registered with a runtime.
#[derive(Debug)]
pub(crate) enum BoundSocket {
    /// `shares_port`: true if other sockets of this process may be bound to its address.
    Tcp { listener: TcpListener, shares_port: bool },
    #[cfg(unix)]
    Unix(UnixListener),
}

impl BoundSocket {
    /// Returns one socket per worker: each with its own accept queue if the port may be shared,
    /// otherwise all with the same queue.
    ///
    /// # Errors
    /// Returns the errors of the platform, prefixed with the address.
    pub(crate) fn spread(self, workers: usize, options: &SocketOptions) -> io::Result<Vec<Self>> {
        let mut all = Vec::with_capacity(workers);
        for _ in 1..workers {
            let another = self.another(options);
            all.push(another.map_err(|error| match self.address() {
                Ok(address) => cannot_listen(&address, &error),
                Err(_) => error,
            })?);
        }
        all.push(self);
        Ok(all)
    }

    fn another(&self, options: &SocketOptions) -> io::Result<Self> {
        match self {
            Self::Tcp { listener, shares_port: true } => listen_tcp(listener.local_addr()?, true, options),
            Self::Tcp { listener, shares_port } => {
                listener.try_clone().map(|listener| Self::Tcp { listener, shares_port: *shares_port })
            }
            #[cfg(unix)]
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
        }
    }

    pub(crate) fn address(&self) -> io::Result<ListenAddress> {
        match self {
            Self::Tcp { listener, .. } => listener.local_addr().map(ListenAddress::Socket),
            #[cfg(unix)]
            Self::Unix(listener) => {
                let address = listener.local_addr()?;
                Ok(ListenAddress::Unix(address.as_pathname().map(Into::into).unwrap_or_default()))
            }
        }
    }
}

/// Binds the sockets of one address; a name may resolve to several addresses. With several workers,
/// each worker can have its own socket.
///
/// # Errors
/// Returns the errors of the platform, prefixed with the address.
pub(crate) fn bind(address: &ListenAddress, options: &SocketOptions, workers: usize) -> io::Result<Vec<BoundSocket>> {
    let bound = match address {
        #[cfg(unix)]
        ListenAddress::Unix(path) => socket_file::bind(path, options).map(|bound| vec![BoundSocket::Unix(bound)]),
        _ => resolve(address)
            .and_then(|addresses| addresses.iter().map(|&address| bind_tcp(address, options, workers)).collect()),
    };
    bound.map_err(|error| cannot_listen(address, &error))
}

fn cannot_listen(address: &ListenAddress, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

fn resolve(address: &ListenAddress) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = match address {
        ListenAddress::Port(port) => vec![any_address(*port)],
        ListenAddress::Socket(address) => vec![*address],
        ListenAddress::Name(name) => look_up(name)?,
        ListenAddress::Unix(_) => vec![],
    };
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "the host name resolved to no address"));
    }
    Ok(addresses)
}

/// The formats of an address in text, for error messages.
const FORMATS: &str = "expected PORT, HOST:PORT or unix:PATH, with a port up to 65535 and an IPv6 address in brackets";

/// Resolves a host name. Text that cannot contain a host, such as a path or a URL, is not looked
/// up.
fn look_up(name: &str) -> io::Result<Vec<SocketAddr>> {
    let found = match name.starts_with(':') || name.contains(['/', '[', ']']) {
        true => Err(io::Error::new(io::ErrorKind::InvalidInput, "missing or invalid host")),
        false => name.to_socket_addrs(),
    };
    found.map(Iterator::collect).map_err(|error| match error.kind() {
        kind @ io::ErrorKind::InvalidInput => io::Error::new(kind, format!("{error}; {FORMATS}")),
        _ => error,
    })
}

/// Returns the unspecified address: that of IPv6, which serves IPv4, too, if the machine supports
/// it.
fn any_address(port: u16) -> SocketAddr {
    let has_ipv6 = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).is_ok();
    let ip: IpAddr = if has_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    SocketAddr::new(ip, port)
}

fn bind_tcp(address: SocketAddr, options: &SocketOptions, workers: usize) -> io::Result<BoundSocket> {
    if workers <= 1 || cfg!(not(unix)) {
        return listen_tcp(address, false, options);
    }
    let first = tcp_socket(address, false, options)?;
    // The first bind was without port sharing, so it failed if another process uses the port. It
    // also chose the number for port 0.
    let found = first.local_addr()?.as_socket().unwrap_or(address);
    drop(first);
    listen_tcp(found, true, options)
}

fn listen_tcp(address: SocketAddr, shares_port: bool, options: &SocketOptions) -> io::Result<BoundSocket> {
    let socket = tcp_socket(address, shares_port, options)?;
    socket.listen(options.backlog)?;
    Ok(BoundSocket::Tcp { listener: socket.into(), shares_port })
}

fn tcp_socket(address: SocketAddr, share_port: bool, options: &SocketOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for connections of the previous process.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(share_port)?;
    #[cfg(not(unix))]
    let _ = share_port;
    options.set_inherited(SockRef::from(&socket))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::listen_socket::ListenSocket;
    use super::super::socket_options::TcpKeepalive;
    use super::*;

    #[test]
    fn listen_addresses_parse() {
        assert_eq!(ListenAddress::from("8080"), ListenAddress::Port(8080));
        assert_eq!(ListenAddress::from("[::1]:80"), ListenAddress::Socket("[::1]:80".parse().unwrap()));
        assert_eq!(ListenAddress::from("localhost:80"), ListenAddress::Name("localhost:80".into()));
        assert_eq!(ListenAddress::from("unix:/run/a"), ListenAddress::Unix("/run/a".into()));
        for text in ["8080", "127.0.0.1:80", "localhost:80", "unix:/run/a"] {
            assert_eq!(ListenAddress::from(text).to_string(), text);
        }
    }

    #[test]
    fn errors_name_the_address() {
        let options = SocketOptions::default();
        let taken = bind(&"127.0.0.1:0".into(), &options, 1).unwrap();
        let address = taken[0].address().unwrap();
        for workers in [1, 2] {
            let error = bind(&address, &options, workers).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            assert!(error.to_string().contains(&address.to_string()), "{error}");
        }
        for bad in ["nonsense", "127.0.0.1:99999", "999.1.1.1:80", "unix:/no/such/folder/socket", "unix:"] {
            let error = bind(&bad.into(), &options, 1).unwrap_err();
            assert!(error.to_string().starts_with(&format!("cannot listen on {bad}: ")), "{error}");
        }
    }

    #[test]
    fn invalid_address_error_shows_the_format() {
        for bad in [
            "nonsense",
            "localhost",
            "99999",
            "127.0.0.1:99999",
            "/run/socket",
            "http://localhost:8080",
            ":80",
            "::1:80",
            "[::1",
            "[::1]",
        ] {
            let error = bind(&bad.into(), &SocketOptions::default(), 1).unwrap_err().to_string();
            assert!(error.ends_with(&format!("; {FORMATS}")), "{error}");
        }
    }

    #[test]
    fn workers_share_one_port() {
        let options = SocketOptions::default();
        for workers in [1, 2] {
            let bound = bind(&"127.0.0.1:0".into(), &options, workers).unwrap().remove(0);
            let sockets = bound.spread(3, &options).unwrap();
            let addresses: Vec<_> = sockets.iter().map(|socket| socket.address().unwrap()).collect();
            assert_eq!(addresses.len(), 3);
            assert!(addresses.iter().all(|address| *address == addresses[0]));
            // While the sockets are open, no other server can bind the port.
            assert_eq!(bind(&addresses[0], &options, 2).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn accepted_sockets_inherit_the_options() {
        let keepalive = TcpKeepalive::after(Duration::from_secs(61)).interval(Duration::from_secs(7)).probes(4);
        let options = SocketOptions { keepalive: Some(keepalive), ..SocketOptions::default() };
        let passed = ListenSocket::from(TcpListener::bind("127.0.0.1:0").unwrap()).bound(&options).unwrap();
        for socket in [bind(&"127.0.0.1:0".into(), &options, 1).unwrap().remove(0), passed] {
            let BoundSocket::Tcp { listener, .. } = socket else { panic!("no TCP socket") };
            let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            listener.set_nonblocking(false).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            let accepted = SockRef::from(&accepted);
            assert!(accepted.keepalive().unwrap() && accepted.tcp_nodelay().unwrap());
            assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_secs(61));
            assert_eq!(accepted.tcp_keepalive_interval().unwrap(), Duration::from_secs(7));
            assert_eq!(accepted.tcp_keepalive_retries().unwrap(), 4);
        }
    }
}
