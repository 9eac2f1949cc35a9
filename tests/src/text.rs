//! Bytes as readable text.

/// Runs of at least this many equal bytes are shown as `{"a" * 32}`.
const RUN: usize = 32;
/// Maximum length of one repetition; more is a mistake in a fixture.
const MAX_LENGTH: usize = 1 << 24;

/// Returns the bytes of one displayed line: escapes and `{"a" * 8192}` are resolved.
///
/// # Errors
/// Returns an error for a malformed line.
pub fn unescape(line: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("{\"") {
            let inner = rest.strip_prefix('{').unwrap_or(rest);
            let (repeated, tail) = repetition(inner)?;
            bytes.extend(repeated);
            rest = tail.strip_prefix('}').ok_or("a repetition is {\"text\" * number}")?;
        } else if first == '\\' {
            let (byte, tail) = escape_sequence(rest)?;
            bytes.push(byte);
            rest = tail;
        } else {
            let (plain, tail) = rest.split_at(first.len_utf8());
            bytes.extend_from_slice(plain.as_bytes());
            rest = tail;
        }
    }
    Ok(bytes)
}

/// Parses `"text"` or `"text" * number` at the start; returns the rest, too.
///
/// # Errors
/// Returns an error for malformed text.
pub fn repetition(text: &str) -> Result<(Vec<u8>, &str), String> {
    let (piece, tail) = quoted(text)?;
    let Some(number) = tail.trim_start().strip_prefix('*') else {
        return Ok((piece, tail));
    };
    let number = number.trim_start();
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    let (number, tail) = number.split_at(digits);
    let times: usize = number.parse().map_err(|_| "a repetition is {\"text\" * number}".to_owned())?;
    if piece.len().saturating_mul(times) > MAX_LENGTH {
        return Err("a repetition is too long".into());
    }
    Ok((piece.repeat(times), tail))
}

/// Parses a quoted string at the start; returns the rest, too.
///
/// # Errors
/// Returns an error for malformed text.
pub fn quoted(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut rest = text.strip_prefix('"').ok_or_else(|| format!("expected quoted text: {text}"))?;
    let mut bytes = Vec::new();
    loop {
        match rest.chars().next() {
            None => return Err(format!("unterminated quoted text: {text}")),
            Some('"') => return Ok((bytes, rest.strip_prefix('"').unwrap_or(rest))),
            Some('\\') => {
                let (byte, tail) = escape_sequence(rest)?;
                bytes.push(byte);
                rest = tail;
            }
            Some(other) => {
                let (plain, tail) = rest.split_at(other.len_utf8());
                bytes.extend_from_slice(plain.as_bytes());
                rest = tail;
            }
        }
    }
}

fn escape_sequence(text: &str) -> Result<(u8, &str), String> {
    let wrong = || format!("an unknown escape: {}", text.chars().take(4).collect::<String>());
    let mut chars = text.chars();
    chars.next();
    let byte = match chars.next().ok_or_else(wrong)? {
        'r' => b'\r',
        'n' => b'\n',
        't' => b'\t',
        '0' => 0,
        '\\' => b'\\',
        '"' => b'"',
        'x' => {
            let digits: String = chars.by_ref().take(2).collect();
            u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2).ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    Ok((byte, chars.as_str()))
}

/// Returns the text for bytes, the inverse of [`unescape`]. With `quotes`, `"` is escaped too.
#[must_use]
pub fn escape(bytes: &[u8], quotes: bool) -> String {
    let mut text = String::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        let Some(&byte) = run.first() else { continue };
        let long = run.len() >= RUN;
        let shown = show(byte, quotes || long);
        if long {
            text.push_str(&format!("{{\"{shown}\" * {}}}", run.len()));
        } else {
            run.iter().for_each(|_| text.push_str(&shown));
        }
    }
    text
}

fn show(byte: u8, quotes: bool) -> String {
    match byte {
        b'\r' => "\\r".into(),
        b'\n' => "\\n".into(),
        b'\t' => "\\t".into(),
        0 => "\\0".into(),
        b'\\' => "\\\\".into(),
        b'"' if quotes => "\\\"".into(),
        b' '..=b'~' => char::from(byte).into(),
        _ => format!("\\x{byte:02x}"),
    }
}

/// Returns the text for a message, with one line per line on the wire.
#[must_use]
pub fn display(bytes: &[u8]) -> String {
    let lines: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').map(|line| escape(line, false)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_round_trip() {
        for (line, bytes) in [
            (r"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n".to_vec()),
            (r"\0\t\\\x7f\xff", vec![0, b'\t', b'\\', 0x7f, 0xff]),
            (r#"a{"b" * 40}c"#, [b"a", "b".repeat(40).as_bytes(), b"c"].concat()),
            (r#"{"\"" * 32}'{}"#, ["\"".repeat(32).as_bytes(), b"'{}"].concat()),
        ] {
            assert_eq!(unescape(line).unwrap(), bytes);
            assert_eq!(escape(&bytes, false), line);
        }
        assert_eq!(unescape(r#"{"ab" * 2}x"#).unwrap(), b"ababx");
        assert_eq!(escape(b"\"", true), r#"\""#);
    }

    #[test]
    fn invalid_input_is_an_error() {
        for line in [r"\q", r"\x4", "\\", r#"{"a" * }"#, r#"{"a" * 2"#, r#"{"a"#, r#"{"a" * 999999999999}"#] {
            assert!(unescape(line).is_err(), "{line}");
        }
    }
}
