//! The request head: found incrementally, parsed once (RFC 9112 sections 2 to 5).

use http::{Method, Version};

use crate::config::Config;
use crate::error::BadRequest;
use crate::message::headers::FieldSpan;
use crate::wire::framing::{Framing, FramingFields};
use crate::wire::span::Span;
use crate::wire::target::{self, Target};
use crate::wire::fields::{self, Line, Lines};
use crate::wire::grammar;

/// `method SP request-target SP HTTP-version`, RFC 9112 section 3.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) target: Target,
}

/// What the fields of a head decide about its connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) framing: Framing,
    /// What version and Connection say; the configuration may still say no.
    pub(crate) persistent: bool,
    pub(crate) expects_continue: bool,
    /// Connection names `upgrade` and an Upgrade field is there, in HTTP/1.1.
    pub(crate) upgrade: bool,
    /// The value of Host, in the head's bytes; empty where there is none.
    pub(crate) host: Span,
}

/// A head but for its field lines, which stand in an index of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) line: RequestLine,
    pub(crate) facts: Facts,
}

/// Reads a head as it arrives: each line once, when its end is there.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    /// Where the line being read starts, and how far its end was looked for.
    line_start: usize,
    searched: usize,
}

impl HeadReader {
    /// Fills `head` and `index`, and returns the length of the head with its empty line once
    /// it is complete. The caller keeps both until then.
    pub(crate) fn advance(
        &mut self,
        input: &[u8],
        config: &Config,
        head: &mut Head,
        index: &mut Vec<FieldSpan>,
    ) -> Result<Option<usize>, BadRequest> {
        let limit = config.limits.head.min(fields::MOST_BYTES);
        // Nothing beyond the limit is looked at, so that the verdict is the same whether it
        // has arrived or not.
        let window = input.get(..limit).unwrap_or(input);
        if self.line_start == 0
            && let Some(line) = self.request_line(window)?
        {
            head.line.parse(line, config)?;
            index.clear();
        }
        if self.line_start > 0 && self.read_fields(window, config.limits.fields, index)? {
            head.facts = Facts::new(window, &head.line, index)?;
            return Ok(Some(self.line_start));
        }
        self.searched = window.len();
        match self.line_start {
            _ if input.len() < limit => Ok(None),
            // A head of exactly the limit would have ended by now.
            0 => Err(BadRequest::TargetTooLong),
            _ => Err(BadRequest::HeadTooLong),
        }
    }

    /// Whether the request line was read already.
    pub(crate) fn has_request_line(&self) -> bool {
        self.line_start > 0
    }

    /// The first line, without its end.
    fn request_line<'a>(&mut self, window: &'a [u8]) -> Result<Option<&'a [u8]>, BadRequest> {
        let Some(at) = window.get(self.searched..).and_then(|rest| memchr::memchr(b'\n', rest)) else {
            return Ok(None);
        };
        let end = self.searched + at;
        match window.get(..end) {
            Some([line @ .., b'\r']) => {
                self.line_start = end + 1;
                self.searched = end + 1;
                Ok(Some(line))
            }
            _ => Err(BadRequest::BareLineFeed),
        }
    }

    /// Reads the field lines that are there; says whether the section has ended.
    fn read_fields(&mut self, window: &[u8], limit: usize, index: &mut Vec<FieldSpan>) -> Result<bool, BadRequest> {
        // A line that had not ended before is not read again before its end is there.
        let begun = self.searched > self.line_start;
        if begun && memchr::memchr(b'\n', window.get(self.searched..).unwrap_or_default()).is_none() {
            return Ok(false);
        }
        let mut lines = Lines::new(window, self.line_start);
        while let Some(line) = lines.next()? {
            self.line_start = lines.position();
            match line {
                Line::End => return Ok(true),
                Line::Field(_) if index.len() == limit => return Err(BadRequest::TooManyFields),
                Line::Field(field) => index.push(field),
            }
        }
        Ok(false)
    }
}

impl RequestLine {
    fn parse(&mut self, line: &[u8], config: &Config) -> Result<(), BadRequest> {
        let space = line.iter().position(|&byte| byte == b' ').ok_or(BadRequest::RequestLine)?;
        let (method, rest) = line.split_at_checked(space).unwrap_or_default();
        let rest = rest.get(1..).unwrap_or_default();
        let path = target::path_length(rest);
        let target_length = match rest.get(path) {
            Some(b' ') => path,
            _ => memchr::memchr(b' ', rest).ok_or(BadRequest::Version)?,
        };
        let (target, version) = rest.split_at_checked(target_length).unwrap_or_default();
        let version = parse_version(version.get(1..).unwrap_or_default());
        if method.is_empty() || target.is_empty() || version == Err(BadRequest::RequestLine) {
            return Err(BadRequest::RequestLine);
        }
        self.method = parse_method(method, config.limits.method)?;
        self.version = version?;
        if target.len() > config.limits.target {
            return Err(BadRequest::TargetTooLong);
        }
        let visible = path >= target_length || target.iter().all(u8::is_ascii_graphic);
        if !visible || (config.strict_target && !target::is_strict(target)) {
            return Err(BadRequest::TargetByte);
        }
        self.target = target::parse(target, path, space + 1, &self.method)?;
        Ok(())
    }
}

