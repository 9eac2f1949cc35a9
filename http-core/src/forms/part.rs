//! A part of a multipart form, without its content.

use super::ParseFormError;
use super::disposition::{Disposition, Filename};
use super::parameters;
use crate::Headers;

/// The header fields of a part (RFC 7578 section 4); its content follows in
/// [`MultipartEvent::Data`](super::MultipartEvent::Data).
///
/// Text is UTF-8. Other bytes are replaced by U+FFFD in the text, and the original bytes are also
/// available.
///
/// ```
/// use bytes::Bytes;
/// use httpants_core::forms::{Boundary, MultipartEvent, FormLimits, Multipart};
///
/// let mut multipart = Multipart::new(&Boundary::new(b"b")?, &FormLimits::default());
/// multipart.receive(Bytes::from_static(
///     b"--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"..\\a%22b.jpg\"\r\n\r\n",
/// ));
/// let Some(MultipartEvent::PartStart(part)) = multipart.poll_event()? else { panic!("no part") };
/// assert_eq!((part.name(), part.filename()), ("photo", Some("a\"b.jpg")));
/// assert_eq!(part.filename_as_sent(), Some(&b"..\\a%22b.jpg"[..]));
/// assert_eq!((part.is_file(), part.content_type()), (true, None));
/// # Ok::<(), httpants_core::forms::ParseFormError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Part {
    name: Text,
    filename: Option<StoredFilename>,
    headers: Headers,
}

#[derive(Clone, Debug)]
struct StoredFilename {
    as_sent: Box<[u8]>,
    last_segment: Option<String>,
}

impl Part {
    pub(super) fn new(headers: Headers) -> Result<Self, ParseFormError> {
        let disposition = one(&headers, "content-disposition", ParseFormError::DuplicateDisposition)?;
        let disposition = Disposition::parse(disposition.ok_or(ParseFormError::MissingDisposition)?)?;
        one(&headers, "content-type", ParseFormError::DuplicateContentType)?;
        let name = Text::new(disposition.name);
        let filename = disposition.filename.map(StoredFilename::new);
        Ok(Self { name, filename, headers })
    }

    /// Returns the name of the form field, with the escapes of browsers (`%22`, `%0D`, `%0A`) and
    /// `\"` decoded; any other backslash is part of the name. The name may be empty. It is taken
    /// from `name*` (RFC 8187) if there is no `name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name.text
    }

    /// Returns the bytes of the name, which differ from [`name`](Self::name) if they are not UTF-8.
    #[must_use]
    pub fn name_bytes(&self) -> &[u8] {
        self.name.bytes.as_deref().unwrap_or(self.name.text.as_bytes())
    }

    /// Returns true if the part is a file: it has a `filename` or `filename*` parameter. It may be
    /// empty, as browsers send it for an input without a chosen file. Other parts are text fields.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.filename.is_some()
    }

    /// Returns the last segment of the file name, after any `/` and `\`, with the escapes of
    /// browsers decoded: a name to show or to store the file under, not a path. `None` if the part
    /// is not a file, or if the last segment is empty, `.` or `..`.
    ///
    /// It is taken from `filename*` (RFC 8187) if there is no `filename`, or if that is an encoded
    /// word (RFC 2047), as sent by .NET. An encoded word without `filename*` is decoded; `None` if
    /// that is not possible.
    ///
    /// If the name is not UTF-8, a backslash after a byte above 0x7F is kept: in Shift_JIS and
    /// similar charsets it may be half of a character. The result never ends with such a backslash
    /// followed by `.` or `..`.
    ///
    /// The name is text of the peer: it may contain quotes, line breaks, control characters and any
    /// other character except NUL and `/`, and two parts may have the same name.
    #[must_use]
    pub fn filename(&self) -> Option<&str> {
        self.filename.as_ref()?.last_segment.as_deref()
    }

    /// Returns the parameter from which [`filename`](Self::filename) is taken, exactly as it was
    /// sent, with path and escapes, without surrounding quotes. Never use it as a path.
    #[must_use]
    pub fn filename_as_sent(&self) -> Option<&[u8]> {
        self.filename.as_ref().map(|filename| &*filename.as_sent)
    }

    /// Returns the media type that the peer sent; `None` if there is none, which means `text/plain`
    /// (RFC 7578 section 4.4), or if it is not UTF-8.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.headers.text("content-type")
    }

    /// Returns the `charset` parameter of the part's Content-Type, as it was sent (RFC 7578 section
    /// 4.5). The parser does not use it for decoding.
    #[must_use]
    pub fn charset(&self) -> Option<&str> {
        charset(&self.headers)
    }

    /// Returns all header fields of the part. A quoted value in its Content-Disposition may contain
    /// control characters, as browsers send them; other fields cannot.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Converts the part into its header fields.
    #[must_use]
    pub fn into_headers(self) -> Headers {
        self.headers
    }
}

