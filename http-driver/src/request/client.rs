//! The client of a request and the URL that it used, as the server trusts its proxies.

use std::borrow::Cow;
use std::net::IpAddr;

use httpants_core::proxy::Client;

use super::Request;

/// What trusted proxies say about the client ([`Server::xheaders`](crate::Server::xheaders)); without
/// any, its connection and the head.
impl Request {
    /// The client of the request, for those who ask for several of its parts.
    #[must_use]
    pub fn client(&self) -> Client<'_> {
        self.exchange.environment().proxies.client(&self.head)
    }

    /// The address of the client (`remote_ip` in Pants). `None` where it is not known, as on a
    /// unix socket.
    #[must_use]
    pub fn remote_ip(&self) -> Option<IpAddr> {
        self.client().remote_ip()
    }

    /// `"https"` where the client's transport is secured, else `"http"` (`scheme` in Pants): by
    /// this connection, or by what trusted proxies say.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.client().scheme()
    }

    /// Whether the client's transport is secured: its [`scheme`](Self::scheme) is https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.client().is_secure()
    }

    /// The host that the request is for, with its port if one was sent: that of a trusted proxy,
    /// else the authority of an absolute target, else the Host field. Empty where none says one.
    #[must_use]
    pub fn host(&self) -> &str {
        self.client().host()
    }

    /// [`host`](Self::host) without its port, in lower case, an IPv6 address without brackets.
    #[must_use]
    pub fn hostname(&self) -> Cow<'_, str> {
        self.client().hostname()
    }

    /// `scheme://host` and the [`url`](httpants_core::RequestHead::url), unless that is `*`
    /// (RFC 9112 section 3.3).
    #[must_use]
    pub fn full_url(&self) -> String {
        self.client().full_url()
    }
}
