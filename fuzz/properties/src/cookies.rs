//! The property of received, set and signed cookies (RFC 6265).

use std::time::Duration;

use crate::shown;
use arbitrary::{Arbitrary, Unstructured};
use cookie::{Cookie, SameSite};
use httpants_core::cookies::{self, CookieError, Cookies, KeyRing, VerifyError};
use httpants_core::{FieldLines, Headers, UnixTime};

/// Checks received, set or signed cookies. The first byte chooses the meaning of the rest: the
/// values of Cookie fields, a cookie to set, or one to sign and to change.
///
/// Received cookies are the same as those of the crate cookie; a cookie that is set is read back
/// unchanged by that crate, or refused because it would be malformed; signed values are verified,
/// unless they were changed, renamed, expired or signed with another key.
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
    let [choices, rest @ ..] = data else { return };
    let mut u = Unstructured::new(rest);
    match choices % 3 {
        0 => received(rest),
        1 => CookieInput::arbitrary(&mut u).map_or((), |given| given.set()),
        _ => Signed::arbitrary(&mut u).map_or((), |signed| signed.verify(u.take_rest())),
    }
}

fn received(line: &[u8]) {
    let section: Vec<u8> =
        line.split(|&byte| byte == b'\n').flat_map(|line| [b"cookie: ", line, b"\r\n"].concat()).collect();
    let Ok(headers) = Headers::parse(&[&section, &b"\r\n"[..]].concat()) else { return };
    let cookies = Cookies::new(&headers);
    shown::debug(&cookies);
    let ours: Vec<(&[u8], &[u8])> = cookies.iter().collect();
    assert!(ours.len() <= Cookies::LIMIT && (!cookies.is_truncated() || ours.len() == Cookies::LIMIT));
    for (name, _) in &ours {
        let first = ours.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        if let Ok(name) = std::str::from_utf8(name) {
            assert_eq!(cookies.get(name), first);
            assert_eq!(cookies.text(name), first.and_then(|value| std::str::from_utf8(value).ok()));
        }
    }
    let Some(Ok(lines)) = Some(headers.all("cookie").map(std::str::from_utf8).collect::<Result<Vec<_>, _>>()) else {
        return;
    };
    // The crate trims all Unicode white space, the core only that of HTTP. The crate keeps quotes.
    let foreign = |c: char| c.is_whitespace() && c != ' ' && c != '\t';
    if lines.iter().any(|line| line.contains(foreign)) || cookies.is_truncated() {
        return;
    }
    let unquoted = |value: &str| match value.as_bytes() {
        [b'"', inner @ .., b'"'] => inner.to_vec(),
        other => other.to_vec(),
    };
    let theirs: Vec<_> = lines
        .iter()
        .flat_map(|line| Cookie::split_parse(*line).flatten())
        .map(|cookie| (cookie.name().as_bytes().to_vec(), unquoted(cookie.value())))
        .collect();
    let ours: Vec<_> = ours.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    assert_eq!(ours, theirs, "{lines:?}");
}

/// A cookie to set.
#[derive(Debug, Arbitrary)]
struct CookieInput {
    name: String,
    prefix: u8,
    value: String,
    path: Option<String>,
    domain: Option<String>,
    max_age: Option<i64>,
    expires: Option<i64>,
    flags: [bool; 5],
    same_site: u8,
}

