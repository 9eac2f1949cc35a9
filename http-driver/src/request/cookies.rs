//! The cookies of a request, and those of its response, which are set on the request as in Pants.

use std::time::Duration;

use httpants_core::cookies::{self, Cookie, CookieBuilder, Cookies, KeyRing};
use httpants_core::{Connection, Misuse, RequestId};

use super::Request;
use crate::exchange::Shared;

/// Cookies to set (`cookies_out` in Pants). They are sent with the head of the response, whichever
/// way the response is created.
///
/// Needs the feature `cookies`.
///
/// ```
/// use httpants_driver::protocol::cookies::Cookie;
/// use httpants_driver::{Misuse, Request, Response};
///
/// async fn login(request: Request) -> Result<Response, Misuse> {
///     request.set_cookie(Cookie::build(("theme", "dark")).path("/"))?;
///     request.set_signed_cookie("user", "jo")?;
///     Ok(Response::text("welcome"))
/// }
///
/// async fn who(request: Request) -> Response {
///     match request.signed_cookie_text("user") {
///         Some(user) => Response::text(user),
///         None => Response::new(403),
///     }
/// }
/// # let _ = (login, who);
/// ```
impl Request {
    /// Returns the cookies received (`cookies` in Pants).
    #[must_use]
    pub fn cookies(&self) -> Cookies<'_> {
        Cookies::new(self.head.headers())
    }

    /// Returns the value of a signed cookie (`get_secure_cookie` in Pants); `None` if it is absent,
    /// unsigned, altered, renamed, expired, from the future, or signed with a key that the server
    /// does not have ([`Server::cookie_secrets`](crate::Server::cookie_secrets)).
    #[must_use]
    #[doc(alias = "get_secure_cookie")]
    pub fn signed_cookie(&self, name: &str) -> Option<Vec<u8>> {
        self.exchange.environment().cookie_keys.signed_cookie(&self.head, name)
    }

    /// Returns [`signed_cookie`](Self::signed_cookie) as text; `None` also if it is not UTF-8.
    #[must_use]
    pub fn signed_cookie_text(&self, name: &str) -> Option<String> {
        self.signed_cookie(name).and_then(|value| String::from_utf8(value).ok())
    }

    /// Sets a cookie; replaces one with the same name, domain and path.
    ///
    /// # Errors
    /// Returns [`Misuse::Cookie`] for values that cannot be sent or violate the rules for a
    /// `__Host-` or `__Secure-` name, and other errors if the response has begun.
    pub fn set_cookie(&self, cookie: impl Into<Cookie<'static>>) -> Result<(), Misuse> {
        let cookie = cookie.into();
        self.core(|core, request| cookies::set(core.response_fields_mut(request)?, cookie).map_err(Misuse::Cookie))
    }

    /// Tells the client to remove a cookie. Clients only remove a cookie with the same path and
    /// domain, so pass the attributes that it was set with;
    /// [`remove_signed_cookie`](Self::remove_signed_cookie) does that for signed ones.
    ///
    /// # Errors
    /// Returns the same errors as [`set_cookie`](Self::set_cookie).
    pub fn remove_cookie(&self, cookie: impl Into<Cookie<'static>>) -> Result<(), Misuse> {
        let cookie = cookie.into();
        self.core(|core, request| cookies::remove(core.response_fields_mut(request)?, cookie).map_err(Misuse::Cookie))
    }

    /// Sets a signed cookie for 30 days (`set_secure_cookie` in Pants);
    /// [`signed_cookie`](Self::signed_cookie) reads it. The value is signed, not
    /// encrypted. It may be text, bytes, or JSON as text.
    ///
    /// The cookie is HttpOnly, `SameSite=Lax` and for the path `/`. It is `Secure` if the client
    /// sent the request over https, to this server or to a trusted proxy, or if the name begins
    /// with `__Host-` or `__Secure-`.
    ///
    /// # Errors
    /// Returns the same errors as [`set_cookie`](Self::set_cookie).
    #[doc(alias = "set_secure_cookie")]
    pub fn set_signed_cookie(&self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Misuse> {
        self.set_signed_cookie_with(name, value, KeyRing::LIFETIME, |cookie| cookie)
    }

    /// Tells the client to remove a cookie set by [`set_signed_cookie`](Self::set_signed_cookie),
    /// with the same attributes.
    ///
    /// ```
    /// use httpants_driver::{Misuse, Request, Response};
    ///
    /// async fn logout(request: Request) -> Result<Response, Misuse> {
    ///     request.remove_signed_cookie("user")?;
    ///     Ok(Response::redirect("/"))
    /// }
    /// # let _ = logout;
    /// ```
    ///
    /// # Errors
    /// Returns the same errors as [`set_cookie`](Self::set_cookie).
    #[doc(alias = "remove_secure_cookie")]
    pub fn remove_signed_cookie(&self, name: &str) -> Result<(), Misuse> {
        self.remove_signed_cookie_with(name, |cookie| cookie)
    }

    /// Sets a signed cookie like [`set_signed_cookie`](Self::set_signed_cookie), with another
    /// lifetime and other attributes. The lifetime is the `Max-Age` of the cookie; after it, the
    /// server no longer accepts the value.
    ///
    /// ```
    /// use std::time::Duration;
    /// use httpants_driver::{Misuse, Request, Response};
    /// use httpants_driver::protocol::cookies::SameSite;
    ///
    /// async fn login(request: Request) -> Result<Response, Misuse> {
    ///     let hours = Duration::from_secs(12 * 3600);
    ///     request.set_signed_cookie_with("user", "jo", hours, |cookie| cookie.same_site(SameSite::Strict))?;
    ///     // An hour, with the attributes that all signed cookies have.
    ///     request.set_signed_cookie_with("notice", "welcome", Duration::from_secs(3600), |cookie| cookie)?;
    ///     Ok(Response::redirect("/"))
    /// }
    /// # let _ = login;
    /// ```
    ///
    /// # Errors
    /// Returns the same errors as [`set_cookie`](Self::set_cookie).
    pub fn set_signed_cookie_with(
        &self,
        name: &str,
        value: impl AsRef<[u8]>,
        lifetime: Duration,
        adjust: impl FnOnce(CookieBuilder<'static>) -> CookieBuilder<'static>,
    ) -> Result<(), Misuse> {
        let environment = self.exchange.environment();
        let cookie = environment.cookie_keys.cookie(name, value, environment.clock.now().wall, lifetime);
        self.set_cookie(adjust(self.secured(cookie)))
    }

    /// Tells the client to remove a cookie set by
    /// [`set_signed_cookie_with`](Self::set_signed_cookie_with). Pass the same `adjust`, because a
    /// client does not remove a cookie with another path or domain.
    ///
    /// # Errors
    /// Returns the same errors as [`set_cookie`](Self::set_cookie).
    pub fn remove_signed_cookie_with(
        &self,
        name: &str,
        adjust: impl FnOnce(CookieBuilder<'static>) -> CookieBuilder<'static>,
    ) -> Result<(), Misuse> {
        self.remove_cookie(adjust(self.secured(KeyRing::removal(name))))
    }

    /// Calls the core, which checks that this is the current request.
    fn core<T>(&self, call: impl FnOnce(&mut Connection, RequestId) -> Result<T, Misuse>) -> Result<T, Misuse> {
        let request = self.head.id();
        self.exchange.with(|shared: &mut Shared| call(&mut shared.core, request))
    }

    fn secured(&self, cookie: CookieBuilder<'static>) -> CookieBuilder<'static> {
        if self.is_secure() { cookie.secure(true) } else { cookie }
    }
}
