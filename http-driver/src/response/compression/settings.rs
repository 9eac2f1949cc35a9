//! The settings of compression: which responses are compressed, and how.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use httpants_core::files::accepted_coding;
use httpants_core::{FieldLines, RequestHead, ResponseHead};

use super::level::CompressionLevel;
use crate::content_coding::ContentCoding;

type Filter = dyn Fn(&RequestHead, &ResponseHead) -> bool + Send + Sync;

/// The settings of response compression, for [`Server::compression`](crate::Server::compression).
///
/// A response is compressed if all of these conditions hold:
///
/// - The request accepts one of the [`codings`](Self::codings) and does not prefer `identity`. Of
///   several with the same weight, the first of `codings` is used.
/// - The body has at least [`min_size`](Self::min_size) bytes, or its length is not known.
/// - The `Content-Type` is compressible ([`filter`](Self::filter)).
/// - There is no `Content-Encoding`, `Content-Range`, `Cache-Control: no-transform` or digest of the
///   content (`Content-Digest`, `Repr-Digest`, `Digest`, `Content-MD5`, also as a name in `Trailer`),
///   and the status is not 204, 205, 206 or 304.
/// - The response is not a file, because files are sent without being read: see
///   [`FileRoot::precompressed`](crate::FileRoot::precompressed). The response is not sent by a
///   [`Responder`](crate::Responder).
///
/// Compressed responses have `Content-Encoding`, and no `Accept-Ranges`. Their strong `ETag`
/// becomes a weak one, because the bytes differ; compare `If-None-Match` by [weak
/// comparison](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.2). All responses that could
/// have been compressed have `Vary: Accept-Encoding`; so has a 304, unless its fields show that its
/// 200 could not be compressed. Digests in the trailers of a compressed stream are removed if they
/// were not announced, because they are those of the uncompressed bytes. Bodies of up to 64 KiB
/// keep a `Content-Length`; larger ones and streams are compressed while they are sent, each piece
/// of a stream as a whole, so that the client can read it at once. That takes up to 3 MiB of memory
/// for each response being sent, and 8 MiB at [`CompressionLevel::Best`]. Server-sent events last,
/// so they take less than 1 MiB at any level.
///
/// # Secrets
///
/// If a compressed response contains a secret and text that the client chose, such as a CSRF token
/// on a page with the search term, an attacker who can make a browser send requests and sees the
/// length of the encrypted responses can guess the secret (BREACH). Exclude such pages by
/// [`filter`](Self::filter) or `Cache-Control: no-transform`, or mask the secret differently in
/// each response. This is why compression is off by default.
///
/// ```
/// use httpants_driver::{Compression, Request, Response, Server};
/// use httpants_testkit::memory::Memory;
///
/// let memory = Memory::new();
/// let handler = async |_: Request| Response::html("<p>hello ".repeat(1000));
/// let compression = Compression::default()
///     .filter(|request, response| Compression::is_compressible(response) && request.path() != "/account");
/// memory.start(Server::with_runtime(memory.clone(), handler).compression(compression));
/// let client = memory.connect();
/// client.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br;q=0.9\r\n\r\n");
/// memory.run();
/// let received = client.take_received();
/// assert!(received.len() < 500 && received.windows(22).any(|window| window == b"Content-Encoding: gzip"));
/// ```
#[derive(Clone)]
pub struct Compression {
    codings: Vec<ContentCoding>,
    min_size: u64,
    pub(super) level: CompressionLevel,
    filter: Option<Arc<Filter>>,
}

impl Default for Compression {
    fn default() -> Self {
        Self { codings: ContentCoding::ALL.to_vec(), min_size: 1024, level: CompressionLevel::Default, filter: None }
    }
}

impl Compression {
    /// Sets the codings in the order of the server's preference. Default: zstd, brotli, gzip.
    #[must_use]
    pub fn codings(mut self, codings: impl IntoIterator<Item = ContentCoding>) -> Self {
        self.codings = codings.into_iter().collect();
        self
    }

    /// Sets the length below which a body is not compressed, because it would hardly become smaller.
    /// Default: 1024 bytes.
    #[must_use]
    pub fn min_size(mut self, bytes: u64) -> Self {
        self.min_size = bytes;
        self
    }

