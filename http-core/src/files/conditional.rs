//! Evaluation of the preconditions of a request for the current file (RFC 9110 section 13).

use crate::Headers;
use crate::wire::grammar::{is_ows, trim_ows};

use super::date;

/// An `entity-tag`, RFC 9110 section 8.8.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EntityTag<'a> {
    weak: bool,
    /// The opaque tag without its quotes. A backslash is not an escape.
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        Self::split_first(value).filter(|(_, rest)| rest.is_empty()).map(|(tag, _)| tag)
    }

    fn split_first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (weak, quoted) = match bytes {
            [b'W', b'/', quoted @ ..] => (true, quoted),
            quoted => (false, quoted),
        };
        let (b'"', inside) = quoted.split_first()? else { return None };
        let end = inside.iter().position(|&byte| !matches!(byte, 0x21 | 0x23..=0x7e | 0x80..=0xff))?;
        match inside.split_at_checked(end)? {
            (opaque, [b'"', rest @ ..]) => Some((Self { weak, opaque }, rest)),
            _ => None,
        }
    }
}

/// Compares two tags (RFC 9110 section 8.8.3.2).
fn equal_strongly(one: &EntityTag<'_>, other: &EntityTag<'_>) -> bool {
    !one.weak && !other.weak && one.opaque == other.opaque
}

/// Compares two tags (RFC 9110 section 8.8.3.2).
fn equal_weakly(one: &EntityTag<'_>, other: &EntityTag<'_>) -> bool {
    one.opaque == other.opaque
}

/// Returns the tags of one line of a list. Elements that are not a tag are skipped, because they
/// equal none.
fn entity_tags(mut rest: &[u8]) -> impl Iterator<Item = EntityTag<'_>> {
    core::iter::from_fn(move || {
        loop {
            while let [first, tail @ ..] = rest
                && (is_ows(*first) || *first == b',')
            {
                rest = tail;
            }
            if let Some((tag, tail)) = EntityTag::split_first(rest)
                && matches!(trim_ows(tail).first(), None | Some(b','))
            {
                rest = tail;
                return Some(tag);
            }
            rest = rest.get(memchr::memchr(b',', rest)?..)?;
        }
    })
}

/// The validators of the 200 response, with which preconditions are compared. Parsed only if there
/// is a precondition.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Validators<'a> {
    pub(crate) entity_tag: Option<&'a [u8]>,
    pub(crate) last_modified: Option<&'a [u8]>,
}

impl<'a> Validators<'a> {
    fn entity_tag(self) -> Option<EntityTag<'a>> {
        self.entity_tag.and_then(EntityTag::parse)
    }

    /// Returns the date in whole seconds since 1970.
    fn last_modified(self) -> Option<u64> {
        self.last_modified.and_then(date::parse)
    }
}

/// The result of the preconditions of a GET or HEAD request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// All are true: the method is performed.
    True,
    /// The response is 304.
    NotModified,
    /// The response is 412.
    Failed,
}

/// Evaluates steps 1 to 4 of RFC 9110 section 13.2.2, for an existing representation and the method
/// GET or HEAD.
pub(crate) fn evaluate(headers: &Headers, current: Validators<'_>) -> Precondition {
    if headers.contains("if-match") {
        if !names_current(headers, "if-match", current, equal_strongly) {
            return Precondition::Failed;
        }
    } else if let Some((date, modified)) = dates(headers, "if-unmodified-since", current)
        && modified > date
    {
        return Precondition::Failed;
    }
    if headers.contains("if-none-match") {
        if names_current(headers, "if-none-match", current, equal_weakly) {
            return Precondition::NotModified;
        }
    } else if let Some((date, modified)) = dates(headers, "if-modified-since", current)
        && modified <= date
    {
        return Precondition::NotModified;
    }
    Precondition::True
}

