//! Received field sections, stored as bytes and an index of offsets.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Range;
use core::slice;

use crate::wire::error::ProtocolError;
use crate::wire::fields;
use crate::wire::grammar;
use crate::wire::limits::HeadLimits;
use crate::wire::span::FieldSpan;

/// The field lines of a received head, trailer section or multipart part
/// (`HTTPHeaders` in Pants).
///
/// Names are compared without case, order and duplicates are kept, and the bytes stay as they were
/// received. [`iter`](Self::iter) yields names in their canonical case (`Content-Type`, `ETag`),
/// [`iter_raw`](Self::iter_raw) as they were sent.
///
/// Values are bytes without surrounding white space (RFC 9110 section 5.5). They contain only SP,
/// HTAB, visible ASCII and bytes above 0x7F; others are refused when parsing. The
/// Content-Disposition of a multipart part may contain any byte except NUL, CR and LF.
///
/// ```
/// use httpants_core::Headers;
///
/// let headers = Headers::parse(b"host: example.com\r\nAccept: a\r\nACCEPT: b, c\r\n\r\n")?;
/// assert_eq!(headers.get("Host"), Some(&b"example.com"[..]));
/// assert_eq!(headers.list("accept").collect::<Vec<_>>(), [b"a", b"b", b"c"]);
/// for (name, value) in &headers {
///     println!("{name}: {}", value.escape_ascii());
/// }
/// assert_eq!(headers.iter().next().unwrap().0.to_string(), "Host");
/// # Ok::<(), httpants_core::ProtocolError>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    index: Vec<FieldSpan>,
}

impl Headers {
    /// Parses a field section that ends with its empty line, by the strict grammar of RFC 9112
    /// section 5 and with the default limits (100 fields, 65,535 bytes).
    ///
    /// # Errors
    /// The [`ProtocolError`] of the first invalid line, or of an exceeded limit.
    pub fn parse(section: &[u8]) -> Result<Self, ProtocolError> {
        Self::of_section(section, HeadLimits::DEFAULT.fields)
    }

    /// Parses a section like [`parse`](Self::parse), with up to `limit` lines.
    pub(crate) fn of_section(section: &[u8], limit: usize) -> Result<Self, ProtocolError> {
        let index = fields::index_section(section, limit)?;
        Ok(Self { bytes: section.to_vec(), index })
    }

    /// Parses the header of a part of a form, with up to `limit` lines.
    pub(crate) fn of_part(section: &[u8], limit: usize) -> Result<Self, ProtocolError> {
        let index = fields::index_part(section, limit)?;
        Ok(Self { bytes: section.to_vec(), index })
    }

    /// Keeps only the lines for whose name `passes` returns true.
    pub(crate) fn retain(&mut self, passes: impl Fn(&str) -> bool) {
        let bytes = &self.bytes;
        self.index.retain(|span| core::str::from_utf8(span.name.slice(bytes)).is_ok_and(&passes));
    }

    /// Returns the index, to be filled by the parser.
    pub(crate) fn index(&mut self) -> &mut Vec<FieldSpan> {
        &mut self.index
    }

    /// Stores a copy of the bytes to which the index refers.
    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the number of field lines, including duplicates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns true if there are no field lines.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Returns the value of the first field line with this name, compared without case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.spans().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Returns [`get`](Self::get) as text; `None` also if the value is not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| core::str::from_utf8(value).ok())
    }

    /// Returns the values of all field lines with this name, compared without case, in the order
    /// received.
    pub fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.spans().filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Returns true if there is a field line with this name, compared without case.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns the elements of a comma-separated list field over all its lines (RFC 9110 section
    /// 5.6.1), without white space and empty elements. Commas inside quoted strings are not
    /// separators.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.all(name).flat_map(grammar::list_elements)
    }

    /// Returns all field lines in the order received, names in canonical case.
    pub fn iter(&self) -> HeadersIter<'_> {
        HeadersIter { spans: self.index.iter(), bytes: &self.bytes }
    }

    /// Returns all field lines in the order received, names as they were sent.
    pub fn iter_raw(&self) -> impl DoubleEndedIterator<Item = (&str, &[u8])> + ExactSizeIterator {
        self.iter().map(|(name, value)| (name.as_sent(), value))
    }

    /// Returns the ranges of the name and the value of each field line in
    /// [`as_bytes`](Self::as_bytes), in the order received.
    ///
    /// ```
    /// let headers = httpants_core::Headers::parse(b"A: b\r\nC:d\r\n\r\n")?;
    /// assert_eq!(headers.ranges().collect::<Vec<_>>(), [(0..1, 3..4), (6..7, 8..9)]);
    /// # Ok::<(), httpants_core::ProtocolError>(())
    /// ```
    pub fn ranges(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        self.index.iter().map(|span| (span.name.range(), span.value.range()))
    }

    /// Returns the bytes from which the field lines were parsed: for a request the whole head, for
    /// trailers their section including its empty line.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn spans(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
        self.index.iter().map(|span| (span.name.slice(&self.bytes), span.value.slice(&self.bytes)))
    }
}

