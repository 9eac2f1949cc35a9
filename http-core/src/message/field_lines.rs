//! The field lines of a response, stored in the form in which they are sent.

use alloc::borrow::Cow;
use core::fmt;
use core::iter::FusedIterator;

use crate::message::headers::is_credential;
use crate::message::misuse::Misuse;
use crate::wire::grammar;
use crate::wire::response_framing::ReservedFields;

/// The field lines of a response or of trailers. They are validated when they are added and sent
/// unchanged.
///
/// Content-Length, Transfer-Encoding and Connection are owned by the core: a value that is set for
/// them is checked against the framing of the response. A contradiction is a [`Misuse::Framing`]
/// when the response starts.
///
/// ```
/// use httpants_core::{FieldLines, Misuse};
///
/// let mut fields = FieldLines::new();
/// fields.push("Content-Type", "text/plain")?;
/// fields.push("Vary", "Accept")?;
/// assert_eq!(fields.get("content-type"), Some("text/plain".as_bytes()));
/// assert_eq!(fields.push("X", "a\r\nSet-Cookie: b"), Err(Misuse::FieldValue));
/// for (name, value) in &fields {
///     println!("{name}: {}", value.escape_ascii());
/// }
/// # Ok::<(), Misuse>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FieldLines {
    /// Each line as `name: value CRLF`.
    lines: Cow<'static, [u8]>,
    reserved: ReservedFields,
}

impl FieldLines {
    /// Creates an empty list of field lines.
    #[must_use]
    pub const fn new() -> Self {
        Self::from_static(b"")
    }

    /// Creates field lines from bytes that are known to be valid and have no field of
    /// [`ReservedFields`], without an allocation.
    pub(crate) const fn from_static(lines: &'static [u8]) -> Self {
        let reserved = ReservedFields {
            content_length: None,
            chunked: false,
            close: false,
            date: false,
            server: false,
            trailer: false,
            upgrade: false,
        };
        Self { lines: Cow::Borrowed(lines), reserved }
    }

    /// Returns the one line `Content-Type: text/plain; charset=utf-8`, without an allocation.
    #[must_use]
    pub const fn text_plain() -> Self {
        Self::from_static(b"Content-Type: text/plain; charset=utf-8\r\n")
    }

    /// Returns the one line `Content-Type: text/html; charset=utf-8`, without an allocation.
    #[must_use]
    pub const fn text_html() -> Self {
        Self::from_static(b"Content-Type: text/html; charset=utf-8\r\n")
    }

