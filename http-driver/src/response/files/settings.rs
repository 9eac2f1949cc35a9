//! The settings of a root.

use http::HeaderValue;
use httpants_core::files::{EtagRecipe, MediaTypes, RelativePath};

/// The settings for finding and presenting the files of a root.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) precompressed: bool,
    pub(super) dotfiles: bool,
    pub(super) index_names: Vec<Box<str>>,
    pub(super) types: MediaTypes,
    pub(super) etag: EtagRecipe,
    pub(super) cache_control: Option<HeaderValue>,
    pub(super) fallback: Option<RelativePath>,
    pub(super) not_found: Option<RelativePath>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            precompressed: false,
            dotfiles: false,
            index_names: vec!["index.html".into()],
            types: MediaTypes::default(),
            etag: EtagRecipe::default(),
            cache_control: None,
            fallback: None,
            not_found: None,
        }
    }
}