/// Returns the `charset` parameter of a Content-Type, as it was sent; `None` if it is missing,
/// empty or not UTF-8.
///
/// ```
/// use httpants_core::Headers;
/// use httpants_core::forms::charset;
///
/// let headers = Headers::parse(b"Content-Type: text/plain; Charset=\"Shift_JIS\"\r\n\r\n")?;
/// assert_eq!(charset(&headers), Some("Shift_JIS"));
/// # Ok::<(), httpants_core::ProtocolError>(())
/// ```
#[must_use]
pub fn charset(headers: &Headers) -> Option<&str> {
    let mut parameters = parameters::split(headers.get("content-type")?).1.flatten();
    let charset = parameters.find(|parameter| parameter.is("charset"))?;
    core::str::from_utf8(charset.value).ok().filter(|charset| !charset.is_empty())
}

/// Returns the only value of a field, if any; the error is `more` if there are several.
fn one<'a>(headers: &'a Headers, name: &'a str, more: ParseFormError) -> Result<Option<&'a [u8]>, ParseFormError> {
    let mut values = headers.all(name);
    let value = values.next();
    if values.next().is_some() { Err(more) } else { Ok(value) }
}

impl StoredFilename {
    fn new(filename: Filename<'_>) -> Self {
        Self { as_sent: filename.as_sent.into(), last_segment: filename.decoded.and_then(|name| last_segment(&name)) }
    }
}

/// Returns the text after the last separator of a Unix or Windows path.
///
/// If the bytes are not UTF-8, a backslash after a byte above 0x7F is not a separator: in
/// Shift_JIS, Big5 and GBK it may be the second half of a character.
fn last_segment(path: &[u8]) -> Option<String> {
    let is_text = core::str::from_utf8(path).is_ok();
    let mut before = 0;
    let start = path.iter().enumerate().fold(0, |start, (at, &byte)| {
        let separates = byte == b'/' || byte == b'\\' && (is_text || before < 0x80);
        before = byte;
        if separates { at + 1 } else { start }
    });
    let segment = path.get(start..).unwrap_or_default();
    match segment.rsplit(|&byte| byte == b'\\').next().unwrap_or_default() {
        b"." | b".." => None,
        _ if segment.is_empty() => None,
        _ => Some(String::from_utf8_lossy(segment).into_owned()),
    }
}

/// Text, and the original bytes if they are not UTF-8.
#[derive(Clone, Debug)]
struct Text {
    text: String,
    bytes: Option<Vec<u8>>,
}

