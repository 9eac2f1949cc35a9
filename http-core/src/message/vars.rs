//! What is derived from a request: by its query, its cookies, and the proxies in front.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use crate::connection::Now;
use crate::cookies::Cookies;
use crate::forms::{ParseFormError, Variables, urlencoded};
use crate::message::request::Request;
use crate::proxy::{Resolved, Scheme};

/// Results that are kept for the next time they are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// In a box, because most requests are never asked for it.
    query: OnceLock<Box<Result<Variables, ParseFormError>>>,
    /// How long the request took, once its response was finished.
    took: OnceLock<Duration>,
}

impl Kept {
    /// For the next request.
    pub(crate) fn forget(&mut self) {
        if self.query.get().is_some() {
            self.query.take();
        }
        if self.took.get().is_some() {
            self.took.take();
        }
    }
}

impl Request {
    /// The variables of the query (`get` in Pants): several values a name, in order, blank
    /// ones dropped, `+` and percent sequences decoded. Parsed on the first call.
    ///
    /// # Errors
    /// [`ParseFormError`] for more than 1,000 variables (413).
    ///
    /// ```
    /// # use httpants_core::{Config, Connection, Event, Now, ConnectionInfo};
    /// # let now = Now::default();
    /// # let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
    /// connection.receive(b"GET /?a=1&a=2+3&b= HTTP/1.1\r\nHost: x\r\n\r\n", now);
    /// # let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
    /// let variables = request.get()?;
    /// assert_eq!(variables.get("a"), Some("1"));
    /// assert_eq!(variables.all("a").collect::<Vec<_>>(), ["1", "2 3"]);
    /// assert_eq!(variables.get("b"), None);
    /// # Ok::<(), httpants_core::forms::ParseFormError>(())
    /// ```
    pub fn get(&self) -> Result<&Variables, ParseFormError> {
        let parse = || Box::new(urlencoded::parse(self.query().as_bytes(), &urlencoded::Options::default()));
        self.kept().query.get_or_init(parse).as_ref().as_ref().map_err(Clone::clone)
    }

    /// The cookies that were received (`cookies` in Pants).
    #[must_use]
    pub fn cookies(&self) -> Cookies<'_> {
        Cookies::new(self.headers())
    }

    /// The value of a signed cookie (`get_secure_cookie` in Pants): nothing when it is
    /// absent, unsigned, altered, moved from another name, expired, from the future, or
    /// signed by a key that is not in [`Config::cookie_keys`](crate::Config::cookie_keys).
    #[must_use]
    #[doc(alias = "get_secure_cookie")]
    pub fn signed_cookie(&self, name: &str) -> Option<Vec<u8>> {
        let keys = self.config()?.cookie_keys.as_ref()?;
        keys.verify(name, self.cookies().get(name)?, self.received().wall.as_secs()).ok()
    }

    /// [`signed_cookie`](Self::signed_cookie) as text; nothing also where it is not UTF-8.
    #[must_use]
    pub fn signed_cookie_text(&self, name: &str) -> Option<String> {
        self.signed_cookie(name).and_then(|value| String::from_utf8(value).ok())
    }

    /// How long ago the head was received; frozen when the response was finished
    /// (`time` in Pants).
    #[must_use]
    pub fn time(&self, now: Now) -> Duration {
        self.kept().took.get().copied().unwrap_or_else(|| now.mono.saturating_sub(self.received().mono))
    }

    /// The response is finished.
    pub(crate) fn freeze_time(&self, now: Now) {
        // The first end counts.
        let _ = self.kept().took.set(self.time(now));
    }

    /// The address of the client (`remote_ip` in Pants): the peer's own, or what trusted
    /// proxies say of it, as [`Config::proxies`](crate::Config::proxies) allows. None where
    /// neither is known, as on a unix socket.
    #[must_use]
    pub fn remote_ip(&self) -> Option<IpAddr> {
        match self.resolved() {
            Some(resolved) => resolved.remote_ip,
            None => self.peer().remote_addr.ip().map(|ip| ip.to_canonical()),
        }
    }

    /// `"https"` where the client's transport is secured, else `"http"`
    /// (`scheme` in Pants): by this connection, or by what trusted proxies say.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.resolved().and_then(|resolved| resolved.scheme) {
            Some(Scheme::Https) => "https",
            Some(_) => "http",
            None if self.peer().secure => "https",
            None => "http",
        }
    }

    /// Whether the client's transport is secured: its [`scheme`](Self::scheme) is https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme() == "https"
    }

    /// What proxies say; nothing where none is asked, which is the usual case and free.
    pub(super) fn resolved(&self) -> Option<Resolved<'_>> {
        let policy = &self.config()?.proxies;
        if policy.is_off() {
            return None;
        }
        Some(policy.resolve(self.peer().remote_addr.ip(), self.headers()))
    }
}
