//! Responses with a file.

use std::fs::File;

use http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use httpants_core::files::{Field, FileError, FileRequest, FileResponse, Plan, Segment};
use httpants_core::{BodyLen, FieldLines, Headers, Misuse, RequestHead, ResponseHead};

use super::FilePolicy;
use super::named_file::{NamedFile, Opened};
use crate::observe::report::report;
use crate::response::{Outlet, ServerError, ServerErrorKind};

/// Responds with a file: opens it and plans the response without the lock, then queues the
/// response.
///
/// # Errors
/// Returns the errors of [`httpants_core::Connection::respond`].
pub(crate) fn respond(outlet: &mut Outlet<'_>, mut head: ResponseHead, file: NamedFile) -> Result<(), Misuse> {
    let id = outlet.request;
    let (request, now) = outlet.with(|shared| (shared.core.current_request().cloned(), shared.core.now()));
    let request = request.filter(|request| request.id() == id).ok_or(Misuse::NoRequest)?;
    let own = take_fields(&mut head.fields)?;
    let Planned { plan, file, error } =
        plan(&request, head.status, own, file, &outlet.policy.files, now.wall.as_secs());
    plan.append_fields(&mut head.fields)?;
    head.status = plan.status;
    if let Some(kind) = error
        && let Some(page) = outlet.error_page(&ServerError::with_status(kind, plan.status), &mut head)
    {
        // The last handle of the body is dropped without the lock.
        let body = page.clone();
        return outlet.with(|shared| shared.core.respond_with(id, &head, body));
    }
    let number = outlet.open_files.next_number();
    let length = plan.content_length.map_or(BodyLen::Unknown, BodyLen::Known);
    let mut due = 0;
    outlet.with(|shared| {
        let core = &mut shared.core;
        core.respond(id, &head, length)?;
        let has_body = request.allows_response_body(head.status);
        for segment in plan.segments.into_iter().filter(|_| has_body) {
            match segment {
                Segment::Bytes(bytes) => core.send(id, bytes)?,
                Segment::File { offset, len } => {
                    core.send_external(id, number, offset, len)?;
                    due += len;
                }
            }
        }
        core.finish(id)
    })?;
    if let Some(file) = file.filter(|_| due > 0) {
        outlet.open_files.keep(number, file, due);
    }
    Ok(())
}

/// A planned response.
struct Planned {
    plan: Plan,
    /// The file that its segments refer to.
    file: Option<File>,
    /// It is an error of the server, whatever status the application has set for the file.
    error: Option<ServerErrorKind>,
}

/// Plans the response with a file, or in place of one.
fn plan(
    request: &RequestHead,
    status: StatusCode,
    mut own: Vec<Field>,
    file: NamedFile,
    policy: &FilePolicy,
    wall: u64,
) -> Planned {
    let unconditional = Headers::default();
    let mut asked = FileRequest { method: request.method(), headers: request.headers() };
    if status != StatusCode::OK {
        // A response whose status does not depend on the file, such as an error page.
        asked.headers = &unconditional;
        if *asked.method != Method::HEAD {
            asked.method = &Method::GET;
        }
        if !own.iter().any(|(name, _)| *name == CACHE_CONTROL) {
            own.push((CACHE_CONTROL, HeaderValue::from_static("no-cache")));
        }
    }
    let mut error = None;
    let (plan, file) = match file.open(policy, asked.headers) {
        Ok(opened) if opened.lacks_slash && status == StatusCode::OK => {
            let plan = Plan::add_slash(request.method(), request.path(), request.query());
            (without_file(plan, &own, policy), None)
        }
        Ok(opened) => plan_opened(asked, &own, opened, policy, wall),
        Err(fault) => {
            error = Some(ServerErrorKind::File(fault));
            (without_file(Plan::fault(asked.method, fault), &own, policy), None)
        }
    };
    let error = error.or_else(|| error_of(plan.status));
    Planned { plan: plan.with_status(status), file, error }
}

/// Returns the error of a plan for a file that is there.
fn error_of(status: StatusCode) -> Option<ServerErrorKind> {
    match status {
        // It is not below the root of the server in front.
        StatusCode::NOT_FOUND => Some(ServerErrorKind::File(FileError::NotFound)),
        _ if status.is_server_error() => Some(ServerErrorKind::File(FileError::Failed)),
        _ => status.is_client_error().then_some(ServerErrorKind::FileRequest),
    }
}

fn plan_opened(
    asked: FileRequest<'_>,
    own: &[Field],
    opened: Opened,
    policy: &FilePolicy,
    wall: u64,
) -> (Plan, Option<File>) {
    let mut response = FileResponse::new(&opened.name);
    response.filename = opened.filename.as_deref();
    response.guess_mime = opened.guess_mime;
    response.headers = own;
    response.coding = opened.coding;
    if let (Some(sendfile), Some(path)) = (&policy.sendfile, &opened.path) {
        return (Plan::sendfile(asked, &response, sendfile, path, wall), None);
    }
    match entropy(asked) {
        Ok(entropy) => (Plan::new(asked, &response, opened.metadata, wall, entropy), Some(opened.file)),
        Err(fault) => (without_file(Plan::fault(asked.method, fault), own, policy), None),
    }
}

/// Adds the application's fields to a plan without a file, except the one that would make a proxy
/// send a file instead.
fn without_file(plan: Plan, own: &[Field], policy: &FilePolicy) -> Plan {
    let mut plan = plan.with_own_fields(own);
    if let Some(sendfile) = &policy.sendfile {
        plan.fields.retain(|(name, _)| name != sendfile.header());
    }
    plan
}

/// Returns random bytes, only if a multipart boundary needs them.
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

/// Takes the application's fields for the plan to place; fields that the core owns stay.
fn take_fields(fields: &mut FieldLines) -> Result<Vec<Field>, Misuse> {
    let mut own = Vec::new();
    for (name, value) in fields.iter() {
        let name = HeaderName::try_from(name).map_err(|_| Misuse::FieldName)?;
        own.push((name, HeaderValue::from_bytes(value).map_err(|_| Misuse::FieldValue)?));
    }
    for (name, _) in &own {
        fields.remove(name.as_str());
    }
    if fields.content_length().is_some() {
        fields.remove("Content-Length");
    }
    Ok(own)
}