impl Text {
    fn new(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self { text, bytes: None },
            Err(error) => {
                Self { text: String::from_utf8_lossy(error.as_bytes()).into_owned(), bytes: Some(error.into_bytes()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(fields: &[u8]) -> Result<Part, ParseFormError> {
        Part::new(Headers::parse(fields).unwrap())
    }

    fn with_filename(filename: &str) -> Part {
        let field = format!("Content-Disposition: form-data; name=f; filename=\"{filename}\"\r\n\r\n");
        part(field.as_bytes()).unwrap()
    }

    #[test]
    fn backslash_after_a_non_ascii_byte_is_no_separator() {
        for (path, last) in [
            (&b"a\\b"[..], &b"b"[..]),
            (b"\xff/a\x7f\\b", b"b"),
            (b"\xff/a\x80\\b", b"a\x80\\b"),
            (b"\xff/a\x81\\b", b"a\x81\\b"),
        ] {
            let expected = String::from_utf8_lossy(last).into_owned();
            assert_eq!(last_segment(path), Some(expected), "{}", path.escape_ascii());
        }
    }

    #[test]
    fn filename_is_the_last_path_segment() {
        for (sent, last) in [
            ("a.txt", Some("a.txt")),
            ("/etc/passwd", Some("passwd")),
            ("../../etc/cron.d/x", Some("x")),
            (r"C:\Users\a b\c.txt", Some("c.txt")),
            (r"\\\\server\\share\\c.txt", Some("c.txt")),
            (r"a/b\c", Some("c")),
            (r"a\b/c", Some("c")),
            ("..", None),
            (".", None),
            (r"a\..", None),
            (r"foo\", None),
            (r"..\", None),
            (r#"a\\b\"c.txt"#, Some("b\"c.txt")),
            ("a/", None),
            ("", None),
            ("...", Some("...")),
            ("..a", Some("..a")),
            ("%2e%2e", Some("%2e%2e")),
            ("..%2fa", Some("..%2fa")),
            ("a%0D%0Ab%22.txt", Some("a\r\nb\".txt")),
            ("é/日本.txt", Some("日本.txt")),
        ] {
            let part = with_filename(sent);
            assert!(part.is_file());
            assert_eq!(part.filename(), last, "{sent}");
            assert_eq!(part.filename_as_sent(), Some(sent.as_bytes()));
        }
    }

    /// Returns the last segment of a file name given as bytes.
    fn last_segment_of(filename: &[u8]) -> Option<String> {
        let field = [b"Content-Disposition: form-data; name=f; filename=\"", filename, b"\"\r\n\r\n"].concat();
        part(&field).unwrap().filename().map(str::to_string)
    }

    #[test]
    fn backslash_in_shift_jis_is_no_separator() {
        for (sent, last) in [
            // 表, ソ, 能 and 予, alone, at the end and after a path.
            (&b"\x95\\.txt"[..], Some("\u{fffd}\\.txt")),
            (b"\x83\\", Some("\u{fffd}\\")),
            (b"C:\\a\\\x94\\\x97\\.txt", Some("\u{fffd}\\\u{fffd}\\.txt")),
            (b"dir/\x95\\.txt", Some("\u{fffd}\\.txt")),
            (b"..\\..\\\x95\\.txt", Some("\u{fffd}\\.txt")),
            (b"\x95\\..\\..\\a", Some("a")),
            (b"\x95\\..", None),
            (b"\x95\\.", None),
            (b"\x95\\..\\", None),
            // In UTF-8, the backslash is not part of the character.
            ("\u{e9}\\a.txt".as_bytes(), Some("a.txt")),
        ] {
            assert_eq!(last_segment_of(sent).as_deref(), last, "{}", sent.escape_ascii());
        }
    }

    fn with_parameters(parameters: &str) -> Result<Part, ParseFormError> {
        part(format!("Content-Disposition: form-data; {parameters}\r\n\r\n").as_bytes())
    }

    #[test]
    fn extended_and_encoded_names_are_decoded() {
        for (client, parameters, name, filename) in [
            ("urllib3 1.24", r"name=f; filename*=utf-8''%E6%97%A5%20a.txt", "f", Some("日 a.txt")),
            ("name* alone", r"name*=UTF-8'en'gr%C3%B6%C3%9Fe; filename*=utf-8''a.txt", "größe", Some("a.txt")),
            ("ISO-8859-1", r"name*=iso-8859-1''%E9; filename*=ISO-8859-1''%e9.txt", "\u{e9}", Some("\u{e9}.txt")),
            ("beside a plain one", r#"name=a; name*=utf-8''b; filename="c"; filename*=utf-8''d"#, "a", Some("c")),
            ("not read beside a plain one", r"name=a; name*=b; filename=c; filename*=x'y'z%", "a", Some("c")),
            ("an empty one", "name*=utf-8''; filename*=utf-8''", "", None),
            ("a path", r"name=a; filename*=utf-8''..%2F..%5C%2e%2e%5Cb", "a", Some("b")),
            ("two dots", r"name=a; filename*=utf-8''a%2F..", "a", None),
            (
                ".NET",
                r#"name="=?utf-8?B?0LrQu9GO0Yc=?="; filename="=?utf-8?B?w6kudHh0?="; filename*=utf-8''%C3%A9.txt"#,
                "ключ",
                Some("é.txt"),
            ),
            (".NET, where both differ", r#"name=f; filename="=?utf-8?B?YQ==?="; filename*=utf-8''b"#, "f", Some("b")),
            ("and cannot be decoded", r#"name=f; filename="=?utf-7?B?YQ==?="; filename*=utf-8''b"#, "f", Some("b")),
            ("an encoded word alone", r#"name=f; filename="=?UTF-8?b?w6kudHh0?=""#, "f", Some("é.txt")),
            ("Q", r#"name=f; filename="=?ISO-8859-1?Q?caf=E9_a=5Fb.txt?=""#, "f", Some("café a_b.txt")),
            ("several words", r#"name=f; filename="=?utf-8?q?a?=  =?iso-8859-1?B?6Q==?=""#, "f", Some("a\u{e9}")),
            ("only its beginning", r#"name=f; filename="=?utf-8?B?YQ==?=/x""#, "f", Some("x")),
            ("a path within one", r#"name=f; filename="=?utf-8?Q?..=2F..=5Ca=2Fb?=""#, "f", Some("b")),
            ("base64 with a slash", r#"name=f; filename="=?utf-8?B?w7/Dvw==?=""#, "f", Some("ÿÿ")),
            ("two dots within one", r#"name=f; filename="=?utf-8?B?Li4=?=""#, "f", None),
            ("another charset", r#"name=f; filename="=?koi8-r?B?YQ==?=""#, "f", None),
            ("another encoding", r#"name=f; filename="=?utf-8?X?YQ==?=""#, "f", None),
            ("bad base64", r#"name=f; filename="=?utf-8?B?Y!==?=""#, "f", None),
            ("bad Q", r#"name=f; filename="=?utf-8?Q?=G0?=""#, "f", None),
            ("bad UTF-8", r#"name=f; filename="=?utf-8?Q?=FF?=""#, "f", None),
            ("NUL", r#"name=f; filename="=?utf-8?Q?=00?=""#, "f", None),
            ("a field name that cannot be decoded", r#"name="=?koi8-r?Q?a?=""#, "=?koi8-r?Q?a?=", None),
            ("nearly one", r#"name=f; filename="=?a?=.txt""#, "f", Some("=?a?=.txt")),
        ] {
            let part = with_parameters(parameters).unwrap();
            assert_eq!((part.name(), part.filename()), (name, filename), "{client}");
            assert_eq!(part.is_file(), parameters.contains("filename"), "{client}");
            assert_eq!(part.is_file(), part.filename_as_sent().is_some(), "{client}");
        }
    }

    #[test]
    fn invalid_extended_parameters_are_errors() {
        use ParseFormError::{DuplicateFilename, DuplicateName, ExtendedValue};
        for (parameters, expected) in [
            ("name*=utf-16''a", ExtendedValue),
            ("name*=''a", ExtendedValue),
            ("name*=a", ExtendedValue),
            ("name*=utf-8'a", ExtendedValue),
            ("name*=\"utf-8''a\"", ExtendedValue),
            ("name=a; filename*=utf-8''%", ExtendedValue),
            ("name=a; filename*=utf-8''%4", ExtendedValue),
            ("name=a; filename*=utf-8''%4g", ExtendedValue),
            ("name=a; filename*=utf-8''%FF", ExtendedValue),
            ("name=a; filename*=utf-8''%00", ExtendedValue),
            ("name=a; filename=\"=?utf-8?Q?a?=\"; filename*=utf-8''%FF", ExtendedValue),
            ("name=a; name*=utf-8''a; NAME*=utf-8''a", DuplicateName),
            ("name=a; filename=a; filename*=utf-8''a; filename*=utf-8''a", DuplicateFilename),
        ] {
            assert_eq!(with_parameters(parameters).unwrap_err(), expected, "{parameters}");
        }
    }

    #[test]
    fn filename_as_sent_is_that_of_the_used_parameter() {
        for (parameters, expected) in [
            (r#"name=a; filename="=?utf-8?Q?a?=""#, "=?utf-8?Q?a?="),
            (r#"name=a; filename="=?utf-8?Q?a?="; filename*=utf-8''%62"#, "utf-8''%62"),
            ("name=a; filename*=utf-8''%62", "utf-8''%62"),
            ("name=a; filename*=utf-8''%62; filename=c", "c"),
        ] {
            assert_eq!(with_parameters(parameters).unwrap().filename_as_sent(), Some(expected.as_bytes()));
        }
    }

    #[test]
    fn field_name_may_end_with_a_backslash() {
        let part = part(b"Content-Disposition: form-data; name=\"\x95\x5c\"; filename=\"\"\r\n\r\n").unwrap();
        assert_eq!((part.name_bytes(), part.filename_as_sent()), (&b"\x95\\"[..], Some(&b""[..])));
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_kept() {
        let part = part(b"Content-Disposition: form-data; name=\"\xe9\"; filename=\"a\\\xff.txt\"\r\n\r\n").unwrap();
        assert_eq!((part.name(), part.name_bytes()), ("\u{fffd}", &b"\xe9"[..]));
        assert_eq!(part.filename(), Some("\u{fffd}.txt"));
        assert_eq!(part.filename_as_sent(), Some(&b"a\\\xff.txt"[..]));
    }

    #[test]
    fn part_headers_may_not_be_repeated() {
        use ParseFormError::{Disposition, DuplicateContentType, DuplicateDisposition, MissingDisposition};
        for (fields, expected) in [
            ("\r\n", MissingDisposition),
            ("Content-Type: text/plain\r\n\r\n", MissingDisposition),
            ("Content-Disposition:\r\n\r\n", Disposition),
            (
                "Content-Disposition: form-data; name=a\r\ncontent-disposition: form-data; name=a\r\n\r\n",
                DuplicateDisposition,
            ),
            (
                "Content-Disposition: form-data; name=a\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
                DuplicateContentType,
            ),
        ] {
            assert_eq!(part(fields.as_bytes()).unwrap_err(), expected, "{fields}");
        }
    }

    #[test]
    fn part_has_the_charset_of_its_content_type() {
        for (content_type, expected) in [
            ("text/plain", None),
            ("text/plain;charset=Shift_JIS", Some("Shift_JIS")),
            ("text/plain; x=\"; charset=no\" ; CHARSET=\"utf-8\"; charset=b", Some("utf-8")),
            ("text/plain; charset; charset=a/b", Some("a/b")),
            ("text/plain; charset=\"\"", None),
            ("charset=utf-8", None),
        ] {
            let fields = format!("Content-Disposition: form-data; name=a\r\nContent-Type: {content_type}\r\n\r\n");
            let part = part(fields.as_bytes()).unwrap();
            assert_eq!(part.charset(), expected, "{content_type}");
            assert_eq!(charset(&part.into_headers()), expected);
        }
        assert_eq!(with_parameters("name=a").unwrap().charset(), None);
    }

    #[test]
    fn text_field_has_its_name_and_headers() {
        let part = part(b"CONTENT-DISPOSITION: form-data; name=a\r\ncontent-type: Text/Plain\r\nX: y\r\n\r\n").unwrap();
        assert!(!part.is_file());
        assert_eq!((part.name(), part.name_bytes()), ("a", &b"a"[..]));
        assert_eq!((part.filename(), part.filename_as_sent()), (None, None));
        assert_eq!(part.content_type(), Some("Text/Plain"));
        assert_eq!(part.headers().text("x"), Some("y"));
    }
}
