//! The scanner of delimiters in a multipart content (RFC 2046 section 5.1.1).

use bytes::{Buf, Bytes};
use memchr::{memmem, memrchr};

use super::{Boundary, ParseFormError};

/// Maximum length of the padding (`transport-padding`) in bytes. HTTP senders add none, and bytes
/// that may turn out to be content must be held in memory.
const PADDING: usize = 256;
/// The line break, which also begins a delimiter.
pub(super) const LINE_BREAK: &[u8] = b"\r\n";

/// A scanner that splits a stream into content and delimiters. Content is returned as slices of the
/// input, without a copy. Only bytes at the end of a piece that may begin a delimiter are copied,
/// at most the length of one delimiter line.
///
/// A delimiter is CRLF, two hyphens, the boundary, two more hyphens if it is the closing one,
/// spaces and tabs, and CRLF. After the closing one, LF or the end of the content is also accepted,
/// because no part follows. Everything else is content.
#[derive(Debug)]
pub(super) struct Scanner {
    /// The searcher for CRLF, two hyphens and the boundary.
    finder: memmem::Finder<'static>,
    /// The end of earlier pieces that may begin a delimiter.
    held: Vec<u8>,
    /// Number of bytes at the start of `held` that are not content even if no delimiter follows.
    spent: usize,
    /// The position in a delimiter at the end of `held`.
    progress: Progress,
}

/// The position in a delimiter after the bytes read so far.
#[derive(Clone, Copy, Debug)]
enum Progress {
    /// After this number of bytes of CRLF, hyphens and boundary.
    Boundary(usize),
    Hyphen,
    Padding {
        close: bool,
        length: usize,
    },
    CarriageReturn {
        close: bool,
    },
}

/// The classification of bytes that may be a delimiter.
enum Verdict {
    Content,
    Delimiter { close: bool, length: usize },
    Unfinished(Progress),
    TooMuchPadding,
}

/// The next element of the stream.
#[derive(Debug)]
pub(super) enum Found {
    /// Content; never empty.
    Content(Bytes),
    /// A delimiter before a part.
    Delimiter,
    /// The closing delimiter.
    Close,
}

impl Scanner {
    pub(super) fn new(boundary: &Boundary) -> Self {
        let delimiter = [LINE_BREAK, b"--", boundary.as_bytes()].concat();
        let finder = memmem::Finder::new(&delimiter).into_owned();
        let mut scanner = Self { finder, held: Vec::new(), spent: 0, progress: Progress::Boundary(0) };
        scanner.begin_line();
        scanner
    }

    /// Declares that the next byte begins a line without a line break in the content: at the start
    /// of the content, and after the empty line that ends the header fields of a part.
    pub(super) fn begin_line(&mut self) {
        self.held.clear();
        self.held.extend_from_slice(LINE_BREAK);
        self.spent = LINE_BREAK.len();
        self.progress = Progress::Boundary(LINE_BREAK.len());
    }

    /// Takes the next element from the front of `input`; returns `None` once all input is taken.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Found>, ParseFormError> {
        if self.held.is_empty() {
            return self.search(input);
        }
        match self.follow(self.progress, input) {
            Verdict::Unfinished(progress) => {
                self.progress = progress;
                self.held.extend_from_slice(input);
                input.clear();
                Ok(None)
            }
            Verdict::Delimiter { close, length } => {
                self.held.clear();
                input.advance(length);
                Ok(Some(Found::delimiter(close)))
            }
            Verdict::TooMuchPadding => Err(ParseFormError::Padding),
            // No delimiter begins later in the held bytes: they have a CR only at the start and at
            // the end, and with an LF after the latter they would be a delimiter.
            Verdict::Content => {
                let content = Bytes::copy_from_slice(self.held.get(self.spent..).unwrap_or_default());
                self.held.clear();
                if content.is_empty() { self.search(input) } else { Ok(Some(Found::Content(content))) }
            }
        }
    }

    /// Returns true if the stream may end here, because the held bytes are a closing delimiter
    /// without the line break after it.
    pub(super) fn may_end(&self) -> bool {
        !self.held.is_empty() && matches!(self.progress, Progress::Padding { close: true, .. })
    }

    fn search(&mut self, input: &mut Bytes) -> Result<Option<Found>, ParseFormError> {
        let mut from = 0;
        while let Some(at) = input.get(from..).and_then(|rest| self.finder.find(rest)).map(|at| from + at) {
            let after = at + self.finder.needle().len();
            let rest = input.get(after..).unwrap_or_default();
            match self.follow(Progress::Padding { close: false, length: 0 }, rest) {
                Verdict::Content => from = after,
                Verdict::Unfinished(progress) => return Ok(self.hold(input, at, progress)),
                Verdict::Delimiter { .. } | Verdict::TooMuchPadding if at > 0 => {
                    return Ok(Some(Found::Content(input.split_to(at))));
                }
                Verdict::Delimiter { close, length } => {
                    input.advance(after + length);
                    return Ok(Some(Found::delimiter(close)));
                }
                Verdict::TooMuchPadding => return Err(ParseFormError::Padding),
            }
        }
        // Only the last CR can begin a delimiter whose boundary is cut off by the end of the input.
        let tail = input.len().saturating_sub(self.finder.needle().len());
        let last = input.get(tail..).and_then(|tail| memrchr(b'\r', tail)).map(|at| tail + at);
        if let Some(at) = last
            && let Some(start) = input.get(at..)
            && let Verdict::Unfinished(progress) = self.follow(Progress::Boundary(0), start)
        {
            return Ok(self.hold(input, at, progress));
        }
        Ok((!input.is_empty()).then(|| Found::Content(core::mem::take(input))))
    }

    /// Holds the input from `at` on for the next piece, and returns the bytes before it as content.
    fn hold(&mut self, input: &mut Bytes, at: usize, progress: Progress) -> Option<Found> {
        self.held.extend_from_slice(input.get(at..).unwrap_or_default());
        self.spent = 0;
        self.progress = progress;
        let mut content = core::mem::take(input);
        content.truncate(at);
        (!content.is_empty()).then_some(Found::Content(content))
    }

    /// Continues in a delimiter from `progress` until it is complete or turns out to be content.
    fn follow(&self, mut progress: Progress, bytes: &[u8]) -> Verdict {
        use Progress::{Boundary, CarriageReturn, Hyphen, Padding};
        let needle = self.finder.needle();
        for (at, &byte) in bytes.iter().enumerate() {
            progress = match (progress, byte) {
                (Boundary(seen), _) if needle.get(seen) == Some(&byte) => match seen + 1 {
                    seen if seen == needle.len() => Padding { close: false, length: 0 },
                    seen => Boundary(seen),
                },
                (Padding { close: false, length: 0 }, b'-') => Hyphen,
                (Hyphen, b'-') => Padding { close: true, length: 0 },
                (Padding { length: PADDING, .. }, b' ' | b'\t') => return Verdict::TooMuchPadding,
                (Padding { close, length }, b' ' | b'\t') => Padding { close, length: length + 1 },
                (Padding { close: true, .. }, b'\n') => return Verdict::Delimiter { close: true, length: at + 1 },
                (Padding { close, .. }, b'\r') => CarriageReturn { close },
                (CarriageReturn { close }, b'\n') => return Verdict::Delimiter { close, length: at + 1 },
                _ => return Verdict::Content,
            };
        }
        Verdict::Unfinished(progress)
    }
}

impl Found {
    fn delimiter(close: bool) -> Self {
        if close { Self::Close } else { Self::Delimiter }
    }
}