impl CookieInput {
    fn cookie(&self) -> Cookie<'static> {
        let prefix = ["", "", "__Host-", "__secure-"][usize::from(self.prefix) % 4];
        let mut cookie = Cookie::new(format!("{prefix}{}", self.name), self.value.clone());
        let [secure, http_only, partitioned, root, _] = self.flags;
        cookie.set_secure(secure);
        cookie.set_http_only(http_only);
        cookie.set_partitioned(partitioned.then_some(true));
        if root {
            cookie.set_path("/");
        } else if let Some(path) = &self.path {
            cookie.set_path(path.clone());
        }
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        cookie.set_max_age(self.max_age.map(httpants_core::cookies::time::Duration::seconds));
        if let Some(date) = self.expires.map(|at| at % 253_402_300_800)
            && let Ok(date) = httpants_core::cookies::time::OffsetDateTime::from_unix_timestamp(date)
        {
            cookie.set_expires(date);
        }
        cookie.set_same_site(
            [None, Some(SameSite::Lax), Some(SameSite::Strict), Some(SameSite::None)][usize::from(self.same_site) % 4],
        );
        cookie
    }

    fn set(&self) {
        let cookie = self.cookie();
        let mut out = FieldLines::new();
        if self.flags[4] {
            cookies::set(&mut out, ("theme", "dark")).unwrap();
        }
        let before = out.iter().count();
        match cookies::set(&mut out, cookie.clone()) {
            Err(fault) => {
                shown::display(&fault);
                assert_eq!(out.iter().count(), before, "{fault:?}");
                let attributes = [cookie.path(), cookie.domain()].into_iter().flatten();
                assert!(
                    attributes.chain([cookie.name(), cookie.value()]).any(|part| !is_plain(part))
                        || cookie.name().is_empty()
                        || matches!(
                            fault,
                            CookieError::TooLong
                                | CookieError::SecurePrefix
                                | CookieError::HostPrefix
                                | CookieError::Expires
                                | CookieError::Name
                        ),
                    "{fault:?}: {cookie:?}"
                );
            }
            Ok(()) => {
                let line = last_line(&out);
                let name = line.split_once('=').unwrap().0;
                // RFC 6265 section 5.3: a cookie is identified by its name, domain and path.
                let is_theme = cookie.name() == "theme" && cookie.path().is_none() && cookie.domain().is_none();
                let after = if is_theme { 1 } else { before + 1 };
                assert_eq!((name, out.iter().count()), (cookie.name(), after));
                assert!(crate::oracle::is_field_value(line.as_bytes()) && crate::oracle::is_token(name.as_bytes()));
                let read = Cookie::parse(&*line).unwrap();
                // The crate trims all Unicode white space, the core only that of HTTP.
                assert_eq!((read.name(), read.value()), (cookie.name(), cookie.value().trim()), "{line}");
                assert_eq!(read.http_only().unwrap_or(false), cookie.http_only().unwrap_or(false));
                assert!(
                    !name.to_lowercase().starts_with("__host-")
                        || line.contains("; Secure") && line.contains("; Path=/")
                );
                assert!(
                    !shown::debug(&out).contains(&cookie.value().escape_debug().to_string())
                        || cookie.value().len() < 9
                        || cookie.name().contains(cookie.value())
                );
                cookies::set(&mut out, cookie.clone()).unwrap();
                assert_eq!(out.iter().count(), after, "the same cookie again");
                self.check_round_trip(&last_line(&out));
                if cookies::remove(&mut out, cookie).is_ok() {
                    assert!(last_line(&out).contains("; Max-Age=0"), "{out:?}");
                }
            }
        }
    }

    /// Checks that a cookie is received unchanged when a browser sends it back.
    fn check_round_trip(&self, line: &str) {
        let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
        let headers = Headers::parse(format!("Cookie: {name}={value}\r\n\r\n").as_bytes()).unwrap();
        let unquoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        assert_eq!(Cookies::new(&headers).text(name), Some(unquoted));
    }
}

fn last_line(fields: &FieldLines) -> String {
    String::from_utf8(fields.iter().last().unwrap().1.to_vec()).unwrap()
}

/// Returns true if a part of a cookie stays unchanged in a header field.
fn is_plain(part: &str) -> bool {
    crate::oracle::is_field_value(part.as_bytes()) && !part.contains([';', '\t']) && part.trim_matches(' ') == part
}

/// A value to sign, and the changes to it.
#[derive(Debug, Arbitrary)]
struct Signed {
    value: Vec<u8>,
    time: u64,
    lifetime: u64,
    later: u64,
    other_name: String,
    change: (u16, u8),
}

impl Signed {
    fn verify(&self, anything: &[u8]) {
        let keys = KeyRing::new(["new", "old"]).unwrap();
        let (time, lifetime, later) = (self.time, self.lifetime, self.later);
        let signed = keys.sign("name", &self.value, UnixTime::from_secs(time), Duration::from_secs(lifetime));
        let expected = if time.saturating_sub(later) > 60 {
            Err(VerifyError::Future)
        } else if later.saturating_sub(time) >= lifetime {
            Err(VerifyError::Expired)
        } else {
            Ok(self.value.clone())
        };
        let later = UnixTime::from_secs(later);
        assert_eq!(keys.verify("name", signed.as_bytes(), later), expected);
        let rotated = KeyRing::new(["newest", "new"]).unwrap();
        assert_eq!(rotated.verify("name", signed.as_bytes(), later), expected);
        if let Err(fault) = expected {
            shown::display(&fault);
        }
        assert!(!shown::debug(&keys).contains("old"));
        let text = expected.clone().and_then(|value| String::from_utf8(value).map_err(|_| VerifyError::NotText));
        assert_eq!(keys.verify_text("name", signed.as_bytes(), later), text);
        let stranger = KeyRing::new(["old"]).unwrap();
        assert_eq!(stranger.verify("name", signed.as_bytes(), later), Err(VerifyError::Mac));
        if self.other_name != "name" {
            assert_eq!(keys.verify(&self.other_name, signed.as_bytes(), later), Err(VerifyError::Mac));
        }
        let mut changed = signed.clone().into_bytes();
        let at = usize::from(self.change.0) % changed.len();
        if changed[at] != self.change.1 {
            changed[at] = self.change.1;
            assert!(matches!(keys.verify("name", &changed, later), Err(VerifyError::Mac | VerifyError::Unsigned)));
        }
        if anything != signed.as_bytes() {
            assert!(matches!(keys.verify("name", anything, later), Err(VerifyError::Mac | VerifyError::Unsigned)));
        }
    }
}
