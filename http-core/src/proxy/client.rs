//! The client of a request, and its URL.

use alloc::borrow::Cow;
use core::net::IpAddr;

use super::{ProxyPolicy, Resolved, Scheme};
use crate::message::request::{RequestHead, hostname};

/// The client of a request and the URL that it used, according to the connection or to trusted
/// proxies; from [`ProxyPolicy::client`].
///
/// ```
/// use httpants_core::proxy::{ProxyPolicy, XHeaders};
/// # use httpants_core::{Config, Connection, Event, Now, ConnectionInfo};
/// # let now = Now::default();
/// # let address = |text: &str| text.parse::<std::net::SocketAddr>().unwrap();
/// # let peer = ConnectionInfo::new(address("10.0.0.1:5000"), address("10.0.0.9:80"));
/// # let mut connection = Connection::new(Config::default().into(), peer, now);
/// connection.receive(
///     b"GET /a HTTP/1.1\r\nHost: b\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\r\n",
///     now,
/// );
/// # let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
/// let mut policy = ProxyPolicy::default();
/// assert_eq!(policy.client(&request).full_url(), "http://b/a");
///
/// policy.xheaders = XHeaders::trusted(["10.0.0.0/8"])?.proto();
/// let client = policy.client(&request);
/// assert_eq!(client.remote_ip(), Some("192.0.2.7".parse()?));
/// assert_eq!(client.full_url(), "https://b/a");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Client<'r> {
    request: &'r RequestHead,
    resolved: Resolved<'r>,
}

impl ProxyPolicy {
    /// Determines the client of a request from its connection and its head.
    #[must_use]
    pub fn client<'r>(&self, request: &'r RequestHead) -> Client<'r> {
        Client { request, resolved: self.resolve(request.connection_info().remote_addr.ip(), request.headers()) }
    }
}

impl<'r> Client<'r> {
    /// Returns the address of the client (`remote_ip` in Pants); `None` if it is unknown, for
    /// example on a unix socket.
    #[must_use]
    pub fn remote_ip(&self) -> Option<IpAddr> {
        self.resolved.remote_ip
    }

    /// Returns `"https"` if the client's transport is secured, otherwise `"http"` (`scheme` in
    /// Pants).
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.resolved.scheme {
            Some(scheme) => scheme.as_str(),
            None if self.request.connection_info().secure => Scheme::Https.as_str(),
            None => Scheme::Http.as_str(),
        }
    }

    /// Returns true if the client's transport is secured: its [`scheme`](Self::scheme) is https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme() == Scheme::Https.as_str()
    }

    /// Returns the host that the client requested, with its port if any: that of a trusted proxy's
    /// fields, otherwise [`RequestHead::host`](crate::RequestHead::host).
    #[must_use]
    pub fn host(&self) -> &'r str {
        self.resolved.host.unwrap_or_else(|| self.request.host())
    }

    /// Returns [`host`](Self::host) without its port, in lower case, an IPv6 address without
    /// brackets.
    #[must_use]
    pub fn hostname(&self) -> Cow<'r, str> {
        hostname(self.host())
    }

    /// Returns `scheme://host` followed by the [`url`](crate::RequestHead::url), or without it if
    /// that is `*` (RFC 9112 section 3.3).
    #[must_use]
    pub fn full_url(&self) -> String {
        let url = if self.request.url() == "*" { "" } else { self.request.url() };
        format!("{}://{}{url}", self.scheme(), self.host())
    }
}
