//! The settings of a server for its forms.

use http::Method;
use httpants_core::forms::urlencoded;

/// The settings for parsing the forms of requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormSettings {
    pub(crate) variables: urlencoded::Options,
    /// True if forms are parsed on PATCH, too.
    pub(crate) patch: bool,
}

impl FormSettings {
    /// Returns whether a body with this method is parsed as a form, if its type is one.
    pub(crate) fn takes_form(&self, method: &Method) -> bool {
        match *method {
            Method::POST | Method::PUT => true,
            Method::PATCH => self.patch,
            _ => false,
        }
    }
}
