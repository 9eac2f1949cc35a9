//! Planning of the response to a request with an opened file, or without one.

use std::fs::File;

use http::header::{CACHE_CONTROL, EXPIRES, HeaderValue};
use http::{Method, StatusCode};
use httpants_core::files::{Field, FileError, FileRequest, FileResponse, Plan};
use httpants_core::{Headers, RequestHead, UnixTime};

use super::named_file::Opened;
use super::policy::FilePolicy;
use crate::observe::report::report;
use crate::response::ServerErrorKind;

pub(super) const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// A planned response.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// The file to which the segments of the plan refer.
    pub(super) file: Option<File>,
    /// The error, if the plan is an error response of the server; independent of the status that
    /// the application set.
    pub(super) error: Option<ServerErrorKind>,
}

impl Planned {
    fn new(plan: Plan, file: Option<File>) -> Self {
        let error = error_of(plan.status);
        Self { plan, file, error }
    }
}

/// Returns the error of a plan for an existing file.
fn error_of(status: StatusCode) -> Option<ServerErrorKind> {
    match status {
        // The file is not below the directory of the proxy.
        StatusCode::NOT_FOUND => Some(ServerErrorKind::File(FileError::NotFound)),
        _ if status.is_server_error() => Some(ServerErrorKind::File(FileError::Failed)),
        _ => status.is_client_error().then_some(ServerErrorKind::FileRequest),
    }
}

/// The data from which the responses to one request are planned.
pub(super) struct Planner<'a> {
    pub(super) request: &'a RequestHead,
    pub(super) policy: &'a FilePolicy,
    pub(super) wall: UnixTime,
}

impl Planner<'_> {
    /// Plans the response whose status depends on the file and the request.
    pub(super) fn file(&self, mut app_fields: Vec<Field>, opened: Opened) -> Planned {
        if !app_fields.iter().any(|(name, _)| *name == CACHE_CONTROL || *name == EXPIRES) {
            let of_root = || opened.root.as_ref()?.settings.cache_control.clone();
            let value = if opened.is_fallback { Some(NO_CACHE) } else { of_root() };
            app_fields.extend(value.map(|value| (CACHE_CONTROL, value)));
        }
        let asked = FileRequest { method: self.request.method(), headers: self.request.headers() };
        self.opened(asked, &app_fields, opened)
    }

    /// Plans a response whose status does not depend on the file, such as an error page.
    pub(super) fn content(&self, status: StatusCode, mut app_fields: Vec<Field>, opened: Opened) -> Planned {
        if !app_fields.iter().any(|(name, _)| *name == CACHE_CONTROL) {
            app_fields.push((CACHE_CONTROL, NO_CACHE));
        }
        let method = if *self.request.method() == Method::HEAD { &Method::HEAD } else { &Method::GET };
        let planned = self.opened(FileRequest { method, headers: &Headers::default() }, &app_fields, opened);
        Planned { plan: planned.plan.with_status(status), ..planned }
    }

    /// Plans the redirect of a directory to its path with a slash.
    pub(super) fn add_slash(&self, app_fields: &[Field]) -> Planned {
        let plan = Plan::add_slash(self.request.method(), self.request.path(), self.request.query());
        self.without_file(plan, app_fields)
    }

    pub(super) fn fault(&self, app_fields: &[Field], fault: FileError) -> Planned {
        let plan = self.without_file(Plan::error(self.request.method(), fault), app_fields).plan;
        Planned { plan, file: None, error: Some(ServerErrorKind::File(fault)) }
    }

    fn opened(&self, asked: FileRequest<'_>, app_fields: &[Field], opened: Opened) -> Planned {
        let mut response = FileResponse::new(&opened.name);
        response.filename = opened.presentation.filename.as_deref();
        response.disposition = opened.presentation.disposition;
        response.guess_mime = opened.presentation.guess_mime;
        response.headers = app_fields;
        response.coding = opened.coding;
        if let Some(root) = &opened.root {
            response.types = Some(&root.settings.types);
            response.etag = root.settings.etag;
        }
        if let (Some(sendfile), Some(path)) = (&self.policy.sendfile, &opened.path) {
            return Planned::new(Plan::sendfile(asked, &response, sendfile, path, self.wall), None);
        }
        match entropy(asked) {
            Ok(entropy) => {
                Planned::new(Plan::new(asked, &response, opened.metadata, self.wall, entropy), Some(opened.file))
            }
            Err(fault) => self.fault(app_fields, fault),
        }
    }

    /// Adds the application's fields to a plan without a file, except the field that would make a
    /// proxy send a file instead.
    fn without_file(&self, plan: Plan, app_fields: &[Field]) -> Planned {
        let mut plan = plan.with_own_fields(app_fields);
        if let Some(sendfile) = &self.policy.sendfile {
            plan.fields.retain(|(name, _)| name != sendfile.header());
        }
        Planned::new(plan, None)
    }
}

/// Returns random bytes if a multipart boundary needs them, otherwise zeros.
fn entropy(asked: FileRequest<'_>) -> Result<[u8; 16], FileError> {
    let mut entropy = [0; 16];
    if asked.asks_for_several_ranges() {
        getrandom::fill(&mut entropy).map_err(|error| {
            report!("cannot generate a multipart boundary: no random numbers from the system", error);
            FileError::Failed
        })?;
    }
    Ok(entropy)
}
