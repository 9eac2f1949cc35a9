//! The inputs of a connection, in order.

use std::time::Duration;

use crate::text;

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The peer sends bytes.
    Bytes(Vec<u8>),
    /// Time passes; expired deadlines are handled.
    Wait(Duration),
    /// The peer ends its stream.
    Eof,
    /// The transport reports the end of the stream, after all that the peer has sent, which may not
    /// have been read.
    PeerClosed,
    /// An application waiting at `hold` continues.
    Go,
    /// The transport accepts no more bytes.
    Block,
    /// The transport accepts bytes again.
    Unblock,
    /// The server shuts down.
    Shutdown,
    /// The transport fails.
    IoError,
}

/// Parses the lines of an input block.
///
/// # Errors
/// Returns an error with the line.
pub fn parse(lines: &[&str]) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for line in lines {
        if let Some(step) = directive(line)? {
            steps.push(step);
            continue;
        }
        if line.ends_with([' ', '\t']) {
            return Err(format!("white space at the end of a line is written \\x20 or \\t: {line}"));
        }
        let bytes = text::unescape(line)?;
        match steps.last_mut() {
            Some(Step::Bytes(before)) => before.extend(bytes),
            _ => steps.push(Step::Bytes(bytes)),
        }
    }
    Ok(steps)
}

fn directive(line: &str) -> Result<Option<Step>, String> {
    let inner = line.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let Some(inner) = inner.filter(|inner| !inner.starts_with('"')) else {
        return Ok(None);
    };
    Ok(Some(match inner {
        "eof" => Step::Eof,
        "peer closed" => Step::PeerClosed,
        "go" => Step::Go,
        "block" => Step::Block,
        "unblock" => Step::Unblock,
        "shutdown" => Step::Shutdown,
        "io error" => Step::IoError,
        _ => match inner.strip_prefix("wait ").map(duration) {
            Some(Some(time)) => Step::Wait(time),
            _ => return Err(format!("an unknown directive: {line}")),
        },
    }))
}

/// Parses `15 s` or `15 ms`, with or without the space.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return number.trim().parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s')?.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the total number of bytes that the peer sends.
#[must_use]
pub fn length(steps: &[Step]) -> usize {
    steps.iter().map(|step| if let Step::Bytes(bytes) = step { bytes.len() } else { 0 }).sum()
}

/// Returns the total time.
#[must_use]
pub fn elapsed(steps: &[Step]) -> Duration {
    steps.iter().map(|step| if let Step::Wait(time) = step { *time } else { Duration::ZERO }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_directives_are_parsed() {
        let steps = parse(&[r"a\r\n", "b", "{wait 15 s}", "{c}d", "{eof}"]).unwrap();
        let expected = [
            Step::Bytes(b"a\r\nb".to_vec()),
            Step::Wait(Duration::from_secs(15)),
            Step::Bytes(b"{c}d".to_vec()),
            Step::Eof,
        ];
        assert_eq!(steps, expected);
        assert_eq!((length(&steps), elapsed(&steps)), (8, Duration::from_secs(15)));
        assert_eq!(duration("14999 ms"), Some(Duration::from_millis(14_999)));
    }

    #[test]
    fn invalid_input_is_an_error() {
        for line in ["{eoff}", "{wait}", "{wait x s}", "a ", "b\t"] {
            assert!(parse(&[line]).is_err(), "{line}");
        }
    }
}
