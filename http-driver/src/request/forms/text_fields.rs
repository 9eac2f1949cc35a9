//! Text fields of a multipart form.

use std::borrow::Cow;
use std::fmt;
use std::iter::{FusedIterator, Zip};
use std::slice;

use httpants_core::Headers;
use httpants_core::forms::{Variables, VariablesIterBytes, charset};

/// The text fields of a buffered `multipart/form-data` form in order, each with the header fields
/// of its part. [`Request::post`](crate::Request::post) has only their names and values.
///
/// Needs the feature `forms`.
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
///         // Decode the result of `bytes`.
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
    /// Pairs headers and variables. A multipart form has the same number of both; other forms have
    /// no headers.
    pub(super) fn new(headers: &'a [Headers], variables: &'a Variables) -> Self {
        Self { headers, variables }
    }

    /// Returns the first field of this name. Names are case-sensitive.
    #[must_use]
    pub fn get(self, name: &str) -> Option<TextField<'a>> {
        self.iter().find(|field| field.name == name.as_bytes())
    }

    /// Iterates over the fields of this name in order.
    pub fn all<'b>(self, name: &'b str) -> impl Iterator<Item = TextField<'a>> + use<'a, 'b> {
        self.iter().filter(move |field| field.name == name.as_bytes())
    }

    /// Iterates over all fields in order.
    pub fn iter(self) -> TextFieldsIter<'a> {
        TextFieldsIter { fields: self.headers.iter().zip(self.variables.iter_bytes()) }
    }

    /// Returns the number of fields, including duplicates.
    #[must_use]
    pub fn len(self) -> usize {
        self.headers.len()
    }

    /// Returns whether there are no text fields.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.headers.is_empty()
    }
}

/// All fields, as [`iter`](TextFields::iter) returns them.
impl<'a> IntoIterator for TextFields<'a> {
    type Item = TextField<'a>;
    type IntoIter = TextFieldsIter<'a>;

    fn into_iter(self) -> TextFieldsIter<'a> {
        self.iter()
    }
}

/// The iterator of [`TextFields::iter`].
#[derive(Clone, Debug)]
pub struct TextFieldsIter<'a> {
    fields: Zip<slice::Iter<'a, Headers>, VariablesIterBytes<'a>>,
}

impl<'a> Iterator for TextFieldsIter<'a> {
    type Item = TextField<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fields.next().map(|(headers, (name, bytes))| TextField { headers, name, bytes })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.fields.size_hint()
    }
}

impl ExactSizeIterator for TextFieldsIter<'_> {}

impl FusedIterator for TextFieldsIter<'_> {}

/// A text field of a multipart form: name, header fields of its part, content.
///
/// Needs the feature `forms`.
#[derive(Clone, Copy)]
pub struct TextField<'a> {
    headers: &'a Headers,
    name: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> TextField<'a> {
    /// Returns the name, with U+FFFD in place of invalid UTF-8.
    #[must_use]
    pub fn name(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.name)
    }

    /// Returns the name as bytes. They differ from [`name`](Self::name) if it is not valid UTF-8.
    #[must_use]
    pub fn name_bytes(&self) -> &'a [u8] {
        self.name
    }

    /// Returns the content as sent, which may be empty.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the media type that the peer sent; `None` if there is none, as from browsers, or if
    /// it is not valid UTF-8.
    #[must_use]
    pub fn content_type(&self) -> Option<&'a str> {
        self.headers.text("content-type")
    }

    /// Returns the `charset` parameter of [`content_type`](Self::content_type) as sent. It is not
    /// used for decoding.
    #[must_use]
    pub fn charset(&self) -> Option<&'a str> {
        charset(self.headers)
    }

    /// Returns all header fields of the part.
    #[must_use]
    pub fn headers(&self) -> &'a Headers {
        self.headers
    }
}

/// Shows only the length of the content.
impl fmt::Debug for TextField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextField")
            .field("headers", self.headers)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
