//! The length of the content of a request (RFC 9112 section 6.3).

use crate::wire::error::ProtocolError;
use crate::wire::grammar;

/// The framing of the content of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// No content.
    #[default]
    None,
    /// Content-Length, above zero.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

/// The values of the two framing fields of a head.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FramingFields {
    content_length: Option<Result<Framing, ProtocolError>>,
    transfer_encoding: Option<Result<Framing, ProtocolError>>,
}

impl FramingFields {
    #[inline(never)]
    pub(crate) fn content_length(&mut self, value: &[u8]) {
        self.content_length = Some(match (self.content_length, grammar::decimal(value)) {
            (Some(_), _) => Err(ProtocolError::DuplicateContentLength),
            (None, Some(0)) => Ok(Framing::None),
            (None, Some(length)) => Ok(Framing::Length(length)),
            (None, None) => Err(ProtocolError::ContentLength),
        });
    }

    #[inline(never)]
    pub(crate) fn transfer_encoding(&mut self, value: &[u8]) {
        self.transfer_encoding = Some(match self.transfer_encoding {
            Some(_) => Err(ProtocolError::TransferEncoding),
            None => transfer_encoding(value),
        });
    }

    /// Returns the framing. Heads that two parsers could interpret differently are refused.
    pub(crate) fn decide(&self, http_1_0: bool) -> Result<Framing, ProtocolError> {
        match (self.content_length, self.transfer_encoding) {
            (None, None) => Ok(Framing::None),
            (Some(_), Some(_)) => Err(ProtocolError::ContentLengthAndTransferEncoding),
            (Some(length), None) => length,
            (None, Some(_)) if http_1_0 => Err(ProtocolError::TransferEncodingVersion),
            (None, Some(encoding)) => encoding,
        }
    }
}

/// Parses Transfer-Encoding. Only `chunked` alone is accepted: this server does not support codings
/// before it, and anything that does not end with one `chunked` without parameters has no known
/// length (RFC 9112 section 6.1).
fn transfer_encoding(value: &[u8]) -> Result<Framing, ProtocolError> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    let mut seen_chunked = false;
    for element in grammar::split_unquoted(value, b',').map(grammar::trim_ows) {
        let name = element.split(|&byte| byte == b';').next().unwrap_or_default();
        let coding = grammar::trim_ows(name);
        let chunked = coding.eq_ignore_ascii_case(b"chunked");
        if seen_chunked || !grammar::is_token(coding) || (chunked && coding.len() != element.len()) {
            return Err(ProtocolError::TransferEncoding);
        }
        seen_chunked = chunked;
    }
    Err(ProtocolError::TransferCoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(lengths: &[&'static str], encodings: &[&'static str], http_1_0: bool) -> Result<Framing, ProtocolError> {
        let mut fields = FramingFields::default();
        lengths.iter().for_each(|value| fields.content_length(value.as_bytes()));
        encodings.iter().for_each(|value| fields.transfer_encoding(value.as_bytes()));
        fields.decide(http_1_0)
    }

    #[test]
    fn content_length() {
        assert_eq!(decide(&[], &[], false), Ok(Framing::None));
        assert_eq!(decide(&["0"], &[], false), Ok(Framing::None));
        assert_eq!(decide(&["0012"], &[], true), Ok(Framing::Length(12)));
        assert_eq!(decide(&["18446744073709551615"], &[], false), Ok(Framing::Length(u64::MAX)));
        for bad in ["", "+1", "-1", "1,1", "1, 1", "0x1", "1 1", "18446744073709551616", "1;", "\"1\"", "1.0"] {
            assert_eq!(decide(&[bad], &[], false), Err(ProtocolError::ContentLength), "{bad}");
        }
        assert_eq!(decide(&["1", "1"], &[], false), Err(ProtocolError::DuplicateContentLength));
    }

    #[test]
    fn transfer_encoding() {
        use ProtocolError::{
            ContentLengthAndTransferEncoding, TransferCoding, TransferEncoding, TransferEncodingVersion,
        };
        assert_eq!(decide(&[], &["chunked"], false), Ok(Framing::Chunked));
        assert_eq!(decide(&[], &["CHUNKED"], false), Ok(Framing::Chunked));
        for bad in [
            "chunked, chunked",
            "chunked, gzip",
            "chunked;q=1",
            "\"chunked\"",
            "",
            "chunked,",
            ",chunked",
            "gzip,,chunked",
            "chunked ;a=b",
            "gzip, chunked, chunked",
            "\u{b}chunked",
            "chunked gzip",
        ] {
            assert_eq!(decide(&[], &[bad], false), Err(TransferEncoding), "{bad}");
        }
        for unknown in ["gzip, chunked", "identity", "xchunked", "gzip", "gzip;level=9, chunked"] {
            assert_eq!(decide(&[], &[unknown], false), Err(TransferCoding), "{unknown}");
        }
        assert_eq!(decide(&[], &["chunked", "chunked"], false), Err(TransferEncoding));
        assert_eq!(decide(&[], &["gzip", "chunked"], false), Err(TransferEncoding));
        assert_eq!(decide(&[], &["chunked"], true), Err(TransferEncodingVersion));
        assert_eq!(decide(&["bad"], &["chunked"], true), Err(ContentLengthAndTransferEncoding));
    }
}
