//! The parser of the request target in its four forms (RFC 9112 section 3.2).

use http::Method;

use crate::wire::error::ProtocolError;
use crate::wire::grammar::{self, ByteSet, byte_set};
use crate::wire::host;
use crate::wire::span::Span;

/// The spans of the parts of a target in the head. Absent parts are empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Target {
    /// The target as sent.
    pub(crate) whole: Span,
    /// The target from the path on: the equivalent origin form.
    pub(crate) origin: Span,
    pub(crate) path: Span,
    pub(crate) query: Span,
    pub(crate) fragment: Span,
    /// The authority of an absolute form or of a CONNECT target.
    pub(crate) authority: Span,
}

impl Target {
    fn path(whole: Span) -> Self {
        Self { whole, origin: whole, path: whole, ..Self::default() }
    }
}

/// Parses the target `text` that is at `start` in the head and whose path is `path` bytes long. All
/// its bytes must be visible ASCII.
#[inline(always)]
pub(crate) fn parse(text: &[u8], path: usize, start: usize, method: &Method) -> Result<Target, ProtocolError> {
    let whole = Span::new(start..start + text.len());
    match text {
        _ if *method == Method::CONNECT => authority_form(text, whole),
        // Most targets consist of a path only.
        [b'/', ..] if path == text.len() => Ok(Target::path(whole)),
        [b'/', ..] => Ok(Target { whole, ..origin_form(text, path, start) }),
        b"*" if *method == Method::OPTIONS => Ok(Target::path(whole)),
        b"*" => Err(ProtocolError::AsteriskForm),
        _ => Ok(Target { whole, ..absolute_form(text, start)? }),
    }
}

/// Parses `absolute-path [ "?" query ]`; a `#` starts the fragment, which is a separate attribute,
/// as in Pants.
#[inline(never)]
fn origin_form(text: &[u8], path: usize, start: usize) -> Target {
    let end = text.len();
    // The first `#` ends the query, the first `?` before it ends the path.
    let query_end = match text.get(path..) {
        Some(rest @ [b'?', ..]) => memchr::memchr(b'#', rest).map_or(end, |at| path + at),
        _ => path,
    };
    let part = |from: usize, to: usize| Span::new(start + from.min(to)..start + to);
    Target {
        origin: part(0, end),
        path: part(0, path),
        query: part(path + 1, query_end),
        fragment: part(query_end + 1, end),
        ..Target::default()
    }
}

/// Parses `http(s)://authority [ path ] [ "?" query ]`, RFC 9112 section 3.2.2.
#[cold]
fn absolute_form(text: &[u8], start: usize) -> Result<Target, ProtocolError> {
    let colon = memchr::memchr(b':', text).ok_or(ProtocolError::TargetForm)?;
    let (scheme, rest) = text.split_at_checked(colon).unwrap_or_default();
    let Some(rest) = rest.strip_prefix(b"://") else {
        return Err(match authority_form(text, Span::default()) {
            Ok(_) => ProtocolError::AuthorityForm,
            Err(_) => ProtocolError::TargetForm,
        });
    };
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return Err(ProtocolError::AbsoluteForm);
    }
    let length = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, origin) = rest.split_at_checked(length).unwrap_or_default();
    let start = start + colon + 3;
    if !host::names_host(authority) {
        return Err(ProtocolError::AbsoluteForm);
    }
    Ok(Target {
        authority: Span::new(start..start + length),
        ..origin_form(origin, split_path(origin).0.len(), start + length)
    })
}

/// Parses `host ":" port`, RFC 9112 section 3.2.3.
#[cold]
fn authority_form(text: &[u8], whole: Span) -> Result<Target, ProtocolError> {
    let colon = text.iter().rposition(|&byte| byte == b':').ok_or(ProtocolError::AuthorityForm)?;
    let port = text.get(colon + 1..).and_then(grammar::decimal);
    if colon == 0 || !host::is_host(text) || !port.is_some_and(|port| (1..=65_535).contains(&port)) {
        return Err(ProtocolError::AuthorityForm);
    }
    Ok(Target { whole, origin: whole, authority: whole, ..Target::default() })
}

static PATH: ByteSet = byte_set!(is_path_byte);

/// Returns true for a byte that neither ends a path nor is forbidden in a target.
const fn is_path_byte(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'?' | b'#')
}

/// Splits before the first byte that ends a path: `?`, `#`, or a byte that is forbidden in a
/// target.
#[inline]
pub(crate) fn split_path(text: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = text;
    while let Some((word, tail)) = rest.split_first_chunk() {
        match path_end(*word) {
            None => rest = tail,
            Some(at) => return text.split_at_checked(text.len() - rest.len() + at).unwrap_or((text, &[])),
        }
    }
    let end = PATH.split(rest).1;
    text.split_at_checked(text.len() - end.len()).unwrap_or((text, &[]))
}

/// Returns the position of the first of eight bytes that is not in [`PATH`].
fn path_end(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let word = u64::from_le_bytes(word);
    // Each term sets the high bit of the bytes that it matches. A borrow may also set it in bytes
    // above a match, never in those below, so the first match is correct.
    let below = |word: u64, least: u8| word.wrapping_sub(ONES * u64::from(least)) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let found = (below(word, b'!') | is(b'?') | is(b'#') | is(0x7f) | word) & (ONES << 7);
    (found != 0).then_some(found.trailing_zeros() as usize / 8)
}

