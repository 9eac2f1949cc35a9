//! The form type of a request by its Content-Type.

use core::fmt;

use super::media_type::has_content_coding;
use super::{ParseFormError, parameters};
use crate::Headers;

/// The form type of a content, determined by its Content-Type.
///
/// ```
/// use httpants_core::forms::FormType;
///
/// assert!(matches!(FormType::of(b"Application/X-WWW-Form-Urlencoded; charset=UTF-8"), Ok(Some(FormType::Urlencoded))));
/// assert!(matches!(FormType::of(b"multipart/form-data; BOUNDARY=\"a b\""), Ok(Some(FormType::Multipart(_)))));
/// assert!(matches!(FormType::of(b"application/json"), Ok(None)));
/// assert!(FormType::of(b"multipart/form-data").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormType {
    /// `application/x-www-form-urlencoded`; its parameters are ignored.
    Urlencoded,
    /// `multipart/form-data` (RFC 7578) with its boundary.
    Multipart(Boundary),
}

impl FormType {
    /// Parses a Content-Type value. Types are compared without case. Returns `None` if the type is
    /// not one of a form.
    ///
    /// # Errors
    /// [`ParseFormError`] for `multipart/form-data` with malformed parameters, or with no boundary,
    /// an invalid one, or more than one.
    pub fn of(content_type: &[u8]) -> Result<Option<Self>, ParseFormError> {
        let (media_type, parameters) = parameters::split(content_type);
        if media_type.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            return Ok(Some(Self::Urlencoded));
        }
        if !media_type.eq_ignore_ascii_case(b"multipart/form-data") {
            return Ok(None);
        }
        let mut boundary = None;
        for parameter in parameters {
            let parameter = parameter.map_err(|_| ParseFormError::ContentType)?;
            if parameter.is("boundary") {
                if !parameter.quoted && !may_be_bare(parameter.value) {
                    return Err(ParseFormError::Boundary);
                }
                if boundary.replace(Boundary::new(parameter.value)?).is_some() {
                    return Err(ParseFormError::DuplicateBoundary);
                }
            } else if parameter.is_extended("boundary") {
                // Another parser may join the pieces of RFC 2231 and use another boundary.
                return Err(ParseFormError::DuplicateBoundary);
            } else if !parameter.is_strict() {
                return Err(ParseFormError::ContentType);
            }
        }
        boundary.map(|boundary| Some(Self::Multipart(boundary))).ok_or(ParseFormError::MissingBoundary)
    }

    /// Determines the form type from the head of a request, so that a form can be refused before
    /// its content is read.
    ///
    /// ```
    /// use httpants_core::Headers;
    /// use httpants_core::forms::{ParseFormError, FormType};
    ///
    /// let head = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Encoding: gzip\r\n\r\n";
    /// let fault = FormType::of_headers(&Headers::parse(head).unwrap()).unwrap_err();
    /// assert_eq!(fault, ParseFormError::ContentEncoding);
    /// assert_eq!((fault.status().as_u16(), fault.accept_encoding()), (415, Some("identity")));
    /// ```
    ///
    /// # Errors
    /// As for [`of`](Self::of); [`ParseFormError::ContentType`] if there are several types and one
    /// is that of a form, because two parsers could interpret the content differently (RFC 9110
    /// section 8.3); and [`ParseFormError::ContentEncoding`] for a form with a content coding other
    /// than identity.
    pub fn of_headers(headers: &Headers) -> Result<Option<Self>, ParseFormError> {
        let mut types = headers.all("content-type");
        let form_type = types.next().map_or(Ok(None), Self::of)?;
        let others: Vec<_> = types.map(Self::of).collect();
        if others.iter().any(|other| *other != Ok(None)) || form_type.is_some() && !others.is_empty() {
            return Err(ParseFormError::ContentType);
        }
        if form_type.is_some() && has_content_coding(headers) {
            return Err(ParseFormError::ContentEncoding);
        }
        Ok(form_type)
    }
}

/// Returns true if a boundary is accepted without quotes: visible ASCII, because some senders do
/// not quote boundaries that are not tokens (`a=b:1`, `{}`). A comma may come from two joined field
/// lines, so with a comma only the characters of RFC 2046 are accepted.
fn may_be_bare(boundary: &[u8]) -> bool {
    let is_listed = boundary.iter().all(|&byte| is_bchar(byte));
    boundary.iter().all(u8::is_ascii_graphic) && (is_listed || !boundary.contains(&b','))
}

/// The boundary of a multipart content: 1 to 70 characters (RFC 2046 section 5.1.1).
///
/// More characters are accepted than in RFC 2046: Android applications send `*****`, and some
/// libraries use boundaries with `~`, `$` or braces.
///
/// ```
/// use httpants_core::forms::Boundary;
///
/// assert_eq!(Boundary::new(b"----WebKitFormBoundaryabc")?.as_bytes().len(), 25);
/// # Ok::<(), httpants_core::forms::ParseFormError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Boundary(Box<[u8]>);

