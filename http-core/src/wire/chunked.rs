//! The decoder of the chunked transfer coding (RFC 9112 section 7.1): a state machine that reads
//! byte by byte.

use crate::wire::error::ProtocolError;
use crate::wire::grammar::is_tchar;

/// The position of the next byte in the grammar of a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// In the chunk size; the number of digits read so far.
    Size(u8),
    /// After white space that follows the size: only an extension can follow.
    BeforeExtension,
    /// After `;`: white space, then the first byte of the name.
    NameStart,
    Name,
    /// After white space that follows the name.
    AfterName,
    /// After `=`: white space, then the first byte of the value.
    ValueStart,
    Token,
    Quoted,
    /// After a backslash in a quoted string.
    QuotedPair,
    /// After a quoted value: `;`, white space or the end of the line.
    AfterValue,
    /// After white space that follows the value: only another extension can follow.
    AfterValueSpace,
    SizeLineFeed,
    Data,
    DataCarriageReturn,
    DataLineFeed,
    Trailers,
    End,
}

/// The first piece of the input, as decoded by [`Chunked::advance`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// `framing` bytes of framing were read, and more input is needed.
    NeedMore { framing: usize },
    /// `framing` bytes of framing, followed by `length` bytes of content.
    Data { framing: usize, length: usize },
    /// `framing` bytes of framing, followed by a trailer section of `trailers` bytes including its
    /// empty line. The body is complete.
    End { framing: usize, trailers: usize },
}

#[derive(Clone, Debug)]
pub(crate) struct Chunked {
    position: Position,
    /// Bytes of data that remain in the current chunk.
    remaining: u64,
    /// Bytes of framing of the current chunk that do not count against `budget`. Known once the
    /// size has been read.
    free: u64,
    /// Bytes that remain for framing beyond what is free, and for trailers.
    budget: usize,
    /// Offset up to which the trailer section was searched, and offset of its last line.
    searched: usize,
    line_start: usize,
}

impl Chunked {
    pub(crate) fn new(budget: usize) -> Self {
        Self { position: Position::Size(0), remaining: 0, free: 0, budget, searched: 0, line_start: 0 }
    }

    /// Sets the number of bytes that remain for framing beyond what is free, and for trailers.
    pub(crate) fn set_overhead(&mut self, budget: usize) {
        self.budget = budget;
    }

    /// Returns the number of bytes of the current chunk's data that have not been read.
    pub(crate) fn chunk_remaining(&self) -> u64 {
        if self.position == Position::Data { self.remaining } else { 0 }
    }

    /// Returns the maximum number of bytes of the trailer section including its empty line, or 0
    /// before that section.
    pub(crate) fn longest_section(&self) -> usize {
        if self.position == Position::Trailers { self.budget.saturating_add(2) } else { 0 }
    }

    /// Decodes the first piece of `input`. The caller removes the bytes that the piece covers
    /// before the next call. Trailers stay in the input until their section is complete.
    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<Piece, ProtocolError> {
        let mut framing = 0;
        while let Some(rest) = input.get(framing..) {
            match self.position {
                Position::Data if self.remaining == 0 => self.position = Position::DataCarriageReturn,
                Position::Data if rest.is_empty() => break,
                Position::Data => {
                    let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(rest.len());
                    self.remaining -= length as u64;
                    return Ok(Piece::Data { framing, length });
                }
                Position::Trailers => return self.trailers(framing, rest),
                Position::End => return Ok(Piece::End { framing, trailers: 0 }),
                _ => match self.fast_path(rest) {
                    0 => {
                        let Some(&byte) = rest.first() else { break };
                        self.position = self.step(byte)?;
                        framing += 1;
                    }
                    length => framing += length,
                },
            }
        }
        Ok(Piece::NeedMore { framing })
    }

