//! The body of a request in one piece: bytes, text, JSON.

use bytes::Bytes;
use httpants_core::Headers;
use mime::Mime;

use super::Request;
use crate::exchange::BodyError;

/// The whole body, wherever it is and of any size up to the limit
/// ([`Server::max_body_size`](crate::Server::max_body_size)).
///
/// Each of these may be called more than once, and its future may be dropped before its end: the
/// next call continues. A body that the call had to receive
/// ([`BodyPolicy::Stream`](crate::BodyPolicy::Stream)) stays in memory as long as the request.
impl Request {
    /// Returns the body as it was received: empty where the request has none.
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
    /// [`BodyError::Closed`] if the body is incomplete, with the [fault](BodyError::fault) 413 if it
    /// is larger than the limit; [`BodyError::NotKept`]; [`BodyError::Taken`] if pieces of a body
    /// that is not in a temporary file were read before, through [`body_mut`](Self::body_mut);
    /// [`BodyError::Storage`].
    pub async fn bytes(&mut self) -> Result<Bytes, BodyError> {
        self.body.whole().await
    }

    /// Returns the body as text. The charset is that of Content-Type: utf-8 (also where it names
    /// none, and without a byte order mark), us-ascii or iso-8859-1.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and before anything is received [`BodyError::ContentType`] if
    /// that cannot be parsed, [`BodyError::Charset`] and [`BodyError::ContentEncoding`];
    /// [`BodyError::InvalidText`] if the bytes are not valid in the charset.
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
    /// As [`bytes`](Self::bytes), and before anything is received [`BodyError::ContentType`] and
    /// [`BodyError::ContentEncoding`]; [`BodyError::Json`] if it is not JSON or does not fit the
    /// type.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, BodyError> {
        let is_json = |mime: &Mime| {
            let (kind, subtype) = (mime.type_(), mime.subtype());
            mime.suffix() == Some(mime::JSON) || (kind, subtype) == (mime::APPLICATION, mime::JSON)
        };
        let mime = content_type(self.headers()).ok().flatten();
        mime.filter(is_json).ok_or(BodyError::ContentType { expected: "application/json" })?;
        refuse_coded(self.headers())?;
        let body = self.bytes().await?;
        serde_json::from_slice(&body).map_err(|error| BodyError::Json(crate::exchange::JsonError::new(error)))
    }
}

/// Returns the Content-Type of the request, if it has one.
fn content_type(headers: &Headers) -> Result<Option<Mime>, BodyError> {
    let mut values = headers.all("content-type");
    let Some(value) = values.next() else { return Ok(None) };
    let mime = std::str::from_utf8(value).ok().and_then(|value| normalized(value).parse().ok());
    // Two readers of several lines could see two types (RFC 9110 section 8.3).
    mime.filter(|_| values.next().is_none())
        .map(Some)
        .ok_or(BodyError::ContentType { expected: "one valid media type" })
}

/// Removes white space before semicolons and empty parameters, which RFC 9110 section 5.6.6 allows
/// and the parser does not.
fn normalized(value: &str) -> String {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let separates = |character: char| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            _ if was_escaped => false,
            '\\' => {
                is_escaped = is_quoted;
                false
            }
            '"' => {
                is_quoted = !is_quoted;
                false
            }
            character => character == ';' && !is_quoted,
        }
    };
    let parts = value.split(separates).map(|part| part.trim_matches([' ', '\t']));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn refuse_coded(headers: &Headers) -> Result<(), BodyError> {
    let mut codings = headers.list("content-encoding");
    let is_plain = codings.all(|coding| coding.eq_ignore_ascii_case(b"identity"));
    if is_plain { Ok(()) } else { Err(BodyError::ContentEncoding) }
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
        let Some(mime) = content_type(headers)? else { return Ok(Self::Utf8) };
        match mime.get_param(mime::CHARSET) {
            None => Ok(Self::Utf8),
            Some(charset) if charset == mime::UTF_8 || charset == "utf8" => Ok(Self::Utf8),
            Some(charset) if charset == "us-ascii" || charset == "ascii" => Ok(Self::Ascii),
            Some(charset) if charset == "iso-8859-1" || charset == "latin1" => Ok(Self::Latin1),
            Some(_) => Err(BodyError::Charset),
        }
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