    /// Adds a line; existing lines of the same name stay. White space around the value is removed.
    ///
    /// # Errors
    /// [`Misuse::FieldName`] and [`Misuse::FieldValue`] if the grammar of RFC 9110 section 5 does
    /// not allow the name or the value, [`Misuse::Framing`] for a framing field that is never
    /// valid. Nothing is added in these cases.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Misuse> {
        let value = grammar::trim_ows(value.as_ref());
        if !grammar::is_token(name.as_bytes()) {
            return Err(Misuse::FieldName);
        }
        // Without an early exit, which would slow down valid values.
        if !value.iter().fold(true, |is_valid, &byte| is_valid & grammar::is_field_value_byte(byte)) {
            return Err(Misuse::FieldValue);
        }
        self.push_checked(name, value)
    }

    /// Adds a line whose name and value are known to be valid.
    pub(crate) fn push_checked(&mut self, name: &str, value: &[u8]) -> Result<(), Misuse> {
        if self.note_reserved(name, value)? {
            let lines = self.lines.to_mut();
            lines.reserve(name.len() + value.len() + 4);
            for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
                lines.extend_from_slice(piece);
            }
        }
        Ok(())
    }

    /// Reserves capacity for this number of bytes.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.lines.to_mut().reserve(bytes);
    }

    /// Creates field lines from these names and values, in this order.
    ///
    /// # Errors
    /// As for [`push`](Self::push), for the first field that cannot be sent.
    pub fn try_from_iter<N, V>(fields: impl IntoIterator<Item = (N, V)>) -> Result<Self, Misuse>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut lines = Self::new();
        for (name, value) in fields {
            lines.push(name.as_ref(), value)?;
        }
        Ok(lines)
    }

    /// Replaces all lines of this name by one.
    ///
    /// # Errors
    /// As for [`push`](Self::push); the old lines stay in that case.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Misuse> {
        let mut one = Self::new();
        one.push(name, value)?;
        self.remove(name);
        self.append(&one);
        Ok(())
    }

    /// Replaces the first line for which `is_same` returns true, or appends a line. The field must
    /// be valid and not owned by the core.
    pub(crate) fn replace_or_push(&mut self, is_same: impl Fn(&str, &[u8]) -> bool, name: &str, value: &[u8]) {
        let place = self.iter().position(|(name, value)| is_same(name, value)).unwrap_or(usize::MAX);
        let rest = self.lines.split_inclusive(|&byte| byte == b'\n').skip(place.saturating_add(1));
        let before: usize = self.lines.split_inclusive(|&byte| byte == b'\n').take(place).map(<[u8]>::len).sum();
        let after: usize = rest.map(<[u8]>::len).sum();
        let line = [name.as_bytes(), b": ", value, b"\r\n"].concat();
        let end = self.lines.len() - after;
        self.lines.to_mut().splice(before..end, line);
    }

    /// Removes all lines of this name.
    pub fn remove(&mut self, name: &str) {
        self.retain(|other, _| !other.eq_ignore_ascii_case(name));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => self.reserved.content_length = None,
            "transfer-encoding" => self.reserved.chunked = false,
            "connection" => self.reserved.close = false,
            "date" => self.reserved.date = false,
            "server" => self.reserved.server = false,
            "trailer" => self.reserved.trailer = false,
            "upgrade" => self.reserved.upgrade = false,
            _ => {}
        }
    }

    /// Keeps only the lines for which `passes` returns true; the fields that the core owns stay.
    pub(crate) fn retain(&mut self, passes: impl Fn(&str, &[u8]) -> bool) {
        let mut kept = Vec::new();
        for (name, value) in self.iter().filter(|(name, value)| passes(name, value)) {
            kept.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        self.lines = Cow::Owned(kept);
    }

    /// Appends all lines of `other`.
    pub fn append(&mut self, other: &Self) {
        if self.lines.is_empty() {
            self.lines = other.lines.clone();
        } else {
            self.lines.to_mut().extend_from_slice(&other.lines);
        }
        self.reserved.content_length = other.reserved.content_length.or(self.reserved.content_length);
        self.reserved.chunked |= other.reserved.chunked;
        self.reserved.close |= other.reserved.close;
        self.reserved.date |= other.reserved.date;
        self.reserved.server |= other.reserved.server;
        self.reserved.trailer |= other.reserved.trailer;
        self.reserved.upgrade |= other.reserved.upgrade;
    }

    /// Returns the current state for [`truncate`](Self::truncate).
    pub(crate) fn mark(&self) -> (usize, ReservedFields) {
        (self.lines.len(), self.reserved)
    }

    /// Removes the lines that were added after a mark.
    pub(crate) fn truncate(&mut self, (length, reserved): (usize, ReservedFields)) {
        self.lines.to_mut().truncate(length);
        self.reserved = reserved;
    }

    /// Returns the value of the first line with this name, compared without case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns true if there is a line with this name, compared without case.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns true if there are no lines, not counting the fields that the core owns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Returns the lines in the order in which they are sent, without the fields that the core
    /// owns.
    pub fn iter(&self) -> FieldLinesIter<'_> {
        FieldLinesIter { rest: &self.lines }
    }

    /// Returns the Content-Length that was set, if any.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.reserved.content_length
    }

    /// Checks that these lines do not change the framing of a body of `length` bytes or the
    /// persistence of the connection, for responses whose framing the caller does not determine.
    ///
    /// ```
    /// use httpants_core::{FieldLines, Misuse};
    ///
    /// let mut fields = FieldLines::text_html();
    /// assert_eq!(fields.check_reserved(5), Ok(()));
    /// fields.push("Transfer-Encoding", "chunked")?;
    /// assert_eq!(fields.check_reserved(5), Err(Misuse::Framing("Transfer-Encoding")));
    /// # Ok::<(), Misuse>(())
    /// ```
    ///
    /// # Errors
    /// [`Misuse::Framing`] for a different Content-Length, and for Transfer-Encoding, Trailer,
    /// Upgrade and `Connection: close`.
    pub fn check_reserved(&self, length: u64) -> Result<(), Misuse> {
        let reserved = self.reserved;
        let conflict = match reserved.content_length {
            Some(set) if set != length => "Content-Length",
            _ if reserved.chunked => "Transfer-Encoding",
            _ if reserved.trailer => "Trailer",
            _ if reserved.upgrade => "Upgrade",
            _ if reserved.close => "Connection",
            _ => return Ok(()),
        };
        Err(Misuse::Framing(conflict))
    }

    pub(crate) fn reserved(&self) -> &ReservedFields {
        &self.reserved
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.lines
    }

    /// Records a field that the core owns or adds. Returns true if the line is kept.
    fn note_reserved(&mut self, name: &str, value: &[u8]) -> Result<bool, Misuse> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is("date") => self.reserved.date = true,
            6 if is("server") => self.reserved.server = true,
            7 if is("trailer") => self.reserved.trailer = true,
            7 if is("upgrade") => self.reserved.upgrade = true,
            10 if is("connection") => return self.note_connection(value).map(|()| false),
            14 if is("content-length") => {
                let length = grammar::decimal(value).ok_or(Misuse::Framing("Content-Length"))?;
                if self.reserved.content_length.is_some_and(|other| other != length) {
                    return Err(Misuse::Framing("Content-Length"));
                }
                self.reserved.content_length = Some(length);
                return Ok(false);
            }
            17 if is("transfer-encoding") => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Misuse::Framing("Transfer-Encoding"));
                }
                self.reserved.chunked = true;
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Records the options of Connection. `close` closes the connection; `keep-alive` and `upgrade`
    /// are ignored, because the core sends them itself if they apply.
    fn note_connection(&mut self, value: &[u8]) -> Result<(), Misuse> {
        let known = |option: &[u8]| {
            [&b"close"[..], b"keep-alive", b"upgrade"].iter().any(|known| option.eq_ignore_ascii_case(known))
        };
        if !grammar::list_elements(value).all(known) {
            return Err(Misuse::Framing("Connection"));
        }
        self.reserved.close |= grammar::list_elements(value).any(|option| option.eq_ignore_ascii_case(b"close"));
        Ok(())
    }
}

