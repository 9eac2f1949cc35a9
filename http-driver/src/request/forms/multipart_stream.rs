//! Parts of a form, read while they are received.

use std::ops::Deref;

use bytes::Bytes;
use httpants_core::forms::{FormLimits, Multipart, MultipartEvent, ParseFormError, Part};

use crate::request::body::Body;
use crate::request::form_error::FormError;
use crate::request::joined::Joined;
use crate::runtime::yield_now;

/// Forms in bodies, with the feature `forms`.
impl Body {
    /// Returns the parts of the body if this Content-Type is `multipart/form-data`;
    /// [`Request::parts`](crate::Request::parts) is the usual way.
    ///
    /// # Errors
    /// Returns [`ParseFormError`] for any other type, and for a missing or invalid boundary.
    pub fn into_parts(self, content_type: &[u8], limits: &FormLimits) -> Result<MultipartStream, ParseFormError> {
        Ok(MultipartStream::new(self, Multipart::for_content_type(content_type, limits)?))
    }
}

/// The parts of a `multipart/form-data` body, one after the other while they are received, without
/// temporary files. Only small pieces are copied, nothing is stored, and the peer is read only as
/// fast as the parts.
///
/// Needs the feature `forms`.
///
/// ```
/// use httpants_driver::{FormError, BodyPolicy, Request, Server};
/// use httpants_testkit::memory::Memory;
///
/// async fn upload(mut request: Request) -> Result<String, FormError> {
///     let mut text = String::new();
///     let mut parts = request.parts()?;
///     while let Some(mut part) = parts.next().await? {
///         let mut size = 0;
///         while let Some(data) = part.data().await? {
///             size += data.len();
///         }
///         text += &format!("{} {:?} {size}\n", part.name(), part.filename());
///     }
///     Ok(text)
/// }
///
/// let memory = Memory::new();
/// let server = Server::with_runtime(memory.clone(), upload).body_policy(|_| BodyPolicy::StreamUpTo(10 << 30));
/// memory.start(server);
/// let client = memory.connect();
/// client.send(
///     b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 82\r\n\
///       Content-Type: multipart/form-data; boundary=b\r\n\r\n\
///       --b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.jpg\"\r\n\r\n\
///       \xff\xd8\r\n--b--\r\n",
/// );
/// memory.run();
/// assert!(client.take_received().ends_with(b"photo Some(\"a.jpg\") 2\n"));
/// ```
#[derive(Debug)]
pub struct MultipartStream {
    body: Body,
    multipart: Multipart,
    ended: bool,
    /// True if an error was returned.
    failed: bool,
}

impl MultipartStream {
    pub(crate) fn new(body: Body, multipart: Multipart) -> Self {
        Self { body, multipart, ended: false, failed: false }
    }

    /// Returns the next part and skips the rest of the one before; `None` once the form was
    /// received completely and was well-formed.
    ///
    /// # Errors
    /// Returns [`FormError`]; further calls return the same error.
    pub async fn next(&mut self) -> Result<Option<StreamedPart<'_>>, FormError> {
        loop {
            match self.event().await? {
                Some(MultipartEvent::PartStart(part)) => {
                    return Ok(Some(StreamedPart { part, ended: false, parts: self }));
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    async fn event(&mut self) -> Result<Option<MultipartEvent>, FormError> {
        let event = self.next_event().await;
        // A loop that ignores the error must not occupy a thread.
        if event.is_err() && std::mem::replace(&mut self.failed, true) {
            yield_now().await;
        }
        event
    }

    async fn next_event(&mut self) -> Result<Option<MultipartEvent>, FormError> {
        loop {
            if let Some(event) = self.multipart.poll_event()? {
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.next().await {
                Some(piece) => self.multipart.receive(piece?),
                None => {
                    self.ended = true;
                    self.multipart.handle_eof();
                }
            }
        }
    }
}

/// A part whose content is read while it is received. It derefs to [`Part`], which has the methods
/// for its header fields: [`name`](Part::name), [`filename`](Part::filename),
/// [`content_type`](Part::content_type), [`is_file`](Part::is_file).
///
/// Needs the feature `forms`.
#[derive(Debug)]
pub struct StreamedPart<'a> {
    part: Part,
    ended: bool,
    parts: &'a mut MultipartStream,
}

impl StreamedPart<'_> {
    /// Returns the next piece of the content as received, never empty; `None` at its end.
    ///
    /// # Errors
    /// Returns [`FormError`]; further calls return the same error.
    pub async fn data(&mut self) -> Result<Option<Bytes>, FormError> {
        while !self.ended {
            match self.parts.event().await? {
                Some(MultipartEvent::Data(piece)) => return Ok(Some(piece)),
                // Only data precedes the end of the part.
                _ => self.ended = true,
            }
        }
        Ok(None)
    }

    /// Returns the rest of the content in one piece. Its size is limited by
    /// [`FormLimits::text_field`](httpants_core::forms::FormLimits::text_field) for text, and by
    /// [`FormLimits::file`](httpants_core::forms::FormLimits::file) and `max_body_size` for a file.
    ///
    /// # Errors
    /// Returns the same errors as [`data`](Self::data).
    pub async fn bytes(&mut self) -> Result<Bytes, FormError> {
        let mut collected = Joined::default();
        while let Some(piece) = self.data().await? {
            collected.push(piece, None);
        }
        Ok(collected.into_bytes())
    }
}

impl Deref for StreamedPart<'_> {
    type Target = Part;

    fn deref(&self) -> &Part {
        &self.part
    }
}
