//! The received cookies.

use core::fmt;
use core::iter::{FusedIterator, Take};

use crate::message::headers::{Headers, HeadersIter};
use crate::wire::grammar::trim_ows;

/// The received cookies (`cookies` in Pants): a view of the `Cookie` lines that copies nothing.
///
/// All lines are read as one. They are split at `;`, even inside quotes, as browsers do with
/// `Set-Cookie` (RFC 6265 section 5.2). A pair without `=` or with an empty name is skipped. The
/// name is everything before the first `=`, the value everything after it, both without surrounding
/// white space. One pair of quotes around a value is removed, except by [`raw`](Self::raw). Nothing
/// is percent-decoded (`%41` is not `A`), because a decoded name could imitate one with the prefix
/// `__Host-`.
///
/// Each call parses the lines again instead of building a map, so look up each name once. If a name
/// occurs twice, the first cookie is used, which is the one with the longest path (RFC 6265 section
/// 5.4). Note that most maps keep the last one instead.
///
/// Only the first [`LIMIT`](Self::LIMIT) cookies are read. More are ignored, not refused, and
/// [`is_truncated`](Self::is_truncated) returns true then.
///
/// ```
/// use httpants_core::Headers;
/// use httpants_core::cookies::Cookies;
///
/// let headers = Headers::parse(b"Cookie: a=1; b=\"two\"; junk\r\nCookie: a=3\r\n\r\n")?;
/// let cookies = Cookies::new(&headers);
/// assert_eq!(cookies.text("a"), Some("1"));
/// assert_eq!(cookies.text("b"), Some("two"));
/// assert_eq!(cookies.iter().count(), 3);
/// for (name, value) in cookies {
///     println!("{}: {} bytes", name.escape_ascii(), value.len());
/// }
/// # Ok::<(), httpants_core::ProtocolError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Cookies<'h> {
    headers: &'h Headers,
}

impl<'h> Cookies<'h> {
    /// Maximum number of cookies that are read in one request: 180, because no browser sends more.
    /// RFC 6265 section 6.1 requires browsers to support at least 50 per domain, and some keep up
    /// to 180.
    pub const LIMIT: usize = 180;

    /// Creates a view of the cookies of a received head.
    #[must_use]
    pub fn new(headers: &'h Headers) -> Self {
        Self { headers }
    }

    /// Returns the value of the first cookie with this name, which is compared byte for byte.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'h [u8]> {
        self.iter().find(|(n, _)| *n == name.as_bytes()).map(|(_, value)| value)
    }

    /// Returns [`get`](Self::get) as text; `None` also if the value is not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'h str> {
        self.get(name).and_then(|value| core::str::from_utf8(value).ok())
    }

    /// Returns the value of the first cookie with this name as it was sent, quotes included: to
    /// forward it, or if the quotes are part of the value, as they are for browsers (RFC 6265bis
    /// section 5.6).
    ///
    /// ```
    /// use httpants_core::Headers;
    /// use httpants_core::cookies::Cookies;
    ///
    /// let headers = Headers::parse(b"Cookie: a=\"1\"\r\n\r\n")?;
    /// let cookies = Cookies::new(&headers);
    /// assert_eq!((cookies.raw("a"), cookies.get("a")), (Some(&b"\"1\""[..]), Some(&b"1"[..])));
    /// # Ok::<(), httpants_core::ProtocolError>(())
    /// ```
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'h [u8]> {
        self.iter_raw().find(|(n, _)| *n == name.as_bytes()).map(|(_, value)| value)
    }

    /// Returns names and values in the order received, duplicates included.
    pub fn iter(&self) -> CookiesIter<'h> {
        CookiesIter { sent: self.sent().take(Self::LIMIT) }
    }

    /// Returns names and values as in [`iter`](Self::iter), with the values as they were sent,
    /// quotes included.
    pub fn iter_raw(&self) -> impl Iterator<Item = (&'h [u8], &'h [u8])> + use<'h> {
        self.sent().take(Self::LIMIT)
    }

    /// Returns true if the client sent more cookies than [`LIMIT`](Self::LIMIT).
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.sent().nth(Self::LIMIT).is_some()
    }

    fn sent(&self) -> Sent<'h> {
        Sent { lines: self.headers.iter(), pairs: None }
    }
}