/// Iterates over all field lines, as in [`iter`](Headers::iter).
impl<'a> IntoIterator for &'a Headers {
    type Item = (CanonicalName<'a>, &'a [u8]);
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

/// The iterator of [`Headers::iter`].
#[derive(Clone)]
pub struct HeadersIter<'a> {
    spans: slice::Iter<'a, FieldSpan>,
    bytes: &'a [u8],
}

impl<'a> HeadersIter<'a> {
    fn line(&self, span: &FieldSpan) -> (CanonicalName<'a>, &'a [u8]) {
        // Names are tokens, so they are ASCII and the conversion never fails.
        let name = core::str::from_utf8(span.name.slice(self.bytes)).unwrap_or_default();
        (CanonicalName(name), span.value.slice(self.bytes))
    }
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = (CanonicalName<'a>, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let span = self.spans.next()?;
        Some(self.line(span))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl DoubleEndedIterator for HeadersIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let span = self.spans.next_back()?;
        Some(self.line(span))
    }
}

impl ExactSizeIterator for HeadersIter<'_> {}

impl FusedIterator for HeadersIter<'_> {}

/// Shows only the number of remaining lines, because values may be credentials.
impl fmt::Debug for HeadersIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeadersIter").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Shows every field, and `***` for the values of `Authorization`, `Proxy-Authorization`, `Cookie`
/// and `Set-Cookie`.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.iter_raw() {
            if is_credential(name) {
                map.entry(&name, &"***");
            } else {
                map.entry(&name, &format_args!("\"{}\"", value.escape_ascii()));
            }
        }
        map.finish()
    }
}

/// Returns true for fields whose values never appear in logs or `Debug` output.
pub(crate) fn is_credential(name: &str) -> bool {
    const NAMES: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A field name that is displayed in its canonical case: each word capitalised, except for names
/// with a different registered spelling (`ETag`, `WWW-Authenticate`, `TE`, `DNT`, ...).
///
/// It is compared with a `str` without case.
///
/// ```
/// use httpants_core::CanonicalName;
///
/// assert_eq!(CanonicalName::new("x-forwarded-for").to_string(), "X-Forwarded-For");
/// assert_eq!(CanonicalName::new("etag").to_string(), "ETag");
/// ```
#[derive(Clone, Copy)]
pub struct CanonicalName<'a>(&'a str);

/// Registered names in which not each word is simply capitalised.
const IRREGULAR: [&str; 24] = [
    "A-IM",
    "ALPN",
    "Content-DPR",
    "Content-ID",
    "Content-MD5",
    "DNT",
    "DPoP",
    "DPoP-Nonce",
    "DPR",
    "ECT",
    "ETag",
    "HTTP2-Settings",
    "IM",
    "NEL",
    "RTT",
    "SLUG",
    "SOAPAction",
    "Sec-CH-UA",
    "Sec-GPC",
    "SourceMap",
    "TE",
    "TTL",
    "WWW-Authenticate",
    "X-UA-Compatible",
];
/// Prefixes of such names: `Sec-WebSocket-Key`, `Sec-CH-UA-Mobile`, `X-XSS-Protection`.
const IRREGULAR_PREFIX: [&str; 5] = ["Sec-WebSocket-", "Sec-CH-UA-", "Sec-CH-", "X-XSS-", "X-DNS-"];

