//! What is known of a peer that was refused.

use bytes::Bytes;

use crate::error::BadRequest;
use crate::message::request::RequestId;
use crate::wire::fields::{Line, Lines};

/// Why a peer was refused, and what was read of its request: for error pages, access logs and
/// tools that compare parsers.
#[derive(Clone, Debug)]
pub struct Refusal {
    error: BadRequest,
    request: Option<RequestId>,
    offset: u64,
    head: Bytes,
}

impl Refusal {
    /// `start` is where `head`, the bytes received of an incomplete head, or an empty slice and
    /// what was refused in the body of `request`, begins in the stream.
    pub(super) fn new(error: BadRequest, request: Option<RequestId>, start: u64, head: Bytes) -> Self {
        let mut refusal = Self { error, request, offset: start, head };
        refusal.offset = start.saturating_add(refusal.faulty_line() as u64);
        refusal
    }

    /// The rule that was broken.
    #[must_use]
    pub fn error(&self) -> BadRequest {
        self.error
    }

    /// The request, where its head was accepted and its body is refused.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        self.request
    }

    /// Where the refused element begins, in bytes from the start of the connection: the
    /// line that is malformed, the chunk, or the head where it is refused as a whole.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The request line as far as it was read, without its end: raw bytes of the peer, to be
    /// escaped before they are shown. Empty where the head was accepted.
    #[must_use]
    pub fn request_line(&self) -> &[u8] {
        let line = self.head.split(|&byte| byte == b'\n').next().unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// The field lines that were complete and well-formed before the fault, as raw bytes.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut lines = self.field_lines();
        std::iter::from_fn(move || match lines.next() {
            Ok(Some(Line::Field(name, value))) => Some((name, value)),
            _ => None,
        })
    }

    /// The first field of this name that was complete, as raw bytes.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    fn field_lines(&self) -> Lines<'_> {
        let line_end = self.head.iter().position(|&byte| byte == b'\n').map_or(self.head.len(), |end| end + 1);
        Lines::new(self.head.get(line_end..).unwrap_or_default())
    }

    /// Where in the head the line stands that is no field line; 0 where all of them are.
    fn faulty_line(&self) -> usize {
        let mut lines = self.field_lines();
        loop {
            let left = lines.rest().len();
            match lines.next() {
                Ok(Some(Line::Field(..))) => {}
                Ok(_) => return 0,
                Err(_) if self.error.is_of_field_line() => return self.head.len() - left,
                Err(_) => return 0,
            }
        }
    }
}
