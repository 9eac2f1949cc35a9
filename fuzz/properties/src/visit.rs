//! A run of one connection: takes the bytes of a client, and returns its requests and the output.

use std::sync::Arc;

use httpants_core::cookies::Cookies;
use httpants_core::forms::urlencoded;
use httpants_core::{
    Close, CloseReason, Config, Connection, ConnectionInfo, Event, Now, ProtocolError, Receiving, Refusal, RequestHead,
    RequestId, ResponseHead, ResponseStats, Transmit, UnixTime,
};

use crate::shown;
use crate::split::{Cut, pieces};

/// A request as the application has received it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Received {
    /// The head of the request.
    pub request: RequestHead,
    /// The content that was received.
    pub content: Vec<u8>,
    /// The trailer lines, once the end of the body was reported.
    pub end: Option<Vec<(String, Vec<u8>)>>,
}

impl PartialEq for Received {
    fn eq(&self, other: &Self) -> bool {
        self.request.as_bytes() == other.request.as_bytes()
            && self.request.url() == other.request.url()
            && self.request.connection_info() == other.request.connection_info()
            && self.content == other.content
            && self.end == other.end
    }
}

/// The requests and the output of a connection.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub struct Visit {
    /// The requests, in order.
    pub received: Vec<Received>,
    /// The bytes that the client has received.
    pub out: Vec<u8>,
    /// The ends of the responses.
    pub ends: Vec<ResponseStats>,
    /// The report about the refusal, if there was one.
    pub refusal: Option<String>,
    /// The reason why the connection was closed, if it was.
    pub closed: Option<CloseReason>,
}

/// The time of every visit.
pub const NOW: Now = Now::new(std::time::Duration::ZERO, UnixTime::from_secs(1_795_352_400));

/// Sends `bytes`, cut by `cut`, to a new connection. The application reads all content and then
/// responds; no time passes, and with `eof` the stream ends after the bytes.
///
/// # Panics
/// If the connection neither takes the bytes nor reports that it wants none.
#[must_use]
pub fn visit(config: &Arc<Config>, bytes: &[u8], cut: Cut, eof: bool) -> Visit {
    let mut connection = Connection::new(Arc::clone(config), ConnectionInfo::default(), NOW);
    let mut visit = Visit { received: vec![], out: vec![], ends: vec![], refusal: None, closed: None };
    for mut piece in pieces(bytes, cut) {
        while !piece.is_empty() {
            let taken = connection.receive(piece, NOW);
            piece = &piece[taken..];
            visit.drive(&mut connection);
            // The rest is never read if the connection does not receive any more.
            assert!(taken > 0 || is_over(&connection), "nothing is taken in {:?}", connection.state());
            if taken == 0 {
                return visit;
            }
        }
    }
    if eof {
        connection.handle_eof(NOW);
        visit.drive(&mut connection);
        let over = matches!(connection.poll_close(), Some(Close::Now | Close::Reset));
        assert!(over || is_over(&connection), "neither served nor closed: {:?}", connection.state());
    }
    visit
}

fn is_over(connection: &Connection) -> bool {
    matches!(connection.state().recv, Receiving::SwitchedProtocol | Receiving::Discard | Receiving::Closed)
}

impl Visit {
    /// Handles all pending events and sends all pending bytes.
    fn drive(&mut self, connection: &mut Connection) {
        loop {
            while let Some(event) = connection.poll_event() {
                self.event(connection, event);
            }
            let Some(Transmit::Bytes(slices)) = connection.poll_transmit() else { return };
            let before = self.out.len();
            slices.for_each(|slice| self.out.extend_from_slice(slice));
            connection.handle_sent((self.out.len() - before) as u64, NOW);
        }
    }