    /// Sets the compression level. Default: [`CompressionLevel::Default`].
    #[must_use]
    pub fn level(mut self, level: CompressionLevel) -> Self {
        self.level = level;
        self
    }

    /// Sets a function that chooses which of the eligible responses are compressed. It must not
    /// depend on `Accept-Encoding`. Default: [`is_compressible`](Self::is_compressible).
    #[must_use]
    pub fn filter(mut self, choose: impl Fn(&RequestHead, &ResponseHead) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(choose));
        self
    }

    /// Returns whether the media type of a response is compressible: text, JSON, XML, JavaScript,
    /// WebAssembly, SVG, and uncompressed fonts and images.
    #[must_use]
    pub fn is_compressible(response: &ResponseHead) -> bool {
        let Some(value) = response.fields.get("content-type") else { return false };
        let essence = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        let essence = essence.to_ascii_lowercase();
        let essence = std::str::from_utf8(&essence).unwrap_or_default();
        essence.starts_with("text/")
            || ["+json", "+xml", "+text"].iter().any(|suffix| essence.ends_with(suffix))
            || TYPES.contains(&essence)
    }

    pub(super) fn includes(&self, request: &RequestHead, head: &ResponseHead) -> bool {
        match &self.filter {
            Some(filter) => filter(request, head),
            None => Self::is_compressible(head),
        }
    }

    /// Returns whether a response with this head and body size can be compressed, whatever the
    /// request accepts.
    pub(super) fn is_eligible(&self, head: &ResponseHead, size: Sized) -> bool {
        let has_content = !matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
        );
        let is_large = match size {
            Sized::Known(size) => size >= self.min_size.max(1),
            Sized::Unknown => true,
        };
        has_content && is_large && !has_excluded_fields(&head.fields)
    }

    /// Returns whether the 200 to which this 304 corresponds may have been compressed for some
    /// client. The head of a 304 need not have the type and the length of the 200.
    pub(super) fn may_have_compressed(&self, request: &RequestHead, head: &ResponseHead) -> bool {
        let is_included = head.fields.get("content-type").is_none() || self.includes(request, head);
        let is_small = head.fields.content_length().is_some_and(|length| length < self.min_size.max(1));
        is_included && !is_small && !has_excluded_fields(&head.fields)
    }

    pub(super) fn choose(&self, request: &RequestHead) -> Option<ContentCoding> {
        let names = self.codings.iter().map(|coding| coding.name());
        let name = accepted_coding(request.headers(), names)?;
        self.codings.iter().copied().find(|coding| coding.name() == name)
    }
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compression")
            .field("codings", &self.codings)
            .field("min_size", &self.min_size)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// Fields with a digest of the uncompressed body.
const DIGESTS: [&str; 4] = ["Content-Digest", "Repr-Digest", "Digest", "Content-MD5"];

/// Returns whether a response must not be compressed because of its fields: it has a content
/// coding, is partial, has a digest (also as an announced trailer), or has `no-transform`.
fn has_excluded_fields(fields: &FieldLines) -> bool {
    let is_digest = |name: &[u8]| DIGESTS.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    let is_excluded = |name: &str| {
        is_digest(name.as_bytes())
            || ["Content-Encoding", "Content-Range"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    fields.iter().any(|(name, _)| is_excluded(name))
        || elements(fields, "trailer").any(is_digest)
        || elements(fields, "cache-control").any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

/// Removes the trailers with digests of a body that was compressed after they were computed.
pub(super) fn remove_digests(trailers: &mut FieldLines) {
    DIGESTS.iter().for_each(|name| trailers.remove(name));
}

/// Compressible media types other than `text/*`.
const TYPES: [&str; 17] = [
    "application/ecmascript",
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/ld+json",
    "application/rtf",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
];

/// The length of a body.
#[derive(Clone, Copy)]
pub(super) enum Sized {
    Known(u64),
    Unknown,
}

/// Returns the elements of a list over all lines of a field.
pub(super) fn elements<'a>(fields: &'a FieldLines, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let lines = fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
    lines.flat_map(|(_, value)| value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii))
}
