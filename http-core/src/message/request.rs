//! A received request head (`HTTPRequest` in Pants), with the addresses of its connection.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use std::sync::OnceLock;

use http::{Method, StatusCode, Version};

use crate::message::connection_info::ConnectionInfo;
use crate::message::headers::Headers;
use crate::message::now::Now;
use crate::message::proxy_tlvs::ProxyTlvs;
use crate::wire::head::{Head, HeadFacts};
use crate::wire::request_framing::Framing;
use crate::wire::response_framing;
use crate::wire::span::{FieldSpan, Span};
use crate::wire::target::Target;

/// A request head as it was received. It is a reference-counted pointer, so it is cheap to clone
/// and to move.
///
/// Derived values are computed on each call. The content arrives separately, as
/// [`Event::Data`](crate::Event::Data).
///
/// ```
/// # use httpants_core::{Config, Connection, Event, Now, ConnectionInfo};
/// let now = Now::default();
/// let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
/// connection.receive(b"GET /a?b=c HTTP/1.1\r\nHost: Example.com:81\r\n\r\n", now);
/// let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
/// assert_eq!((request.path(), request.query()), ("/a", "b=c"));
/// assert_eq!((request.host(), &*request.hostname()), ("Example.com:81", "example.com"));
/// ```
#[derive(Clone, Default)]
pub struct RequestHead(Arc<Message>);

/// The identifier of a request on its connection.
///
/// Events and commands carry it, so that a late command for a finished request cannot affect the
/// next one. In HTTP/1.1 it is the index of the request on its connection, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

impl RequestId {
    pub(crate) const fn new(index: u64) -> Self {
        Self(index)
    }

    /// Returns the index of the request on its connection, from 1.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The data to which a [`RequestHead`] points.
#[derive(Clone, Default)]
pub(crate) struct Message {
    id: RequestId,
    head: Head,
    /// The origin form of an absolute target without a path but with a query, the only case in
    /// which the origin form is not contained in the head.
    rewritten: Option<Box<str>>,
    headers: Headers,
    peer: ConnectionInfo,
    proxy_tlvs: ProxyTlvs,
    received: Now,
    /// Time from receiving the request to finishing its response, once it is finished.
    duration: OnceLock<Duration>,
}

/// The storage of a finished request, which the next one reuses, so that requests on a busy
/// connection do not allocate.
#[derive(Default)]
pub(crate) struct RecycledBuffers(Option<RequestHead>);

impl RecycledBuffers {
    /// Keeps the storage of a request. It is reused once the application has dropped the request.
    pub(crate) fn keep(&mut self, request: RequestHead) {
        self.0 = Some(request);
    }

    /// Takes the storage of `other` if there is none.
    pub(crate) fn refill(&mut self, other: Self) {
        if self.0.is_none() {
            *self = other;
        }
    }

    /// Returns storage for the next request head: the kept one, unless the application still holds
    /// it.
    #[inline]
    pub(crate) fn message(&mut self) -> &mut Message {
        if self.0.as_ref().is_none_or(RequestHead::is_shared) {
            self.renew();
        }
        Arc::make_mut(&mut self.0.get_or_insert_default().0)
    }

    /// Allocates new storage, because there is none or it is in use.
    #[cold]
    fn renew(&mut self) {
        self.0 = Some(RequestHead::default());
    }

