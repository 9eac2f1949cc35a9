//! The request line (RFC 9112 section 3).

use http::{Method, Version};

use crate::config::Config;
use crate::error::BadRequest;
use crate::wire::fields::TCHAR;
use crate::wire::grammar::{self, ByteSet, byte_set};
use crate::wire::target::{self, Target};

/// What a target can hold.
static VISIBLE: ByteSet = byte_set!(is_visible);

const fn is_visible(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

/// `method SP request-target SP HTTP-version`, RFC 9112 section 3.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) target: Target,
}

impl RequestLine {
    /// Reads the line that stands in front, and returns its length with its end; `None` while
    /// that end is not there.
    pub(super) fn read(&mut self, input: &[u8], config: &Config) -> Result<Option<usize>, BadRequest> {
        let Some(Parts { method, target, path, minor, rest }) = Parts::of(input) else {
            return unread(input, config);
        };
        // RFC 9110 section 2.5: a higher minor version is served as the highest one known.
        self.version = if minor == b'0' { Version::HTTP_10 } else { Version::HTTP_11 };
        self.method = match method {
            _ if method.len() > config.limits.method => return Err(BadRequest::MethodTooLong),
            b"GET" => Method::GET,
            _ => Method::from_bytes(method).map_err(|_| BadRequest::Method)?,
        };
        if target.len() > config.limits.target {
            return Err(BadRequest::TargetTooLong);
        }
        if config.strict_target && !target::is_strict(target) {
            return Err(BadRequest::TargetByte);
        }
        self.target = target::parse(target, path.len(), method.len() + 1, &self.method)?;
        Ok(Some(input.len() - rest.len()))
    }
}

/// A request line that is as it must be.
struct Parts<'a> {
    method: &'a [u8],
    target: &'a [u8],
    path: &'a [u8],
    minor: u8,
    /// What follows the line.
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(input: &'a [u8]) -> Option<Self> {
        let (method, rest) = TCHAR.split(input);
        let rest = rest.strip_prefix(b" ").filter(|_| !method.is_empty())?;
        let (path, behind) = target::split_path(rest);
        let behind = if let [b'?' | b'#', ..] = behind { VISIBLE.split(behind).1 } else { behind };
        let target = rest.get(..rest.len() - behind.len()).filter(|target| !target.is_empty())?;
        match behind.strip_prefix(b" HTTP/1.")? {
            [minor @ b'0'..=b'9', b'\r', b'\n', rest @ ..] => Some(Self { method, target, path, minor: *minor, rest }),
            _ => None,
        }
    }
}

/// Waits for the end of a line that does not split, which then is wrong; but for no more where the
/// first byte can begin no method, such as that of a TLS handshake.
#[cold]
fn unread(input: &[u8], config: &Config) -> Result<Option<usize>, BadRequest> {
    match input.first() {
        Some(b' ') => return Err(BadRequest::RequestLine),
        Some(&byte) if !TCHAR.contains(byte) => return Err(BadRequest::Method),
        _ => {}
    }
    let line = memchr::memchr(b'\n', input).and_then(|end| input.get(..end));
    line.map_or(Ok(None), |line| Err(fault(line, config)))
}

/// What is wrong with a line, given without its line feed, that does not split.
#[cold]
fn fault(line: &[u8], config: &Config) -> BadRequest {
    let Some(line) = line.strip_suffix(b"\r") else {
        return BadRequest::BareLineFeed;
    };
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let (Some(method), Some(target)) = (parts.next(), parts.next()) else {
        return BadRequest::RequestLine;
    };
    let version = parts.next();
    match version {
        None => BadRequest::Version,
        Some(version) if method.is_empty() || target.is_empty() || version.contains(&b' ') => BadRequest::RequestLine,
        Some(_) if !grammar::is_token(method) => BadRequest::Method,
        Some(_) if method.len() > config.limits.method => BadRequest::MethodTooLong,
        Some([b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', b'0'..=b'9']) if *major != b'1' => {
            BadRequest::MajorVersion
        }
        Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']) if target.len() > config.limits.target => {
            BadRequest::TargetTooLong
        }
        Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']) => BadRequest::TargetByte,
        Some(_) => BadRequest::Version,
    }
}