/// Iterates over names and values, as in [`iter`](Cookies::iter).
impl<'h> IntoIterator for Cookies<'h> {
    type Item = (&'h [u8], &'h [u8]);
    type IntoIter = CookiesIter<'h>;

    fn into_iter(self) -> CookiesIter<'h> {
        self.iter()
    }
}

/// The iterator of [`Cookies::iter`].
#[derive(Clone)]
pub struct CookiesIter<'h> {
    sent: Take<Sent<'h>>,
}

impl<'h> Iterator for CookiesIter<'h> {
    type Item = (&'h [u8], &'h [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.sent.next().map(|(name, value)| (name, unquoted(value)))
    }
}

impl FusedIterator for CookiesIter<'_> {}

/// Does not show cookies.
impl fmt::Debug for CookiesIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookiesIter").finish_non_exhaustive()
    }
}

/// All cookies as they were sent.
#[derive(Clone)]
struct Sent<'h> {
    lines: HeadersIter<'h>,
    /// The rest of a line after its last pair that was read.
    pairs: Option<&'h [u8]>,
}

impl<'h> Iterator for Sent<'h> {
    type Item = (&'h [u8], &'h [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(line) = self.pairs.take() else {
                self.pairs = Some(self.lines.find(|(name, _)| *name == "cookie")?.1);
                continue;
            };
            let (pair, rest) = match memchr::memchr(b';', line) {
                Some(end) => (line.get(..end)?, line.get(end + 1..)),
                None => (line, None),
            };
            self.pairs = rest;
            if let Some(cookie) = name_and_value(pair) {
                return Some(cookie);
            }
        }
    }
}

impl FusedIterator for Sent<'_> {}

fn name_and_value(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = pair.split_at_checked(memchr::memchr(b'=', pair)?)?;
    let name = trim_ows(name);
    if name.is_empty() {
        return None;
    }
    Some((name, trim_ows(value.get(1..)?)))
}

fn unquoted(value: &[u8]) -> &[u8] {
    if let [b'"', inner @ .., b'"'] = value { inner } else { value }
}

/// Shows the names, and `***` for every value.
impl fmt::Debug for Cookies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, _) in self.iter() {
            map.entry(&format_args!("\"{}\"", name.escape_ascii()), &"***");
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(section: &str) -> Headers {
        Headers::parse(format!("{section}\r\n\r\n").as_bytes()).unwrap()
    }

    fn pairs(section: &str) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Cookies::new(&headers(section)).iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn cookie_lines_are_split_into_names_and_values() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("a=1", &[("a", "1")]),
            ("a=1; b=2", &[("a", "1"), ("b", "2")]),
            ("a=1;b=2", &[("a", "1"), ("b", "2")]),
            (" a\t= 1 \t;\tb =2 ", &[("a", "1"), ("b", "2")]),
            ("", &[]),
            (";;; ;", &[]),
            ("a", &[]),
            ("a; b=1", &[("b", "1")]),
            ("=1; b=1", &[("b", "1")]),
            (" =1", &[]),
            ("==", &[]),
            ("a=", &[("a", "")]),
            ("a==", &[("a", "=")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a=1,b=2", &[("a", "1,b=2")]),
            // One pair of quotes is removed, only around the whole value, and does not protect a
            // semicolon.
            ("a=\"1\"", &[("a", "1")]),
            ("a=\" 1 \"", &[("a", " 1 ")]),
            ("a=\"\"", &[("a", "")]),
            ("a=\"", &[("a", "\"")]),
            ("a=\"\"1\"\"", &[("a", "\"1\"")]),
            ("a=\"1", &[("a", "\"1")]),
            ("a=1\"", &[("a", "1\"")]),
            ("a=\"x; b=1; c=y\"", &[("a", "\"x"), ("b", "1"), ("c", "y\"")]),
            ("\"a\"=1", &[("\"a\"", "1")]),
            // Nothing is decoded, and only SP and HTAB are trimmed.
            ("%61=%31", &[("%61", "%31")]),
            ("%5f_Host-a=1", &[("%5f_Host-a", "1")]),
            ("\u{a0}__Host-a=1", &[("\u{a0}__Host-a", "1")]),
            ("\u{85}a=\u{85}1", &[("\u{85}a", "\u{85}1")]),
            ("a=\\\"1\\\"", &[("a", "\\\"1\\\"")]),
            ("a b=c d", &[("a b", "c d")]),
            ("$Version=1; a=1", &[("$Version", "1"), ("a", "1")]),
            ("a=1; A=2; a=3", &[("a", "1"), ("A", "2"), ("a", "3")]),
        ];
        for (line, expected) in table {
            let expected: Vec<_> = expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            assert_eq!(pairs(&format!("Cookie: {line}")), expected, "{line:?}");
        }
    }

