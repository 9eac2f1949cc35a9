//! The parameters behind a media type or a disposition type (RFC 9110 section 5.6.6, RFC 2183).

use crate::wire::grammar::{is_tchar, is_token, split_unquoted, trim_ows};

/// `name "=" ( token / quoted-string )`, with the value as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    name: &'a [u8],
    /// Without the quotes around it; escapes are still there.
    pub(super) value: &'a [u8],
    pub(super) quoted: bool,
}

/// The element between two semicolons is no parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Splits `type *( OWS ";" OWS [ parameter ] )`. The type is not checked.
pub(super) fn split(value: &[u8]) -> (&[u8], impl Iterator<Item = Result<Parameter<'_>, Malformed>>) {
    let mut elements = split_unquoted(value, b';').map(trim_ows);
    let kind = elements.next().unwrap_or_default();
    (kind, elements.filter(|element| !element.is_empty()).map(Parameter::parse))
}

impl<'a> Parameter<'a> {
    fn parse(element: &'a [u8]) -> Result<Self, Malformed> {
        let end = element.iter().position(|&byte| !is_tchar(byte)).ok_or(Malformed)?;
        match element.split_at_checked(end) {
            Some((name @ [_, ..], [b'=', b'"', value @ .., b'"'])) if is_quoted_text(value) => {
                Ok(Self { name, value, quoted: true })
            }
            Some((name @ [_, ..], [b'=', value @ ..])) if !value.is_empty() && !value.contains(&b'"') => {
                Ok(Self { name, value, quoted: false })
            }
            _ => Err(Malformed),
        }
    }

    /// Whether this is the parameter of that name, compared without case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Whether this is a piece or an encoded form of the parameter of that name: `name*`,
    /// `name*0` (RFC 2231).
    pub(super) fn is_extended(&self, name: &str) -> bool {
        self.name
            .split_at_checked(name.len())
            .is_some_and(|(head, tail)| head.eq_ignore_ascii_case(name.as_bytes()) && tail.first() == Some(&b'*'))
    }

    /// Whether the value keeps to the grammar: quoted, or a token.
    pub(super) fn is_strict(&self) -> bool {
        self.quoted || is_token(self.value)
    }
}

/// Whether the quotes around this text are the outermost ones: no quote and no end inside
/// that a backslash does not account for.
fn is_quoted_text(text: &[u8]) -> bool {
    let mut escaped = false;
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return false,
            _ => {}
        }
    }
    !escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(value: &'static str) -> Result<Vec<(String, String, bool)>, Malformed> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        split(value.as_bytes()).1.map(|p| p.map(|p| (text(p.name), text(p.value), p.quoted))).collect()
    }

    #[test]
    fn parameters() {
        assert_eq!(split(b"form-data ; a=b").0, b"form-data");
        assert_eq!(values("t"), Ok(vec![]));
        assert_eq!(values("t;; ;\t;"), Ok(vec![]));
        let expected = vec![
            ("A".to_string(), "x".to_string(), false),
            ("b".to_string(), "1;\\\"2".to_string(), true),
            ("c".to_string(), String::new(), true),
            ("d".to_string(), "e=f:/".to_string(), false),
        ];
        assert_eq!(values("t;A=x\t; b=\"1;\\\"2\" ;c=\"\"; d=e=f:/;"), Ok(expected));
    }

    #[test]
    fn malformed() {
        for bad in [
            "t; a",
            "t; a=",
            "t; =b",
            "t; a =b",
            "t; a= \"b",
            "t; a=\"b",
            "t; a=\"b\\\"",
            "t; a=\"b\"c",
            "t; a=\"b\"c\"",
            "t; a=b\"c\"",
            "t; a=\"",
            "t; \"a\"=b",
            "t; \u{e9}=b",
        ] {
            assert_eq!(values(bad), Err(Malformed), "{bad}");
        }
    }

    #[test]
    fn strict_values_are_tokens_or_quoted() {
        let strict = |element: &'static str| Parameter::parse(element.as_bytes()).unwrap().is_strict();
        assert!(strict("a=b.txt") && strict("a=\"b c/\u{e9}\""));
        assert!(!strict("a=b c") && !strict("a=b/c") && !strict("a=\u{e9}"));
    }
}
