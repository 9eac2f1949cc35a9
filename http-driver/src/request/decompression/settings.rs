//! The settings of decompression.

use httpants_core::RequestHead;

use super::decoder::Decoder;
use crate::content_coding::ContentCoding;

/// The settings of request decompression, for
/// [`Server::decompress_requests`](crate::Server::decompress_requests).
///
/// A request body with one of the [`codings`](Self::codings) in `Content-Encoding` is decoded while
/// it is read, before forms are parsed. The handler gets the decoded body, and neither
/// `Content-Encoding` nor `Content-Length`. Any other coding, and more than one, gets 415 with an
/// `Accept-Encoding` that lists the supported ones (RFC 9110 section 15.5.16).
///
/// The decoded body is limited as any other: by
/// [`Server::max_body_size`](crate::Server::max_body_size), the limits of
/// [`BodyPolicy::BufferWith`](crate::BodyPolicy::BufferWith), or
/// [`BodyPolicy::StreamUpTo`](crate::BodyPolicy::StreamUpTo). Beyond 1 MiB it is also limited by
/// [`max_ratio`](Self::max_ratio). A body that exceeds a limit gets 413; a coded body that is
/// invalid, cut off, or followed by anything except another member or frame of the same coding gets
/// 400. A streamed body returns [`BodyError::DecodedTooLarge`](crate::BodyError::DecodedTooLarge)
/// or [`BodyError::Coding`](crate::BodyError::Coding) instead.
///
/// Each such request takes up to 16 MiB of memory for the window of its coding while it is read: gzip 32 KiB,
/// zstd 8 MiB, brotli 16 MiB.
///
/// ```
/// use httpants_driver::{BodyError, ContentCoding, Decompression, Request, Server};
/// use httpants_testkit::memory::Memory;
///
/// let handler = async |mut request: Request| Ok::<_, BodyError>(request.text().await?);
/// let decompression = Decompression::default().codings([ContentCoding::Gzip]).max_ratio(50);
/// let server = Server::with_runtime(Memory::new(), handler).decompress_requests(decompression);
/// # drop(server);
/// ```
#[derive(Clone, Debug)]
pub struct Decompression {
    codings: Vec<ContentCoding>,
    max_ratio: u64,
}

impl Default for Decompression {
    fn default() -> Self {
        Self { codings: ContentCoding::ALL.to_vec(), max_ratio: 100 }
    }
}

impl Decompression {
    /// Sets the codings that are decoded. Default: zstd, brotli, gzip.
    #[must_use]
    pub fn codings(mut self, codings: impl IntoIterator<Item = ContentCoding>) -> Self {
        self.codings = codings.into_iter().collect();
        self
    }

    /// Sets the maximum ratio of the size of a decoded body to its received bytes; it applies to
    /// decoded bodies over 1 MiB. Default: 100. Text rarely exceeds 20.
    #[must_use]
    pub fn max_ratio(mut self, ratio: u64) -> Self {
        self.max_ratio = ratio;
        self
    }

    /// Returns a decoder for a body of up to `max_size` decoded bytes; `None` if the body is not
    /// coded.
    ///
    /// # Errors
    /// Returns the codings that are supported, if this one is not.
    pub(crate) fn decoder(&self, head: &RequestHead, max_size: u64) -> Result<Option<Decoder>, String> {
        let mut coded = head.headers().list("content-encoding").filter(|name| !name.eq_ignore_ascii_case(b"identity"));
        let Some(name) = coded.next() else { return Ok(None) };
        let coding = self.codings.iter().find(|coding| {
            name.eq_ignore_ascii_case(coding.name().as_bytes())
                || **coding == ContentCoding::Gzip && name.eq_ignore_ascii_case(b"x-gzip")
        });
        match (coding, coded.next()) {
            (Some(&coding), None) => Ok(Some(Decoder::new(coding, max_size, self.max_ratio))),
            _ if self.codings.is_empty() => Err("identity".into()),
            _ => Err(self.codings.iter().map(|coding| coding.name()).collect::<Vec<_>>().join(", ")),
        }
    }
}
