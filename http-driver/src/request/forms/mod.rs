//! Forms: buffered before the handler runs, or read part by part.

mod files;
mod form;
mod multipart_stream;
mod settings;
mod text_fields;
mod uploaded_file;

use httpants_core::forms::{Multipart, ParseFormError, Variables};

pub use self::files::Files;
pub(crate) use self::form::Form;
pub use self::multipart_stream::{MultipartStream, StreamedPart};
pub(crate) use self::settings::FormSettings;
pub use self::text_fields::{TextField, TextFields, TextFieldsIter};
pub use self::uploaded_file::UploadedFile;
use crate::request::Request;

/// Forms of requests, with the feature `forms`.
impl Request {
    /// Returns the variables of a buffered form, multi-valued and in order (`post` in Pants): those
    /// of `application/x-www-form-urlencoded`, and the text fields of `multipart/form-data`. As in
    /// Pants, urlencoded variables without a value are dropped unless
    /// [`Server::variables`](crate::Server::variables) keeps them, and empty text fields are kept.
    /// Forms are parsed on POST and PUT, and on PATCH with
    /// [`Server::forms_on_patch`](crate::Server::forms_on_patch); otherwise the result is empty. A
    /// malformed or too large form is refused without calling the handler.
    ///
    /// ```
    /// use httpants_driver::Request;
    ///
    /// async fn greet(request: Request) -> String {
    ///     format!("hello {}", request.post().get("name").unwrap_or("stranger"))
    /// }
    /// # let _ = greet;
    /// ```
    #[must_use]
    pub fn post(&self) -> &Variables {
        &self.form().post
    }

    /// Returns the files of a buffered `multipart/form-data` form (`files` in Pants): the parts
    /// with a `filename`. Files that are not persisted are removed with the request.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.form().files
    }

    /// Returns the text fields of a buffered `multipart/form-data` form with the header fields of
    /// their parts, their charset and their bytes; empty for any other body.
    #[must_use]
    pub fn text_fields(&self) -> TextFields<'_> {
        self.form().text_fields()
    }

    fn form(&self) -> &Form {
        self.form.as_deref().unwrap_or_else(|| Form::none())
    }

    /// Returns the parts of a `multipart/form-data` form while they are received, for a streamed
    /// request ([`BodyPolicy::Stream`](crate::BodyPolicy::Stream)). Nothing is stored. Takes the
    /// body out of the request, so a second call returns no parts. The server's limits apply, and
    /// `max_body_size` for the whole body.
    ///
    /// # Errors
    /// Returns [`ParseFormError`] if the head is not that of such a form or has a Content-Encoding;
    /// the body is then left unchanged.
    pub fn parts(&mut self) -> Result<MultipartStream, ParseFormError> {
        let mut limits = self.exchange.environment().form_limits.clone();
        // The core enforces the limit of this request.
        limits.max_body_size = u64::MAX;
        let multipart = Multipart::for_headers(self.head.headers(), &limits)?;
        Ok(MultipartStream::new(self.body.take(), multipart))
    }
}
