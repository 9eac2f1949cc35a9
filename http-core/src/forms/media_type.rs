//! The media type of a request's content.

use super::ParseFormError;
use super::parameters::{self, Parameter};
use crate::Headers;
use crate::wire::grammar;

/// The media type of a request's content (RFC 9110 section 8.3.1), with well-formed parameters.
///
/// ```
/// use httpants_core::Headers;
/// use httpants_core::forms::MediaType;
///
/// let headers = Headers::parse(b"Content-Type: Application/Problem+JSON; charset=\"UTF-8\"\r\n\r\n")?;
/// let media_type = MediaType::of_headers(&headers).unwrap().unwrap();
/// assert!(media_type.is("application/problem+json") && media_type.has_suffix("json"));
/// assert_eq!(media_type.charset(), Some("UTF-8"));
/// # Ok::<(), httpants_core::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaType<'a> {
    /// The type and the subtype.
    essence: &'a str,
    charset: Option<&'a str>,
}

impl<'a> MediaType<'a> {
    /// Parses the Content-Type of a head; returns `None` if it has none.
    ///
    /// # Errors
    /// [`ParseFormError::ContentType`] for a value that does not follow the grammar, and for
    /// several values, because two parsers could use different ones (RFC 9110 section 8.3).
    pub fn of_headers(headers: &'a Headers) -> Result<Option<Self>, ParseFormError> {
        let mut values = headers.all("content-type");
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Self::parse(value).map(Some).ok_or(ParseFormError::ContentType),
            (Some(_), Some(_)) => Err(ParseFormError::ContentType),
        }
    }

    fn parse(value: &'a [u8]) -> Option<Self> {
        let (essence, parameters) = parameters::split(value);
        let slash = essence.iter().position(|&byte| byte == b'/')?;
        let (kind, subtype) = essence.split_at_checked(slash)?;
        if !grammar::is_token(kind) || !grammar::is_token(subtype.get(1..)?) {
            return None;
        }
        let mut charset = None;
        for parameter in parameters {
            let parameter = parameter.ok().filter(Parameter::is_strict)?;
            if parameter.is("charset") && charset.is_none() {
                charset = Some(core::str::from_utf8(parameter.value).ok()?);
            }
        }
        Some(Self { essence: core::str::from_utf8(essence).ok()?, charset })
    }

    /// Returns true if type and subtype are equal to `essence` (`type/subtype`), compared without
    /// case.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence)
    }

    /// Returns true if the subtype ends with `+` and this suffix, compared without case (RFC 6838
    /// section 4.2.8).
    #[must_use]
    pub fn has_suffix(&self, suffix: &str) -> bool {
        self.essence.rsplit_once('+').is_some_and(|(name, known)| {
            known.eq_ignore_ascii_case(suffix) && name.split_once('/').is_some_and(|(_, subtype)| !subtype.is_empty())
        })
    }

    /// Returns the first `charset` parameter as it was sent; `None` if there is none.
    #[must_use]
    pub fn charset(&self) -> Option<&'a str> {
        self.charset
    }
}

/// Returns true if the content has a coding other than `identity` (RFC 9110 section 8.4), so that
/// its bytes are not directly in the format of its media type.
#[must_use]
pub fn has_content_coding(headers: &Headers) -> bool {
    headers.list("content-encoding").any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &str) -> Headers {
        Headers::parse(format!("{fields}\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn media_type_and_charset_are_parsed() {
        for (value, essence, charset) in [
            ("text/plain", "text/plain", None),
            ("TEXT/Plain ;\tCharset=utf-8 ; x=\"a;b\";;", "text/plain", Some("utf-8")),
            ("text/plain;charset=\"ISO-8859-1\";charset=b", "text/plain", Some("ISO-8859-1")),
            ("text/plain; x=\"; charset=no\"", "text/plain", None),
            ("text/plain; charset=\"\"", "text/plain", Some("")),
            ("application/vnd.a+b+json", "application/vnd.a+b+json", None),
        ] {
            let headers = headers(&format!("Content-Type: {value}\r\n"));
            let media_type = MediaType::of_headers(&headers).unwrap().unwrap();
            assert!(media_type.is(essence) && !media_type.is("text/html"), "{value}");
            assert_eq!(media_type.charset(), charset, "{value}");
        }
        assert_eq!(MediaType::of_headers(&headers("")), Ok(None));
    }

    #[test]
    fn invalid_and_repeated_media_types_are_errors() {
        for value in [
            "",
            "text",
            "/",
            "text/",
            "/plain",
            "text/plain/x",
            "text /plain",
            "text/plain, text/html",
            "text/plain; charset",
            "text/plain; charset=",
            "text/plain; charset =a",
            "text/plain; charset=\"a",
            "text/plain; charset=a/b",
            "text/plain; charset=\"\u{e9}\\\"",
            "t\u{e9}xt/plain",
        ] {
            let headers = headers(&format!("Content-Type: {value}\r\n"));
            assert_eq!(MediaType::of_headers(&headers), Err(ParseFormError::ContentType), "{value}");
        }
        let twice = headers("Content-Type: text/plain\r\nContent-Type: text/plain\r\n");
        assert_eq!(MediaType::of_headers(&twice), Err(ParseFormError::ContentType));
    }

    #[test]
    fn suffix_follows_the_last_plus_of_a_subtype() {
        for (essence, expected) in [
            ("application/problem+json", true),
            ("image/a+b+JSON", true),
            ("application/json", false),
            ("application/+json", false),
            ("application/json+xml", false),
            ("a+json/b", false),
            ("a+b/json", false),
        ] {
            let headers = headers(&format!("Content-Type: {essence}\r\n"));
            let media_type = MediaType::of_headers(&headers).unwrap().unwrap();
            assert_eq!(media_type.has_suffix("json"), expected, "{essence}");
        }
    }
}
