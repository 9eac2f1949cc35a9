//! The text fields of a multipart form.

use std::borrow::Cow;
use std::fmt;

use httpants_core::Headers;
use httpants_core::forms::{Variables, charset};

/// The text fields of a buffered `multipart/form-data` form, in order, each with what its part
/// says of it. [`Request::post`](crate::Request::post) has their names and values alone.
///
/// ```
/// use httpants_driver::{Request, Response};
///
/// async fn comment(request: Request) -> Response {
///     let Some(comment) = request.text_fields().get("comment") else {
///         return Response::text("no comment\n").with_status(400);
///     };
///     match comment.charset() {
///         None | Some("utf-8" | "UTF-8") => Response::text(format!("{} bytes\n", comment.bytes().len())),
///         // To be decoded from what `bytes` returns.
///         Some(charset) => Response::text(format!("{charset} is not supported\n")).with_status(415),
///     }
/// }
/// # let _ = comment;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TextFields<'a> {
    headers: &'a [Headers],
    variables: &'a Variables,
}

impl<'a> TextFields<'a> {
    /// There are as many variables as headers, or no headers: then it is no multipart form.
    pub(super) fn new(headers: &'a [Headers], variables: &'a Variables) -> Self {
        Self { headers, variables }
    }

    /// The first field of this name. Names are compared as they are, with case.
    #[must_use]
    pub fn get(self, name: &str) -> Option<TextField<'a>> {
        self.iter().find(|field| field.name == name.as_bytes())
    }

    /// All fields of this name, in order.
    pub fn all<'b>(self, name: &'b str) -> impl Iterator<Item = TextField<'a>> + use<'a, 'b> {
        self.iter().filter(move |field| field.name == name.as_bytes())
    }

    /// All fields, in order.
    pub fn iter(self) -> impl Iterator<Item = TextField<'a>> {
        let fields = self.headers.iter().zip(self.variables.iter_bytes());
        fields.map(|(headers, (name, bytes))| TextField { headers, name, bytes })
    }

    /// How many fields there are, duplicates counted.
    #[must_use]
    pub fn len(self) -> usize {
        self.headers.len()
    }

    /// Whether there is no text field at all.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.headers.is_empty()
    }
}

/// A text field of a multipart form: its name, the header fields of its part and its content.
#[derive(Clone, Copy)]
pub struct TextField<'a> {
    headers: &'a Headers,
    name: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> TextField<'a> {
    /// The name; where it is not UTF-8, with U+FFFD in place of other bytes.
    #[must_use]
    pub fn name(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.name)
    }

    /// [`name`](Self::name) as bytes: the same, unless it is not UTF-8.
    #[must_use]
    pub fn name_bytes(&self) -> &'a [u8] {
        self.name
    }

    /// The content as it was sent, which may be empty.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The media type that the peer claims; `None` where it gave none, as browsers do, or one
    /// that is not UTF-8.
    #[must_use]
    pub fn content_type(&self) -> Option<&'a str> {
        self.headers.text("content-type")
    }

    /// The `charset` parameter of [`content_type`](Self::content_type) as it was sent. Nothing
    /// is decoded by it.
    #[must_use]
    pub fn charset(&self) -> Option<&'a str> {
        charset(self.headers)
    }

    /// All header fields of the part.
    #[must_use]
    pub fn headers(&self) -> &'a Headers {
        self.headers
    }
}

/// Shows of the content only its length.
impl fmt::Debug for TextField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextField")
            .field("headers", self.headers)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