    /// Checks the derived values of a request, and its `Debug` text.
    fn check_request(&self, request: &RequestHead) {
        let shown = shown::debug(request);
        if let Some(other) = with_other_secrets(request) {
            assert_eq!(shown::debug(&other), shown);
        }
        for (canonical, _) in request.headers().iter() {
            let name = canonical.as_sent();
            assert!(canonical == name && canonical.to_string().eq_ignore_ascii_case(name));
            shown::debug(&canonical);
            let first = request.headers().get(name);
            assert!(request.headers().contains(name) && first == request.headers().all(name).next());
            assert_eq!(request.headers().text(name), first.and_then(|value| std::str::from_utf8(value).ok()));
        }
        shown::debug(&Cookies::new(request.headers()));
        assert!(urlencoded::query(request).is_ok() || request.query().len() > 1000);
        assert_eq!((request.connection_info().secure, request.time(NOW)), (false, std::time::Duration::ZERO));
    }

    /// Responds to a request that is complete.
    fn end(&mut self, connection: &mut Connection, id: RequestId, trailers: Vec<(String, Vec<u8>)>) {
        let received = self.received.last_mut().unwrap();
        received.end = Some(trailers);
        let head = ResponseHead::default();
        match received.request.method().as_str() {
            "CONNECT" => connection.respond_upgrade(id, &head).unwrap(),
            _ => connection.respond_with(id, &head, "ok").unwrap(),
        }
    }

    fn event(&mut self, connection: &mut Connection, event: Event) {
        shown::debug(&event);
        match event {
            Event::Request(request) => {
                self.check_request(&request);
                assert_eq!(connection.served(), self.received.len() as u64 + 1);
                let (id, has_body) = (request.id(), request.has_body());
                self.received.push(Received { request, content: vec![], end: None });
                if !has_body {
                    self.end(connection, id, vec![]);
                }
            }
            Event::Expect100(id) => connection.send_continue(id).unwrap(),
            Event::Data(_, data) => self.received.last_mut().unwrap().content.extend_from_slice(&data),
            Event::End(id, trailers) => {
                let trailers = trailers.iter_raw().map(|(name, value)| (name.into(), value.into())).collect();
                self.end(connection, id, trailers);
            }
            Event::ResponseEnd(stats) => self.ends.push(stats),
            Event::Refused(refusal) => {
                assert!(self.refusal.replace(show(&refusal)).is_none(), "refused twice");
            }
            Event::Closed(reason) => {
                shown::display(&reason);
                shown::debug(connection);
                self.closed = Some(reason);
            }
            Event::Upgraded(_) => drop(connection.take_upgrade()),
            _ => {}
        }
    }
}

/// Returns the report about a refusal, without the parts that depend on the number of received
/// bytes.
fn show(refusal: &Refusal) -> String {
    shown::debug(refusal);
    if refusal.error() == ProtocolError::ProxyHeader {
        return "a PROXY header".into();
    }
    let fields: Vec<_> = refusal.fields().map(|(name, value)| (name.escape_ascii(), value.escape_ascii())).collect();
    let fields = fields.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
    let line = refusal.request_line().escape_ascii();
    format!("{:?} of {:?} at {}: {line} {fields:?}", refusal.error(), refusal.request(), refusal.offset())
}

/// Returns the request with other credentials, if it has any; its `Debug` text must be the same.
fn with_other_secrets(request: &RequestHead) -> Option<RequestHead> {
    const SECRET: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
    let is_secret = |name: &str| SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    if !request.headers().iter_raw().any(|(name, _)| is_secret(name)) {
        return None;
    }
    let head = request.as_bytes();
    let line = head.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let mut other = head[..line].to_vec();
    for (name, value) in request.headers().iter_raw() {
        let value = if is_secret(name) { b"x" } else { value };
        other.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    other.extend(b"\r\n");
    let mut connection = Connection::new(Arc::default(), *request.connection_info(), NOW);
    assert_eq!(connection.receive(&other, NOW), other.len());
    let Some(Event::Request(other)) = connection.poll_event() else { panic!("{request:?} is none") };
    Some(other)
}
