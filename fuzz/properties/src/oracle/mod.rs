//! Independent implementations: small strict parsers of complete messages, written from the RFCs
//! and not from the core, intentionally slow and simple.
//!
//! They do not handle pieces, buffers and states, so that an error in the core's handling of those
//! causes a difference.

pub mod chunked;
pub mod head;
pub mod multipart;
pub mod response;

/// Returns true for a `token` of RFC 9110 section 5.6.2.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Returns true for a `field-value` of RFC 9110 section 5.5, including obs-text.
#[must_use]
pub fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == b'\t' || byte >= b' ' && byte != 0x7f)
}

/// Removes the `OWS` of RFC 9110 section 5.6.3 on either side.
#[must_use]
pub fn trim(bytes: &[u8]) -> &[u8] {
    let inner = |byte: &u8| *byte != b' ' && *byte != b'\t';
    let start = bytes.iter().position(inner).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(inner).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The error of a line feed without a carriage return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BareLineFeed;

/// A line without its end, and the bytes after it.
pub type Line<'a> = (&'a [u8], &'a [u8]);

/// Returns the first line and the rest, or `None` if the line is incomplete.
///
/// # Errors
/// [`BareLineFeed`] if the line ends with LF alone.
pub fn line(bytes: &[u8]) -> Result<Option<Line<'_>>, BareLineFeed> {
    match bytes.iter().position(|&byte| byte == b'\n') {
        None => Ok(None),
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => Ok(Some((&bytes[..at - 1], &bytes[at + 1..]))),
        Some(_) => Err(BareLineFeed),
    }
}
