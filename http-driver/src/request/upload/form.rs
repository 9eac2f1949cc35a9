//! What a form holds.

use std::sync::LazyLock;

use httpants_core::forms::Variables;

use super::Files;

#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) post: Variables,
    pub(crate) files: Files,
}

impl Form {
    /// That of a request that is no form.
    pub(crate) fn none() -> &'static Self {
        static NONE: LazyLock<Form> = LazyLock::new(Form::default);
        &NONE
    }
}
