//! Comparison of the reported ends of responses with the bytes that the peer received.

use http::Method;
use httpants_core::{CloseReason, RequestHead, RequestId, ResponseStats};

/// The reported ends of one exchange.
#[derive(Debug, Default)]
pub struct Ends {
    requests: Vec<(RequestId, Method)>,
    responses: Vec<ResponseStats>,
    /// The last timeout or refusal.
    announced: Option<CloseReason>,
    closed: Option<CloseReason>,
    errors: Vec<String>,
}

impl Ends {
    /// Records an accepted request.
    pub fn request(&mut self, request: &RequestHead) {
        self.requests.push((request.id(), request.method().clone()));
    }

    /// Records the end of a response.
    pub fn response(&mut self, stats: ResponseStats) {
        self.responses.push(stats);
    }

    /// Records a timeout or a refusal, after which the connection may close for that reason.
    pub fn announce(&mut self, reason: CloseReason) {
        if let Some(refused @ CloseReason::Refused(_)) = self.announced {
            self.errors.push(format!("{reason:?} after {refused:?}"));
        }
        // A request that takes too long is refused.
        self.announced = Some(reason);
    }

    /// Records that the connection was closed.
    pub fn closed(&mut self, reason: CloseReason) {
        let is_announced = self.announced == Some(reason);
        let must_be = matches!(reason, CloseReason::Refused(_) | CloseReason::TimedOut(_));
        if is_announced != must_be {
            self.errors.push(format!("closed {reason:?} after {:?}", self.announced));
        }
        self.closed = Some(reason);
        self.announced = None;
    }

    /// Compares the reports with each other and with the bytes that the peer received. If the
    /// exchange is over, no report may be missing.
    ///
    /// # Errors
    /// Returns the first difference.
    pub fn check(&self, response: &[u8], is_over: bool) -> Result<(), String> {
        if let Some(error) = self.errors.first() {
            return Err(error.clone());
        }
        let ids: Vec<_> = self.responses.iter().filter_map(|end| end.request).collect();
        let accepted: Vec<_> = self.requests.iter().map(|(id, _)| *id).collect();
        if !accepted.starts_with(&ids) || is_over && ids != accepted {
            return Err(format!("responses to {ids:?} ended, accepted were {accepted:?}"));
        }
        let has_refusal = self.responses.last().is_some_and(|end| end.request.is_none());
        if self.responses.len() != ids.len() + usize::from(has_refusal) {
            return Err(format!("a response to no request is not the last one: {:?}", self.responses));
        }
        if has_refusal && !matches!(self.closed, Some(CloseReason::Refused(_))) {
            return Err(format!("a response to no request, and closed {:?}", self.closed));
        }
        let mut rest = response;
        for end in &self.responses {
            rest = self.check_response(end, rest).map_err(|error| format!("{error}: {end:?}"))?;
        }
        let last_is_whole = self.responses.last().is_none_or(|end| end.complete);
        if is_over && last_is_whole && !rest.is_empty() {
            return Err(format!("bytes after the last response: {}", rest.escape_ascii()));
        }
        Ok(())
    }

    /// Compares one report with the response at the start of the bytes; returns the bytes after it.
    fn check_response<'a>(&self, end: &ResponseStats, response: &'a [u8]) -> Result<&'a [u8], String> {
        let response = behind_interim(response);
        let Some(status) = end.status else {
            let is_nothing = end.body_bytes == 0 && !end.complete;
            return if is_nothing { Ok(response) } else { Err("a response without a status".into()) };
        };
        let Some(length) = find(response, b"\r\n\r\n") else {
            let is_nothing = end.body_bytes == 0 && !end.complete;
            return if is_nothing { Ok(&[]) } else { Err("its head was not sent".into()) };
        };
        let (head, body) = response.split_at_checked(length + 4).unwrap_or_default();
        let head = String::from_utf8_lossy(head);
        if head.get(9..12) != Some(status.as_str()) {
            return Err(format!("another status was sent: {head}"));
        }
        let method = self.requests.iter().find(|(id, _)| Some(*id) == end.request).map(|(_, method)| method);
        let has_none = match method {
            Some(method) => {
                *method == Method::HEAD
                    || *method == Method::CONNECT && status.is_success()
                    || matches!(status.as_u16(), 101 | 204 | 205 | 304)
            }
            None => body.is_empty(),
        };
        let body_sent = if has_none { Body { bytes: 0, length: 0, is_whole: true } } else { Body::read(&head, body)? };
        if end.complete && !body_sent.is_whole {
            return Err("it is not complete on the wire".into());
        }
        // Unsent framing counts as unsent body.
        let may_be_less = !end.complete && head.contains("\r\nTransfer-Encoding: chunked\r\n");
        if end.body_bytes != body_sent.bytes && !(may_be_less && end.body_bytes < body_sent.bytes) {
            return Err(format!("{} bytes of its body were sent", body_sent.bytes));
        }
        Ok(body.get(body_sent.length..).unwrap_or_default())
    }
}