/// What is wrong with a request line that does not end within the limit of a head.
#[cold]
pub(super) fn endless(window: &[u8], config: &Config) -> BadRequest {
    match TCHAR.split(window) {
        (method, _) if method.len() > config.limits.method => BadRequest::MethodTooLong,
        (_, [b' ', ..]) => BadRequest::TargetTooLong,
        _ => BadRequest::Method,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::span::Span;

    fn line(line: &str) -> Result<RequestLine, BadRequest> {
        let mut parsed = RequestLine::default();
        let line = format!("{line}\r\n");
        let hopeless = line.bytes().next().is_some_and(|byte| !grammar::is_tchar(byte));
        for end in 0..if hopeless { 1 } else { line.len() } {
            let early = parsed.read(&line.as_bytes()[..end], &Config::default());
            assert_eq!(early, Ok(None), "judged before its end: {line:?}");
        }
        parsed.read(line.as_bytes(), &Config::default()).map(|_| parsed)
    }

    #[test]
    fn request_lines() {
        let good = line("GET /a HTTP/1.1").unwrap();
        assert_eq!((good.method, good.version, good.target.path), (Method::GET, Version::HTTP_11, Span::new(4..6)));
        assert_eq!(line("X!y / HTTP/1.0").unwrap().version, Version::HTTP_10);
        assert_eq!(line("GET / HTTP/1.9").unwrap().version, Version::HTTP_11);
        for (text, fault) in [
            ("GET /", BadRequest::Version),
            ("GET", BadRequest::RequestLine),
            ("GET  / HTTP/1.1", BadRequest::RequestLine),
            ("GET /  HTTP/1.1", BadRequest::RequestLine),
            ("GET / HTTP/1.1 ", BadRequest::RequestLine),
            (" GET / HTTP/1.1", BadRequest::RequestLine),
            ("GET / x HTTP/1.1", BadRequest::RequestLine),
            ("GET\t/ HTTP/1.1", BadRequest::Version),
            ("G(T / HTTP/1.1", BadRequest::Method),
            ("GET / http/1.1", BadRequest::Version),
            ("GET / HTTP/1", BadRequest::Version),
            ("GET / HTTP/1.10", BadRequest::Version),
            ("GET / HTTP/01.1", BadRequest::Version),
            ("GET / HTTP/2.0", BadRequest::MajorVersion),
            ("PRI * HTTP/2.0", BadRequest::MajorVersion),
            ("GET / HTTP/0.9", BadRequest::MajorVersion),
            ("GET /\u{e9} HTTP/1.1", BadRequest::TargetByte),
            ("GET /\u{7f} HTTP/1.1", BadRequest::TargetByte),
            ("GET /\u{0} HTTP/1.1", BadRequest::TargetByte),
            ("GET / HTTP/1.1\r", BadRequest::Version),
        ] {
            assert_eq!(line(text).map(|_| ()), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn a_first_byte_that_begins_no_method_is_refused_at_once() {
        for byte in 0..=255_u8 {
            let read = RequestLine::default().read(&[byte], &Config::default());
            let expected = match byte {
                b' ' => Err(BadRequest::RequestLine),
                _ if grammar::is_tchar(byte) => Ok(None),
                _ => Err(BadRequest::Method),
            };
            assert_eq!(read, expected, "{byte:#x}");
        }
    }

    #[test]
    fn methods_have_a_limit() {
        assert!(line(&format!("{} / HTTP/1.1", "M".repeat(64))).is_ok());
        assert_eq!(line(&format!("{} / HTTP/1.1", "M".repeat(65))).map(|_| ()), Err(BadRequest::MethodTooLong));
    }
}
