//! The incremental parser of `multipart/form-data` (RFC 7578, RFC 2046 section 5.1).

use alloc::collections::VecDeque;
use core::fmt;

use bytes::{Buf, Bytes};
use memchr::memchr_iter;

use super::delimiter::{Found, LINE_BREAK, Scanner};
use super::{Boundary, FormLimits, FormType, ParseFormError, Part};
use crate::Headers;
use crate::wire::error::ProtocolError;

#[cfg(test)]
mod tests;

/// An incremental parser of one multipart content.
///
/// Pass pieces of any size to [`receive`](Self::receive), and report the end by
/// [`handle_eof`](Self::handle_eof). After each call, take events with
/// [`poll_event`](Self::poll_event) until it returns `None`. The order of events is `(PartStart
/// Data* PartEnd)* End`.
///
/// Content is returned as slices of the pieces, without a copy. Between calls the parser holds the
/// start of a delimiter or of a part's header fields, within [`FormLimits`], and pieces whose
/// events were not taken.
///
/// ```
/// use bytes::Bytes;
/// use httpants_core::forms::{MultipartEvent, FormLimits, Multipart};
///
/// let mut multipart = Multipart::for_content_type(b"multipart/form-data; boundary=b", &FormLimits::default())?;
/// let mut content = Vec::new();
/// for piece in ["--b\r\nContent-Disposition: form-data; name=\"a\"\r\n", "\r\nhel", "lo\r", "\n--b", "--"] {
///     multipart.receive(Bytes::from_static(piece.as_bytes()));
///     while let Some(event) = multipart.poll_event()? {
///         match event {
///             MultipartEvent::PartStart(part) => assert_eq!(part.name(), "a"),
///             MultipartEvent::Data(piece) => content.extend_from_slice(&piece),
///             _ => {}
///         }
///     }
/// }
/// multipart.handle_eof();
/// assert!(matches!(multipart.poll_event(), Ok(Some(MultipartEvent::PartEnd))));
/// assert!(matches!(multipart.poll_event(), Ok(Some(MultipartEvent::End))));
/// assert_eq!(content, b"hello");
/// # Ok::<(), httpants_core::forms::ParseFormError>(())
/// ```
pub struct Multipart {
    limits: FormLimits,
    scanner: Scanner,
    state: State,
    /// Input that was not parsed: the current piece, and the pieces after it.
    input: Bytes,
    waiting: VecDeque<Bytes>,
    ended: bool,
    /// Number of bytes of content that may still be received.
    room: u64,
    /// The header fields of a part from earlier pieces, preceded by the line break of the
    /// delimiter, so that they end with an empty line even if there are none.
    header: Vec<u8>,
    parts: usize,
    files: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Preamble { room: u64 },
    Header,
    Content { room: u64, fault: ParseFormError },
    Epilogue { room: u64 },
    Ended,
    Refused(ParseFormError),
}

/// An event of a [`Multipart`] parser.
#[non_exhaustive]
pub enum MultipartEvent {
    /// A part begins; its content follows.
    PartStart(Part),
    /// The next piece of the part's content; never empty.
    Data(Bytes),
    /// The part's content is complete.
    PartEnd,
    /// The whole content is complete and was well-formed.
    End,
}

impl Multipart {
    /// Creates a parser of content with this boundary.
    #[must_use]
    pub fn new(boundary: &Boundary, limits: &FormLimits) -> Self {
        Self {
            scanner: Scanner::new(boundary),
            state: State::Preamble { room: limits.preamble },
            input: Bytes::new(),
            waiting: VecDeque::new(),
            ended: false,
            room: limits.max_body_size,
            header: Vec::new(),
            parts: 0,
            files: 0,
            limits: limits.clone(),
        }
    }

    /// Creates a parser of content with this Content-Type.
    ///
    /// # Errors
    /// As for [`FormType::of`], and [`ParseFormError::ContentType`] for a type other than
    /// `multipart/form-data`.
    pub fn for_content_type(content_type: &[u8], limits: &FormLimits) -> Result<Self, ParseFormError> {
        match FormType::of(content_type)? {
            Some(FormType::Multipart(boundary)) => Ok(Self::new(&boundary, limits)),
            _ => Err(ParseFormError::ContentType),
        }
    }

