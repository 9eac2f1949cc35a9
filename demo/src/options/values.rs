//! The values of flags.

use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use httpants_tokio::protocol::proxy::XHeaders;
use httpants_tokio::{ListenAddress, Misuse, WhenFull, XSendfile};

/// The async runtime.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) enum RuntimeName {
    #[default]
    Tokio,
    Smol,
    AsyncStd,
}

impl FromStr for RuntimeName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "tokio" => Ok(Self::Tokio),
            "smol" => Ok(Self::Smol),
            "async-std" => Ok(Self::AsyncStd),
            _ => Err("expected tokio, smol or async-std"),
        }
    }
}

/// One value of --listen.
#[derive(Debug, PartialEq)]
pub(crate) struct Address(pub(super) ListenAddress);

impl Default for Address {
    fn default() -> Self {
        Self(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)).into())
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = ListenAddress::from(text);
        let is_possible = match &address {
            ListenAddress::Name(name) => is_host_and_port(name),
            ListenAddress::Unix(path) => !path.as_os_str().is_empty(),
            _ => true,
        };
        is_possible.then_some(Self(address)).ok_or("expected PORT, HOST:PORT or unix:PATH, with a port up to 65535")
    }
}

impl From<&Address> for ListenAddress {
    fn from(address: &Address) -> Self {
        address.0.clone()
    }
}

/// Returns whether the text can be a host name with a port, and not a path or a URL.
fn is_host_and_port(text: &str) -> bool {
    let no_host = |c: char| matches!(c, '/' | '[' | ']') || c.is_whitespace() || c.is_control();
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && !host.contains(no_host) && port.parse::<u16>().is_ok())
}

/// The number of threads; 0 means one per core.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) struct Workers(pub(crate) usize);

impl FromStr for Workers {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Each worker has its own sockets and runtime: many more workers than cores only cost time
        // and descriptors.
        let workers = text.parse().ok().filter(|workers| *workers <= 1024);
        workers.map(Self).ok_or("expected a number of threads up to 1024, or 0 for one per core")
    }
}

/// The name of the header field that the proxy reads.
#[derive(Debug, PartialEq)]
pub(super) struct FieldName(pub(super) String);

impl FromStr for FieldName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match XSendfile::new(text, "/") {
            Ok(_) => Ok(Self(text.into())),
            Err(Misuse::Framing(_)) => Err("expected a field that does not frame messages"),
            Err(_) => Err("expected a field name such as X-Accel-Redirect"),
        }
    }
}

/// The path prefix that the proxy maps to the file root.
#[derive(Debug, PartialEq)]
pub(super) struct Prefix(pub(super) String);

impl FromStr for Prefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tried = XSendfile::new("X-Sendfile", "/").and_then(|policy| policy.prefix(text));
        tried.map(|_| Self(text.into())).map_err(|_| "expected a path of visible ASCII characters")
    }
}

/// A secret that signs cookies.
#[derive(Clone, PartialEq)]
pub(crate) struct Secret(pub(super) OsString);

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        self.0.as_encoded_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// One value of --xheaders.
#[derive(Debug, PartialEq)]
pub(crate) enum Proxies {
    All,
    /// A network or an address.
    Network(String),
}

impl FromStr for Proxies {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        let network = XHeaders::trusted([text]).map(|_| Self::Network(text.to_owned()));
        network.map_err(|_| "expected all, a network such as 10.0.0.0/8, or an address")
    }
}

/// The value of --xheaders-from.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) enum ProxyFields {
    #[default]
    XForwarded,
    XRealIp,
    Forwarded,
}

impl FromStr for ProxyFields {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "x-forwarded" => Ok(Self::XForwarded),
            "x-real-ip" => Ok(Self::XRealIp),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err("expected x-forwarded, x-real-ip or forwarded"),
        }
    }
}

/// A timeout as in the core's `Timeouts`: `None` disables it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seconds(pub(super) Option<Duration>);

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a number of seconds";
        let seconds = text.parse().map_err(|_| EXPECTED)?;
        let duration = Duration::try_from_secs_f64(seconds).map_err(|_| EXPECTED)?;
        Ok(Self((!duration.is_zero()).then_some(duration)))
    }
}

/// The maximum body size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ByteCount(pub(super) u64);

impl FromStr for ByteCount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "expected a number of bytes without a unit")
    }
}

/// The minimum rate of a body; 0 disables it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BytesPerSecond(pub(super) u32);

impl FromStr for BytesPerSecond {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "expected a number of bytes per second, at most 4294967295")
    }
}

/// A number of connections or requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Count(pub(super) u32);

impl FromStr for Count {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let count = text.parse().ok().filter(|count| *count > 0);
        count.map(Self).ok_or("expected a number from 1 to 4294967295")
    }
}

/// The value of --when-full.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Full(pub(super) WhenFull);

impl FromStr for Full {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "wait" => Ok(Self(WhenFull::Wait)),
            "refuse" => Ok(Self(WhenFull::Refuse)),
            _ => Err("expected wait or refuse"),
        }
    }
}

/// The permissions of socket files.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mode(pub(super) u32);

impl FromStr for Mode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_octal = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
        mode.map(Self).ok_or("expected octal permissions such as 660")
    }
}

/// The group of socket files.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Group(pub(super) u32);

impl FromStr for Group {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "expected the number of a group; `getent group NAME` shows it")
    }
}
