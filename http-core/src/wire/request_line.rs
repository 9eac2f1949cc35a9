//! The parser of the request line (RFC 9112 section 3).

use http::{Method, Version};

use crate::wire::error::ProtocolError;
use crate::wire::fields::{MAX_SECTION, TCHAR};
use crate::wire::grammar::{self, ByteSet, byte_set};
use crate::wire::limits::HeadLimits;
use crate::wire::target::{self, Target};

/// The bytes that are allowed in a target.
static VISIBLE: ByteSet = byte_set!(is_visible);

const fn is_visible(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

/// A request line: `method SP request-target SP HTTP-version`, RFC 9112 section 3.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) target: Target,
    /// The percent-encoded target, if it was encoded ([`HeadLimits::non_ascii_target`]). The spans
    /// of the target then refer to it instead of the head.
    encoded: Option<Box<str>>,
}

impl RequestLine {
    /// Returns the bytes that the spans of the target refer to.
    pub(crate) fn target_bytes<'a>(&'a self, head: &'a [u8]) -> &'a [u8] {
        self.encoded.as_deref().map_or(head, str::as_bytes)
    }

    /// Reads the first line of the input. Returns its length including the line end, or `None` if
    /// that end has not arrived.
    pub(super) fn read(&mut self, input: &[u8], limits: &HeadLimits) -> Result<Option<usize>, ProtocolError> {
        let Some(parts) = Parts::of(input) else {
            return self.read_late(input, limits);
        };
        self.take(&parts, parts.method.len() + 1, limits)?;
        self.encoded = None;
        Ok(Some(input.len() - parts.rest.len()))
    }

    /// Stores the parts; the target is at offset `start`.
    #[inline(always)]
    fn take(&mut self, parts: &Parts<'_>, start: usize, limits: &HeadLimits) -> Result<(), ProtocolError> {
        let &Parts { method, target, path, minor, .. } = parts;
        // RFC 9110 section 2.5: a higher minor version is served as the highest one known.
        self.version = if minor == b'0' { Version::HTTP_10 } else { Version::HTTP_11 };
        if method.len() > limits.method {
            return Err(ProtocolError::MethodTooLong);
        }
        // Nearly all requests are GET and follow a GET, so the method rarely has to be replaced.
        if method != b"GET" {
            self.method = Method::from_bytes(method).map_err(|_| ProtocolError::Method)?;
        } else if self.method != Method::GET {
            self.method = Method::GET;
        }
        if target.len() > limits.target {
            return Err(ProtocolError::TargetTooLong);
        }
        if limits.strict_target && !target::is_strict(target) {
            return Err(ProtocolError::TargetByte);
        }
        self.target = target::parse(target, path.len(), start, &self.method)?;
        Ok(())
    }

    /// Handles a line that does not split: waits for its end, then encodes its target or returns
    /// the error. If the first byte cannot begin a method, such as that of a TLS handshake, returns
    /// the error at once.
    #[cold]
    fn read_late(&mut self, input: &[u8], limits: &HeadLimits) -> Result<Option<usize>, ProtocolError> {
        match input.first() {
            Some(b' ') => return Err(ProtocolError::RequestLine),
            Some(&byte) if !TCHAR.contains(byte) => return Err(ProtocolError::Method),
            _ => {}
        }
        let Some(end) = memchr::memchr(b'\n', input) else { return Ok(None) };
        let line = input.get(..=end).unwrap_or_default();
        match encoded(line).filter(|_| limits.non_ascii_target && !limits.strict_target) {
            Some(encoded) => self.read_encoded(line, &encoded, limits).map(|()| Some(line.len())),
            None => Err(fault(line, limits)),
        }
    }

    /// Reads a line whose target was encoded.
    fn read_encoded(&mut self, line: &[u8], encoded: &[u8], limits: &HeadLimits) -> Result<(), ProtocolError> {
        let parts = Parts::of(encoded).ok_or_else(|| fault(encoded, limits))?;
        if parts.target.len() > MAX_SECTION {
            return Err(ProtocolError::TargetTooLong);
        }
        self.take(&parts, 0, limits)?;
        // A host is not encoded: all bytes before the path must be ASCII as sent.
        let origin = self.target.origin.slice(parts.target);
        let before_path = parts.method.len() + 1 + parts.target.len() - origin.len();
        if self.method == Method::CONNECT || !line.get(..before_path).is_some_and(<[u8]>::is_ascii) {
            return Err(ProtocolError::TargetByte);
        }
        self.encoded = core::str::from_utf8(parts.target).ok().map(Into::into);
        Ok(())
    }
}

