//! Parsing of a response, as by a client (RFC 9112 section 6.3).

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use httparse::Status;

use super::{TestConnection, TestError};

/// Maximum number of field lines in a head or a trailer section.
const MAX_FIELDS: usize = 256;

/// The trailer fields of a chunked response, in its extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trailers(pub HeaderMap);

/// Reads the final response to a request with this method. Interim responses are skipped, except
/// 101. Bytes after 101, and after a 2xx to CONNECT, belong to another protocol.
pub(super) async fn read(connection: &mut TestConnection, method: &str) -> Result<Response<Bytes>, TestError> {
    let mut reader = Reader { connection, buffer: BytesMut::new() };
    loop {
        let mut response = reader.head().await?;
        let status = response.status();
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            continue;
        }
        let bodiless = match method {
            "HEAD" => true,
            "CONNECT" if status.is_success() => true,
            _ => status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED),
        };
        if !bodiless {
            reader.body(&mut response).await?;
        }
        return Ok(response);
    }
}

struct Reader<'a> {
    connection: &'a mut TestConnection,
    buffer: BytesMut,
}

impl Reader<'_> {
    /// Receives more; returns false at the end of the stream.
    async fn fill(&mut self) -> Result<bool, TestError> {
        let received = self.connection.receive().await?;
        self.buffer.extend_from_slice(&received);
        Ok(!received.is_empty())
    }

    async fn head(&mut self) -> Result<Response<Bytes>, TestError> {
        loop {
            if let Some((response, length)) = parse_head(&self.buffer)? {
                self.buffer.advance(length);
                return Ok(response);
            }
            if !self.fill().await? {
                return Err(TestError::NoResponse);
            }
        }
    }

    async fn body(&mut self, response: &mut Response<Bytes>) -> Result<(), TestError> {
        let headers = response.headers();
        if headers.contains_key(http::header::TRANSFER_ENCODING) {
            let (body, trailers) = self.chunked().await?;
            *response.body_mut() = body;
            response.extensions_mut().insert(Trailers(trailers));
        } else if let Some(length) = headers.get(http::header::CONTENT_LENGTH) {
            let length = length.to_str().ok().and_then(|length| length.parse().ok());
            let length = length.ok_or_else(|| malformed("invalid Content-Length"))?;
            *response.body_mut() = self.exactly(length, 0).await?;
        } else {
            while self.fill().await? {}
            *response.body_mut() = self.buffer.split().freeze();
        }
        Ok(())
    }

    /// Returns `count` bytes; `before` is the number of body bytes that were read earlier, for
    /// errors.
    async fn exactly(&mut self, count: usize, before: usize) -> Result<Bytes, TestError> {
        while self.buffer.len() < count {
            if !self.fill().await? {
                return Err(TestError::Incomplete(before + self.buffer.len()));
            }
        }
        Ok(self.buffer.split_to(count).freeze())
    }

    async fn chunked(&mut self) -> Result<(Bytes, HeaderMap), TestError> {
        let mut body = BytesMut::new();
        loop {
            let size = self.chunk_size(body.len()).await?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&self.exactly(size, body.len()).await?);
            if self.exactly(2, body.len()).await? != "\r\n" {
                return Err(malformed("a chunk is longer than its size"));
            }
        }
        loop {
            let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
            if let Status::Complete((length, fields)) =
                httparse::parse_headers(&self.buffer, &mut fields).map_err(|error| malformed(&error.to_string()))?
            {
                let trailers = header_map(fields)?;
                self.buffer.advance(length);
                return Ok((body.freeze(), trailers));
            }
            if !self.fill().await? {
                return Err(TestError::Incomplete(body.len()));
            }
        }
    }

    async fn chunk_size(&mut self, before: usize) -> Result<usize, TestError> {
        loop {
            let parsed = httparse::parse_chunk_size(&self.buffer).map_err(|_| malformed("invalid chunk size"))?;
            if let Status::Complete((length, size)) = parsed {
                self.buffer.advance(length);
                return usize::try_from(size).map_err(|_| malformed("the chunk is too large"));
            }
            if !self.fill().await? {
                return Err(TestError::Incomplete(before));
            }
        }
    }
}

/// Parses a head; returns it with its length, or `None` if it is not complete.
fn parse_head(received: &[u8]) -> Result<Option<(Response<Bytes>, usize)>, TestError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let Status::Complete(length) = head.parse(received).map_err(|error| malformed(&error.to_string()))? else {
        return Ok(None);
    };
    let mut response = Response::new(Bytes::new());
    *response.status_mut() =
        StatusCode::from_u16(head.code.unwrap_or_default()).map_err(|error| malformed(&error.to_string()))?;
    *response.version_mut() = if head.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    *response.headers_mut() = header_map(head.headers)?;
    Ok(Some((response, length)))
}

fn header_map(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, TestError> {
    let mut map = HeaderMap::new();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|error| malformed(&error.to_string()))?;
        let value = HeaderValue::from_bytes(field.value).map_err(|error| malformed(&error.to_string()))?;
        map.append(name, value);
    }
    Ok(map)
}

fn malformed(reason: &str) -> TestError {
    TestError::Malformed(reason.to_owned())
}