/// Iterates over the lines, as in [`iter`](FieldLines::iter).
impl<'a> IntoIterator for &'a FieldLines {
    type Item = (&'a str, &'a [u8]);
    type IntoIter = FieldLinesIter<'a>;

    fn into_iter(self) -> FieldLinesIter<'a> {
        self.iter()
    }
}

/// The iterator of [`FieldLines::iter`].
#[derive(Clone)]
pub struct FieldLinesIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for FieldLinesIter<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // A value contains no LF and a name no colon, so these end the value and the name.
        let (line, rest) = self.rest.split_at_checked(memchr::memchr(b'\n', self.rest)? + 1)?;
        self.rest = rest;
        let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
        let value = value.get(2..value.len().checked_sub(2)?)?;
        Some((core::str::from_utf8(name).ok()?, value))
    }
}

impl FusedIterator for FieldLinesIter<'_> {}

/// Shows only the number of remaining bytes, because values may be credentials.
impl fmt::Debug for FieldLinesIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldLinesIter").field("bytes", &self.rest.len()).finish_non_exhaustive()
    }
}

/// Shows every line, and `***` for the values of credential fields.
impl fmt::Debug for FieldLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self {
            if is_credential(name) {
                map.entry(&name, &"***");
            } else {
                map.entry(&name, &format_args!("\"{}\"", value.escape_ascii()));
            }
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_names_and_values_are_refused() {
        let mut fields = FieldLines::new();
        for name in ["", "a b", "a:", "a\r\n", "\u{e9}", "a\u{0}"] {
            assert_eq!(fields.push(name, "x"), Err(Misuse::FieldName), "{name:?}");
        }
        for value in ["a\rb", "a\nb", "a\u{0}b", "a\r\nb: c", "\u{7f}", "\u{1}"] {
            assert_eq!(fields.push("a", value), Err(Misuse::FieldValue), "{value:?}");
        }
        assert!(fields.is_empty());
        fields.push("a", "\u{e9}\t x ").unwrap();
        assert_eq!(fields.as_bytes(), "a: \u{e9}\t x\r\n".as_bytes());
    }