impl Boundary {
    /// Creates a boundary from its characters, without the leading hyphens.
    ///
    /// # Errors
    /// [`ParseFormError::Boundary`] if it does not have 1 to 70 bytes, contains a control
    /// character, `"` or `\`, or ends with a space. `"` and `\` would need escapes in a quoted
    /// string, which not all parsers decode.
    pub fn new(boundary: &[u8]) -> Result<Self, ParseFormError> {
        match boundary {
            [.., b' '] | [] => Err(ParseFormError::Boundary),
            _ if boundary.len() > 70 || !boundary.iter().all(|&byte| is_quotable(byte)) => {
                Err(ParseFormError::Boundary)
            }
            _ => Ok(Self(boundary.into())),
        }
    }

    /// Returns the boundary without the leading hyphens.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Boundary(\"{}\")", self.0.escape_ascii())
    }
}

/// Returns true for a byte that a quoted boundary may contain.
const fn is_quotable(byte: u8) -> bool {
    !byte.is_ascii_control() && !matches!(byte, b'"' | b'\\')
}

/// Returns true for `bchars`, RFC 2046 section 5.1.1.
const fn is_bchar(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'\'' | b'(' | b')' | b'+' | b'_' | b',' | b'-' | b'.'
        | b'/' | b':' | b'=' | b'?' | b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary(content_type: &str) -> Result<Vec<u8>, ParseFormError> {
        match FormType::of(content_type.as_bytes())? {
            Some(FormType::Multipart(boundary)) => Ok(boundary.as_bytes().to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn boundary_may_be_quoted_and_names_ignore_case() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=abc", "abc"),
            ("Multipart/Form-Data;BOUNDARY=abc", "abc"),
            ("multipart/form-data ; charset=utf-8 ;\tBoundary=\"abc\" ; ", "abc"),
            ("multipart/form-data; x=\"a; boundary=no\"; boundary=\"a b'()+_,-./:=?c\"", "a b'()+_,-./:=?c"),
            ("multipart/form-data; boundary=----=_Part_1_2.3/a:b", "----=_Part_1_2.3/a:b"),
            ("multipart/form-data; boundary=\"----=_Part\"; x=\"boundary=no\"", "----=_Part"),
        ] {
            assert_eq!(boundary(content_type).as_deref(), Ok(expected.as_bytes()), "{content_type}");
        }
    }

    #[test]
    fn boundaries_of_common_libraries_are_accepted() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=*****", "*****"),
            ("multipart/form-data;boundary={};charset=utf-8", "{}"),
            ("multipart/form-data; boundary=~~$", "~~$"),
            ("multipart/form-data; boundary=---a#!%&*<>@[]^_`|{}~", "---a#!%&*<>@[]^_`|{}~"),
            ("multipart/form-data; boundary=\"*** {}[]@<>;,~$|\"", "*** {}[]@<>;,~$|"),
            ("multipart/form-data; boundary=\"\u{e9} \u{e9}\"", "\u{e9} \u{e9}"),
            // A comma is accepted only among the characters of RFC 2046.
            ("multipart/form-data; boundary=a'()+_,-./:=?b", "a'()+_,-./:=?b"),
        ] {
            assert_eq!(boundary(content_type).as_deref(), Ok(expected.as_bytes()), "{content_type}");
        }
    }

    #[test]
    fn boundary_bytes_are_checked_bare_and_quoted() {
        for byte in 0..=255u8 {
            let rfc_2046 = byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
            let bare = rfc_2046 || byte.is_ascii_graphic() && !b";,\"\\".contains(&byte);
            let quoted = !byte.is_ascii_control() && !b"\"\\".contains(&byte);
            for (quote, valid) in [("", bare), ("\"", quoted)] {
                let content_type =
                    [b"multipart/form-data; boundary=", quote.as_bytes(), b"a", &[byte], b"b", quote.as_bytes()];
                // A semicolon ends an unquoted value, and the text after it is not a parameter.
                assert_eq!(FormType::of(&content_type.concat()).is_ok(), valid, "{byte:#x} in {quote:?}");
            }
            assert_eq!(super::Boundary::new(&[b'a', byte, b'b']).is_ok(), quoted, "{byte:#x}");
        }
    }

    #[test]
    fn exactly_one_boundary_is_required() {
        use ParseFormError::{Boundary, ContentType, DuplicateBoundary, MissingBoundary};
        for (content_type, expected) in [
            ("multipart/form-data", MissingBoundary),
            ("multipart/form-data; charset=utf-8", MissingBoundary),
            ("multipart/form-data; x=\"; boundary=a\"", MissingBoundary),
            ("multipart/form-data; boundary=a; boundary=b", DuplicateBoundary),
            ("multipart/form-data; boundary=a; Boundary=a", DuplicateBoundary),
            ("multipart/form-data; boundary=a; boundary*=utf-8''b", DuplicateBoundary),
            ("multipart/form-data; boundary*0=a; boundary*1=b", DuplicateBoundary),
            ("multipart/form-data; boundary=\"\"", Boundary),
            ("multipart/form-data; boundary=\"a \"", Boundary),
            ("multipart/form-data; boundary=a b", Boundary),
            ("multipart/form-data; boundary=a\\b", Boundary),
            ("multipart/form-data; boundary=a@,b", Boundary),
            ("multipart/form-data; boundary=a,multipart/form-data; boundary=a", DuplicateBoundary),
            ("multipart/form-data; boundary=a, text/plain", Boundary),
            ("multipart/form-data; boundary=\"a\tb\"", Boundary),
            ("multipart/form-data; boundary=\"a\u{1}b\"", Boundary),
            ("multipart/form-data; boundary=\"a\\b\"", Boundary),
            ("multipart/form-data; boundary=\u{e9}", Boundary),
            ("multipart/form-data; boundary=", ContentType),
            ("multipart/form-data; boundary", ContentType),
            ("multipart/form-data; boundary =a", ContentType),
            ("multipart/form-data; boundary=\"a", ContentType),
            ("multipart/form-data; boundary=\"a\"b", ContentType),
            ("multipart/form-data; boundary=a; x=b/c", ContentType),
        ] {
            assert_eq!(boundary(content_type), Err(expected), "{content_type}");
        }
    }

    #[test]
    fn boundary_has_1_to_70_bytes() {
        for (length, valid) in [(0, false), (1, true), (70, true), (71, false)] {
            let text = "x".repeat(length);
            assert_eq!(Boundary::new(text.as_bytes()).is_ok(), valid, "{length}");
            assert_eq!(boundary(&format!("multipart/form-data; boundary=\"{text}\"")).is_ok(), valid, "{length}");
        }
    }

    #[test]
    fn form_with_a_content_coding_is_an_error() {
        let of = |fields: &str| FormType::of_headers(&Headers::parse(format!("{fields}\r\n").as_bytes()).unwrap());
        for form in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"] {
            for (codings, accepted) in [
                ("", true),
                ("Content-Encoding:\r\n", true),
                ("content-encoding: Identity\r\n", true),
                ("Content-Encoding: identity, identity\r\nContent-Encoding: ,\r\n", true),
                ("Content-Encoding: gzip\r\n", false),
                ("Content-Encoding: x\r\n", false),
                ("Content-Encoding: identity, gzip\r\n", false),
                ("Content-Encoding: identity\r\nContent-Encoding: br\r\n", false),
            ] {
                let fields = format!("Content-Type: {form}\r\n{codings}");
                let expected =
                    if accepted { FormType::of(form.as_bytes()) } else { Err(ParseFormError::ContentEncoding) };
                assert_eq!(of(&fields), expected, "{fields}");
            }
        }
        for other in ["", "Content-Type: application/json\r\n", "Content-Type:\r\n"] {
            assert_eq!(of(&format!("{other}Content-Encoding: gzip\r\n")), Ok(None), "{other}");
        }
        assert_eq!(ParseFormError::ContentEncoding.status(), 415);
        assert_eq!(ParseFormError::ContentEncoding.accept_encoding(), Some("identity"));
        assert_eq!(ParseFormError::ContentType.accept_encoding(), None);
    }

    #[test]
    fn form_with_several_content_types_is_an_error() {
        let of = |types: &[&str]| {
            let fields: String = types.iter().map(|value| format!("Content-Type: {value}\r\n")).collect();
            FormType::of_headers(&Headers::parse(format!("{fields}\r\n").as_bytes()).unwrap())
        };
        const FORM: &str = "application/x-www-form-urlencoded";
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["a/b", "c/d"]), Ok(None));
        assert_eq!(of(&[FORM]), Ok(Some(FormType::Urlencoded)));
        for types in [&[FORM, FORM][..], &[FORM, "a/b"], &["a/b", FORM], &["a/b", "multipart/form-data"]] {
            assert_eq!(of(types), Err(ParseFormError::ContentType), "{types:?}");
        }
        assert_eq!(of(&["multipart/form-data", "a/b"]), Err(ParseFormError::MissingBoundary));
    }

    #[test]
    fn other_types_are_not_forms() {
        for content_type in ["", "text/plain", "multipart/mixed; boundary=a", "multipart/form-datax; boundary=a"] {
            assert_eq!(FormType::of(content_type.as_bytes()), Ok(None), "{content_type}");
        }
        let urlencoded = b"APPLICATION/x-www-form-urlencoded;;charset";
        assert_eq!(FormType::of(urlencoded), Ok(Some(FormType::Urlencoded)));
    }
}
