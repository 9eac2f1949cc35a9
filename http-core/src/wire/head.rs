//! The parser of the request head, line by line as it arrives (RFC 9112 sections 2 to 5).

use http::Version;

use crate::wire::error::ProtocolError;
use crate::wire::fields::{self, Line, Lines};
use crate::wire::grammar;
use crate::wire::host;
use crate::wire::limits::HeadLimits;
use crate::wire::request_framing::{Framing, FramingFields};
use crate::wire::request_line::{self, RequestLine};
use crate::wire::span::{FieldSpan, Span};

/// The properties of a request and its connection that the fields of its head determine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeadFacts {
    pub(crate) framing: Framing,
    /// True if the version and Connection allow another request; the configuration may still forbid
    /// it.
    pub(crate) persistent: bool,
    pub(crate) expects_continue: bool,
    /// True if Connection contains `upgrade` and Upgrade names a protocol other than h2c, in
    /// HTTP/1.1.
    pub(crate) upgrade: bool,
    /// The value of Host in the bytes of the head; empty if there is none.
    pub(crate) host: Span,
}

/// A head without its field lines, which are in a separate index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) line: RequestLine,
    pub(crate) facts: HeadFacts,
    known_fields: KnownFields,
}

/// A reader of a head that arrives in segments. It parses each line once, when its end has arrived.
#[derive(Debug)]
pub(crate) struct HeadReader {
    limits: HeadLimits,
    /// Offset of the line being read, and offset up to which its end was searched.
    line_start: usize,
    searched: usize,
}

impl HeadReader {
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self { limits: HeadLimits { head: limits.head.min(fields::MAX_SECTION), ..limits }, line_start: 0, searched: 0 }
    }

    /// Prepares the reader for the next head.
    pub(crate) fn reset(&mut self) {
        (self.line_start, self.searched) = (0, 0);
    }

    /// Fills `head` and `index`. Returns the length of the head including its empty line once it is
    /// complete. The caller must pass the same `head` and `index` until then.
    pub(crate) fn advance(
        &mut self,
        input: &[u8],
        head: &mut Head,
        index: &mut Vec<FieldSpan>,
    ) -> Result<Option<usize>, ProtocolError> {
        let limit = self.limits.head;
        // Bytes beyond the limit are not parsed, so that the verdict does not depend on how many of
        // them have arrived.
        let window = input.get(..limit).unwrap_or(input);
        // A line whose end had not arrived is not read again until it has.
        if self.searched <= self.line_start || has_line_feed(window, self.searched) {
            if self.line_start == 0
                && let Some(length) = head.line.read(window, &self.limits)?
            {
                self.line_start = length;
                head.known_fields = KnownFields::default();
                index.clear();
            }
            if self.line_start > 0 && self.read_fields(window, &mut head.known_fields, index)? {
                head.facts = head.known_fields.facts(window, head.line.version == Version::HTTP_10)?;
                return Ok(Some(self.line_start));
            }
        }
        self.miss_end(window, input.len() < limit)
    }

    /// Handles a head whose end has not arrived; rare, because nearly every head arrives whole.
    #[cold]
    fn miss_end(&mut self, window: &[u8], has_room: bool) -> Result<Option<usize>, ProtocolError> {
        self.searched = window.len();
        match self.line_start {
            _ if has_room => Ok(None),
            // A head of exactly the limit would be complete.
            0 => Err(request_line::no_end(window, &self.limits)),
            _ => Err(ProtocolError::HeadTooLong),
        }
    }

    /// Returns true if the request line has been read.
    pub(crate) fn has_request_line(&self) -> bool {
        self.line_start > 0
    }

    /// Reads the field lines that have arrived. Returns true if the section is complete.
    ///
    /// A function of its own, so that the loop can use all registers.
    #[inline(never)]
    fn read_fields(
        &mut self,
        window: &[u8],
        known: &mut KnownFields,
        index: &mut Vec<FieldSpan>,
    ) -> Result<bool, ProtocolError> {
        let mut lines = Lines::new(window.get(self.line_start..).unwrap_or_default());
        let ended = loop {
            match lines.next()? {
                None => break false,
                Some(Line::End) => break true,
                Some(Line::Field(..)) if index.len() == self.limits.fields => return Err(ProtocolError::TooManyFields),
                Some(Line::Field(name, value)) => {
                    index.push(FieldSpan::of(name, value, window));
                    known.note(name, value, window);
                }
            }
        };
        self.line_start = window.len() - lines.rest().len();
        Ok(ended)
    }
}

fn has_line_feed(window: &[u8], searched: usize) -> bool {
    window.get(searched..).is_some_and(|rest| memchr::memchr(b'\n', rest).is_some())
}