/// A body at the start of the bytes sent.
struct Body {
    /// Its length without framing.
    bytes: u64,
    /// Its length with framing.
    length: usize,
    is_whole: bool,
}

impl Body {
    fn read(head: &str, sent: &[u8]) -> Result<Self, String> {
        if head.contains("\r\nTransfer-Encoding: chunked\r\n") {
            return Self::chunked(sent);
        }
        let length = head.split("\r\nContent-Length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let length = match length {
            Some(digits) => digits.parse().map_err(|_| format!("no length: {digits}"))?,
            None => sent.len(),
        };
        let came = length.min(sent.len());
        Ok(Self { bytes: came as u64, length: came, is_whole: came == length })
    }

    fn chunked(sent: &[u8]) -> Result<Self, String> {
        let (mut at, mut bytes) = (0, 0);
        loop {
            let rest = sent.get(at..).unwrap_or_default();
            let broken = Ok(Self { bytes, length: sent.len(), is_whole: false });
            let Some(line) = find(rest, b"\r\n") else { return broken };
            let digits = std::str::from_utf8(rest.get(..line).unwrap_or_default()).unwrap_or_default();
            let size = usize::from_str_radix(digits, 16).map_err(|_| format!("no chunk size: {digits}"))?;
            at += line + 2;
            if size == 0 {
                // The empty line after the trailers may begin with the end of the size line.
                let Some(end) = find(sent.get(at - 2..).unwrap_or_default(), b"\r\n\r\n") else { return broken };
                return Ok(Self { bytes, length: at + end + 2, is_whole: true });
            }
            bytes += size.min(sent.len() - at) as u64;
            at += size + 2;
            if at > sent.len() {
                return Ok(Self { bytes, length: sent.len(), is_whole: false });
            }
        }
    }
}

/// Returns the bytes after leading interim responses; 101 is a final one.
fn behind_interim(mut response: &[u8]) -> &[u8] {
    while response.starts_with(b"HTTP/1.1 1")
        && !response.starts_with(b"HTTP/1.1 101")
        && let Some((_, rest)) = find(response, b"\r\n\r\n").and_then(|length| response.split_at_checked(length + 4))
    {
        response = rest;
    }
    response
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use httpants_core::{Config, Connection, ConnectionInfo, Event, Now};

    use super::*;

    /// Returns the reports of a request for `/` whose response is `hello`, and the bytes.
    fn served() -> (Ends, Vec<u8>) {
        let now = Now::default();
        let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
        assert_eq!(connection.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", now), 27);
        let mut ends = Ends::default();
        let Some(Event::Request(request)) = connection.poll_event() else { panic!("no request") };
        ends.request(&request);
        connection.respond_with(request.id(), &Default::default(), "hello").unwrap();
        connection.handle_sent(u64::MAX, now);
        let Some(Event::ResponseEnd(stats)) = connection.poll_event() else { panic!("no end") };
        ends.response(stats);
        (ends, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec())
    }

    #[test]
    fn differences_are_detected() {
        let (ends, response) = served();
        assert_eq!(ends.check(&response, true), Ok(()));
        for wrong in ["HTTP/1.1 201 ", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!", ""] {
            assert!(ends.check(&[wrong.as_bytes(), b"\r\nContent-Length: 5\r\n\r\nhello"].concat(), true).is_err());
        }
        assert!(ends.check(&[&response[..], b"HTTP"].concat(), true).is_err());
        assert!(ends.check(&response[..response.len() - 1], true).is_err());

        let (mut missing, response) = served();
        missing.responses.clear();
        assert_eq!((missing.check(b"", false), missing.check(&response, true).is_err()), (Ok(()), true));
        let (mut twice, response) = served();
        twice.responses.extend_from_within(..);
        assert!(twice.check(&response.repeat(2), true).is_err());
        let (mut unannounced, response) = served();
        unannounced.closed(CloseReason::TimedOut(httpants_core::Timer::Idle));
        assert!(unannounced.check(&response, true).is_err());
    }

    #[test]
    fn chunked_body_length_is_measured() {
        let whole = b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nA: 1\r\n\r\n";
        let read =
            |length| Body::chunked(&[&whole[..length], b"HTTP"][..if length == whole.len() { 2 } else { 1 }].concat());
        for length in 0..whole.len() {
            let body = read(length).unwrap();
            assert!(!body.is_whole && body.bytes <= 19, "{length}");
        }
        let body = read(whole.len()).unwrap();
        assert_eq!((body.bytes, body.length, body.is_whole), (19, whole.len(), true));
        let body = Body::chunked(b"0\r\n\r\nHTTP").unwrap();
        assert_eq!((body.bytes, body.length, body.is_whole), (0, 5, true));
    }
}
