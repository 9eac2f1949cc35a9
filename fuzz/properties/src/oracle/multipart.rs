//! A parser of complete multipart content (RFC 2046 section 5.1.1).

/// A part: its header section without the empty line, and its content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// The field lines, each with its line end.
    pub header: Vec<u8>,
    /// The content.
    pub content: Vec<u8>,
}

/// The error of malformed content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The content ends before the closing delimiter.
    MissingClose,
    /// A delimiter is followed by too much white space.
    Padding,
}

/// Maximum length of the padding after a boundary, in bytes.
const PADDING: usize = 256;

/// Parses the parts of multipart content with this boundary. Also returns the error at which
/// parsing ended, if any.
#[must_use]
pub fn read(content: &[u8], boundary: &[u8]) -> (Vec<Part>, Option<Fault>) {
    let mut parts = Vec::new();
    if content.is_empty() {
        return (parts, None);
    }
    // A delimiter begins with a line break. At the start of the content and of a part, that is the
    // line break before it.
    let content = [b"\r\n", content].concat();
    let mut rest = &content[..];
    let mut header = None;
    loop {
        let Some((before, delimiter)) = delimiter(rest, boundary) else {
            return (parts, Some(Fault::MissingClose));
        };
        if let Some(header) = header.take() {
            // Without the line break that was prepended.
            let content = rest.get(2..before).unwrap_or_default().to_vec();
            parts.push(Part { header, content });
        }
        match delimiter {
            Err(fault) => {
                parts.pop();
                return (parts, Some(fault));
            }
            Ok((true, _)) => return (parts, None),
            Ok((false, after)) => {
                // Including the line break that ends the delimiter.
                let section = &rest[after - 2..];
                let Some(end) = find(section, b"\r\n\r\n") else { return (parts, Some(Fault::MissingClose)) };
                header = Some(section[2..end + 2].to_vec());
                rest = &section[end + 2..];
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, what)
}

/// The position of the first delimiter; true if it closes the form; and the position of its end.
type Delimiter = (usize, Result<(bool, usize), Fault>);

fn delimiter(bytes: &[u8], boundary: &[u8]) -> Option<Delimiter> {
    let start = [b"\r\n--", boundary].concat();
    let mut from = 0;
    loop {
        let at = from + find(&bytes[from..], &start)?;
        let after = &bytes[at + start.len()..];
        let close = after.starts_with(b"--");
        let after = if close { &after[2..] } else { after };
        let padding = after.iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count();
        if padding > PADDING {
            return Some((at, Err(Fault::Padding)));
        }
        let end = bytes.len() - after.len() + padding;
        match &after[padding..] {
            [b'\r', b'\n', ..] => return Some((at, Ok((close, end + 2)))),
            [b'\n', ..] if close => return Some((at, Ok((close, end + 1)))),
            [] if close => return Some((at, Ok((close, end)))),
            _ => from = at + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_parsed_or_refused() {
        let part = |header: &str, content: &str| Part { header: header.into(), content: content.into() };
        for (content, parts, fault) in [
            ("--b\r\nA: 1\r\n\r\nx\r\n--b--", vec![part("A: 1\r\n", "x")], None),
            ("--b--", vec![], None),
            ("pre\r\n--b \r\n\r\n\r\n--b--\r\npost", vec![part("", "")], None),
            ("--b\r\n\r\n--b--", vec![part("", "")], None),
            ("--b\r\n\r\n\r\n--bx\r\n--b\r\n\r\ny\r\n--b--", vec![part("", "\r\n--bx"), part("", "y")], None),
            ("", vec![], None),
            ("--b--\npost", vec![], None),
            ("--b\r\n\r\nx\r\n--b-- \n", vec![part("", "x")], None),
            ("--b\n\r\nx\r\n--b--", vec![], None),
            ("x--b--", vec![], Some(Fault::MissingClose)),
            ("--b\r\n\r\nx\r\n--b", vec![], Some(Fault::MissingClose)),
            ("--b--\r", vec![], Some(Fault::MissingClose)),
        ] {
            assert_eq!(read(content.as_bytes(), b"b"), (parts, fault), "{content:?}");
        }
    }
}