impl<'a> CanonicalName<'a> {
    /// Wraps a field name, which is not validated.
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self(name)
    }

    /// Returns the name in the case in which it was sent.
    #[must_use]
    pub fn as_sent(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for CanonicalName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        if let Some(known) = IRREGULAR.iter().find(|known| known.eq_ignore_ascii_case(self.0)) {
            return f.write_str(known);
        }
        let mut rest = self.0;
        for prefix in IRREGULAR_PREFIX {
            if let Some((head, tail)) = rest.split_at_checked(prefix.len())
                && head.eq_ignore_ascii_case(prefix)
            {
                f.write_str(prefix)?;
                rest = tail;
                break;
            }
        }
        let mut start_of_word = true;
        for c in rest.chars() {
            f.write_char(if start_of_word { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })?;
            start_of_word = c == '-';
        }
        Ok(())
    }
}

impl fmt::Debug for CanonicalName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl PartialEq<str> for CanonicalName<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl PartialEq<&str> for CanonicalName<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(section: &str) -> Headers {
        Headers::parse(section.as_bytes()).unwrap()
    }

    #[test]
    fn names_ignore_case_and_are_shown_in_canonical_case() {
        let headers = headers("x-a: 1\r\nHOST: h\r\n\r\n");
        assert!(!headers.is_empty() && Headers::default().is_empty());
        let lines: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), name.as_sent(), value)).collect();
        assert_eq!(lines, [("X-A".to_owned(), "x-a", &b"1"[..]), ("Host".to_owned(), "HOST", b"h")]);
        let (name, _) = headers.iter().next().unwrap();
        assert!(name == *"X-a" && name == "x-A" && name != *"x-b" && name != "x-b");
        let places: Vec<_> = headers.ranges().collect();
        assert_eq!(places, [(0..3, 5..6), (8..12, 14..15)]);
    }

    #[test]
    fn order_case_and_duplicates_are_kept() {
        let h = headers("b: 1\r\nA: 2\r\nB:\t3 \r\n\r\n");
        let raw: Vec<_> = h.iter_raw().map(|(n, v)| (n, String::from_utf8_lossy(v).into_owned())).collect();
        assert_eq!(raw, [("b", "1".into()), ("A", "2".into()), ("B", "3".into())]);
        let canonical: Vec<_> = (&h).into_iter().rev().map(|(name, _)| name.to_string()).collect();
        assert_eq!((canonical, h.iter().len()), (vec!["B".into(), "A".into(), "B".into()], 3));
        assert_eq!(h.all("b").collect::<Vec<_>>(), [b"1", b"3"]);
        assert_eq!(h.text("a"), Some("2"));
        assert!(!h.contains("c"));
    }

    #[test]
    fn names_have_their_canonical_case() {
        for (sent, canonical) in [
            ("content-type", "Content-Type"),
            ("ETAG", "ETag"),
            ("www-authenticate", "WWW-Authenticate"),
            ("te", "TE"),
            ("dnt", "DNT"),
            ("sec-websocket-key", "Sec-WebSocket-Key"),
            ("SEC-CH-UA-MOBILE", "Sec-CH-UA-Mobile"),
            ("x-xss-protection", "X-XSS-Protection"),
            ("x", "X"),
            ("", ""),
        ] {
            assert_eq!(CanonicalName::new(sent).to_string(), canonical);
        }
    }

    #[test]
    fn debug_hides_credentials() {
        let shown = format!("{:?}", headers("Cookie: s=secret\r\nAuthorization: Basic eDp5\r\nX: \u{e9}\r\n\r\n"));
        assert!(!shown.contains("secret") && !shown.contains("eDp5"), "{shown}");
        assert!(shown.contains("\\xc3\\xa9"), "{shown}");
        assert_eq!(format!("{:?}", headers("Cookie: s=secret\r\n\r\n").iter()), "HeadersIter { len: 1, .. }");
    }

    #[test]
    fn lists_split_outside_quotes() {
        let h = headers("L: a, \"b,c\" ,, d\r\nl: e\r\n\r\n");
        let l: Vec<_> = h.list("L").map(|e| String::from_utf8_lossy(e).into_owned()).collect();
        assert_eq!(l, ["a", "\"b,c\"", "d", "e"]);
    }
}