fn parse_method(method: &[u8], limit: usize) -> Result<Method, BadRequest> {
    match Method::from_bytes(method) {
        Ok(_) if method.len() > limit => Err(BadRequest::MethodTooLong),
        Ok(method) => Ok(method),
        Err(_) => Err(BadRequest::Method),
    }
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
        _ if version.contains(&b' ') => Err(BadRequest::RequestLine),
        _ => Err(BadRequest::Version),
    }
}

/// The fields that decide something, collected while the lines go by.
#[derive(Default)]
struct Seen<'a> {
    host: Option<Span>,
    repeated_host: bool,
    framing: FramingFields<'a>,
    close: bool,
    keep_alive: bool,
    connection_upgrade: bool,
    upgrade: bool,
    expects_continue: bool,
    other_expectation: bool,
}

impl<'a> Seen<'a> {
    fn note(&mut self, head: &'a [u8], field: FieldSpan) {
        // The length tells most names apart without a comparison.
        if !matches!(field.name.len(), 4 | 6 | 7 | 10 | 14 | 17) {
            return;
        }
        let name = field.name.slice(head);
        let is = |known: &str| name == known.as_bytes() || name.eq_ignore_ascii_case(known.as_bytes());
        let value = || field.value.slice(head);
        match name.len() {
            4 if is("Host") => self.repeated_host |= self.host.replace(field.value).is_some(),
            6 if is("Expect") => self.expect(value()),
            7 if is("Upgrade") => {
                // h2c is ignored: this server speaks HTTP/1 only.
                self.upgrade |= grammar::list_elements(value()).any(|protocol| !protocol.eq_ignore_ascii_case(b"h2c"));
            }
            10 if is("Connection") => self.connection(value()),
            14 if is("Content-Length") => self.framing.content_length(value()),
            17 if is("Transfer-Encoding") => self.framing.transfer_encoding(value()),
            _ => {}
        }
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

    fn host(&self, head: &[u8], http_1_0: bool) -> Result<Span, BadRequest> {
        match self.host {
            _ if self.repeated_host => Err(BadRequest::DuplicateHost),
            Some(value) if !target::is_host(value.slice(head)) => Err(BadRequest::Host),
            Some(value) => Ok(value),
            None if http_1_0 => Ok(Span::default()),
            None => Err(BadRequest::MissingHost),
        }
    }
}

impl Facts {
    /// Decides by the fields of a whole head.
    fn new(head: &[u8], line: &RequestLine, index: &[FieldSpan]) -> Result<Self, BadRequest> {
        let mut seen = Seen::default();
        index.iter().for_each(|&field| seen.note(head, field));
        let http_1_0 = line.version == Version::HTTP_10;
        let host = seen.host(head, http_1_0)?;
        let framing = seen.framing.decide(http_1_0)?;
        if seen.other_expectation && !http_1_0 {
            return Err(BadRequest::Expectation);
        }
        Ok(Self {
            framing,
            persistent: !seen.close && (!http_1_0 || seen.keep_alive),
            expects_continue: seen.expects_continue && !http_1_0 && framing != Framing::None,
            upgrade: seen.connection_upgrade && seen.upgrade && !http_1_0,
            host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(input: &[u8], config: &Config, cut: usize) -> Result<Option<usize>, BadRequest> {
        let mut search = HeadReader::default();
        let (mut head, mut index) = (Head::default(), Vec::new());
        let mut end = 0;
        loop {
            end = (end + cut).min(input.len());
            let found = search.advance(&input[..end], config, &mut head, &mut index)?;
            if found.is_some() || end == input.len() {
                return Ok(found);
            }
        }
    }

    fn line(line: &str) -> Result<RequestLine, BadRequest> {
        let mut parsed = RequestLine::default();
        parsed.parse(line.as_bytes(), &Config::default()).map(|()| parsed)
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
    fn limits_at_n_and_n_plus_1_however_it_is_cut() {
        let config = Config::default();
        let head = |total: usize| {
            let start = "GET / HTTP/1.1\r\nHost: a\r\nA: ";
            format!("{start}{}\r\n\r\n", "a".repeat(total - start.len() - 4)).into_bytes()
        };
        let target = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(n - 1)).into_bytes();
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
