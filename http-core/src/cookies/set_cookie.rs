//! The cookies to set.

use core::fmt::Write;

use cookie::time::{Duration, OffsetDateTime};
use cookie::{Cookie, Expiration};

use crate::message::cookie_error::CookieError;
use crate::message::field_lines::FieldLines;
use crate::wire::grammar;

/// Maximum length in bytes of the name and the value of a cookie together: 4,096. Browsers silently
/// drop longer cookies (RFC 6265bis section 5.6).
pub const NAME_AND_VALUE_LIMIT: usize = 4096;
/// Maximum length in bytes of a cookie's path or domain: 1,024. Browsers ignore longer attributes
/// (RFC 6265bis section 5.6).
pub const ATTRIBUTE_LIMIT: usize = 1024;

/// Sets a cookie (`cookies_out` in Pants) by a separate `Set-Cookie` line in the fields of a
/// response, such as those of [`ResponseHead`](crate::ResponseHead) and of
/// [`response_fields_mut`](crate::Connection::response_fields_mut). It replaces a cookie with the
/// same name, path and domain, because these identify a cookie for browsers (RFC 6265 section 5.3).
///
/// Accepts `(name, value)`, a [`Cookie`] or a [`CookieBuilder`](cookie::CookieBuilder), which have
/// the attributes `Path`, `Domain`, `Secure`, `HttpOnly`, `SameSite`, `Partitioned`, `Max-Age` and
/// `Expires`. Values are sent unchanged: encode characters that are not allowed, for example by
/// percent-encoding or base64.
///
/// ```
/// use httpants_core::ResponseHead;
/// use httpants_core::cookies::{self, Cookie, CookieError, SameSite};
///
/// let mut head = ResponseHead::default();
/// cookies::set(&mut head.fields, ("theme", "dark"))?;
/// cookies::set(&mut head.fields, ("theme", "light"))?;
/// let id = Cookie::build(("__Host-id", "7")).path("/").secure(true).same_site(SameSite::Strict);
/// cookies::set(&mut head.fields, id)?;
/// assert_eq!(cookies::set(&mut head.fields, ("a", "1\r\nSet-Cookie: b=2")), Err(CookieError::Value));
///
/// let values: Vec<_> = head.fields.iter().map(|(_, value)| value).collect();
/// assert_eq!(values, [&b"theme=light"[..], b"__Host-id=7; SameSite=Strict; Secure; Path=/"]);
/// # Ok::<(), cookies::CookieError>(())
/// ```
///
/// # Errors
/// [`CookieError`], and nothing is changed, if
/// - the name is not a token, or the value, path or domain contains a control character or `;`,
///   begins or ends with white space, or is too long;
/// - `Expires` is before the year 1601, which RFC 6265 cannot represent;
/// - a cookie whose name begins with `__Secure-` has no `Secure`, or one whose name begins with
///   `__Host-` has no `Secure`, no `Path=/`, or a domain (RFC 6265bis section 4.1.3).
pub fn set(fields: &mut FieldLines, cookie: impl Into<Cookie<'static>>) -> Result<(), CookieError> {
    let cookie = cookie.into();
    check(&cookie)?;
    let mut line = String::new();
    write!(line, "{cookie}").map_err(|_| CookieError::Expires)?;
    fields.replace_or_push(|name, other| is_set_cookie(name) && is_same(other, &cookie), "Set-Cookie", line.as_bytes());
    Ok(())
}

/// Removes a cookie from the client: sets it with an empty value and an expiry time in the past.
///
/// Pass the path and the domain that the cookie was set with, otherwise the client keeps it. A name
/// with the prefix `__Secure-` or `__Host-` needs `Secure` (and `Path=/`) here as well.
///
/// # Errors
/// As for [`set`].
pub fn remove(fields: &mut FieldLines, cookie: impl Into<Cookie<'static>>) -> Result<(), CookieError> {
    let mut cookie = cookie.into();
    cookie.set_value("");
    cookie.set_max_age(Duration::ZERO);
    cookie.set_expires(OffsetDateTime::UNIX_EPOCH);
    set(fields, cookie)
}

fn is_set_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("set-cookie")
}

