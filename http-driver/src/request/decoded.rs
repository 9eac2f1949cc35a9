//! The body of a request in one piece: bytes, text, JSON.

use bytes::Bytes;
use httpants_core::Headers;
use httpants_core::forms::{MediaType, has_content_coding};

use super::Request;
use crate::exchange::BodyError;

/// The whole body, from memory, a temporary file or the connection, of any size up to the limit
/// ([`Server::max_body_size`](crate::Server::max_body_size)).
///
/// Each of these may be called more than once, and its future may be dropped before its end: the
/// next call continues. A streamed body ([`BodyPolicy::Stream`](crate::BodyPolicy::Stream)) that a
/// call received stays in memory as long as the request.
impl Request {
    /// Returns the body as it was received; empty if the request has none.
    ///
    /// ```
    /// use httpants_driver::{BodyError, Request};
    ///
    /// async fn length(mut request: Request) -> Result<String, BodyError> {
    ///     Ok(request.bytes().await?.len().to_string())
    /// }
    /// # let _ = length;
    /// ```
    ///
    /// # Errors
    /// Returns [`BodyError::Closed`] if the body is incomplete, with the
    /// [error](BodyError::protocol_error) 413 if it is larger than the limit;
    /// [`BodyError::NotKept`]; [`BodyError::Taken`] if pieces of a body that is not in a temporary
    /// file were read before, through [`body_mut`](Self::body_mut); [`BodyError::Storage`].
    pub async fn bytes(&mut self) -> Result<Bytes, BodyError> {
        self.body.whole().await
    }

    /// Returns the body as text. The charset is that of Content-Type: utf-8 (the default; a byte
    /// order mark is removed), us-ascii or iso-8859-1.
    ///
    /// # Errors
    /// Returns the errors of [`bytes`](Self::bytes), and before anything is received
    /// [`BodyError::ContentType`] if the field cannot be parsed, [`BodyError::Charset`] and
    /// [`BodyError::ContentEncoding`]; [`BodyError::InvalidText`] if the bytes are not valid in the
    /// charset.
    pub async fn text(&mut self) -> Result<String, BodyError> {
        let charset = Charset::of(self.headers())?;
        charset.decode(&self.bytes().await?)
    }

    /// Returns the body parsed as JSON, which is UTF-8 (RFC 8259). Its Content-Type must be
    /// `application/json` or end with `+json` (RFC 6839).
    ///
    /// ```
    /// use httpants_driver::{BodyError, Request};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Order {
    ///     item: String,
    ///     count: u32,
    /// }
    ///
    /// async fn order(mut request: Request) -> Result<String, BodyError> {
    ///     let Order { item, count } = request.json().await?;
    ///     Ok(format!("{count} of {item}"))
    /// }
    /// # let _ = order;
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`bytes`](Self::bytes), and before anything is received
    /// [`BodyError::ContentType`] and [`BodyError::ContentEncoding`]; [`BodyError::Json`] if it is
    /// not JSON or does not fit the type.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, BodyError> {
        let is_json = |media_type: &MediaType<'_>| media_type.is("application/json") || media_type.has_suffix("json");
        let media_type = MediaType::of_headers(self.headers()).ok().flatten();
        media_type.filter(is_json).ok_or(BodyError::ContentType { expected: "application/json" })?;
        refuse_coded(self.headers())?;
        let body = self.bytes().await?;
        serde_json::from_slice(&body).map_err(|error| BodyError::Json(crate::exchange::JsonError::new(error)))
    }
}

fn refuse_coded(headers: &Headers) -> Result<(), BodyError> {
    if has_content_coding(headers) { Err(BodyError::ContentEncoding) } else { Ok(()) }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Charset {
    Utf8,
    Ascii,
    Latin1,
}

impl Charset {
    fn of(headers: &Headers) -> Result<Self, BodyError> {
        refuse_coded(headers)?;
        let media_type =
            MediaType::of_headers(headers).map_err(|_| BodyError::ContentType { expected: "one valid media type" })?;
        let Some(charset) = media_type.and_then(|media_type| media_type.charset()) else { return Ok(Self::Utf8) };
        let is = |names: [&str; 2]| names.iter().any(|name| charset.eq_ignore_ascii_case(name));
        let known = [
            (Self::Utf8, ["utf-8", "utf8"]),
            (Self::Ascii, ["us-ascii", "ascii"]),
            (Self::Latin1, ["iso-8859-1", "latin1"]),
        ];
        known.into_iter().find(|(_, names)| is(*names)).map(|(charset, _)| charset).ok_or(BodyError::Charset)
    }

    fn decode(self, bytes: &[u8]) -> Result<String, BodyError> {
        if self == Self::Latin1 {
            return Ok(bytes.iter().copied().map(char::from).collect());
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| self == Self::Utf8).unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) if self == Self::Utf8 || text.is_ascii() => Ok(text.to_owned()),
            _ => Err(BodyError::InvalidText),
        }
    }
}
