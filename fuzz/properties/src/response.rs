//! The property of responses: a strict client reads the response of the application.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use http::StatusCode;
use httpants_core::cookies::{self, KeyRing};
use httpants_core::{
    BodyLen, Config, Connection, ConnectionInfo, Event, FieldLines, Misuse, RequestId, ResponseHead, ResponseWriter,
    Sending, State, Transmit,
};

use crate::oracle::response::{self, Asked, Response};
use crate::shown;
use crate::visit::NOW;

/// Checks a response. The data describes a request and a response to it.
///
/// [`oracle::response`](crate::oracle::response) and httparse parse accepted responses to the
/// original status, reason, fields in order, content and trailers, and no bytes are outside the
/// announced framing. Refused calls send nothing.
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
    if let Ok(case) = Case::arbitrary(&mut Unstructured::new(data)) {
        case.run();
    }
}

#[derive(Debug, Arbitrary)]
struct Case {
    request: u8,
    status: u16,
    reason: Option<String>,
    fields: Vec<(Name, Value)>,
    cookies: Vec<(String, String)>,
    signed_cookie: Option<(String, Vec<u8>)>,
    /// The cookies to send, with a response call by call.
    choose: Option<bool>,
    trailers: Vec<(Name, Value)>,
    way: Way,
    pieces: Vec<Piece>,
    finish: bool,
    server: bool,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Way {
    Whole,
    Known,
    Unknown,
    WrongLength(u8),
    Calls,
    CallsWithLength,
    Response(u8),
}

#[derive(Debug, Arbitrary)]
enum Name {
    Known(u8),
    Any(String),
}

#[derive(Debug, Arbitrary)]
enum Value {
    Known(u8),
    Any(Vec<u8>),
}

#[derive(Debug, Arbitrary)]
struct Piece {
    file: bool,
    length: u16,
}

impl Piece {
    /// Returns the length. One in sixteen is long; more long ones would only take time from other
    /// inputs.
    fn length(&self) -> usize {
        let length = usize::from(self.length);
        if length >> 12 == 15 { length } else { length % 1000 }
    }
}

impl Name {
    fn text(&self) -> &str {
        const NAMES: [&str; 14] = [
            "X-Any",
            "content-length",
            "Transfer-Encoding",
            "Connection",
            "Trailer",
            "Upgrade",
            "Date",
            "Server",
            "Content-Type",
            "Set-Cookie",
            "Vary",
            "etag",
            "X-Any",
            "Content-Length",
        ];
        match self {
            Self::Known(number) => NAMES[usize::from(*number) % NAMES.len()],
            Self::Any(text) => text,
        }
    }
}

impl Value {
    fn bytes(&self) -> &[u8] {
        const VALUES: [&str; 14] = [
            "",
            "a",
            "5",
            "0",
            "chunked",
            "close",
            "keep-alive, Upgrade",
            "x",
            " padded\t",
            "18446744073709551616",
            "a\r\nb: c",
            "gzip, chunked",
            "\u{e9}",
            "X-Any",
        ];
        match self {
            Self::Known(number) => VALUES[usize::from(*number) % VALUES.len()].as_bytes(),
            Self::Any(bytes) => bytes,
        }
    }
}

/// Fields that the core owns, because they frame the response.
const OWNED: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

impl Case {
    fn connection(&self) -> (Connection, RequestId, Asked) {
        const REQUESTS: [(&str, Asked); 9] = [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Asked::Other),
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", Asked::Head),
            ("GET / HTTP/1.0\r\n\r\n", Asked::Other),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Asked::Other),
            ("HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Asked::Head),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Asked::Other),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", Asked::Other),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", Asked::Connect),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", Asked::Other),
        ];
        let (request, asked) = REQUESTS[usize::from(self.request) % REQUESTS.len()];
        let mut config = Config::default();
        config.server = self.server.then_some("httpants");
        let mut connection = Connection::new(config.into(), ConnectionInfo::default(), NOW);
        assert_eq!(connection.receive(request.as_bytes(), NOW), request.len());
        let Some(Event::Request(request)) = connection.poll_event() else { panic!("no request") };
        while connection.poll_event().is_some() {}
        (connection, request.id(), asked)
    }

    fn content(&self) -> Vec<u8> {
        let mut content = Vec::new();
        for piece in &self.pieces {
            content.resize(content.len() + piece.length(), if piece.file { b'F' } else { b'c' });
        }
        content
    }

    /// Returns the field lines that are valid, in the order in which they were pushed.
    fn lines(fields: &[(Name, Value)]) -> FieldLines {
        let mut lines = FieldLines::new();
        for (name, value) in fields {
            let before = lines.clone();
            match lines.push(name.text(), value.bytes()) {
                Ok(()) => {
                    let owned = OWNED.iter().any(|owned| name.text().eq_ignore_ascii_case(owned));
                    assert_eq!(lines.iter().count(), before.iter().count() + usize::from(!owned));
                }
                Err(Misuse::FieldName) => assert!(!crate::oracle::is_token(name.text().as_bytes())),
                Err(Misuse::FieldValue) => assert!(!crate::oracle::is_field_value(value.bytes())),
                Err(Misuse::Framing(_)) => assert_eq!(lines, before),
                Err(other) => panic!("{other:?}"),
            }
        }
        shown::debug(&lines);
        Self::changed(lines.clone(), fields);
        lines
    }

    /// Checks that a field that is set occurs once, and that one that is removed leaves no trace.
    fn changed(mut lines: FieldLines, fields: &[(Name, Value)]) {
        for (name, value) in fields {
            let before = lines.iter().filter(|(known, _)| !known.eq_ignore_ascii_case(name.text())).count();
            let owned = OWNED.iter().any(|owned| name.text().eq_ignore_ascii_case(owned));
            if lines.set(name.text(), value.bytes()).is_ok() && !owned {
                assert_eq!(lines.get(name.text()), Some(crate::oracle::trim(value.bytes())));
                assert_eq!(lines.iter().count(), before + 1);
            }
            lines.remove(name.text());
            assert!(!lines.contains(name.text()) && lines.iter().count() == before);
        }
        assert!(lines.is_empty() && lines.content_length().is_none());
    }

    fn run(&self) {
        let (mut connection, id, asked) = self.connection();
        let mut head = match ResponseHead::new(self.status) {
            Ok(head) => head,
            Err(misuse) => {
                return assert!(misuse == Misuse::Status(self.status) && !(100..1000).contains(&self.status));
            }
        };
        head.fields = Self::lines(&self.fields);
        let reason = self.reason.as_deref().filter(|reason| head.set_reason(reason).is_ok());
        assert!(reason.is_none_or(|reason| crate::oracle::is_field_value(reason.as_bytes())));
        self.set_cookies(&mut connection, id);
        let content = self.content();
        let before = connection.state();
        let given = self.respond_or_upgrade(&mut connection, id, &head, &content, asked);
        if let Err(misuse) = given {
            shown::display(&misuse);
        }
        if given.is_err() && connection.state() == before {
            assert!(connection.poll_transmit().is_none(), "a refused response sent something");
            return;
        }
        let out = take(&mut connection);
        if out.is_empty() {
            // Call by call, the head is sent with the first content or the end.
            return assert!(given == Ok(false) && matches!(self.way, Way::Calls | Way::CallsWithLength), "{given:?}");
        }
        let (response, rest) = response::read(&out, asked).expect("a head is sent as a whole");
        assert!(rest.is_empty(), "bytes after the response: {}", rest.escape_ascii());
        same_as_httparse(&out, &response);
        self.compare(&response, &head, given.is_ok(), asked, &connection.state());
    }

    fn set_cookies(&self, connection: &mut Connection, id: RequestId) {
        for (name, value) in &self.cookies {
            // Cookies that cannot be set are checked by another property.
            let fields = connection.response_fields_mut(id).unwrap();
            let _ = cookies::set(fields, (name.clone(), value.clone()));
        }
        if let Some((name, value)) = &self.signed_cookie {
            let keys = KeyRing::new(["k"]).unwrap();
            let cookie = keys.cookie(name, value, NOW.wall, Duration::from_secs(60)).secure(true);
            let _ = cookies::set(connection.response_fields_mut(id).unwrap(), cookie);
        }
    }

    /// Sends the response, by an upgrade if that is the only way. Returns `Ok(finished)` if no call
    /// failed.
    fn respond_or_upgrade(
        &self,
        connection: &mut Connection,
        id: RequestId,
        head: &ResponseHead,
        content: &[u8],
        asked: Asked,
    ) -> Result<bool, Misuse> {
        let status = head.status;
        let ends_http = status == StatusCode::SWITCHING_PROTOCOLS || asked == Asked::Connect && status.is_success();
        if !ends_http {
            connection.respond_upgrade(id, head).expect_err("no upgrade");
        }
        let given = self.respond(connection, id, head, content, asked);
        assert!(!ends_http || given.is_err() || connection.state().send == Sending::Head, "it ends HTTP: {given:?}");
        // The last way has its own fields.
        if given != Err(Misuse::Upgrade) || matches!(self.way, Way::Response(_)) {
            return given;
        }
        assert!(ends_http && connection.poll_transmit().is_none());
        connection.respond_upgrade(id, head).map(|()| true)
    }

    /// Sends the response. Returns `Ok(finished)` if no call failed. Content that the response
    /// cannot have is refused and omitted.
    fn respond(
        &self,
        connection: &mut Connection,
        id: RequestId,
        head: &ResponseHead,
        content: &[u8],
        asked: Asked,
    ) -> Result<bool, Misuse> {
        let length = content.len() as u64;
        match self.way {
            Way::Whole => return connection.respond_with(id, head, content.to_vec()).map(|()| true),
            Way::Known => connection.respond(id, head, BodyLen::Known(length))?,
            Way::Unknown => connection.respond(id, head, BodyLen::Unknown)?,
            Way::WrongLength(by) => connection.respond(id, head, BodyLen::Known(length.wrapping_add(u64::from(by))))?,
            Way::Response(choice) => {
                return connection
                    .response_writer(id)
                    .send_response(content.to_vec(), self.status, ["text/plain", "a\r\nb"][usize::from(choice % 2)])
                    .map(|()| true);
            }
            Way::Calls | Way::CallsWithLength => {
                return self.respond_by_calls(&mut connection.response_writer(id), head, content, asked);
            }
        }
        let no_body = has_no_body(head, asked);
        self.pieces.iter().try_for_each(|piece| {
            let sent = match piece.file {
                true => connection.send_external(id, 1, 0, piece.length() as u64),
                false => connection.send(id, vec![b'c'; piece.length()]),
            };
            without_body(sent, no_body && piece.length() > 0)
        })?;
        if !self.finish {
            return Ok(false);
        }
        let trailers = Self::lines(&self.trailers);
        connection.finish_with_trailers(id, &trailers).map(|()| true)
    }

    fn respond_by_calls(
        &self,
        writer: &mut ResponseWriter<'_>,
        head: &ResponseHead,
        content: &[u8],
        asked: Asked,
    ) -> Result<bool, Misuse> {
        writer.send_status(head.status.as_u16())?;
        writer.send_headers(head.fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec())), false)?;
        if matches!(self.way, Way::CallsWithLength) {
            writer.send_headers([("Content-Length", content.len().to_string())], false)?;
        }
        if let Some(all) = self.choose {
            writer.send_cookies(if all { None } else { Some(&["a"]) }, false)?;
        }
        if !content.is_empty() {
            let sent = writer.send(Bytes::copy_from_slice(content));
            without_body(sent, has_no_body(head, asked))?;
        }
        if self.finish { writer.finish().map(|()| true) } else { Ok(false) }
    }

    fn compare(&self, response: &Response, head: &ResponseHead, accepted: bool, asked: Asked, state: &State) {
        assert_eq!(response.status, head.status.as_u16());
        let calls = matches!(self.way, Way::Calls | Way::CallsWithLength | Way::Response(_));
        if !calls && let Some(reason) = head.reason() {
            assert_eq!(response.reason, reason.as_bytes());
        }
        let http_1_0 = [2, 3, 4].contains(&(self.request % 9));
        assert_eq!(response.http_1_0, http_1_0);
        let mut given: Vec<_> = match self.way {
            Way::Response(_) => vec![("Content-Type", &b"text/plain"[..])],
            _ => head.fields.iter().collect(),
        };
        // Trailer is sent if trailers can follow, or could follow in the response to a GET.
        let tunnel = asked == Asked::Connect && head.status.is_success();
        if http_1_0 || tunnel || matches!(response.status, 101 | 204 | 205 | 304) {
            given.retain(|(name, _)| !name.eq_ignore_ascii_case("Trailer"));
        }
        let mut sent = response.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        for field in &given {
            assert!(sent.any(|known| known == *field), "{field:?} is missing or out of its place in {response:?}");
        }
        let is_given = |name: &str| given.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let dates = response.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Date"));
        assert!(is_given("Date") || dates.count() == 1);
        let servers = response.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Server")).count();
        assert!(is_given("Server") || servers == usize::from(self.server));
        // There is no field that the application did not set.
        const OURS: [&str; 6] = ["date", "server", "content-length", "transfer-encoding", "connection", "set-cookie"];
        let foreign =
            response.fields.iter().find(|(name, _)| !is_given(name) && !OURS.contains(&&*name.to_ascii_lowercase()));
        assert_eq!(foreign, None);
        let content = self.content();
        if tunnel || asked == Asked::Head || matches!(response.status, 101 | 204 | 205 | 304) {
            assert!(response.content.is_empty());
            // RFC 9110 section 15.3.6: 205 has no content either, but clients frame it like others.
            let length = response.field("Content-Length");
            assert!(response.status != 205 || tunnel || length == Some(b"0"), "{length:?}");
        } else {
            assert!(content.starts_with(&response.content), "other content");
            let finished = accepted && (self.finish || matches!(self.way, Way::Whole | Way::Response(_)));
            if finished {
                assert!(
                    response.whole && response.content.len() == content.len(),
                    "{state:?} {:?} of {}",
                    response.content.len(),
                    content.len()
                );
            }
            assert!(
                !response.whole || finished || response.until_close || response.field("Content-Length").is_some(),
                "an end that was not given"
            );
        }
        if !response.trailers.is_empty() {
            let trailers = Self::lines(&self.trailers);
            let allowed = trailers.iter().filter(|(name, _)| !crate::chunked::is_dropped(name.as_bytes()));
            assert!(response.trailers.iter().map(|(n, v)| (n.as_str(), v.as_slice())).eq(allowed));
        }
        compare_connection(response, state);
        let converted = http::Response::<()>::from(head);
        assert_eq!(converted.status(), head.status);
        let back = ResponseHead::try_from(&converted);
        assert!(back.is_err() || back.unwrap().status == StatusCode::from_u16(self.status).unwrap());
    }
}