/// Returns true if a line sets the cookie of the same name, path and domain.
fn is_same(line: &[u8], other: &Cookie<'_>) -> bool {
    let Ok(line) = core::str::from_utf8(line) else { return false };
    let mut parts = line.split(';').map(|part| part.split_once('=').unwrap_or((part, "")));
    let name = parts.next().unwrap_or_default().0;
    let attribute = |known: &str| {
        let mut parts = parts.clone().map(|(attribute, value)| (attribute.trim_matches(' '), value));
        parts.find(|(attribute, _)| attribute.eq_ignore_ascii_case(known)).map(|(_, value)| value)
    };
    let same_domain = match (attribute("domain"), other.domain()) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    };
    name == other.name() && attribute("path") == other.path() && same_domain
}

fn check(cookie: &Cookie<'_>) -> Result<(), CookieError> {
    /// The first second of 1601; the algorithm of RFC 6265 section 5.1.1 rejects earlier dates.
    const FIRST_DATE: i64 = -11_644_473_600;
    let (name, value) = cookie.name_value();
    if !grammar::is_token(name.as_bytes()) {
        return Err(CookieError::Name);
    }
    if !survives(value) {
        return Err(CookieError::Value);
    }
    if name.len() + value.len() > NAME_AND_VALUE_LIMIT {
        return Err(CookieError::TooLong);
    }
    let attributes = [(cookie.path(), CookieError::Path), (cookie.domain(), CookieError::Domain)];
    for (attribute, fault) in attributes {
        match attribute {
            Some(value) if !survives(value) => return Err(fault),
            Some(value) if value.len() > ATTRIBUTE_LIMIT => return Err(CookieError::TooLong),
            _ => {}
        }
    }
    if let Some(Expiration::DateTime(date)) = cookie.expires()
        && date.unix_timestamp() < FIRST_DATE
    {
        return Err(CookieError::Expires);
    }
    check_prefix(cookie)
}

/// Checks the requirements of name prefixes (RFC 6265bis section 4.1.3). Browsers compare the
/// prefixes without case (section 5.4).
fn check_prefix(cookie: &Cookie<'_>) -> Result<(), CookieError> {
    // The `Display` of a cookie adds Secure if it is Partitioned.
    let secure = cookie.secure() == Some(true) || cookie.partitioned() == Some(true);
    if begins_with(cookie.name(), "__Secure-") && !secure {
        return Err(CookieError::SecurePrefix);
    }
    if begins_with(cookie.name(), "__Host-") && !(secure && cookie.path() == Some("/") && cookie.domain().is_none()) {
        return Err(CookieError::HostPrefix);
    }
    Ok(())
}

/// Returns true if browsers accept a cookie of this name only with `Secure`.
pub(super) fn needs_secure(name: &str) -> bool {
    begins_with(name, "__Host-") || begins_with(name, "__Secure-")
}

fn begins_with(name: &str, prefix: &str) -> bool {
    name.split_at_checked(prefix.len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case(prefix))
}