    /// Creates a parser of the content of a request with this head.
    ///
    /// # Errors
    /// As for [`FormType::of_headers`], and [`ParseFormError::ContentType`] for a type other than
    /// `multipart/form-data`.
    pub fn for_headers(headers: &Headers, limits: &FormLimits) -> Result<Self, ParseFormError> {
        match FormType::of_headers(headers)? {
            Some(FormType::Multipart(boundary)) => Ok(Self::new(&boundary, limits)),
            _ => Err(ParseFormError::ContentType),
        }
    }

    /// Receives the next piece of the content. Does nothing after [`handle_eof`](Self::handle_eof)
    /// or an error.
    pub fn receive(&mut self, piece: Bytes) {
        if !self.ended && !piece.is_empty() && !matches!(self.state, State::Refused(_)) {
            self.waiting.push_back(piece);
        }
    }

    /// Records the end of the content. A second call does nothing.
    pub fn handle_eof(&mut self) {
        self.ended = true;
    }

    /// Returns the next event; `None` if more bytes are needed, and after [`MultipartEvent::End`].
    ///
    /// # Errors
    /// [`ParseFormError`] for malformed content or an exceeded limit. All further calls return the
    /// same error.
    #[must_use = "events must be taken until there is none"]
    pub fn poll_event(&mut self) -> Result<Option<MultipartEvent>, ParseFormError> {
        let event = self.advance();
        if let Err(fault) = event {
            self.state = State::Refused(fault);
            self.input = Bytes::new();
            self.waiting = VecDeque::new();
            self.header = Vec::new();
        }
        event
    }

    fn advance(&mut self) -> Result<Option<MultipartEvent>, ParseFormError> {
        loop {
            let event = match self.state {
                State::Preamble { room } => self.preamble(room)?,
                State::Header => self.header()?,
                State::Content { room, fault } => self.content(room, fault)?,
                State::Epilogue { room } => {
                    let room = spend(room, &self.input).ok_or(ParseFormError::EpilogueTooLong)?;
                    self.input.clear();
                    self.state = State::Epilogue { room };
                    None
                }
                State::Ended => return Ok(None),
                State::Refused(fault) => return Err(fault),
            };
            if event.is_some() {
                return Ok(event);
            }
            if self.input.is_empty() && !self.refill()? {
                return if self.ended { self.end() } else { Ok(None) };
            }
        }
    }

    /// Takes the part of the next piece that is within `max_body_size`, so that content that is too
    /// large results in the same events before the error, however it is cut.
    fn refill(&mut self) -> Result<bool, ParseFormError> {
        let Some(mut piece) = self.waiting.pop_front() else {
            return Ok(false);
        };
        let room = usize::try_from(self.room).unwrap_or(usize::MAX);
        if room == 0 {
            return Err(ParseFormError::ContentTooLarge);
        }
        if piece.len() > room {
            self.waiting.push_front(piece.split_off(room));
        }
        self.room = spend(self.room, &piece).ok_or(ParseFormError::ContentTooLarge)?;
        self.input = piece;
        Ok(true)
    }

    fn preamble(&mut self, room: u64) -> Result<Option<MultipartEvent>, ParseFormError> {
        match self.scanner.next(&mut self.input)? {
            Some(Found::Content(ignored)) => {
                let room = spend(room, &ignored).ok_or(ParseFormError::PreambleTooLong)?;
                self.state = State::Preamble { room };
            }
            Some(Found::Delimiter) => self.begin_header()?,
            Some(Found::Close) => self.begin_epilogue(),
            None => {}
        }
        Ok(None)
    }

    fn begin_header(&mut self) -> Result<(), ParseFormError> {
        if self.parts >= self.limits.parts {
            return Err(ParseFormError::TooManyParts);
        }
        self.parts += 1;
        self.header.clear();
        self.header.extend_from_slice(LINE_BREAK);
        self.state = State::Header;
        Ok(())
    }

    fn header(&mut self) -> Result<Option<MultipartEvent>, ParseFormError> {
        let end = end_of_fields(&self.header, &self.input);
        let taken = end.unwrap_or(self.input.len());
        if self.header.len() - LINE_BREAK.len() + taken > self.limits.part_header {
            return Err(ParseFormError::PartHeaderTooLong);
        }
        self.header.extend_from_slice(self.input.get(..taken).unwrap_or_default());
        self.input.advance(taken);
        if end.is_none() {
            return Ok(None);
        }
        let section = self.header.get(LINE_BREAK.len()..).unwrap_or_default();
        let part = Part::new(Headers::of_part(section, self.limits.part_fields).map_err(fault_of_fields)?)?;
        self.begin_content(&part)?;
        Ok(Some(MultipartEvent::PartStart(part)))
    }