/// Evaluates step 5 of RFC 9110 section 13.2.2. Returns true if the Range field applies to the
/// current representation: without If-Range it does; with two If-Range lines it does not, because
/// they are ambiguous.
///
/// A date is a strong validator only if the file cannot change again within that second (section
/// 8.8.2.2), so the second must be over.
pub(crate) fn if_range(headers: &Headers, current: Validators<'_>, wall: u64) -> bool {
    let mut values = headers.all("if-range");
    let value = match (values.next(), values.next()) {
        (None, _) => return true,
        (Some(value), None) => value,
        (Some(_), Some(_)) => return false,
    };
    match EntityTag::parse(value) {
        Some(tag) => current.entity_tag().is_some_and(|current| equal_strongly(&current, &tag)),
        None => date::parse(value).is_some_and(|date| current.last_modified() == Some(date) && date < wall),
    }
}

/// Returns true if If-Match or If-None-Match is `*` or contains a tag that equals the current one.
fn names_current(
    headers: &Headers,
    name: &str,
    current: Validators<'_>,
    equals: impl Fn(&EntityTag<'_>, &EntityTag<'_>) -> bool,
) -> bool {
    let mut elements = headers.list(name);
    if elements.next() == Some(b"*") && elements.next().is_none() {
        return true;
    }
    let Some(current) = current.entity_tag() else { return false };
    headers.all(name).flat_map(entity_tags).any(|tag| equals(&current, &tag))
}

/// Returns the date of the field and that of the representation. `None`, so that the field is
/// ignored, if it is not one valid date or the representation has no date (RFC 9110 sections 13.1.3
/// and 13.1.4).
fn dates(headers: &Headers, name: &str, current: Validators<'_>) -> Option<(u64, u64)> {
    let mut lines = headers.all(name);
    let date = date::parse(lines.next()?)?;
    if lines.next().is_some() {
        return None;
    }
    Some((date, current.last_modified()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_parsed() {
        for (value, weak, opaque) in [
            (&b"\"a\""[..], false, &b"a"[..]),
            (b"W/\"a\"", true, b"a"),
            (b"\"\"", false, b""),
            (br#""a\""#, false, br"a\"),
            (b"\"a,b\"", false, b"a,b"),
            (b"\"\xe9\"", false, b"\xe9"),
        ] {
            assert_eq!(EntityTag::parse(value), Some(EntityTag { weak, opaque }), "{}", value.escape_ascii());
        }
        for bad in ["", "a", "\"", "\"a", "a\"", "w/\"a\"", "W\"a\"", "W/a", "W/", "\"a b\"", "\"a\"b", "'a'", "*"] {
            assert_eq!(EntityTag::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn entity_tag_lists_are_split() {
        for (line, expected) in [
            (r#""a""#, "a"),
            (r#""a","b""#, "a|b"),
            ("\"a\" ,\t W/\"b\"", "a|b"),
            (r#",, "a",,"#, "a"),
            (r#""a,b", "c""#, "a,b|c"),
            (r#""a\", "b""#, r"a\|b"),
            (r#"a, "b""#, "b"),
            (r#""a"x, "b""#, "b"),
            (r#""a""b", "c""#, "c"),
            (r#""a b", "c""#, "c"),
            (r#"*, "c""#, "c"),
            (r#""a", "b"#, "a"),
            ("", ""),
            (",", ""),
        ] {
            let tags: Vec<_> = entity_tags(line.as_bytes()).map(|tag| tag.opaque.escape_ascii().to_string()).collect();
            assert_eq!(tags.join("|").replace(r"\\", r"\"), expected, "{line}");
        }
    }

    /// Tests the table of RFC 9110 section 8.8.3.2.
    #[test]
    fn strong_and_weak_comparison_follow_the_rfc() {
        for (one, other, strongly, weakly) in [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
            (r#""1""#, r#""2""#, false, false),
        ] {
            let one = EntityTag::parse(one.as_bytes()).unwrap();
            let other = EntityTag::parse(other.as_bytes()).unwrap();
            assert_eq!((equal_strongly(&one, &other), equal_weakly(&one, &other)), (strongly, weakly));
            assert_eq!((equal_strongly(&other, &one), equal_weakly(&other, &one)), (strongly, weakly));
        }
    }
}