/// Returns true if the client stores this value or attribute unchanged: it has no control
/// character, which would end the line or cause the cookie to be dropped, no `;`, which would end
/// the value, and no white space at the ends, which is trimmed (RFC 6265bis section 5.6).
fn survives(value: &str) -> bool {
    let bytes = value.as_bytes();
    let allowed = |&byte: &u8| grammar::is_field_value_byte(byte) && byte != b'\t' && byte != b';';
    bytes.iter().all(allowed) && grammar::trim_ows(bytes).len() == bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookies::{Cookies, SameSite};
    use crate::message::headers::Headers;

    fn set(cookie: impl Into<Cookie<'static>>) -> Result<String, CookieError> {
        let mut fields = FieldLines::new();
        super::set(&mut fields, cookie)?;
        let lines = lines(&fields);
        assert_eq!(lines.len(), 1);
        Ok(lines.concat())
    }

    fn lines(fields: &FieldLines) -> Vec<String> {
        let line = |(name, value): (&str, &[u8])| {
            assert_eq!(name, "Set-Cookie");
            core::str::from_utf8(value).unwrap().to_owned()
        };
        fields.iter().map(line).collect()
    }

    #[test]
    fn only_set_cookie_fields_are_replaced() {
        let mut fields = FieldLines::new();
        fields.push("X-Cookie", "a=1").unwrap();
        fields.push("set-cookie", "a=1").unwrap();
        super::set(&mut fields, ("a", "2")).unwrap();
        let lines: Vec<_> = fields.iter().collect();
        assert_eq!(lines, [("X-Cookie", &b"a=1"[..]), ("Set-Cookie", b"a=2")]);
    }

    #[test]
    fn every_attribute_is_written() {
        let date = OffsetDateTime::from_unix_timestamp(784_111_777).unwrap();
        let cookie = Cookie::build(("a", "1"))
            .path("/p")
            .domain("example.com")
            .secure(true)
            .http_only(true)
            .same_site(SameSite::None)
            .partitioned(true)
            .max_age(Duration::hours(1))
            .expires(date);
        assert_eq!(
            set(cookie).unwrap(),
            "a=1; HttpOnly; SameSite=None; Partitioned; Secure; Path=/p; Domain=example.com; Max-Age=3600; \
             Expires=Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(set(("a", "")).unwrap(), "a=");
    }

    #[test]
    fn every_byte_is_accepted_or_refused_by_its_position() {
        for byte in 0..=0x7fu8 {
            let text = format!("x{}y", char::from(byte));
            let control = byte.is_ascii_control();
            let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(set((text.clone(), "v")).is_ok(), token, "{text:?}");
            let fits = !control && byte != b';';
            let refused = |fault| if fits { None } else { Some(fault) };
            assert_eq!(set(("n", text.clone())).err(), refused(CookieError::Value), "{text:?}");
            assert_eq!(set(Cookie::build("n").path(text.clone())).err(), refused(CookieError::Path), "{text:?}");
            assert_eq!(set(Cookie::build("n").domain(text.clone())).err(), refused(CookieError::Domain), "{text:?}");
        }
        for name in ["", "\u{e9}", "a b", "a="] {
            assert_eq!(set((name, "v")), Err(CookieError::Name), "{name:?}");
        }
        for value in [" a", "a ", "\ta", "a\t", " ", "a\r\nSet-Cookie: b=1", "a; Domain=evil.example"] {
            assert_eq!(set(("n", value)), Err(CookieError::Value), "{value:?}");
            assert_eq!(set(Cookie::build("n").path(value)), Err(CookieError::Path), "{value:?}");
            assert_eq!(set(Cookie::build("n").domain(value)), Err(CookieError::Domain), "{value:?}");
        }
    }

    #[test]
    fn values_that_can_be_set_are_read_back_unchanged() {
        for value in ["", "a b", "a,b", "a=b", "\\", "\u{e9}\u{4e16}", "{\"a\":1}", "a\"b", "\"", "%41"] {
            let field_value = set(("n", value)).unwrap();
            let headers = Headers::parse(format!("Cookie: {field_value}\r\n\r\n").as_bytes()).unwrap();
            assert_eq!(Cookies::new(&headers).text("n"), Some(value));
        }
    }

    #[test]
    fn prefixed_names_require_their_attributes() {
        use CookieError::{HostPrefix, SecurePrefix};
        let secure = |name: &'static str| Cookie::build(name).secure(true);
        let table = [
            (Cookie::build("__Secure-a"), Err(SecurePrefix)),
            (Cookie::build("__Secure-a").secure(false), Err(SecurePrefix)),
            (Cookie::build("__SECURE-a"), Err(SecurePrefix)),
            (secure("__Secure-a"), Ok(())),
            (secure("__Secure-a").domain("example.com").path("/x"), Ok(())),
            (Cookie::build("__Secure-a").partitioned(true), Ok(())),
            (Cookie::build("__Host-a").path("/"), Err(HostPrefix)),
            (secure("__Host-a"), Err(HostPrefix)),
            (secure("__Host-a").path("/x"), Err(HostPrefix)),
            (secure("__Host-a").path("/").domain("example.com"), Err(HostPrefix)),
            (secure("__Host-a").path("/").domain(""), Err(HostPrefix)),
            (secure("__hoST-a").path("/").domain("example.com"), Err(HostPrefix)),
            (secure("__Host-a").path("/"), Ok(())),
            (secure("__Host-").path("/x"), Err(HostPrefix)),
            (Cookie::build("__Host"), Ok(())),
            (Cookie::build("_Host-a"), Ok(())),
            (Cookie::build("a__Secure-"), Ok(())),
        ];
        for (cookie, expected) in table {
            let shown = format!("{cookie:?}");
            assert_eq!(set(cookie).map(drop), expected, "{shown}");
        }
    }

    #[test]
    fn lengths_are_limited_exactly() {
        let text = |n| "v".repeat(n);
        assert!(set(("name", text(4092))).is_ok());
        assert_eq!(set(("name", text(4093))), Err(CookieError::TooLong));
        for build in [|c| Cookie::build("n").path(c), |c: String| Cookie::build("n").domain(c)] {
            assert!(set(build(text(1024))).is_ok());
            assert_eq!(set(build(text(1025))), Err(CookieError::TooLong));
        }
    }

    #[test]
    fn expires_is_limited_to_1601_through_9999() {
        use cookie::time::UtcOffset;
        let at = |seconds| Cookie::build("n").expires(OffsetDateTime::from_unix_timestamp(seconds).unwrap());
        assert!(set(at(-11_644_473_600)).unwrap().contains("Expires=Mon, 01 Jan 1601 00:00:00 GMT"));
        assert_eq!(set(at(-11_644_473_601)), Err(CookieError::Expires));
        assert!(set(at(253_402_300_799)).unwrap().contains("Expires=Fri, 31 Dec 9999 23:59:59 GMT"));
        // A date that is outside the range of dates when converted from local time to UTC.
        let edge = cookie::time::Date::MIN.midnight().assume_offset(UtcOffset::from_hms(23, 0, 0).unwrap());
        assert_eq!(set(Cookie::build("n").expires(edge)), Err(CookieError::Expires));
        assert_eq!(set(Cookie::build("n").expires(Expiration::Session)).unwrap(), "n=");
        assert_eq!(set(Cookie::build("n").max_age(Duration::MAX)).unwrap(), format!("n=; Max-Age={}", i64::MAX));
        assert_eq!(set(Cookie::build("n").max_age(Duration::MIN)).unwrap(), format!("n=; Max-Age={}", i64::MIN));
    }

    #[test]
    fn same_cookie_is_replaced_in_place_and_others_stay() {
        let mut out = FieldLines::new();
        let mut set = |cookie: Cookie<'static>| super::set(&mut out, cookie);
        for cookie in [("a", "1"), ("b", "1"), ("a", "2"), ("A", "3")] {
            set(cookie.into()).unwrap();
        }
        set(Cookie::build(("a", "4")).path("/").into()).unwrap();
        set(Cookie::build(("a", "5")).domain("example.com").into()).unwrap();
        set(Cookie::build(("a", "6")).domain(".EXAMPLE.com").into()).unwrap();
        assert_eq!(set(("b", "\n").into()), Err(CookieError::Value));
        assert_eq!(lines(&out), ["a=2", "b=1", "A=3", "a=4; Path=/", "a=6; Domain=EXAMPLE.com"]);
    }

    #[test]
    fn removal_replaces_the_cookie_and_keeps_path_and_domain() {
        let mut out = FieldLines::new();
        let cookie = Cookie::build(("a", "secret")).path("/p").domain("example.com").max_age(Duration::DAY);
        super::set(&mut out, cookie.clone()).unwrap();
        remove(&mut out, cookie).unwrap();
        let removal = "a=; Path=/p; Domain=example.com; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(lines(&out), [removal]);
        assert_eq!(remove(&mut out, "__Host-a"), Err(CookieError::HostPrefix));
        assert_eq!(remove(&mut out, "a b"), Err(CookieError::Name));
        assert_eq!(lines(&out), [removal]);
    }

    #[test]
    fn debug_shows_no_value() {
        let mut out = FieldLines::new();
        super::set(&mut out, ("session", "secret")).unwrap();
        assert_eq!(format!("{out:?}"), r#"{"Set-Cookie": "***"}"#);
    }
}
