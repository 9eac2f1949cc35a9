//! Independent implementations: small strict readers of whole messages, written from the RFCs and
//! not from the core, slow and plain on purpose.
//!
//! They know nothing of pieces, buffers and states, so that a fault in the core's handling of
//! those shows as a difference.

pub mod chunked;
pub mod head;
pub mod multipart;
pub mod response;

/// Returns whether this is a `token` of RFC 9110 section 5.6.2.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Returns whether this is a `field-value` of RFC 9110 section 5.5, obs-text included.
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

/// A line feed without its carriage return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BareLineFeed;

/// A line without its end, and what is behind it.
pub type Line<'a> = (&'a [u8], &'a [u8]);

/// Returns the first line and the rest, or `None` where the line is not whole.
///
/// # Errors
/// If it ends with LF alone.
pub fn line(bytes: &[u8]) -> Result<Option<Line<'_>>, BareLineFeed> {
    match bytes.iter().position(|&byte| byte == b'\n') {
        None => Ok(None),
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => Ok(Some((&bytes[..at - 1], &bytes[at + 1..]))),
        Some(_) => Err(BareLineFeed),
    }
}
