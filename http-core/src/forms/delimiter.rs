//! Where the delimiters of a multipart content are (RFC 2046 section 5.1.1).

use bytes::{Buf, Bytes};
use memchr::{memmem, memrchr};

use super::{Boundary, ParseFormError};

/// The longest padding (`transport-padding`) that is read. HTTP adds none, and what may yet
/// turn out to be content must be held.
const PADDING: usize = 256;
/// What ends each line, and begins a delimiter.
pub(super) const LINE_BREAK: &[u8] = b"\r\n";

/// Cuts a stream into content and delimiters. Content leaves as slices of what came in,
/// without a copy; what may begin a delimiter at the end of a piece is copied, which is the
/// length of one delimiter line at most.
///
/// A delimiter is CRLF, two hyphens, the boundary, two more hyphens if it is the closing one,
/// spaces and tabs, and CRLF. Behind the closing one LF or the end of all does as well, because
/// there is nothing behind it that a part could begin with. Anything less is content.
#[derive(Debug)]
pub(super) struct Scanner {
    /// Finds CRLF, two hyphens and the boundary.
    finder: memmem::Finder<'static>,
    /// The end of earlier pieces, as far as it may begin a delimiter.
    held: Vec<u8>,
    /// How many bytes at the front of `held` are no content even if no delimiter follows.
    spent: usize,
    /// How far `held` is into a delimiter.
    progress: Progress,
}

/// The place in a delimiter behind the bytes seen so far.
#[derive(Clone, Copy, Debug)]
enum Progress {
    /// This many bytes of CRLF, hyphens and boundary.
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

/// What the bytes at a place are.
enum Verdict {
    Content,
    Delimiter { close: bool, length: usize },
    Unfinished(Progress),
    TooMuchPadding,
}

/// What comes next in the stream.
#[derive(Debug)]
pub(super) enum Found {
    /// Never empty.
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

    /// Says that the next byte begins a line, although its line break is not content: at the
    /// start of the whole, and behind the empty line that ends the header fields of a part.
    pub(super) fn begin_line(&mut self) {
        self.held.clear();
        self.held.extend_from_slice(LINE_BREAK);
        self.spent = LINE_BREAK.len();
        self.progress = Progress::Boundary(LINE_BREAK.len());
    }

    /// Takes the next thing from the front of `input`; `None` once all of it was taken.
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
            // No delimiter begins later in what is held: a CR is in it only at its start and
            // at its end, and LF behind the latter would have made it a delimiter.
            Verdict::Content => {
                let content = Bytes::copy_from_slice(self.held.get(self.spent..).unwrap_or_default());
                self.held.clear();
                if content.is_empty() { self.search(input) } else { Ok(Some(Found::Content(content))) }
            }
        }
    }

    /// Returns true if the stream may end here, because what is held is a closing delimiter that
    /// lacks nothing but the line break behind it.
    pub(super) fn may_end(&self) -> bool {
        !self.held.is_empty() && matches!(self.progress, Progress::Padding { close: true, .. })
    }

    fn search(&mut self, input: &mut Bytes) -> Result<Option<Found>, ParseFormError> {
        let mut from = 0;
        while let Some(at) = input.get(from..).and_then(|rest| self.finder.find(rest)).map(|at| from + at) {
            let behind = at + self.finder.needle().len();
            let rest = input.get(behind..).unwrap_or_default();
            match self.follow(Progress::Padding { close: false, length: 0 }, rest) {
                Verdict::Content => from = behind,
                Verdict::Unfinished(progress) => return Ok(self.hold(input, at, progress)),
                Verdict::Delimiter { .. } | Verdict::TooMuchPadding if at > 0 => {
                    return Ok(Some(Found::Content(input.split_to(at))));
                }
                Verdict::Delimiter { close, length } => {
                    input.advance(behind + length);
                    return Ok(Some(Found::delimiter(close)));
                }
                Verdict::TooMuchPadding => return Err(ParseFormError::Padding),
            }
        }
        // Only the last CR can begin a delimiter that the end cuts off before its boundary ends.
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

    /// Keeps what stands behind `at` for the next piece, and gives the rest as content.
    fn hold(&mut self, input: &mut Bytes, at: usize, progress: Progress) -> Option<Found> {
        self.held.extend_from_slice(input.get(at..).unwrap_or_default());
        self.spent = 0;
        self.progress = progress;
        let mut content = core::mem::take(input);
        content.truncate(at);
        (!content.is_empty()).then_some(Found::Content(content))
    }

    /// Reads on from a place in a delimiter until it is complete or broken.
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
