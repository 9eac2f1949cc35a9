//! Responses with a file.

use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use httpants_core::files::{Field, FileError, Segment};
use httpants_core::{BodyLen, FieldLines, Misuse, ResponseHead};

use super::named_file::NamedFile;
use super::planning::{Planned, Planner};
use crate::response::{Outlet, ServerError};

/// Responds with a file: opens it and plans the response without the lock, then queues the
/// response.
///
/// # Errors
/// Returns the errors of [`httpants_core::Connection::respond`].
pub(crate) fn respond(outlet: &mut Outlet<'_>, mut head: ResponseHead, file: NamedFile) -> Result<(), Misuse> {
    let id = outlet.request;
    let (request, now) = outlet.with(|shared| (shared.core.current_request().cloned(), shared.core.now()));
    let request = request.filter(|request| request.id() == id).ok_or(Misuse::NoRequest)?;
    let app_fields = take_fields(&mut head.fields)?;
    let planner = Planner { request: &request, policy: &outlet.policy.files, wall: now.wall };
    let Planned { plan, file, error } = plan(&planner, head.status, app_fields, file);
    plan.append_fields(&mut head.fields)?;
    head.status = plan.status;
    if let Some(kind) = error
        && let Some(page) = outlet.error_page(&ServerError::with_status(kind, plan.status), &mut head)
    {
        // A clone, so that the last handle of the body is dropped without the lock.
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

fn plan(planner: &Planner<'_>, status: StatusCode, app_fields: Vec<Field>, file: NamedFile) -> Planned {
    let substitutes = file.substitutes();
    match (file.open(planner.policy, planner.request.headers()), substitutes) {
        (Ok(opened), _) if status != StatusCode::OK => planner.content(status, app_fields, opened),
        (Ok(opened), _) if opened.lacks_slash => planner.add_slash(&app_fields),
        (Ok(opened), _) => planner.file(app_fields, opened),
        (Err(FileError::NotFound), Some(substitutes)) if status == StatusCode::OK => {
            substitutes.plan(planner, app_fields)
        }
        (Err(fault), _) => planner.fault(&app_fields, fault),
    }
}

/// Takes out the application's fields for the plan; fields that the core owns are left.
fn take_fields(fields: &mut FieldLines) -> Result<Vec<Field>, Misuse> {
    let mut app_fields = Vec::new();
    for (name, value) in &*fields {
        let name = HeaderName::try_from(name).map_err(|_| Misuse::FieldName)?;
        app_fields.push((name, HeaderValue::from_bytes(value).map_err(|_| Misuse::FieldValue)?));
    }
    for (name, _) in &app_fields {
        fields.remove(name.as_str());
    }
    if fields.content_length().is_some() {
        fields.remove("Content-Length");
    }
    Ok(app_fields)
}
