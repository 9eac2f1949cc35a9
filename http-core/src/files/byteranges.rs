//! The media type multipart/byteranges (RFC 9110 section 14.6).

use http::HeaderValue;

use super::range::ByteRange;
use super::segment::Segment;

/// Several ranges of a file as one multipart content.
#[derive(Debug)]
pub(crate) struct Byteranges {
    pub(crate) content_type: HeaderValue,
    /// For each part its head and its range of the file, then the closing delimiter.
    pub(crate) segments: Vec<Segment>,
    pub(crate) content_length: u64,
}

/// Returns the `Content-Range` of a range of a file with `len` bytes (RFC 9110 section 14.4).
pub(crate) fn content_range(range: ByteRange, len: u64) -> String {
    format!("bytes {}-{}/{len}", range.first, range.last)
}

impl Byteranges {
    /// Creates the content. `content_type` is the type of the file, which each part repeats. The
    /// boundary is derived from the entropy, so that it cannot be put into a file in advance.
    pub(crate) fn new(ranges: &[ByteRange], len: u64, content_type: Option<&HeaderValue>, entropy: [u8; 16]) -> Self {
        let boundary = format!("{:032x}", u128::from_be_bytes(entropy));
        let mut segments = Vec::with_capacity(2 * ranges.len() + 1);
        for (number, &range) in ranges.iter().enumerate() {
            let before = if number == 0 { "" } else { "\r\n" };
            let mut head = format!("{before}--{boundary}\r\n").into_bytes();
            if let Some(value) = content_type {
                head.extend([b"Content-Type: ", value.as_bytes(), b"\r\n"].concat());
            }
            head.extend(format!("Content-Range: {}\r\n\r\n", content_range(range, len)).into_bytes());
            segments.push(Segment::Bytes(head.into()));
            segments.push(Segment::File { offset: range.first, len: range.len() });
        }
        segments.push(Segment::Bytes(format!("\r\n--{boundary}--\r\n").into()));
        let content_length = segments.iter().map(Segment::len).fold(0, u64::saturating_add);
        let content_type = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}"))
            .unwrap_or(HeaderValue::from_static("multipart/byteranges"));
        Self { content_type, segments, content_length }
    }
}
