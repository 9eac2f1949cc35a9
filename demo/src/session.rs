//! The login of the page, and messages that are shown once, in signed cookies.

use std::time::Duration;

use httpants_tokio::{Request, Response};

use crate::mistake::Mistake;

const USER: &str = "login";
const MESSAGE: &str = "flash";
const LIFETIME: Duration = Duration::from_secs(8 * 3600);
/// Maximum number of characters of a name.
const MAX_NAME: usize = 64;

/// Returns the name given at the login.
pub(crate) fn user(request: &Request) -> Option<String> {
    request.signed_cookie_text(USER)
}

/// Returns the message for the next page, which is shown only once.
pub(crate) fn take_message(request: &Request) -> Result<Option<String>, Mistake> {
    let message = request.signed_cookie_text(MESSAGE);
    if message.is_some() {
        request.remove_signed_cookie(MESSAGE)?;
    }
    Ok(message)
}

/// Stores the name of the form in a signed cookie. An application would check a password.
pub(crate) fn login(request: &Request) -> Result<Response, Mistake> {
    check_site(request)?;
    let name: String = request.post().get("name").unwrap_or_default().trim().chars().take(MAX_NAME).collect();
    if name.is_empty() {
        return back(request, "A login needs a name.");
    }
    request.set_signed_cookie_with(USER, &name, LIFETIME, |cookie| cookie)?;
    back(request, &format!("Welcome, {name}!"))
}

pub(crate) fn logout(request: &Request) -> Result<Response, Mistake> {
    check_site(request)?;
    request.remove_signed_cookie(USER)?;
    back(request, "You are logged out.")
}

/// Redirects the client to the page with this message.
fn back(request: &Request, message: &str) -> Result<Response, Mistake> {
    request.set_signed_cookie_with(MESSAGE, message, Duration::from_secs(60), |cookie| cookie)?;
    Ok(Response::redirect("/").with_status(303))
}

/// Refuses forms of other sites: browsers send the origin of a form.
fn check_site(request: &Request) -> Result<(), Mistake> {
    match request.headers().get("Sec-Fetch-Site") {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Mistake::OtherSite),
    }
}
