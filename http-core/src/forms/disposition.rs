//! The parser of a part's Content-Disposition: `form-data; name="..."; filename="..."` (RFC 7578
//! section 4.2).

use super::ParseFormError;
use super::encoded::{decode_words, extended_value, is_encoded};
use super::parameters::{self, Parameter};

/// The interpreted parameters of a Content-Disposition, as bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disposition<'a> {
    pub(super) name: Vec<u8>,
    pub(super) filename: Option<Filename<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filename<'a> {
    pub(super) as_sent: &'a [u8],
    /// The decoded filename; `None` if it is in a notation that cannot be decoded.
    pub(super) decoded: Option<Vec<u8>>,
}

impl<'a> Disposition<'a> {
    pub(super) fn parse(value: &'a [u8]) -> Result<Self, ParseFormError> {
        let (kind, parameters) = parameters::split_form_data(value);
        if !kind.eq_ignore_ascii_case(b"form-data") {
            return Err(ParseFormError::Disposition);
        }
        let (mut name, mut extended_name, mut filename, mut extended_filename) = (None, None, None, None);
        for parameter in parameters {
            let parameter = parameter.map_err(|_| ParseFormError::Disposition)?;
            let (known, fault) = if parameter.is("name") {
                (&mut name, ParseFormError::DuplicateName)
            } else if parameter.is("filename") {
                (&mut filename, ParseFormError::DuplicateFilename)
            } else if parameter.is("name*") {
                (&mut extended_name, ParseFormError::DuplicateName)
            } else if parameter.is("filename*") {
                (&mut extended_filename, ParseFormError::DuplicateFilename)
            } else {
                continue;
            };
            if known.replace(parameter).is_some() {
                return Err(fault);
            }
        }
        Ok(Self { name: decode_name(name, extended_name)?, filename: Filename::of(filename, extended_filename)? })
    }
}

/// Returns the name of a field. `name*` is used only without `name`, so that two parsers of a part
/// do not disagree (RFC 7578 section 4.2 has no `name*`). .NET sends a name that is not ASCII as an
/// encoded word; if it cannot be decoded, it is used unchanged.
fn decode_name(name: Option<Parameter<'_>>, extended: Option<Parameter<'_>>) -> Result<Vec<u8>, ParseFormError> {
    match (name, extended) {
        (Some(name), _) if is_encoded(name.value) => {
            Ok(decode_words(name.value).map_or_else(|| decode(&name), String::into_bytes))
        }
        (Some(name), _) => Ok(decode(&name)),
        (None, Some(extended)) => decode_extended(&extended),
        (None, None) => Err(ParseFormError::MissingName),
    }
}

impl<'a> Filename<'a> {
    /// Returns the filename, if there is one. `filename*` is used if there is no `filename`, or if
    /// that is an encoded word, which .NET sends for parsers that do not know `filename*`.
    fn of(filename: Option<Parameter<'a>>, extended: Option<Parameter<'a>>) -> Result<Option<Self>, ParseFormError> {
        let (as_sent, decoded) = match (filename, extended) {
            (Some(filename), None) if is_encoded(filename.value) => {
                (filename.value, decode_words(filename.value).map(String::into_bytes))
            }
            (Some(filename), _) if !is_encoded(filename.value) => (filename.value, Some(decode(&filename))),
            (_, Some(extended)) => (extended.value, Some(decode_extended(&extended)?)),
            (_, None) => return Ok(None),
        };
        Ok(Some(Self { as_sent, decoded }))
    }
}

fn decode_extended(parameter: &Parameter<'_>) -> Result<Vec<u8>, ParseFormError> {
    let text = if parameter.quoted { None } else { extended_value(parameter.value) };
    text.map(String::into_bytes).ok_or(ParseFormError::ExtendedValue)
}