/// Returns true if the target has only characters that RFC 3986 allows; for
/// `Config::strict_target`. `[` and `]` are allowed only in an authority.
pub(crate) fn is_strict(target: &[u8]) -> bool {
    let authority_end = match memchr::memmem::find(target, b"://") {
        Some(at) if !target.starts_with(b"/") => {
            let start = at + 3;
            let rest = target.get(start..).unwrap_or_default();
            start + rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len())
        }
        _ if target.starts_with(b"[") => target.len(),
        _ => 0,
    };
    let mut rest = target;
    while let [byte, tail @ ..] = rest {
        let in_authority = target.len() - rest.len() < authority_end;
        rest = match (byte, tail) {
            (b'%', [high, low, tail @ ..]) if grammar::is_octet(*high, *low) => tail,
            (b'/' | b'?' | b':' | b'@' | b',', _) => tail,
            (b'[' | b']', _) if in_authority => tail,
            (&byte, _) if host::is_reg_name_byte(byte) => tail,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_ends_at_the_first_byte_outside_its_set() {
        for (byte, place) in (0..=255).flat_map(|byte| (0..20).map(move |place| (byte, place))) {
            for fill in [b'!', b'~', b'/', b'\"', b'$', b'>', b'@'] {
                let mut text = [fill; 20];
                text[place] = byte;
                let end = if is_path_byte(byte) { text.len() } else { place };
                assert_eq!(split_path(&text), text.split_at(end), "{byte:#x} at {place}");
            }
        }
    }

    fn parts(method: Method, text: &str) -> Result<[&str; 5], ProtocolError> {
        let target = parse(text.as_bytes(), split_path(text.as_bytes()).0.len(), 0, &method)?;
        let parts = [target.authority, target.origin, target.path, target.query, target.fragment];
        Ok(parts.map(|part| core::str::from_utf8(part.slice(text.as_bytes())).unwrap()))
    }

    #[test]
    fn origin_form_is_split() {
        let get = |text| parts(Method::GET, text).unwrap();
        assert_eq!(get("/"), ["", "/", "/", "", ""]);
        assert_eq!(get("/a?b=c#d"), ["", "/a?b=c#d", "/a", "b=c", "d"]);
        assert_eq!(get("/a#d?b"), ["", "/a#d?b", "/a", "", "d?b"]);
        assert_eq!(get("/a?b?c#d#e"), ["", "/a?b?c#d#e", "/a", "b?c", "d#e"]);
        assert_eq!(get("//x/y"), ["", "//x/y", "//x/y", "", ""]);
        assert_eq!(get("/?"), ["", "/?", "/", "", ""]);
    }

    #[test]
    fn other_forms_are_split_or_refused() {
        let bad = |method, text| parts(method, text).unwrap_err();
        assert_eq!(parts(Method::GET, "http://h:1/p?q").unwrap(), ["h:1", "/p?q", "/p", "q", ""]);
        assert_eq!(parts(Method::GET, "HTTPS://h").unwrap(), ["h", "", "", "", ""]);
        assert_eq!(parts(Method::GET, "http://[::1]:8?q").unwrap(), ["[::1]:8", "?q", "", "q", ""]);
        for text in ["ftp://h/", "http://u@h/", "http:///p", "http://:80/", "http://h:x/", "http://"] {
            assert_eq!(bad(Method::GET, text), ProtocolError::AbsoluteForm, "{text}");
        }
        for text in ["h", "http:/p", "a/b", "?q", "**", "a:b", "./a"] {
            assert_eq!(bad(Method::GET, text), ProtocolError::TargetForm, "{text}");
        }
        assert_eq!(bad(Method::GET, "h:80"), ProtocolError::AuthorityForm);
        assert_eq!(bad(Method::GET, "*"), ProtocolError::AsteriskForm);
        assert_eq!(parts(Method::OPTIONS, "*").unwrap(), ["", "*", "*", "", ""]);
        assert_eq!(parts(Method::CONNECT, "h:443").unwrap(), ["h:443", "h:443", "", "", ""]);
        for text in ["/", "h", "h:", ":80", "h:0", "h:65536", "http://h/", "u@h:1", "[::1", "*"] {
            assert_eq!(bad(Method::CONNECT, text), ProtocolError::AuthorityForm, "{text}");
        }
    }

    #[test]
    fn strict_targets_follow_rfc_3986() {
        for good in ["/a/b;c?d=e/f?g", "http://[::1]:8/", "/%41", "*", "h:80", "[::1]:80", "/a:b@c,d"] {
            assert!(is_strict(good.as_bytes()), "{good}");
        }
        for bad in [
            "/a|b",
            "/^",
            "/{",
            "/\\",
            "/a#b",
            "/[",
            "/%4",
            "/%zz",
            "/%4g",
            "/?[",
            "http://host/[",
            "/\"",
            "/<",
            "/a?u=://[",
        ] {
            assert!(!is_strict(bad.as_bytes()), "{bad}");
        }
    }
}