    /// Names that only have the same length as one that the core owns are kept.
    #[test]
    fn names_that_resemble_reserved_ones_are_kept() {
        let mut fields = FieldLines::new();
        let names = ["dave", "serves", "trailex", "upgradx", "connectiox", "content-lengtx", "transfer-encodinx"];
        for name in names {
            fields.push(name, "x").unwrap();
            assert!(fields.contains(&name.to_uppercase()) && !fields.contains("x"), "{name}");
        }
        assert_eq!(fields.iter().map(|(name, _)| name).collect::<Vec<_>>(), names);
        assert_eq!(*fields.reserved(), ReservedFields::default());
    }

    #[test]
    fn framing_fields_become_settings_and_not_lines() {
        let mut fields = FieldLines::new();
        fields.push("Content-Length", "12").unwrap();
        fields.push("connection", "Close, keep-alive").unwrap();
        fields.push("Transfer-Encoding", "chunked").unwrap();
        assert!(fields.is_empty());
        assert_eq!(
            *fields.reserved(),
            ReservedFields { content_length: Some(12), chunked: true, close: true, ..ReservedFields::default() }
        );
        assert_eq!(fields.push("Content-Length", "13"), Err(Misuse::Framing("Content-Length")));
        assert_eq!(fields.push("Content-Length", "+1"), Err(Misuse::Framing("Content-Length")));
        assert_eq!(fields.push("Transfer-Encoding", "gzip"), Err(Misuse::Framing("Transfer-Encoding")));
        assert_eq!(fields.push("Connection", "X-Secret"), Err(Misuse::Framing("Connection")));
        fields.remove("content-length");
        assert_eq!(fields.content_length(), None);
    }

    #[test]
    fn set_replaces_lines_and_append_keeps_them() {
        let mut fields = FieldLines::text_plain();
        fields.push("A", "1").unwrap();
        fields.push("a", "2").unwrap();
        fields.set("A", "3").unwrap();
        assert_eq!(fields.get("a"), Some(&b"3"[..]));
        assert_eq!(fields.set("A", "\n"), Err(Misuse::FieldValue));
        let mut more = FieldLines::new();
        more.push("Server", "x").unwrap();
        fields.append(&more);
        let names: Vec<_> = (&fields).into_iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["Content-Type", "A", "Server"]);
        let mut lines = more.iter();
        assert_eq!(format!("{lines:?}"), "FieldLinesIter { bytes: 11, .. }");
        assert_eq!((lines.next(), lines.next()), (Some(("Server", &b"x"[..])), None));
        assert!(fields.reserved().server);
    }

    #[test]
    fn reserved_fields_can_be_appended_and_removed() {
        for (name, value) in [
            ("Content-Length", "5"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("Date", "x"),
            ("Server", "x"),
            ("Trailer", "x"),
            ("Upgrade", "x"),
        ] {
            let (none, mut one) = (FieldLines::new(), FieldLines::new());
            one.push(name, value).unwrap();
            assert_ne!(one.reserved(), none.reserved());
            for (mut fields, more) in [(none.clone(), &one), (one.clone(), &none), (one.clone(), &one)] {
                fields.append(more);
                assert_eq!(fields.reserved(), one.reserved(), "{name}");
                fields.remove(name);
                assert_eq!(fields, none, "{name}");
            }
        }
    }
}
