//! The character classes and small grammar rules of RFC 9110 and RFC 9112.

/// Returns true for a `tchar`, RFC 9110 section 5.6.2.
pub(crate) const fn is_tchar(byte: u8) -> bool {
    matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// A set of bytes as a table, for loops in which one look-up per byte is significant.
pub(crate) struct ByteSet(pub(crate) [bool; 256]);

impl ByteSet {
    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)) == Some(&true)
    }

    /// Splits after the leading bytes that are in the set.
    #[inline]
    pub(crate) fn split<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let mut rest = bytes;
        // The compiler unrolls the search in a group of known size.
        while let Some((group, tail)) = rest.split_first_chunk::<8>() {
            match group.iter().position(|&byte| !self.contains(byte)) {
                None => rest = tail,
                Some(at) => return bytes.split_at_checked(bytes.len() - rest.len() + at).unwrap_or((bytes, &[])),
            }
        }
        let end = rest.iter().position(|&byte| !self.contains(byte)).unwrap_or(rest.len());
        bytes.split_at_checked(bytes.len() - rest.len() + end).unwrap_or((bytes, &[]))
    }
}

/// Creates the set of the bytes for which a predicate holds.
macro_rules! byte_set {
    ($predicate:expr) => {{
        #[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
        const fn table() -> [bool; 256] {
            let mut table = [false; 256];
            let mut byte = 0;
            while byte < table.len() {
                table[byte] = $predicate(byte as u8);
                byte += 1;
            }
            table
        }
        $crate::wire::grammar::ByteSet(table())
    }};
}
pub(crate) use byte_set;

/// Returns true for `token = 1*tchar`, RFC 9110 section 5.6.2.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_tchar(b))
}

/// Returns true for the bytes of a field value: `field-vchar`, SP and HTAB, RFC 9110 section 5.5.
pub(crate) const fn is_field_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..=0xff)
}

/// Returns true for a byte of `OWS = *( SP / HTAB )`, RFC 9110 section 5.6.3.
pub(crate) const fn is_ows(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Removes OWS from both sides, but not VT, FF, 0x85 or 0xA0, which other definitions of white
/// space include.
pub(crate) fn trim_ows(bytes: &[u8]) -> &[u8] {
    trim_ows_end(trim_ows_start(bytes))
}

/// Removes OWS from the left side only.
pub(crate) fn trim_ows_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_ows(*first)
    {
        bytes = rest;
    }
    bytes
}

/// Removes OWS from the right side only.
pub(crate) fn trim_ows_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && is_ows(*last)
    {
        bytes = rest;
    }
    bytes
}

/// Returns the elements of one line of a `#rule` list as a recipient must parse it (RFC 9110
/// section 5.6.1.2): empty elements are skipped. A comma inside a quoted string is not a separator.
pub(crate) fn list_elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    split_unquoted(line, b',').map(trim_ows).filter(|element| !element.is_empty())
}

/// Splits at each separator outside quoted strings (RFC 9110 section 5.6.4).
pub(crate) fn split_unquoted(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    core::iter::from_fn(move || {
        let line = rest?;
        let mut quoted = false;
        let mut escaped = false;
        let end = line.iter().position(|&byte| {
            if escaped {
                escaped = false;
            } else if quoted && byte == b'\\' {
                escaped = true;
            } else if byte == b'"' {
                quoted = !quoted;
            } else {
                return byte == separator && !quoted;
            }
            false
        });
        match end.and_then(|end| line.split_at_checked(end)) {
            Some((element, tail)) => {
                rest = tail.get(1..);
                Some(element)
            }
            None => {
                rest = None;
                Some(line)
            }
        }
    })
}

/// Returns true if two bytes are the hexadecimal digits of an octet, as after `%` (RFC 3986 section
/// 2.1). If they are not, decoders of text keep the `%` unchanged; hosts, paths of files and values
/// in RFC 8187 notation are refused.
#[inline]
pub(crate) fn is_octet(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

/// Returns the octet of two hexadecimal digits.
pub(crate) fn octet(high: u8, low: u8) -> u8 {
    let value = |digit: u8| (digit & 0xf) + if digit.is_ascii_digit() { 0 } else { 9 };
    value(high) << 4 | value(low)
}

/// Parses `1*DIGIT`; returns `None` for anything else and for numbers of more than 64 bits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_space_and_tab_are_trimmed() {
        assert_eq!(trim_ows(b"\t a b \t"), b"a b");
        for byte in [0x0bu8, 0x0c, 0x85, 0xa0, b'\r', b'\n'] {
            assert_eq!(trim_ows(&[byte, b'x', byte]), [byte, b'x', byte]);
        }
        assert_eq!(trim_ows(b" \t"), b"");
    }

    /// Tests sets inside the groups and after them.
    #[test]
    fn byte_set_finds_the_end_at_every_position() {
        static LETTERS: ByteSet = byte_set!(is_lower);
        const fn is_lower(byte: u8) -> bool {
            byte.is_ascii_lowercase()
        }
        let letters = [b'a'; 30];
        for (length, place) in (0..=30).flat_map(|length| (0..=length).map(move |place| (length, place))) {
            let mut text = letters[..length].to_vec();
            text.iter_mut().skip(place).for_each(|byte| *byte = b':');
            assert_eq!(LETTERS.split(&text), text.split_at(place), "{place} of {length}");
        }
    }

    #[test]
    fn decimals_are_parsed() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"000000000000000000000000000012"), Some(12));
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b"18446744073709551616"[..], b"", b"+1", b"-1", b"1 ", b"0x1", b"1,1", b"\xd9\xa1"] {
            assert_eq!(decimal(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn backslash_escapes_only_inside_quotes() {
        let split = |line: &'static [u8]| split_unquoted(line, b';').collect::<Vec<_>>();
        assert_eq!(split(br#"a;"b;\";c";d"#), [&b"a"[..], br#""b;\";c""#, b"d"]);
        assert_eq!(split(br"a\;b"), [&br"a\"[..], b"b"]);
        assert_eq!(split(b""), [b""]);
        assert_eq!(split(b";"), [b"", b""]);
    }
}
