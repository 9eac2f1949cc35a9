//! The request head: found incrementally, parsed once (RFC 9112 sections 2 to 5).

use std::ops::Range;

use http::{Method, Version};

use crate::config::Config;
use crate::error::BadRequest;
use crate::message::headers::FieldSpan;
use crate::wire::framing::{Framing, FramingFields};
use crate::wire::target::{self, Target};
use crate::wire::{fields, grammar};

/// `method SP request-target SP HTTP-version`, RFC 9112 section 3.
#[derive(Clone, Debug)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) target: Target,
    /// With its CRLF; the field section starts here.
    length: usize,
}

/// What the fields of a head decide about its connection.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) framing: Framing,
    /// What version and Connection say; the configuration may still say no.
    pub(crate) persistent: bool,
    pub(crate) expects_continue: bool,
    /// Connection names `upgrade` and an Upgrade field is there, in HTTP/1.1.
    pub(crate) upgrade: bool,
    /// The value of Host, in the head's bytes; empty where there is none.
    pub(crate) host: Range<usize>,
}

/// Looks for the end of a head; each byte is looked at once, however it arrives.
#[derive(Debug, Default)]
pub(crate) struct HeadSearch {
    scanned: usize,
    line_start: usize,
    request_line: Option<RequestLine>,
}

impl HeadSearch {
    /// The request line and the length of the head, once the head is complete. The request
    /// line is judged as soon as it is there, the rest when the head is complete.
    pub(crate) fn advance(
        &mut self,
        input: &[u8],
        config: &Config,
    ) -> Result<Option<(RequestLine, usize)>, BadRequest> {
        let limit = config.limits.head.min(usize::from(u16::MAX));
        // Nothing beyond the limit is looked at, so that the verdict is the same whether it
        // has arrived or not.
        let window = input.get(..limit).unwrap_or(input);
        while let Some(at) = window.get(self.scanned..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let line_feed = self.scanned + at;
            let line = match window.get(self.line_start..line_feed) {
                Some([line @ .., b'\r']) => line,
                _ => return Err(BadRequest::BareLineFeed),
            };
            self.scanned = line_feed + 1;
            self.line_start = self.scanned;
            if line.is_empty() {
                // An empty first line was skipped by the caller, so there is a request line.
                return Ok(self.request_line.take().map(|line| (line, self.scanned)));
            }
            if self.request_line.is_none() {
                self.request_line = Some(parse_request_line(line, config)?);
            }
        }
        self.scanned = window.len();
        if input.len() < limit {
            return Ok(None);
        }
        // A head of exactly the limit would have ended by now.
        Err(if self.request_line.is_none() { BadRequest::TargetTooLong } else { BadRequest::HeadTooLong })
    }
}

fn parse_request_line(line: &[u8], config: &Config) -> Result<RequestLine, BadRequest> {
    let space = memchr::memchr(b' ', line).ok_or(BadRequest::RequestLine)?;
    let (method, rest) = line.split_at_checked(space).unwrap_or_default();
    let target_start = space + 1;
    let rest = rest.get(1..).unwrap_or_default();
    let target_length = memchr::memchr(b' ', rest).ok_or(BadRequest::Version)?;
    let (target, version) = rest.split_at_checked(target_length).unwrap_or_default();
    let version = version.get(1..).unwrap_or_default();
    if method.is_empty() || target.is_empty() || version.contains(&b' ') {
        return Err(BadRequest::RequestLine);
    }
    let method = parse_method(method, config.limits.method)?;
    let version = parse_version(version)?;
    if target.len() > config.limits.target {
        return Err(BadRequest::TargetTooLong);
    }
    if !target.iter().all(|byte| matches!(byte, b'!'..=b'~')) || (config.strict_target && !target::is_strict(target)) {
        return Err(BadRequest::TargetByte);
    }
    let target = target::parse(line, target_start..target_start + target_length, &method)?;
    Ok(RequestLine { method, version, target, length: line.len() + 2 })
}

fn parse_method(method: &[u8], limit: usize) -> Result<Method, BadRequest> {
    if !grammar::is_token(method) {
        return Err(BadRequest::Method);
    }
    if method.len() > limit {
        return Err(BadRequest::MethodTooLong);
    }
    Method::from_bytes(method).map_err(|_| BadRequest::Method)
}

/// RFC 9110 section 2.5: a higher minor version is served as the highest one known.
fn parse_version(version: &[u8]) -> Result<Version, BadRequest> {
    match version {
        b"HTTP/1.1" => Ok(Version::HTTP_11),
        b"HTTP/1.0" => Ok(Version::HTTP_10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            if *major == b'1' {
                Ok(Version::HTTP_11)
            } else {
                Err(BadRequest::MajorVersion)
            }
        }
        _ => Err(BadRequest::Version),
    }
}