    /// Takes the request whose head was filled in.
    pub(crate) fn request(&mut self) -> RequestHead {
        self.0.take().unwrap_or_default()
    }
}

impl Message {
    /// Returns the places for the next head and its index of fields, to be filled by the parser.
    pub(crate) fn parts(&mut self) -> (&mut Head, &mut Vec<FieldSpan>) {
        (&mut self.head, self.headers.index())
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// Stores the bytes of a parsed head.
    ///
    /// They are copied, so that the receive buffer can be reused even if the application keeps the
    /// request for long.
    pub(crate) fn fill(&mut self, id: RequestId, bytes: &[u8], peer: &ConnectionInfo, received: Now) -> HeadFacts {
        self.id = id;
        self.headers.fill(bytes);
        self.rewritten = rewritten(&self.head.line.target, self.head.line.target_bytes(bytes));
        self.peer = *peer;
        self.received = received;
        if self.duration.get().is_some() {
            self.duration.take();
        }
        self.head.facts
    }

    /// Stores the TLVs of the PROXY header.
    pub(crate) fn set_proxy_tlvs(&mut self, tlvs: Option<&ProxyTlvs>) {
        self.proxy_tlvs = tlvs.cloned().unwrap_or_default();
    }
}

impl fmt::Debug for RecycledBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecycledBuffers").field(&self.0.is_some()).finish()
    }
}

fn rewritten(target: &Target, head: &[u8]) -> Option<Box<str>> {
    if !target.path.is_empty() || target.authority.is_empty() || target.authority == target.whole {
        return None;
    }
    let tail = target.origin.slice(head);
    (!tail.is_empty()).then(|| format!("/{}", String::from_utf8_lossy(tail)).into())
}

impl RequestHead {
    /// Removes the fields that apply to the body only before decoding.
    pub(crate) fn remove_content_coding(&mut self) {
        let is_of_coding =
            |name: &str| ["content-encoding", "content-length"].iter().any(|known| name.eq_ignore_ascii_case(known));
        Arc::make_mut(&mut self.0).headers.retain(|name| !is_of_coding(name));
    }

    /// Returns a part of the target, which is ASCII.
    fn target_text(&self, span: Span) -> &str {
        core::str::from_utf8(span.slice(self.0.head.line.target_bytes(self.as_bytes()))).unwrap_or_default()
    }