    fn begin_content(&mut self, part: &Part) -> Result<(), ParseFormError> {
        self.scanner.begin_line();
        self.state = if part.is_file() {
            if self.limits.files.is_some_and(|limit| self.files >= limit) {
                return Err(ParseFormError::TooManyFiles);
            }
            self.files += 1;
            State::Content { room: self.limits.file.unwrap_or(u64::MAX), fault: ParseFormError::FileTooLarge }
        } else {
            State::Content { room: self.limits.text_field, fault: ParseFormError::TextTooLarge }
        };
        Ok(())
    }

    fn content(&mut self, room: u64, fault: ParseFormError) -> Result<Option<MultipartEvent>, ParseFormError> {
        match self.scanner.next(&mut self.input)? {
            Some(Found::Content(piece)) => {
                let room = spend(room, &piece).ok_or(fault)?;
                self.state = State::Content { room, fault };
                Ok(Some(MultipartEvent::Data(piece)))
            }
            Some(Found::Delimiter) => self.begin_header().map(|()| Some(MultipartEvent::PartEnd)),
            Some(Found::Close) => {
                self.begin_epilogue();
                Ok(Some(MultipartEvent::PartEnd))
            }
            None => Ok(None),
        }
    }

    fn begin_epilogue(&mut self) {
        self.state = State::Epilogue { room: self.limits.preamble };
    }

    /// Handles the end of the content, after all of it was parsed.
    fn end(&mut self) -> Result<Option<MultipartEvent>, ParseFormError> {
        match self.state {
            State::Epilogue { .. } => {
                self.state = State::Ended;
                Ok(Some(MultipartEvent::End))
            }
            State::Content { .. } if self.scanner.may_end() => {
                self.begin_epilogue();
                Ok(Some(MultipartEvent::PartEnd))
            }
            State::Preamble { .. } if self.scanner.may_end() || self.is_empty() => {
                self.state = State::Ended;
                Ok(Some(MultipartEvent::End))
            }
            _ => Err(ParseFormError::MissingClose),
        }
    }

    /// Returns true if nothing was received. Some clients send a form without fields as empty
    /// content.
    fn is_empty(&self) -> bool {
        self.room == self.limits.max_body_size
    }
}

/// Returns the rest of `room` after this piece; `None` if the piece exceeds it.
fn spend(room: u64, piece: &Bytes) -> Option<u64> {
    room.checked_sub(u64::try_from(piece.len()).ok()?)
}

/// Returns the number of bytes of `input` up to the end of the header fields that begin in
/// `before`, including the first empty line. Each byte is searched once, however it arrives.
fn end_of_fields(before: &[u8], input: &[u8]) -> Option<usize> {
    let byte = |at: usize, back: usize| match at.checked_sub(back) {
        Some(at) => input.get(at),
        None => (before.len() + at).checked_sub(back).and_then(|at| before.get(at)),
    };
    let ends = |&at: &usize| [3, 2, 1].map(|back| byte(at, back)) == [Some(&b'\r'), Some(&b'\n'), Some(&b'\r')];
    memchr_iter(b'\n', input).find(ends).map(|at| at + 1)
}

fn fault_of_fields(fault: ProtocolError) -> ParseFormError {
    match fault {
        ProtocolError::TooManyFields => ParseFormError::TooManyPartFields,
        ProtocolError::HeadTooLong => ParseFormError::PartHeaderTooLong,
        _ => ParseFormError::PartHeader,
    }
}

/// Shows the state of the parser, but no content.
impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, parts, files, ended, .. } = self;
        f.debug_struct("Multipart")
            .field("state", state)
            .field("parts", parts)
            .field("files", files)
            .field("ended", ended)
            .finish_non_exhaustive()
    }
}

/// Shows only the length of content.
impl fmt::Debug for MultipartEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PartStart(part) => f.debug_tuple("PartStart").field(part).finish(),
            Self::Data(piece) => write!(f, "Data({} bytes)", piece.len()),
            Self::PartEnd => f.write_str("PartEnd"),
            Self::End => f.write_str("End"),
        }
    }
}