/// Returns the line with the bytes above 0x7F in its target percent-encoded; `None` if there are
/// none.
fn encoded(line: &[u8]) -> Option<Vec<u8>> {
    let start = memchr::memchr(b' ', line)?;
    let end = memchr::memrchr(b' ', line)?;
    let target = line.get(start..end)?;
    if target.is_ascii() {
        return None;
    }
    let mut out = line.get(..start)?.to_vec();
    for &byte in target {
        match byte {
            0x80.. => out.extend_from_slice(percent_encoding::percent_encode_byte(byte).as_bytes()),
            _ => out.push(byte),
        }
    }
    out.extend_from_slice(line.get(end..)?);
    Some(out)
}

/// The parts of a well-formed request line.
struct Parts<'a> {
    method: &'a [u8],
    target: &'a [u8],
    path: &'a [u8],
    minor: u8,
    /// The bytes after the line.
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Splits the first line of the input. Inlined, because nearly all lines go through one of its
    /// two calls.
    #[inline(always)]
    fn of(input: &'a [u8]) -> Option<Self> {
        let (method, rest) = match input.split_first_chunk() {
            // The method of nearly all requests, compared as one word.
            Some((b"GET ", _)) => input.split_at_checked(3)?,
            _ => TCHAR.split(input),
        };
        let rest = rest.strip_prefix(b" ").filter(|_| !method.is_empty())?;
        let (path, after) = target::split_path(rest);
        let after = if let [b'?' | b'#', ..] = after { VISIBLE.split(after).1 } else { after };
        let target = rest.get(..rest.len() - after.len()).filter(|target| !target.is_empty())?;
        match after.strip_prefix(b" HTTP/1.")? {
            [minor @ b'0'..=b'9', b'\r', b'\n', rest @ ..] => Some(Self { method, target, path, minor: *minor, rest }),
            _ => None,
        }
    }
}

/// Returns the error of a line that does not split.
#[cold]
fn fault(line: &[u8], limits: &HeadLimits) -> ProtocolError {
    let Some(line) = line.strip_suffix(b"\r\n") else {
        return ProtocolError::BareLineFeed;
    };
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let (Some(method), Some(target)) = (parts.next(), parts.next()) else {
        return ProtocolError::RequestLine;
    };
    let version = parts.next();
    match version {
        None => ProtocolError::Version,
        Some(version) if target.is_empty() || version.contains(&b' ') => ProtocolError::RequestLine,
        Some(_) if !grammar::is_token(method) => ProtocolError::Method,
        Some(_) if method.len() > limits.method => ProtocolError::MethodTooLong,
        Some([b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', b'0'..=b'9']) if *major != b'1' => {
            ProtocolError::MajorVersion
        }
        Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']) if target.len() > limits.target => {
            ProtocolError::TargetTooLong
        }
        Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']) => ProtocolError::TargetByte,
        Some(_) => ProtocolError::Version,
    }
}