    /// Returns the method as sent, which may be any token.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.0.head.line.method
    }

    /// Returns the version with which the request is served: 1.0, or 1.1 for any higher minor
    /// version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.head.line.version
    }

    /// Returns `"HTTP/1.1"` or `"HTTP/1.0"` (`protocol` in Pants, beside
    /// [`version`](Self::version)).
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        if self.0.head.line.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" }
    }

    /// Returns the request target exactly as it was sent (RFC 9112 section 3.2), except for bytes
    /// that [`Config::non_ascii_target`](crate::Config::non_ascii_target) encodes.
    #[must_use]
    pub fn target(&self) -> &str {
        self.target_text(self.0.head.line.target.whole)
    }

    /// Returns the target in origin form: the path, query and fragment. For an absolute form, this
    /// is the part from the path on: `/a?b` for `http://h/a?b`, and `/` for `http://h`. For CONNECT
    /// it is the authority. For `OPTIONS *` and `OPTIONS http://h`, which refer to the server as a
    /// whole, it is `*` (RFC 9112 section 3.2.4).
    #[must_use]
    pub fn url(&self) -> &str {
        match &self.0.rewritten {
            Some(url) => url,
            None if self.0.head.line.target.origin.is_empty() => self.empty_path(),
            None => self.target_text(self.0.head.line.target.origin),
        }
    }

    /// Returns the path as sent, neither percent-decoded nor normalised. Empty for CONNECT.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = &self.0.head.line.target;
        if target.path.is_empty() && target.authority != target.whole {
            self.empty_path()
        } else {
            self.target_text(target.path)
        }
    }

    /// Returns the path of an absolute form without one (RFC 9110 section 4.2.3).
    fn empty_path(&self) -> &'static str {
        let is_bare = self.0.head.line.target.origin.is_empty();
        if is_bare && *self.method() == Method::OPTIONS { "*" } else { "/" }
    }

    /// Returns the path with percent sequences decoded. Invalid sequences stay unchanged, and bytes
    /// that are not UTF-8 become U+FFFD, so do not use it to open files.
    #[must_use]
    pub fn decoded_path(&self) -> Cow<'_, str> {
        percent_encoding::percent_decode_str(self.path()).decode_utf8_lossy()
    }

    /// Returns the query, between the first `?` and the fragment, as sent; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target_text(self.0.head.line.target.query)
    }

    /// Returns the fragment, after the first `#`, as sent; empty if there is none. Clients normally
    /// do not send fragments.
    #[must_use]
    pub fn fragment(&self) -> &str {
        self.target_text(self.0.head.line.target.fragment)
    }

    /// Returns the field lines of the head.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// Returns the host of the request, with its port if one was sent: the authority of an absolute
    /// target, otherwise the Host field. Empty if there is neither. `proxy::Client::host` also uses
    /// the fields of trusted proxies.
    #[must_use]
    pub fn host(&self) -> &str {
        let target = &self.0.head.line.target;
        if target.authority.is_empty() || target.authority == target.whole {
            // A valid Host is ASCII.
            core::str::from_utf8(self.0.head.facts.host.slice(self.as_bytes())).unwrap_or_default()
        } else {
            self.target_text(target.authority)
        }
    }

    /// Returns [`host`](Self::host) without its port, in lower case, an IPv6 address without
    /// brackets.
    #[must_use]
    pub fn hostname(&self) -> Cow<'_, str> {
        hostname(self.host())
    }

    /// Returns the addresses of the connection, and whether it is secured.
    #[must_use]
    pub fn connection_info(&self) -> &ConnectionInfo {
        &self.0.peer
    }

    /// Returns the TLVs of the PROXY protocol header, such as the host name of SNI
    /// ([`Config::proxy_protocol`](crate::Config::proxy_protocol)); empty if there are none.
    #[must_use]
    pub fn proxy_tlvs(&self) -> &ProxyTlvs {
        &self.0.proxy_tlvs
    }

    /// Returns the time at which the head was complete.
    #[must_use]
    pub fn received(&self) -> Now {
        self.0.received
    }

    /// Returns true if there are other references to the request.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Returns the time since the head was received, until the response was finished (`time` in
    /// Pants).
    #[must_use]
    pub fn time(&self, now: Now) -> Duration {
        self.0.duration.get().copied().unwrap_or_else(|| now.mono.saturating_sub(self.received().mono))
    }

    /// Records the time at which the response was finished. Later calls do nothing.
    pub(crate) fn freeze_time(&self, now: Now) {
        let _ = self.0.duration.set(now.mono.saturating_sub(self.received().mono));
    }

    /// Returns the id of the request in the events and commands of its connection.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.0.id
    }

    /// Returns true if a body follows as [`Event::Data`](crate::Event::Data) and
    /// [`Event::End`](crate::Event::End). A request without one has neither.
    #[must_use]
    pub fn has_body(&self) -> bool {
        self.framing() != Framing::None
    }

    /// Returns true if a response with this status to this request can have a body (RFC 9112
    /// section 6.3). Responses to HEAD, 1xx, 204, 205 and 304 cannot, and neither can 2xx to
    /// CONNECT, after which the stream is a tunnel.
    #[must_use]
    pub fn allows_response_body(&self, status: StatusCode) -> bool {
        response_framing::allows_body(self.method(), status)
    }

    /// Returns the framing of the body.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.0.head.facts.framing
    }

    /// Returns true if the client waits for `100 Continue` before it sends the content.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.0.head.facts.expects_continue
    }

    /// Returns true if the client offers to switch protocols (RFC 9110 section 7.8); the protocols
    /// are in the Upgrade field. Returns false if it offers only `h2c`.
    #[must_use]
    pub fn offers_upgrade(&self) -> bool {
        self.0.head.facts.upgrade
    }

    /// Returns the head as it was received, including its empty line.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.headers.as_bytes()
    }
}

/// Returns a host without its port, in lower case, an IPv6 address without brackets.
pub(crate) fn hostname(host: &str) -> Cow<'_, str> {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method())
            .field("target", &self.target())
            .field("version", &self.version())
            .field("headers", self.headers())
            .field("peer", self.connection_info())
            .finish_non_exhaustive()
    }
}
