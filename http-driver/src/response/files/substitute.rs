//! The `fallback` and `not_found` files of a root, for a missing file.

use http::header::{HeaderValue, VARY};
use http::{Method, StatusCode};
use httpants_core::files::{Field, FileError, RelativePath, accepts_html, describes_file};

use super::located::Substitutes;
use super::named_file::{Opened, Presentation};
use super::planning::{Planned, Planner};
use crate::observe::report::report;

impl Substitutes {
    /// Plans the response to a request for a file that is missing.
    pub(super) fn plan(self, planner: &Planner<'_>, mut app_fields: Vec<Field>) -> Planned {
        let (method, headers) = (planner.request.method(), planner.request.headers());
        let settings = &self.root.settings;
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        if let Some(fallback) = settings.fallback.as_ref().filter(|_| self.is_below && is_read) {
            app_fields.push((VARY, HeaderValue::from_static("accept")));
            if accepts_html(headers)
                && let Some(opened) = self.open(planner, fallback)
            {
                return planner.file(app_fields, opened);
            }
        }
        let Some(opened) = settings.not_found.as_ref().and_then(|page| self.open(planner, page)) else {
            return planner.fault(&app_fields, FileError::NotFound);
        };
        // The application's fields describe the file, not this page. A proxy would send the page
        // with another status, so this server sends it.
        let for_proxy = planner.policy.sendfile.as_ref().map(|sendfile| sendfile.header());
        app_fields.retain(|(name, _)| !describes_file(name) && Some(name) != for_proxy);
        planner.content(StatusCode::NOT_FOUND, app_fields, Opened { path: None, ..opened })
    }

    fn open(&self, planner: &Planner<'_>, page: &RelativePath) -> Option<Opened> {
        let choice = planner.policy.choice(self.root.settings.precompressed, planner.request.headers());
        match self.root.locate(page.clone(), choice) {
            Ok(located) => Some(Opened::located(located, Presentation::default(), planner.policy)),
            // Logged where it was opened.
            Err(FileError::Failed) => None,
            Err(error) => {
                let path = page.as_str().escape_debug();
                report!("cannot open the fallback or not_found file of a root", error, path);
                None
            }
        }
    }
}