/// Returns the error of a request line that does not end within the limit of a head.
#[cold]
pub(super) fn no_end(window: &[u8], limits: &HeadLimits) -> ProtocolError {
    match TCHAR.split(window) {
        (method, _) if method.len() > limits.method => ProtocolError::MethodTooLong,
        (_, [b' ', ..]) => ProtocolError::TargetTooLong,
        _ => ProtocolError::Method,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::span::Span;

    fn line(line: &str) -> Result<RequestLine, ProtocolError> {
        let mut parsed = RequestLine::default();
        let line = format!("{line}\r\n");
        let hopeless = line.bytes().next().is_some_and(|byte| !grammar::is_tchar(byte));
        for end in 0..if hopeless { 1 } else { line.len() } {
            let early = parsed.read(&line.as_bytes()[..end], &HeadLimits::DEFAULT);
            assert_eq!(early, Ok(None), "judged before its end: {line:?}");
        }
        parsed.read(line.as_bytes(), &HeadLimits::DEFAULT).map(|_| parsed)
    }

    #[test]
    fn request_lines_are_parsed_or_refused() {
        let good = line("GET /a HTTP/1.1").unwrap();
        assert_eq!((good.method, good.version, good.target.path), (Method::GET, Version::HTTP_11, Span::new(4..6)));
        assert_eq!(line("X!y / HTTP/1.0").unwrap().version, Version::HTTP_10);
        assert_eq!(line("GET / HTTP/1.9").unwrap().version, Version::HTTP_11);
        for (text, fault) in [
            ("GET /", ProtocolError::Version),
            ("GET", ProtocolError::RequestLine),
            ("GET  / HTTP/1.1", ProtocolError::RequestLine),
            ("GET  HTTP/1.1", ProtocolError::RequestLine),
            ("GET  ", ProtocolError::RequestLine),
            ("GET /  HTTP/1.1", ProtocolError::RequestLine),
            ("GET / HTTP/1.1 ", ProtocolError::RequestLine),
            (" GET / HTTP/1.1", ProtocolError::RequestLine),
            ("GET / x HTTP/1.1", ProtocolError::RequestLine),
            ("GET\t/ HTTP/1.1", ProtocolError::Version),
            ("G(T / HTTP/1.1", ProtocolError::Method),
            ("GET / http/1.1", ProtocolError::Version),
            ("GET / HTTP/1", ProtocolError::Version),
            ("GET / HTTP/1.10", ProtocolError::Version),
            ("GET / HTTP/01.1", ProtocolError::Version),
            ("GET / HTTP/2.0", ProtocolError::MajorVersion),
            ("PRI * HTTP/2.0", ProtocolError::MajorVersion),
            ("GET / HTTP/0.9", ProtocolError::MajorVersion),
            ("GET /\u{e9} HTTP/1.1", ProtocolError::TargetByte),
            ("GET /\u{7f} HTTP/1.1", ProtocolError::TargetByte),
            ("GET /\u{0} HTTP/1.1", ProtocolError::TargetByte),
            ("GET / HTTP/1.1\r", ProtocolError::Version),
        ] {
            assert_eq!(line(text).map(|_| ()), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn method_is_not_kept_from_the_previous_line() {
        let mut parsed = RequestLine::default();
        for method in ["GET", "POST", "GET", "GET", "GEX", "POST", "X", "GET"] {
            let line = format!("{method} / HTTP/1.1\r\n");
            assert_eq!(parsed.read(line.as_bytes(), &HeadLimits::DEFAULT), Ok(Some(line.len())));
            assert_eq!(parsed.method, method);
        }
    }

    #[test]
    fn invalid_first_byte_is_refused_at_once() {
        for byte in 0..=255_u8 {
            let read = RequestLine::default().read(&[byte], &HeadLimits::DEFAULT);
            let expected = match byte {
                b' ' => Err(ProtocolError::RequestLine),
                _ if grammar::is_tchar(byte) => Ok(None),
                _ => Err(ProtocolError::Method),
            };
            assert_eq!(read, expected, "{byte:#x}");
        }
    }

    #[test]
    fn non_ascii_targets_are_encoded_if_enabled() {
        let mut limits = HeadLimits { non_ascii_target: true, ..HeadLimits::DEFAULT };
        limits.target = 12;
        let read = |limits: &HeadLimits, line: &[u8]| {
            let mut parsed = RequestLine::default();
            for end in 1..line.len() {
                assert_eq!(parsed.read(&line[..end], limits), Ok(None));
            }
            assert_eq!(parsed.read(line, limits)?, Some(line.len()));
            let bytes = parsed.target_bytes(line);
            let parts = [parsed.target.whole, parsed.target.path, parsed.target.query, parsed.target.authority];
            Ok(parts.map(|part| String::from_utf8(part.slice(bytes).to_vec()).unwrap()).join(" "))
        };
        for (line, parts) in [
            (&b"GET /a?b HTTP/1.1\r\n"[..], "/a?b /a b "),
            (b"GET /\xe9?\xff#\x80 HTTP/1.0\r\n", "/%E9?%FF#%80 /%E9 %FF "),
            (b"GET /\xc3\xa9%41 HTTP/1.1\r\n", "/%C3%A9%41 /%C3%A9%41  "),
            (b"GET http://h/\xe9 HTTP/1.1\r\n", "http://h/%E9 /%E9  h"),
        ] {
            assert_eq!(read(&limits, line).as_deref(), Ok(parts), "{}", line.escape_ascii());
        }
        for (line, fault) in [
            (&b"GET /\xe9\0 HTTP/1.1\r\n"[..], ProtocolError::TargetByte),
            (b"GET /\xe9 \xe9 HTTP/1.1\r\n", ProtocolError::RequestLine),
            (b"GET \xe9 HTTP/1.1\r\n", ProtocolError::TargetForm),
            (b"GET /\xe9 HTTP/2.0\r\n", ProtocolError::MajorVersion),
            (b"GET /\xe9 HTTP/1.1\n", ProtocolError::BareLineFeed),
            (b"GET http://\xe9/a HTTP/1.1\r\n", ProtocolError::TargetByte),
            (b"GET http://\xe9 HTTP/1.1\r\n", ProtocolError::TargetByte),
            (b"GET http://h\xe9/ HTTP/1.1\r\n", ProtocolError::TargetByte),
            (b"GE\xe9 /\xe9 HTTP/1.1\r\n", ProtocolError::Method),
            (b"GE\xe9 / HTTP/1.1\r\n", ProtocolError::Method),
            (b"CONNECT \xe9:1 HTTP/1.1\r\n", ProtocolError::TargetByte),
            // The limit applies to the encoded target.
            (b"GET /\xe9\xe9\xe9\xe9 HTTP/1.1\r\n", ProtocolError::TargetTooLong),
        ] {
            assert_eq!(read(&limits, line), Err(fault), "{}", line.escape_ascii());
        }
        limits.strict_target = true;
        assert_eq!(read(&limits, b"GET /\xe9 HTTP/1.1\r\n"), Err(ProtocolError::TargetByte));
        limits.strict_target = false;
        // The encoded target does not remain for the next request.
        let mut line = RequestLine::default();
        line.read(b"GET /\xe9 HTTP/1.1\r\n", &limits).unwrap();
        line.read(b"GET /b HTTP/1.1\r\n", &limits).unwrap();
        assert_eq!(line.target.whole.slice(line.target_bytes(b"GET /b")), b"/b");
        assert_eq!(read(&HeadLimits::DEFAULT, b"GET /\xe9 HTTP/1.1\r\n"), Err(ProtocolError::TargetByte));
    }

    /// The parts of a target are indexed with 16 bits, so this holds for any limit.
    #[test]
    fn encoded_target_is_limited_to_the_size_of_its_index() {
        let limits = HeadLimits { target: usize::MAX, non_ascii_target: true, ..HeadLimits::DEFAULT };
        let read = |length: usize| {
            let line = [b"GET /\xe9", &[b'a'; 1 << 17][..length - 4], b" HTTP/1.1\r\n"].concat();
            let mut parsed = RequestLine::default();
            parsed.read(&line, &limits).map(|_| parsed.target.path.slice(parsed.target_bytes(&line)).len())
        };
        assert_eq!(read(MAX_SECTION), Ok(MAX_SECTION));
        for more in [1, 2, MAX_SECTION + 1] {
            assert_eq!(read(MAX_SECTION + more), Err(ProtocolError::TargetTooLong), "{more} more");
        }
    }

    /// A part that is too long is reported before other errors.
    #[test]
    fn too_long_parts_are_reported_before_other_errors() {
        let limits = HeadLimits { method: 4, target: 5, strict_target: true, ..HeadLimits::DEFAULT };
        for (line, fault) in [
            ("MMMM /\0aaa HTTP/1.1\r\n", ProtocolError::TargetByte),
            ("MMMM /|aaa HTTP/1.1\r\n", ProtocolError::TargetByte),
            ("MMMMM /\0 HTTP/1.1\r\n", ProtocolError::MethodTooLong),
            ("MMMMMM /\0 HTTP/1.1\r\n", ProtocolError::MethodTooLong),
            ("M /\0aaaa HTTP/1.1\r\n", ProtocolError::TargetTooLong),
            ("M /\0aaaaa HTTP/1.1\r\n", ProtocolError::TargetTooLong),
            ("M /|aaaa HTTP/1.1\r\n", ProtocolError::TargetTooLong),
            ("M /\0aaaa HTTP/2.0\r\n", ProtocolError::MajorVersion),
        ] {
            let read = RequestLine::default().read(line.as_bytes(), &limits);
            assert_eq!(read, Err(fault), "{line:?}");
        }
        for (window, fault) in [
            ("MMMM /aaaaaaaa", ProtocolError::TargetTooLong),
            ("MMMMM /aaaaaaa", ProtocolError::MethodTooLong),
            ("MMMMMMMMMMMMMM", ProtocolError::MethodTooLong),
            ("MMMM(/aaaaaaaa", ProtocolError::Method),
        ] {
            assert_eq!(no_end(window.as_bytes(), &limits), fault, "{window:?}");
        }
    }

    #[test]
    fn method_is_limited_to_64_bytes() {
        assert!(line(&format!("{} / HTTP/1.1", "M".repeat(64))).is_ok());
        assert_eq!(line(&format!("{} / HTTP/1.1", "M".repeat(65))).map(|_| ()), Err(ProtocolError::MethodTooLong));
    }
}