    #[test]
    fn lines_are_joined_and_first_cookie_of_a_name_is_used() {
        let h = headers("Cookie: a=1; b=2\r\nHost: x\r\ncookie: a=3; c=4\r\nCookies: d=5\r\nCookie2: e=6");
        let cookies = Cookies::new(&h);
        assert_eq!(cookies.into_iter().count(), 4);
        assert_eq!(cookies.text("a"), Some("1"));
        assert_eq!(cookies.text("c"), Some("4"));
        for absent in ["d", "e", "A", "", "a ", "%61"] {
            assert_eq!(cookies.get(absent), None, "{absent:?}");
        }
    }

    #[test]
    fn raw_values_keep_their_quotes() {
        let h = headers("Cookie: a=\"1\"; a=2; b= \" x \" ; c=\"; d=3; =4; e=\"\"");
        let cookies = Cookies::new(&h);
        let raw: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|name| cookies.raw(name)).into();
        let expected = ["\"1\"", "\" x \"", "\"", "3", "\"\""].map(|value| Some(value.as_bytes()));
        assert_eq!(raw, [&expected[..], &[None]].concat());
        assert_eq!(cookies.iter_raw().count(), cookies.iter().count());
    }

    #[test]
    fn values_that_are_not_utf8_are_returned_as_bytes() {
        let h = Headers::parse(b"Cookie: a=\xff; b=1\r\n\r\n").unwrap();
        let cookies = Cookies::new(&h);
        assert_eq!((cookies.get("a"), cookies.text("a")), (Some(&b"\xff"[..]), None));
        assert_eq!(cookies.text("b"), Some("1"));
    }

    #[test]
    fn limit_does_not_depend_on_the_number_of_lines() {
        for (sent, separator) in [(180, "; "), (181, "; "), (180, "\r\nCookie: "), (181, ";;x;=y;")] {
            // Two cookies in each line, because a head has at most 100 lines.
            let groups: Vec<_> = (0..sent).map(|n| format!("c{n}=v")).collect();
            let lines: Vec<_> = groups.chunks(2).map(|two| two.join("; ")).collect();
            let h = headers(&format!("Cookie: {}", lines.join(separator)));
            let cookies = Cookies::new(&h);
            assert_eq!(cookies.iter().count(), 180);
            assert_eq!(cookies.is_truncated(), sent > 180);
            assert!(cookies.get("c179").is_some());
            assert_eq!(cookies.get("c180"), None);
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let h = headers("Cookie: session=secret; \u{e9}=x");
        assert_eq!(format!("{:?}", Cookies::new(&h)), r#"{"session": "***", "\xc3\xa9": "***"}"#);
        assert_eq!(format!("{:?}", Cookies::new(&h).iter()), "CookiesIter { .. }");
    }
}
