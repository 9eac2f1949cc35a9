//! Plain and signed cookies.

use std::time::Duration;

use httpants_tokio::protocol::cookies::{Cookie, KeyRing};
use httpants_tokio::{Request, Response};
use serde_json::json;

use crate::mistake::{Mistake, parameter, required};

/// Sets the cookies named in the query, for all paths.
pub(crate) fn set(request: &Request) -> Result<&'static str, Mistake> {
    for (name, value) in request.get()?.iter() {
        request.set_cookie(Cookie::build((name.to_owned(), value.to_owned())).path("/"))?;
    }
    Ok("set")
}

pub(crate) fn set_secure(request: &Request) -> Result<&'static str, Mistake> {
    let name = required(request, "name")?;
    let value = request.get()?.get("value").unwrap_or_default();
    let lifetime = Duration::from_secs(parameter(request, "expires", KeyRing::LIFETIME.as_secs())?);
    request.set_signed_cookie_with(name, value, lifetime, |cookie| cookie)?;
    Ok("set")
}

/// Returns the value of the signed cookie as JSON; null if it is missing or invalid.
pub(crate) fn get_secure(request: &Request) -> Result<Response, Mistake> {
    let value = request.signed_cookie_text(required(request, "name")?);
    Ok(Response::bytes("application/json", format!("{}\n", json!({ "value": value }))))
}
