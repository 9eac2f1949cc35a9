//! The parser of the parameters of a media type or a disposition type (RFC 9110 section 5.6.6, RFC
//! 2183).

use core::iter::from_fn;

use memchr::{memchr, memchr_iter};

use crate::wire::fields::TCHAR;
use crate::wire::grammar::{is_tchar, is_token, split_unquoted, trim_ows, trim_ows_end, trim_ows_start};

/// A parameter: `name "=" ( token / quoted-string )`, with the value as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    name: &'a [u8],
    /// The value without the surrounding quotes; escapes are not decoded.
    pub(super) value: &'a [u8],
    pub(super) quoted: bool,
}

/// The error of an element between two semicolons that is not a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Splits `type *( OWS ";" OWS [ parameter ] )`. The type is not checked.
pub(super) fn split(value: &[u8]) -> (&[u8], impl Iterator<Item = Result<Parameter<'_>, Malformed>>) {
    let mut elements = split_unquoted(value, b';').map(trim_ows);
    let kind = elements.next().unwrap_or_default();
    (kind, elements.filter(|element| !element.is_empty()).map(Parameter::parse))
}

/// Splits like [`split`], for the Content-Disposition of a part as browsers send it (WHATWG HTML,
/// "multipart/form-data encoding algorithm"). In a quoted value browsers escape only `"`, CR and
/// LF, as percent sequences, so a backslash is not an escape and may be the last character. A quote
/// ends the value only if OWS and `;` or the end of the field follow. A value without quotes is a
/// token.
pub(super) fn split_form_data(value: &[u8]) -> (&[u8], impl Iterator<Item = Result<Parameter<'_>, Malformed>>) {
    let (kind, mut rest) = split_at_semicolon(value);
    let parameters = from_fn(move || {
        while let [b';', tail @ ..] = rest {
            rest = trim_ows_start(tail);
            if !matches!(rest, [] | [b';', ..]) {
                let parameter = Parameter::split_off(rest);
                rest = parameter.map_or_else(|_| Default::default(), |(_, rest)| rest);
                return Some(parameter.map(|(parameter, _)| parameter));
            }
        }
        None
    });
    (trim_ows(kind), parameters)
}

/// Splits before the first semicolon.
fn split_at_semicolon(bytes: &[u8]) -> (&[u8], &[u8]) {
    memchr(b';', bytes).and_then(|at| bytes.split_at_checked(at)).unwrap_or((bytes, &[]))
}

/// Splits the text after an opening quote at the closing quote. The rest is empty or begins with a
/// semicolon.
fn split_at_quote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr_iter(b'"', text).find_map(|at| {
        let (value, rest) = text.split_at_checked(at)?;
        let rest = trim_ows_start(rest.get(1..)?);
        matches!(rest, [] | [b';', ..]).then_some((value, rest))
    })
}

impl<'a> Parameter<'a> {
    /// Parses a parameter at the start. The rest is empty or begins with a semicolon.
    fn split_off(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        match TCHAR.split(bytes) {
            (name @ [_, ..], [b'=', b'"', text @ ..]) => {
                let (value, rest) = split_at_quote(text).ok_or(Malformed)?;
                Ok((Self { name, value, quoted: true }, rest))
            }
            (name @ [_, ..], [b'=', text @ ..]) => {
                let (value, rest) = split_at_semicolon(text);
                let value = trim_ows_end(value);
                if is_token(value) { Ok((Self { name, value, quoted: false }, rest)) } else { Err(Malformed) }
            }
            _ => Err(Malformed),
        }
    }

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

    /// Returns true if the parameter has this name, compared without case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Returns true if this is a piece or an encoded form of the parameter with this name: `name*`,
    /// `name*0` (RFC 2231).
    pub(super) fn is_extended(&self, name: &str) -> bool {
        self.name
            .split_at_checked(name.len())
            .is_some_and(|(head, tail)| head.eq_ignore_ascii_case(name.as_bytes()) && tail.first() == Some(&b'*'))
    }

    /// Returns true if the value follows the grammar: quoted, or a token.
    pub(super) fn is_strict(&self) -> bool {
        self.quoted || is_token(self.value)
    }
}

/// Returns true if this is the text of one quoted string: each quote in it is escaped by a
/// backslash, and the last backslash is not an unfinished escape.
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
    fn extended_names_follow_rfc_2231() {
        let is_extended = |name: &str| {
            let line = format!("t;{name}=x");
            split(line.as_bytes()).1.next().unwrap().unwrap().is_extended("boundary")
        };
        for name in ["boundary*", "BOUNDARY*", "boundary*0", "boundary*0*"] {
            assert!(is_extended(name), "{name}");
        }
        for name in ["boundary", "boundaryx", "boundary0*", "xoundary*", "b*", "boundar*"] {
            assert!(!is_extended(name), "{name}");
        }
    }

    #[test]
    fn parameters_are_split() {
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
    fn form_data_parameters_are_split_as_browsers_write_them() {
        assert_eq!(split_form_data(b"form-data\t; a=b").0, b"form-data");
        for (value, expected) in [
            ("t", &[][..]),
            ("t;; ;\t;", &[]),
            ("t; a=x ;b=\"1;2\"\t;c=\"\" ; ", &[("a", "x"), ("b", "1;2"), ("c", "")]),
            (r#"t; a="x\"; b="y""#, &[("a", r"x\"), ("b", "y")]),
            (r#"t; a="x\"y" ;b="\"#, &[("a", r#"x\"y"#), ("malformed", "")]),
            (r#"t; a="x" y" ;b=""""#, &[("a", r#"x" y"#), ("b", "\"")]),
            ("t; a=\"x", &[("malformed", "")]),
            ("t; a=\"x\"y; b=c", &[("malformed", "")]),
            ("t; a=x\"; b=c\"", &[("malformed", "")]),
            ("t; a=x y; b=c", &[("malformed", "")]),
            ("t; a = x", &[("malformed", "")]),
            ("t; =x", &[("malformed", "")]),
            ("t; a=", &[("malformed", "")]),
            ("t; a", &[("malformed", "")]),
        ] {
            let text = |bytes: &'static [u8]| core::str::from_utf8(bytes).unwrap();
            let pair =
                |p: Result<Parameter<'static>, _>| p.map_or(("malformed", ""), |p| (text(p.name), text(p.value)));
            assert_eq!(split_form_data(value.as_bytes()).1.map(pair).collect::<Vec<_>>(), expected, "{value}");
        }
    }

    #[test]
    fn malformed_parameters_are_errors() {
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
    fn strict_values_are_tokens_or_quoted_strings() {
        let strict = |element: &'static str| Parameter::parse(element.as_bytes()).unwrap().is_strict();
        assert!(strict("a=b.txt") && strict("a=\"b c/\u{e9}\""));
        assert!(!strict("a=b c") && !strict("a=b/c") && !strict("a=\u{e9}"));
    }
}