/// The values of the fields that the core interprets, recorded while the lines are read and judged
/// when the head is complete.
#[derive(Clone, Copy, Debug, Default)]
struct KnownFields {
    host: Option<Span>,
    repeated_host: bool,
    framing: FramingFields,
    close: bool,
    keep_alive: bool,
    connection_upgrade: bool,
    upgrade: bool,
    expects_continue: bool,
    other_expectation: bool,
}

/// The first letter of the known field names, indexed by the length of the name; 0 if there is
/// none.
const FIRST_LETTERS: [u8; 18] = {
    let mut letters = [0; 18];
    (letters[4], letters[6], letters[7]) = (b'h', b'e', b'u');
    (letters[10], letters[14], letters[17]) = (b'c', b'c', b't');
    letters
};

impl KnownFields {
    /// Records a field if it is one of those that the core interprets.
    #[inline(always)]
    fn note(&mut self, name: &[u8], value: &[u8], head: &[u8]) {
        // Length and first letter rule out nearly all other names without a comparison.
        let [first, ..] = name else { return };
        if FIRST_LETTERS.get(name.len()) == Some(&(first | 0x20)) {
            self.note_known(name, value, head);
        }
    }

    #[inline(never)]
    fn note_known(&mut self, name: &[u8], value: &[u8], head: &[u8]) {
        let is = |known: &[u8]| name == known || name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is(b"Host") => self.repeated_host |= self.host.replace(Span::of(value, head)).is_some(),
            6 if is(b"Expect") => self.expect(value),
            7 if is(b"Upgrade") => self.upgrade(value),
            10 if is(b"Connection") => self.connection(value),
            14 if is(b"Content-Length") => self.framing.content_length(value),
            17 if is(b"Transfer-Encoding") => self.framing.transfer_encoding(value),
            _ => {}
        }
    }

    /// Records Upgrade, which is a list (RFC 9110 section 7.8). h2c is ignored because this server
    /// speaks HTTP/1 only.
    #[inline(never)]
    fn upgrade(&mut self, value: &[u8]) {
        self.upgrade |= grammar::list_elements(value).any(|protocol| !protocol.eq_ignore_ascii_case(b"h2c"));
    }

    /// Records Connection, which is a list, compared without case (RFC 9110 section 7.6.1).
    #[inline(never)]
    fn connection(&mut self, value: &[u8]) {
        // The value that nearly every client sends, which needs no list parsing.
        if value == b"keep-alive" {
            self.keep_alive = true;
            return;
        }
        for option in grammar::list_elements(value) {
            match option.len() {
                5 if option.eq_ignore_ascii_case(b"close") => self.close = true,
                7 if option.eq_ignore_ascii_case(b"upgrade") => self.connection_upgrade = true,
                10 if option.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = true,
                _ => {}
            }
        }
    }

    /// Records Expect, which is a list and may be empty (RFC 9110 section 10.1.1).
    #[inline(never)]
    fn expect(&mut self, value: &[u8]) {
        for expectation in grammar::list_elements(value) {
            if expectation.eq_ignore_ascii_case(b"100-continue") {
                self.expects_continue = true;
            } else {
                self.other_expectation = true;
            }
        }
    }

    fn host(&self, head: &[u8], http_1_0: bool) -> Result<Span, ProtocolError> {
        match self.host {
            Some(value) if !self.repeated_host && host::is_host(value.slice(head)) => Ok(value),
            host => self.other_host(host, head, http_1_0),
        }
    }

    /// Handles a missing, repeated or invalid Host.
    #[cold]
    fn other_host(&self, host: Option<Span>, head: &[u8], http_1_0: bool) -> Result<Span, ProtocolError> {
        match host {
            _ if self.repeated_host => Err(ProtocolError::DuplicateHost),
            Some(value) => Err(host::host_fault(value.slice(head))),
            None if http_1_0 => Ok(Span::default()),
            None => Err(ProtocolError::MissingHost),
        }
    }

    fn facts(&self, head: &[u8], http_1_0: bool) -> Result<HeadFacts, ProtocolError> {
        let host = self.host(head, http_1_0)?;
        let framing = self.framing.decide(http_1_0)?;
        if self.other_expectation && !http_1_0 {
            return Err(ProtocolError::Expectation);
        }
        Ok(HeadFacts {
            framing,
            persistent: !self.close && (!http_1_0 || self.keep_alive),
            expects_continue: self.expects_continue && !http_1_0 && framing != Framing::None,
            upgrade: self.connection_upgrade && self.upgrade && !http_1_0,
            host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn search(input: &[u8], cut: usize) -> Result<Option<usize>, ProtocolError> {
        let mut search = HeadReader::new(HeadLimits::DEFAULT);
        let (mut head, mut index) = (Head::default(), Vec::new());
        let mut end = 0;
        loop {
            end = (end + cut).min(input.len());
            let found = search.advance(&input[..end], &mut head, &mut index)?;
            if found.is_some() || end == input.len() {
                return Ok(found);
            }
        }
    }

    /// Returns the verdict on a head, and a description of it.
    fn read(input: &[u8], cuts: impl Fn(usize) -> usize) -> Result<Option<String>, ProtocolError> {
        let limits = HeadLimits { head: 200, fields: 5, target: 40, method: 8, ..HeadLimits::DEFAULT };
        let mut reader = HeadReader::new(limits);
        let (mut head, mut index) = (Head::default(), Vec::new());
        let mut end = 0;
        loop {
            end = (end + cuts(end)).min(input.len());
            if let Some(length) = reader.advance(&input[..end], &mut head, &mut index)? {
                let Head { line, facts, .. } = head;
                return Ok(Some(format!("{length} {line:?} {facts:?} {index:?}")));
            }
            if end == input.len() {
                return Ok(None);
            }
        }
    }

    #[test]
    fn verdict_does_not_depend_on_the_cuts() {
        const LINES: [&str; 24] = [
            "GET / HTTP/1.1\r\n",
            "GET /path?query#fragment HTTP/1.1\r\n",
            "POST http://h:80/ HTTP/1.0\r\n",
            "GET /\r\n",
            "METHODTOOLONG / HTTP/1.1\r\n",
            "GET /toooooooooooooooooooooooooooooooooooooooo HTTP/1.1\r\n",
            "CONNECT h:1 HTTP/1.1\r\n",
            "OPTIONS * HTTP/1.1\r\n",
            "Host: a\r\n",
            "Host: a\r\n",
            "host:\t[::1]:80 \r\n",
            "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Connection: close, upgrade\r\n",
            "Upgrade: websocket\r\n",
            "Expect: 100-continue\r\n",
            "X: a value of some length, and a tab\there\r\n",
            "X:\r\n",
            "\r\n",
            "\r\n",
            "no colon\r\n",
            "bare\n",
            "X: \x01\r\n",
            "\r",
        ];
        let mut random = Random::new(3);
        let mut verdicts = alloc::collections::BTreeMap::<_, usize>::new();
        for round in 0..20_000 {
            let first = if round % 3 > 0 { LINES[random.below(8)] } else { "" };
            let mut input = first.as_bytes().to_vec();
            (0..random.below(8)).for_each(|_| input.extend_from_slice(LINES[8 + random.below(16)].as_bytes()));
            if round % 2 > 0 && !input.is_empty() {
                let at = random.below(input.len());
                input[at] = [b'\r', b'\n', b' ', b'\0', b':', 0xff, b'a'][random.below(7)];
            }
            if matches!(input.first(), None | Some(b'\r' | b'\n')) {
                continue;
            }
            let whole = read(&input, |_| usize::MAX / 2);
            let third = random.below(20) + 1;
            let name = whole.clone().map(|head| head.is_some()).map_err(|fault| format!("{fault:?}"));
            assert_eq!(read(&input, |_| 1), whole, "byte by byte: {}", input.escape_ascii());
            assert_eq!(read(&input, |_| third), whole, "every {third} bytes: {}", input.escape_ascii());
            *verdicts.entry(name).or_default() += 1;
        }
        assert!(verdicts.len() > 20, "{verdicts:?}");
    }

    /// Names and options that share only the length and the first letter with a known one are not
    /// taken for it.
    #[test]
    fn known_names_and_options_match_exactly_without_case() {
        let facts = |lines: &str| {
            let input = format!("POST / HTTP/1.1\r\n{lines}\r\n");
            let (mut head, mut index) = (Head::default(), Vec::new());
            let length = HeadReader::new(HeadLimits::DEFAULT).advance(input.as_bytes(), &mut head, &mut index)?;
            assert_eq!(length, Some(input.len()));
            let HeadFacts { framing, persistent, expects_continue, upgrade, host } = head.facts;
            Ok((framing, persistent, expects_continue, upgrade, host.slice(input.as_bytes()) == b"a"))
        };
        let upgrades = "Connection: upgrade\r\nUpgrade: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n";
        let ignored = "Hosx: b\r\nExpecx: x\r\nUpgradx: x\r\nConnectiox: close, upgrade\r\nContent-Lengtx: x\r\n\
                       Transfer-Encodinx: x\r\nConnection: closx, upgradx, keep-alivx\r\n";
        for (lines, expected) in [
            (format!("Host: a\r\n{upgrades}"), (Framing::Chunked, true, true, true, true)),
            (format!("Host: a\r\n{upgrades}").to_lowercase(), (Framing::Chunked, true, true, true, true)),
            (format!("HOST: a\r\n{}", upgrades.to_uppercase()), (Framing::Chunked, true, true, true, true)),
            (format!("Host: a\r\n{ignored}"), (Framing::None, true, false, false, true)),
            (format!("Host: a\r\n{ignored}Upgrade: x\r\n"), (Framing::None, true, false, false, true)),
            (format!("Host: a\r\n{ignored}Connection: upgrade\r\n"), (Framing::None, true, false, false, true)),
            ("Host: a\r\ncontent-length: 7\r\n".into(), (Framing::Length(7), true, false, false, true)),
        ] {
            assert_eq!(facts(&lines), Ok(expected), "{lines:?}");
        }
        for (lines, fault) in [
            ("Hosx: a\r\n", ProtocolError::MissingHost),
            ("Host: a\r\nhost: a\r\n", ProtocolError::DuplicateHost),
            ("Host: a/b\r\n", ProtocolError::Host),
            ("Host: [::1%eth0]\r\n", ProtocolError::HostZone),
            ("Host: a\r\nexpect: x\r\n", ProtocolError::Expectation),
        ] {
            assert_eq!(facts(lines), Err(fault), "{lines:?}");
        }
        // In HTTP/1.0 only the option keep-alive keeps the connection open.
        for (option, persistent) in [("keep-alive", true), ("Keep-Alive", true), ("keep-alivx", false)] {
            let input = format!("GET / HTTP/1.0\r\nConnection: {option}\r\n\r\n");
            let (mut head, mut index) = (Head::default(), Vec::new());
            let read = HeadReader::new(HeadLimits::DEFAULT).advance(input.as_bytes(), &mut head, &mut index);
            assert_eq!((read, head.facts.persistent), (Ok(Some(input.len())), persistent), "{option}");
        }
    }

    #[test]
    fn lists_continue_over_lines_and_skip_empty_elements() {
        let facts = |lines: &str| {
            let input = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n{lines}\r\n");
            let (mut head, mut index) = (Head::default(), Vec::new());
            let read = HeadReader::new(HeadLimits::DEFAULT).advance(input.as_bytes(), &mut head, &mut index);
            read.map(|_| (head.facts.persistent, head.facts.upgrade, head.facts.expects_continue))
        };
        for (lines, expected) in [
            ("Connection:\r\nUpgrade:\r\nExpect:\r\n", (true, false, false)),
            ("Connection: ,\r\nUpgrade: , ,\r\nExpect: ,\r\n", (true, false, false)),
            ("Connection: ,CLOSE,\r\n", (false, false, false)),
            ("Connection: keep-alive\r\nConnection:\r\nConnection: , Close\r\n", (false, false, false)),
            ("Connection: ,uPGRADE\r\nUpgrade: ,a,\r\n", (true, true, false)),
            ("Upgrade:\r\nUpgrade: a\r\nConnection: x\r\nConnection: upgrade,\r\n", (true, true, false)),
            ("Connection: upgrade\r\nUpgrade: H2C,,h2c\r\n", (true, false, false)),
            ("Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: ,a\r\n", (true, true, false)),
            ("Expect: ,100-CONTINUE,\r\nExpect:\r\nExpect: 100-continue, 100-continue\r\n", (true, false, true)),
        ] {
            assert_eq!(facts(lines), Ok(expected), "{lines:?}");
        }
        for lines in ["Expect: 100-continue,x\r\n", "Expect: ,\r\nExpect: x\r\n", "Expect: \"\"\r\n", "Expect: ;\r\n"] {
            assert_eq!(facts(lines), Err(ProtocolError::Expectation), "{lines:?}");
        }
    }

    #[test]
    fn limits_are_exact_at_every_cut() {
        let head = |total: usize| {
            let start = "GET / HTTP/1.1\r\nHost: a\r\nA: ";
            format!("{start}{}\r\n\r\n", "a".repeat(total - start.len() - 4)).into_bytes()
        };
        let target = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(n - 1)).into_bytes();
        for cut in [1, 7, 4096, usize::MAX / 2] {
            assert_eq!(search(&head(32 << 10), cut), Ok(Some(32 << 10)));
            assert_eq!(search(&head((32 << 10) + 1), cut), Err(ProtocolError::HeadTooLong));
            assert!(search(&target(8 << 10), cut).is_ok());
            assert_eq!(search(&target((8 << 10) + 1), cut), Err(ProtocolError::TargetTooLong));
            assert_eq!(search(&target(40 << 10), cut), Err(ProtocolError::TargetTooLong));
        }
    }
}
