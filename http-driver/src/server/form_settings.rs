//! The settings of a server for forms.

use httpants_core::forms::urlencoded;

use super::Server;
use crate::runtime::Runtime;

/// Settings for forms, with the feature `forms`.
impl<R: Runtime, H> Server<R, H> {
    /// Changes how urlencoded variables are parsed: whether those with an empty value are kept, and
    /// their maximum number. Text fields of multipart forms are limited as parts by
    /// [`FormLimits::parts`](httpants_core::forms::FormLimits::parts), and kept even if empty.
    #[must_use]
    pub fn variables(mut self, change: impl FnOnce(&mut urlencoded::Options)) -> Self {
        change(&mut self.parts.settings.forms.variables);
        self
    }

    /// Sets whether forms are parsed on PATCH, too. Default: false, only on POST and PUT, as in
    /// Pants.
    #[must_use]
    pub fn forms_on_patch(mut self, patch: bool) -> Self {
        self.parts.settings.forms.patch = patch;
        self
    }
}