/// Checks that Connection announces whether the connection persists, and lists Upgrade.
fn compare_connection(response: &Response, state: &State) {
    let options: Vec<String> = response.connection_options().collect();
    let has = |option: &str| options.iter().any(|known| known == option);
    assert!(options.iter().all(|option| matches!(&**option, "close" | "keep-alive" | "upgrade")), "{options:?}");
    let persists = state.persistent && state.send == Sending::Idle;
    assert!(!persists || !has("close"), "{options:?}");
    // RFC 9110 section 7.8: a sender of Upgrade must list it in Connection.
    let has_upgrade = response.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("Upgrade"));
    assert_eq!(has("upgrade"), has_upgrade);
}

fn has_no_body(head: &ResponseHead, asked: Asked) -> bool {
    asked == Asked::Head || matches!(head.status.as_u16(), 204 | 205 | 304)
}

/// Checks that content is refused if the response cannot have any, and only then.
fn without_body(sent: Result<(), Misuse>, no_body: bool) -> Result<(), Misuse> {
    match sent {
        Err(Misuse::NoBody) => {
            assert!(no_body, "content is possible");
            Ok(())
        }
        sent => {
            assert!(!no_body || sent.is_err(), "content where there can be none");
            sent
        }
    }
}

/// Takes all bytes that wait to be sent.
fn take(connection: &mut Connection) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let before = out.len();
        match connection.poll_transmit() {
            None => return out,
            Some(Transmit::Bytes(slices)) => slices.for_each(|slice| out.extend_from_slice(slice)),
            Some(Transmit::External { length, .. }) => out.extend(std::iter::repeat_n(b'F', length as usize)),
            Some(other) => panic!("{other:?}"),
        }
        connection.handle_sent((out.len() - before) as u64, NOW);
    }
}

/// Checks that httparse parses the same head.
fn same_as_httparse(out: &[u8], response: &Response) {
    let mut room = vec![httparse::EMPTY_HEADER; response.fields.len()];
    let mut theirs = httparse::Response::new(&mut room);
    assert!(matches!(theirs.parse(out), Ok(httparse::Status::Complete(_))), "{}", out.escape_ascii());
    assert_eq!((theirs.code, theirs.version), (Some(response.status), Some(u8::from(!response.http_1_0))));
    let fields = theirs.headers.iter().map(|field| (field.name, crate::oracle::trim(field.value)));
    assert!(fields.eq(response.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))));
}