/// Parses the field lines of a complete head into `index` and says what they decide.
pub(crate) fn parse_fields(
    head: &[u8],
    line: &RequestLine,
    limit: usize,
    index: &mut Vec<FieldSpan>,
) -> Result<Facts, BadRequest> {
    let section = head.get(line.length..).unwrap_or_default();
    let mut seen = Seen::default();
    fields::parse(section, line.length, limit, index, |name, value| seen.note(name, value))?;
    let http_1_0 = line.version == Version::HTTP_10;
    let host = seen.host(head, http_1_0)?;
    let framing = seen.framing.decide(http_1_0)?;
    if seen.other_expectation && !http_1_0 {
        return Err(BadRequest::Expectation);
    }
    Ok(Facts {
        framing,
        persistent: !seen.close && (!http_1_0 || seen.keep_alive),
        expects_continue: seen.expects_continue && !http_1_0 && framing != Framing::None,
        upgrade: seen.connection_upgrade && seen.upgrade && !http_1_0,
        host,
    })
}

/// The fields that decide something, collected while the lines go by.
#[derive(Default)]
struct Seen<'a> {
    host: Option<&'a [u8]>,
    framing: FramingFields<'a>,
    close: bool,
    keep_alive: bool,
    connection_upgrade: bool,
    upgrade: bool,
    expects_continue: bool,
    other_expectation: bool,
}

impl<'a> Seen<'a> {
    fn note(&mut self, name: &'a str, value: &'a [u8]) -> Result<(), BadRequest> {
        // The length tells most names apart without a comparison.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => {
                if self.host.replace(value).is_some() {
                    return Err(BadRequest::DuplicateHost);
                }
            }
            6 if name.eq_ignore_ascii_case("expect") => self.expect(value),
            7 if name.eq_ignore_ascii_case("upgrade") => {
                // h2c is ignored: this server speaks HTTP/1 only.
                self.upgrade |= grammar::list_elements(value).any(|protocol| !protocol.eq_ignore_ascii_case(b"h2c"));
            }
            10 if name.eq_ignore_ascii_case("connection") => self.connection(value),
            14 if name.eq_ignore_ascii_case("content-length") => self.framing.content_length(value),
            17 if name.eq_ignore_ascii_case("transfer-encoding") => self.framing.transfer_encoding(value),
            _ => {}
        }
        Ok(())
    }

    /// RFC 9110 section 7.6.1: a list, compared without case.
    fn connection(&mut self, value: &[u8]) {
        for option in grammar::list_elements(value) {
            match option.len() {
                5 if option.eq_ignore_ascii_case(b"close") => self.close = true,
                7 if option.eq_ignore_ascii_case(b"upgrade") => self.connection_upgrade = true,
                10 if option.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = true,
                _ => {}
            }
        }
    }

    /// RFC 9110 section 10.1.1.
    fn expect(&mut self, value: &[u8]) {
        if value.eq_ignore_ascii_case(b"100-continue") {
            self.expects_continue = true;
        } else {
            self.other_expectation = true;
        }
    }

    fn host(&self, head: &[u8], http_1_0: bool) -> Result<Range<usize>, BadRequest> {
        match self.host {
            Some(value) if !target::is_host(value) => Err(BadRequest::Host),
            Some(value) => {
                let start = value.as_ptr() as usize - head.as_ptr() as usize;
                Ok(start..start + value.len())
            }
            None if http_1_0 => Ok(0..0),
            None => Err(BadRequest::MissingHost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(input: &[u8], config: &Config, cut: usize) -> Result<Option<usize>, BadRequest> {
        let mut search = HeadSearch::default();
        let mut end = 0;
        loop {
            end = (end + cut).min(input.len());
            let found = search.advance(&input[..end], config)?;
            if found.is_some() || end == input.len() {
                return Ok(found.map(|(_, length)| length));
            }
        }
    }

    fn line(line: &str) -> Result<RequestLine, BadRequest> {
        parse_request_line(line.as_bytes(), &Config::default())
    }

    #[test]
    fn request_lines() {
        let good = line("GET /a HTTP/1.1").unwrap();
        assert_eq!((good.method, good.version, good.target.path), (Method::GET, Version::HTTP_11, 4..6));
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
    fn limits_at_n_and_n_plus_1_however_it_is_cut() {
        let config = Config::default();
        let head = |total: usize| {
            let start = "GET / HTTP/1.1\r\nA: ";
            format!("{start}{}\r\n\r\n", "a".repeat(total - start.len() - 4)).into_bytes()
        };
        let target = |n: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(n - 1)).into_bytes();
        for cut in [1, 7, 4096, usize::MAX / 2] {
            assert_eq!(search(&head(32 << 10), &config, cut), Ok(Some(32 << 10)));
            assert_eq!(search(&head((32 << 10) + 1), &config, cut), Err(BadRequest::HeadTooLong));
            assert!(search(&target(8 << 10), &config, cut).is_ok());
            assert_eq!(search(&target((8 << 10) + 1), &config, cut), Err(BadRequest::TargetTooLong));
            assert_eq!(search(&target(40 << 10), &config, cut), Err(BadRequest::TargetTooLong));
        }
        assert!(line(&format!("{} / HTTP/1.1", "M".repeat(64))).is_ok());
        assert_eq!(line(&format!("{} / HTTP/1.1", "M".repeat(65))).map(|_| ()), Err(BadRequest::MethodTooLong));
    }
}
