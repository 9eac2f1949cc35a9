//! The client of a request and the URL that it used, as stated by trusted proxies.

use std::borrow::Cow;
use std::net::IpAddr;

use http::HeaderMap;
use httpants_core::proxy::Client;

use super::Request;

/// The client as stated by trusted proxies ([`Server::xheaders`](crate::Server::xheaders)),
/// otherwise by its connection and the head.
impl Request {
    /// Returns the client of the request, to use several of its properties.
    #[must_use]
    pub fn client(&self) -> Client<'_> {
        self.exchange.environment().proxies.client(&self.head)
    }

    /// Returns the address of the client (`remote_ip` in Pants); `None` if it is not known, as on a
    /// unix socket.
    #[must_use]
    pub fn remote_ip(&self) -> Option<IpAddr> {
        self.client().remote_ip()
    }

    /// Returns `"https"` if the transport of the client is secured, else `"http"` (`scheme` in
    /// Pants), according to trusted proxies or else to this connection.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.client().scheme()
    }

    /// Returns whether the transport of the client is secured: its [`scheme`](Self::scheme) is
    /// https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.client().is_secure()
    }

    /// Returns the host that the request is for, with its port if one was sent: that of a trusted
    /// proxy, else the authority of an absolute target, else the Host field; empty without any.
    #[must_use]
    pub fn host(&self) -> &str {
        self.client().host()
    }

    /// Returns [`host`](Self::host) without its port, in lower case, an IPv6 address without
    /// brackets: add them in a URL if it contains a colon.
    #[must_use]
    pub fn hostname(&self) -> Cow<'_, str> {
        self.client().hostname()
    }

    /// Returns `scheme://host` and the [`url`](httpants_core::RequestHead::url), unless that is `*`
    /// (RFC 9112 section 3.3).
    #[must_use]
    pub fn full_url(&self) -> String {
        self.client().full_url()
    }

    /// Returns the URL of this request over https on this port, to redirect to; 443 is left out.
    /// Returns `None` if a redirect is not possible: the request is already
    /// [secure](Self::is_secure), has no host, or has no path (`OPTIONS *`, CONNECT).
    ///
    /// The host is valid, but the client chose it: if a cache stores responses, redirect only the
    /// hosts that the server is responsible for ([`hostname`](Self::hostname)).
    ///
    /// ```
    /// use httpants_driver::{Request, Response};
    ///
    /// async fn redirect(request: Request) -> Response {
    ///     match request.https_url(443) {
    ///         Some(url) => Response::redirect(&url).with_status(308),
    ///         None => Response::new(400),
    ///     }
    /// }
    ///
    /// let request = Request::builder().header("Host", "example.com:8080").target("/a?b=c").build()?;
    /// assert_eq!(request.https_url(443).as_deref(), Some("https://example.com/a?b=c"));
    /// assert_eq!(request.https_url(8443).as_deref(), Some("https://example.com:8443/a?b=c"));
    /// # let _ = redirect;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn https_url(&self, port: u16) -> Option<String> {
        let client = self.client();
        let (host, url) = (client.host(), self.head.url());
        let end = match host.strip_prefix('[') {
            Some(_) => host.find(']')? + 1,
            None => host.find(':').unwrap_or(host.len()),
        };
        let host = host.get(..end).filter(|host| !host.is_empty())?;
        if client.is_secure() || !url.starts_with('/') {
            return None;
        }
        Some(match port {
            443 => format!("https://{host}{url}"),
            port => format!("https://{host}:{port}{url}"),
        })
    }

    /// Returns the fields of this request for the server to which a reverse proxy forwards it:
    /// without hop-by-hop fields, with the client and this connection's peer in `X-Forwarded-For`,
    /// `X-Forwarded-Proto` and `X-Forwarded-Host`, and without other forwarding fields that the
    /// client sent. Details:
    /// [`ProxyPolicy::upstream_headers`](httpants_core::proxy::ProxyPolicy::upstream_headers).
    ///
    /// Add [`append_via`](httpants_core::proxy::append_via) with the name of your proxy. For the response,
    /// [`remove_hop_by_hop`](httpants_core::proxy::remove_hop_by_hop) is enough.
    ///
    /// ```
    /// use httpants_driver::Request;
    ///
    /// let request = Request::builder().header("Connection", "x-a").header("X-A", "1").header("X-B", "2").build()?;
    /// let fields = request.upstream_headers();
    /// assert!(!fields.contains_key("connection") && !fields.contains_key("x-a"));
    /// assert_eq!((&fields["x-b"], &fields["x-forwarded-proto"]), (&"2".parse()?, &"http".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn upstream_headers(&self) -> HeaderMap {
        self.exchange.environment().proxies.upstream_headers(&self.head)
    }
}
