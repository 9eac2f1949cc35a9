//! Escaping of network input for logs.

use std::fmt;

/// Bytes that are displayed on one line, without characters that a terminal, a quoted string or a
/// log parser could misinterpret: `"`, `\` and everything except printable ASCII become `\xHH`, as
/// in nginx.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in self.0.chunk_by(|before, after| is_plain(*before) && is_plain(*after)) {
            match std::str::from_utf8(run) {
                Ok(text) if run.iter().all(|byte| is_plain(*byte)) => f.write_str(text)?,
                _ => run.iter().try_for_each(|byte| write!(f, "\\x{byte:02X}"))?,
            }
        }
        Ok(())
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_printable_ascii_is_unescaped() {
        for (given, written) in [
            (&b""[..], ""),
            (b"GET /a?b=c d~", "GET /a?b=c d~"),
            (b"a\"b\\c", r"a\x22b\x5Cc"),
            (b"\r\n\x1b[31m\x00\x7f", r"\x0D\x0A\x1B[31m\x00\x7F"),
            ("\u{e9}\u{202e}\u{9b}".as_bytes(), r"\xC3\xA9\xE2\x80\xAE\xC2\x9B"),
            (b"\xff\xfe", r"\xFF\xFE"),
        ] {
            assert_eq!(Escaped(given).to_string(), written);
        }
    }
}