    /// Reads a complete line end, or a complete size line without extensions, in one step instead
    /// of byte by byte. Returns the number of bytes read, 0 if the input does not start with
    /// either.
    fn fast_path(&mut self, rest: &[u8]) -> usize {
        match self.position {
            Position::DataCarriageReturn if rest.starts_with(b"\r\n") => {
                self.position = Position::Size(0);
                2
            }
            Position::Size(0) => match plain_size(rest) {
                // A line that counts against the budget is read byte by byte, so that the error is
                // found at the byte that exceeds it.
                Some((size, length)) if (length as u64).saturating_add(line_end(size)) <= allowance(size) => {
                    self.remaining = size;
                    self.position = if size == 0 { Position::Trailers } else { Position::Data };
                    length
                }
                _ => 0,
            },
            _ => 0,
        }
    }

    fn step(&mut self, byte: u8) -> Result<Position, ProtocolError> {
        use Position as P;
        match (self.position, byte) {
            (P::DataCarriageReturn, b'\r') => return Ok(P::DataLineFeed),
            (P::DataLineFeed, b'\n') => return Ok(P::Size(0)),
            (P::DataCarriageReturn | P::DataLineFeed, _) => return Err(ProtocolError::ChunkLineEnd),
            // Digits are counted once the size is known; up to 16 are free for any size.
            (P::Size(_), _) if byte.is_ascii_hexdigit() => {}
            (P::Size(0), _) => {}
            (P::Size(digits @ 1..), _) => {
                self.free = allowance(self.remaining);
                self.spend(u64::from(digits).saturating_add(line_end(self.remaining)).saturating_add(1))?;
            }
            _ => self.spend(1)?,
        }
        Ok(match (self.position, byte) {
            (P::Size(digits), _) if byte.is_ascii_hexdigit() => {
                if digits == 16 {
                    return Err(ProtocolError::ChunkSize);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.remaining = self.remaining << 4 | u64::from(digit);
                P::Size(digits + 1)
            }
            (P::SizeLineFeed, b'\n') if self.remaining == 0 => P::Trailers,
            (P::SizeLineFeed, b'\n') => P::Data,
            (P::Quoted, b'"') => P::AfterValue,
            (P::Quoted, b'\\') => P::QuotedPair,
            (P::Quoted | P::QuotedPair, b'\t' | b' '..=b'~' | 0x80..) => P::Quoted,
            // A quoted string cannot contain a line end, and LF alone is not a line end.
            (P::SizeLineFeed, _) | (_, b'\n') => return Err(ProtocolError::ChunkLineEnd),
            (P::Size(0), _) => return Err(ProtocolError::ChunkSize),
            (P::Size(_) | P::Name | P::Token | P::AfterValue, b'\r') => P::SizeLineFeed,
            (P::Size(_) | P::BeforeExtension, b' ' | b'\t') => P::BeforeExtension,
            (P::Size(_) | P::BeforeExtension, b';') => P::NameStart,
            (P::Size(_), _) => return Err(ProtocolError::ChunkSize),
            (P::NameStart, b' ' | b'\t') => P::NameStart,
            (P::NameStart | P::Name, _) if is_tchar(byte) => P::Name,
            (P::Name | P::AfterName, b' ' | b'\t') => P::AfterName,
            (P::Name | P::AfterName, b'=') => P::ValueStart,
            (P::Name | P::AfterName, b';') => P::NameStart,
            (P::ValueStart, b' ' | b'\t') => P::ValueStart,
            (P::ValueStart, b'"') => P::Quoted,
            (P::ValueStart | P::Token, _) if is_tchar(byte) => P::Token,
            (P::Token | P::AfterValue | P::AfterValueSpace, b' ' | b'\t') => P::AfterValueSpace,
            (P::Token | P::AfterValue | P::AfterValueSpace, b';') => P::NameStart,
            _ => return Err(ProtocolError::ChunkExtension),
        })
    }

    /// Searches for the end of the trailer section. Each byte is searched once, and none beyond the
    /// budget plus the empty line, so that the verdict does not depend on how much has arrived.
    fn trailers(&mut self, framing: usize, section: &[u8]) -> Result<Piece, ProtocolError> {
        let most = self.budget.saturating_add(2);
        let window = section.get(..most).unwrap_or(section);
        while let Some(at) = window.get(self.searched..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let line_feed = self.searched + at;
            let Some([content @ .., b'\r']) = window.get(self.line_start..line_feed) else {
                return Err(ProtocolError::BareLineFeed);
            };
            self.searched = line_feed + 1;
            self.line_start = self.searched;
            if content.is_empty() {
                self.position = Position::End;
                return Ok(Piece::End { framing, trailers: self.searched });
            }
        }
        self.searched = window.len();
        if section.len() < most { Ok(Piece::NeedMore { framing }) } else { Err(ProtocolError::ChunkOverhead) }
    }

    /// Counts bytes of framing, first against what is free for the chunk, then against the budget.
    fn spend(&mut self, bytes: u64) -> Result<(), ProtocolError> {
        let excess = bytes.saturating_sub(self.free);
        self.free = self.free.saturating_sub(bytes);
        let left = (self.budget as u64).checked_sub(excess).ok_or(ProtocolError::ChunkOverhead)?;
        self.budget = usize::try_from(left).unwrap_or(usize::MAX);
        Ok(())
    }
}

/// Returns the number of bytes of framing that are free for a chunk of this size, that is, do not
/// count against the budget. It grows with the data: content in small chunks can be of any length,
/// but extensions that are much larger than their data cannot.
fn allowance(size: u64) -> u64 {
    size.saturating_mul(2).saturating_add(16)
}

/// Returns the length of the line end after the data of a chunk; the last chunk has none.
fn line_end(size: u64) -> u64 {
    if size == 0 { 0 } else { 2 }
}

/// Parses 1 to 16 hexadecimal digits followed by CRLF. Returns the number and the length of the
/// line, or `None` if the input does not start with such a line.
fn plain_size(line: &[u8]) -> Option<(u64, usize)> {
    let mut size = 0;
    for (at, &byte) in line.iter().take(17).enumerate() {
        match char::from(byte).to_digit(16) {
            Some(digit) if at < 16 => size = size << 4 | u64::from(digit),
            _ => return (at > 0 && line.get(at..)?.starts_with(b"\r\n")).then_some((size, at + 2)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the content, the trailer section, and the number of bytes of input that were read.
    fn decode(input: &[u8], budget: usize, cut: usize) -> Result<(Vec<u8>, Vec<u8>, usize), Option<ProtocolError>> {
        let mut decoder = Chunked::new(budget);
        let (mut at, mut end, mut content) = (0, 0, Vec::new());
        loop {
            match decoder.advance(&input[at..end]).map_err(Some)? {
                Piece::NeedMore { framing } => {
                    at += framing;
                    if end == input.len() {
                        return Err(None);
                    }
                    end = (end + cut).min(input.len());
                }
                Piece::Data { framing, length } => {
                    content.extend_from_slice(&input[at + framing..at + framing + length]);
                    at += framing + length;
                }
                Piece::End { framing, trailers } => {
                    let section = at + framing..at + framing + trailers;
                    return Ok((content, input[section.clone()].to_vec(), section.end));
                }
            }
        }
    }

    fn verdict(input: &str) -> Result<String, Option<ProtocolError>> {
        let whole = decode(input.as_bytes(), 1000, usize::MAX / 2);
        for cut in 1..input.len() {
            assert_eq!(decode(input.as_bytes(), 1000, cut), whole, "cut every {cut} bytes: {input:?}");
        }
        whole.map(|(content, _, _)| String::from_utf8(content).unwrap())
    }

    #[test]
    fn valid_bodies_are_decoded() {
        for (input, content) in [
            ("0\r\n\r\n", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "hello"),
            ("05\r\nhello\r\n000\r\n\r\n", "hello"),
            ("A\r\n0123456789\r\n1\r\na\r\n0\r\n\r\n", "0123456789a"),
            ("1;a\r\nx\r\n0;b=c\r\n\r\n", "x"),
            ("1 ; a = \"q;\\\"\" ;b\r\nx\r\n0\r\n\r\n", "x"),
            ("1\t;\ta=b;c\r\nx\r\n0\r\nT: 1\r\nU: 2\r\n\r\n", "x"),
            ("0000000000000001\r\nx\r\n0\r\n\r\n", "x"),
            ("1;a=\"\"\r\nx\r\n0\r\n\r\n", "x"),
            ("1;a;b ;c\r\nx\r\n0;a;b ;c\r\n\r\n", "x"),
        ] {
            assert_eq!(verdict(input).as_deref(), Ok(content), "{input:?}");
        }
    }

    #[test]
    fn invalid_bodies_are_errors() {
        use ProtocolError::{BareLineFeed, ChunkExtension, ChunkLineEnd, ChunkSize};
        for (input, fault) in [
            ("+5\r\nhello\r\n", ChunkSize),
            ("-1\r\n", ChunkSize),
            ("0x5\r\nhello", ChunkSize),
            ("\r\n", ChunkSize),
            (" 5\r\n", ChunkSize),
            ("5 \r\nhello", ChunkExtension),
            ("5x\r\n", ChunkSize),
            ("5 5\r\n", ChunkExtension),
            ("00000000000000005\r\n", ChunkSize),
            ("5\nhello\r\n", ChunkLineEnd),
            ("5\rX", ChunkLineEnd),
            ("5;\r\n", ChunkExtension),
            ("5;\n", ChunkLineEnd),
            ("5;a\n", ChunkLineEnd),
            ("5;a=\r\n", ChunkExtension),
            ("5;a=\"b\r\nc\"\r\n", ChunkExtension),
            ("5;a=\"\\\r\"\r\n", ChunkExtension),
            ("5;a=\"b\n\"\r\n", ChunkLineEnd),
            ("5;a\u{0}\r\n", ChunkExtension),
            ("5;=a\r\n", ChunkExtension),
            ("5;a b\r\n", ChunkExtension),
            ("5;a=b c\r\n", ChunkExtension),
            ("5;a \r\n", ChunkExtension),
            ("5;a=b \r\n", ChunkExtension),
            ("5;a=\"b\" \r\n", ChunkExtension),
            ("5\r\nhelloX", ChunkLineEnd),
            ("5\r\nhello\n", ChunkLineEnd),
            ("5\r\nhello\rX", ChunkLineEnd),
            ("0\r\nA: 1\n\r\n", BareLineFeed),
            ("0\r\n\n", BareLineFeed),
            ("5;a=\"\u{0}\"\r\n", ChunkExtension),
            ("5\r\nhello\r\n\r\n", ChunkSize),
            ("5,\r\n", ChunkSize),
            ("5;a=\"b\"c\r\n", ChunkExtension),
        ] {
            assert_eq!(verdict(input), Err(Some(fault)), "{input:?}");
        }
    }

    /// Asserts that a body needs exactly this budget: with one byte less it is refused at every
    /// cut.
    fn needs(body: &[u8], budget: usize) {
        for cut in [1, 2, 3, 5, 1000] {
            assert!(decode(body, budget, cut).is_ok(), "cut every {cut}: {}", body.escape_ascii());
            if let Some(less) = budget.checked_sub(1) {
                let refused = Err(Some(ProtocolError::ChunkOverhead));
                assert_eq!(decode(body, less, cut), refused, "cut every {cut}: {}", body.escape_ascii());
            }
        }
    }

    #[test]
    fn framing_budget_is_exact_for_the_whole_body() {
        // For a chunk of n bytes, 16 + 2 n bytes of framing are free.
        needs(&[&b"1\r\nx\r\n".repeat(500)[..], b"0\r\n\r\n"].concat(), 0);
        needs(b"1;aaaaaaaaaaaa\r\nx\r\n0\r\n\r\n", 0);
        needs(b"1;aaaaaaaaaaaaa\r\nx\r\n0\r\n\r\n", 1);
        needs(b"2;aaaaaaaaaaaaaa\r\nxy\r\n0;aaaaaaaaaaaa\r\n\r\n", 0);
        needs(b"2;aaaaaaaaaaaaaaa\r\nxy\r\n0;aaaaaaaaaaaaa\r\n\r\n", 2);
        needs(b"00000000000001\r\nx\r\n00000000000000\r\n\r\n", 0);
        needs(b"000000000000001\r\nx\r\n000000000000000\r\n\r\n", 2);
        needs(b"0000000000000001\r\nx\r\n0000000000000000\r\n\r\n", 4);
        // What one chunk does not use is not available to another.
        needs(&[&b"3e8\r\n"[..], &[b'x'; 1000], b"\r\n1;aaaaaaaaaaaaa\r\nx\r\n0\r\n\r\n"].concat(), 1);
        // All bytes of the trailer section count, except the empty line.
        needs(b"0\r\nT: 1\r\n\r\n", 6);
        needs(b"1;aaaaaaaaaaaaaaa\r\nx\r\n0;aaaaaaaaaaaaaa\r\nT: 1\r\n\r\n", 3 + 2 + 6);
        // Trailers that have used up the budget are refused without waiting for more bytes.
        let (open, budget) = (b"1\r\nx\r\n0\r\nT: 1", 4);
        for cut in [1, 2, 3, 5, 1000] {
            assert_eq!(decode(open, budget - 2, cut), Err(Some(ProtocolError::ChunkOverhead)), "cut every {cut}");
            assert_eq!(decode(open, budget - 1, cut), Err(None), "cut every {cut}");
        }
    }

    #[test]
    fn framing_budget_does_not_depend_on_the_cuts() {
        const PIECES: [&[u8]; 12] = [
            b"1\r\nx\r\n",
            b"2\r\nxy\r\n",
            b"0000000000000001\r\nx\r\n",
            b"1;aaaaaaaaaaaa\r\nx\r\n",
            b"1;aaaaaaaaaaaaaaa\r\nx\r\n",
            b"3;a=\"b c d e f g h i j k l m\"\r\nxyz\r\n",
            b"0\r\n\r\n",
            b"0;aaaaaaaaaaaaaaaaaaa\r\n\r\n",
            b"0\r\nT: 1\r\n\r\n",
            b"x",
            b"\n",
            b"1;",
        ];
        let mut random = crate::random::Random::new(5);
        for _ in 0..20_000 {
            let body = (0..random.below(9)).map(|_| PIECES[random.below(12)]).collect::<Vec<_>>().concat();
            let budget = random.below(12);
            let whole = decode(&body, budget, usize::MAX / 2);
            for cut in [1, 2, 3, random.below(20) + 4] {
                assert_eq!(decode(&body, budget, cut), whole, "cut every {cut}, {budget}: {}", body.escape_ascii());
            }
        }
    }

    /// Tests the fast path itself, because the verdict is the same byte by byte.
    #[test]
    fn fast_path_reads_plain_size_lines() {
        for (line, length) in [
            (&b"5\r\nhello"[..], 3),
            (b"A0\r\n", 4),
            (b"000000000000001\r\n", 0),
            (b"fffffffffffffff0\r\n", 18),
            (b"00000000000000001\r\n", 0),
            (b"0\r\n\r\n", 3),
            (b"000000000000\r\n", 14),
            (b"5;a\r\n", 0),
            (b"5\r", 0),
            (b"\r\n", 0),
            (b"", 0),
        ] {
            assert_eq!(Chunked::new(0).fast_path(line), length, "{}", line.escape_ascii());
        }
        let behind_data = || Chunked { position: Position::DataCarriageReturn, ..Chunked::new(0) };
        assert_eq!(behind_data().fast_path(b"\r\n5"), 2);
        assert_eq!(behind_data().fast_path(b"\rX"), 0);
    }

    #[test]
    fn chunk_size_of_64_bits_does_not_overflow() {
        for (line, budget) in [("ffffffffffffffff\r\n", 0), ("8000000000000000;aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 0)] {
            for cut in [1, 3, 1000] {
                assert_eq!(decode(line.as_bytes(), budget, cut), Err(None), "{line:?}");
            }
        }
    }

    #[test]
    fn bytes_after_the_end_are_not_consumed() {
        assert_eq!(decode(b"0\r\n\r\nGET", 100, 100).unwrap().2, 5);
        assert_eq!(decode(b"0\r\nT: 1\r\n\r\nGET", 100, 100).unwrap().1, b"T: 1\r\n\r\n");
        let mut decoder = Chunked::new(100);
        for input in [&b"0\r\n\r\nGET"[..], b"GET", b""] {
            assert!(matches!(decoder.advance(input), Ok(Piece::End { .. })), "{}", input.escape_ascii());
        }
    }
}