/// Decodes the escapes in a quoted name: `%22`, `%0D` and `%0A` of browsers, and no other percent
/// sequence (WHATWG HTML, "multipart/form-data encoding algorithm"), and `\"`, which `curl
/// --form-escape` and Go send. Any other backslash is a character of the name: browsers do not
/// escape it, so `\\` may be two backslashes.
fn decode(parameter: &Parameter<'_>) -> Vec<u8> {
    if !parameter.quoted {
        return parameter.value.to_vec();
    }
    let mut decoded = Vec::with_capacity(parameter.value.len());
    let mut rest = parameter.value;
    loop {
        let (byte, tail) = match rest {
            [b'%', b'2', b'2', tail @ ..] => (b'"', tail),
            [b'%', b'0', b'D', tail @ ..] => (b'\r', tail),
            [b'%', b'0', b'A', tail @ ..] => (b'\n', tail),
            [b'\\', b'"', tail @ ..] => (b'"', tail),
            [byte, tail @ ..] => (*byte, tail),
            [] => return decoded,
        };
        decoded.push(byte);
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the name, the decoded filename and the filename as sent.
    fn parse(value: &str) -> Result<(String, Option<(String, String)>), ParseFormError> {
        let text = |bytes: &[u8]| core::str::from_utf8(bytes).unwrap().to_string();
        let d = Disposition::parse(value.as_bytes())?;
        Ok((text(&d.name), d.filename.map(|f| (text(&f.decoded.unwrap()), text(f.as_sent)))))
    }

    #[test]
    fn names_of_common_clients_are_parsed() {
        for (client, value, name, filename) in [
            (
                "Chrome, Firefox, Safari: quote",
                r#"form-data; name="a%22b"; filename="c%22d.txt""#,
                "a\"b",
                Some("c\"d.txt"),
            ),
            ("browsers: line break", r#"form-data; name="a%0D%0Ab""#, "a\r\nb", None),
            (
                "browsers: percent",
                r#"form-data; name="100%"; filename="100%25 %41%2522.txt""#,
                "100%",
                Some("100%25 %41%2522.txt"),
            ),
            (
                "browsers: space and semicolon",
                r#"form-data; name="a b;c"; filename="d e; f.txt""#,
                "a b;c",
                Some("d e; f.txt"),
            ),
            ("browsers: UTF-8", "form-data; name=\"größe\"; filename=\"日本.txt\"", "größe", Some("日本.txt")),
            ("browsers: no file chosen", r#"form-data; name="f"; filename="""#, "f", Some("")),
            ("browsers: backslash in a name", r#"form-data; name="a\b"; filename="c\d.txt""#, r"a\b", Some(r"c\d.txt")),
            (
                "curl --form-escape, Go: quote",
                r#"form-data; name="a\"b\\c"; filename="d\"e.txt""#,
                r#"a"b\\c"#,
                Some("d\"e.txt"),
            ),
            ("browsers: backslash at the end", r#"form-data; name="a\"; filename="foo\""#, r"a\", Some(r"foo\")),
            (
                "browsers: two backslashes at the end",
                r#"form-data; name="a\\" ; filename="b\\";"#,
                r"a\\",
                Some(r"b\\"),
            ),
            ("browsers: backslash before an escape", r#"form-data; name="a\%22b""#, r#"a\"b"#, None),
            ("quotes that are not escaped", r#"form-data; name="a"b"; filename=""c" d""#, "a\"b", Some("\"c\" d")),
            ("curl", r#"form-data; name="a%22b"; filename="d\e.txt""#, "a\"b", Some(r"d\e.txt")),
            (
                "Internet Explorer",
                r#"form-data; name="f"; filename="C:\new\table.txt""#,
                "f",
                Some(r"C:\new\table.txt"),
            ),
            (".NET", "form-data; name=f; filename=a.txt; filename*=utf-8''b.txt", "f", Some("a.txt")),
            ("Python requests", r#"form-data; name="f"; filename="a.txt""#, "f", Some("a.txt")),
            ("urllib3 1.24", "form-data; name=\"f\"; filename*=utf-8''%C3%A9.txt", "f", Some("é.txt")),
            ("any case, any order", r#"FORM-DATA;FileName=a ;x=y; NAME="n" ;"#, "n", Some("a")),
            ("an empty name", r#"form-data; name="""#, "", None),
            ("a token is not decoded", "form-data; name=a%22b", "a%22b", None),
        ] {
            let parsed = parse(value).unwrap();
            assert_eq!((&*parsed.0, parsed.1.as_ref().map(|f| &*f.0)), (name, filename), "{client}");
        }
        assert_eq!(parse(r#"form-data; name=a; filename="b%22\"/c""#).unwrap().1.unwrap().1, r#"b%22\"/c"#);
    }

    #[test]
    fn invalid_dispositions_are_refused() {
        use ParseFormError::{Disposition, DuplicateFilename, DuplicateName, MissingName};
        for (value, expected) in [
            ("", Disposition),
            ("attachment; name=\"a\"", Disposition),
            ("form-data, name=\"a\"", Disposition),
            ("form-data; name=\"a", Disposition),
            (r#"form-data; name="a\"b"#, Disposition),
            (r#"form-data; name="a\";b""#, Disposition),
            (r#"form-data; name="a\"; filename="#, Disposition),
            ("form-data; name=\"a\"b", Disposition),
            ("form-data; name=a b", Disposition),
            ("form-data; name=", Disposition),
            ("form-data; name =a", Disposition),
            ("form-data; name", Disposition),
            ("form-data; name=a; x=[", Disposition),
            ("form-data", MissingName),
            ("form-data; filename=\"a; name=b\"", MissingName),
            ("form-data; filename*=utf-8''a", MissingName),
            ("form-data; name=a; name=b", DuplicateName),
            ("form-data; name=a; NAME=\"a\"", DuplicateName),
            ("form-data; name=a; filename=b; Filename=c", DuplicateFilename),
        ] {
            assert_eq!(parse(value), Err(expected), "{value}");
        }
    }
}
