//! The parsed content of a form.

use std::sync::LazyLock;

use httpants_core::Headers;
use httpants_core::forms::{Part, Variables};

use super::{Files, TextFields};

#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) post: Variables,
    pub(crate) files: Files,
    /// The header fields of each text field in `post`, for a multipart form.
    pub(crate) headers: Vec<Headers>,
}

impl Form {
    /// Adds a text field of a multipart form, which may be empty.
    pub(crate) fn push_text(&mut self, part: Part, content: &[u8]) {
        self.post.push(part.name_bytes(), content);
        self.headers.push(part.into_headers());
    }

    pub(crate) fn text_fields(&self) -> TextFields<'_> {
        TextFields::new(&self.headers, &self.post)
    }

    /// Returns the empty form of a request without a form.
    pub(crate) fn none() -> &'static Self {
        static NONE: LazyLock<Form> = LazyLock::new(Form::default);
        &NONE
    }
}
