//! The events of the application, as comparable text.

use bytes::Bytes;
use httpants_core::{CloseReason, Headers, Misuse, RequestHead};

use crate::text;

/// The events of one exchange in order. Adjacent pieces of a body are one line.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: Vec<String>,
    data: Vec<u8>,
}

impl Log {
    /// Logs a request: its line, the properties that differ because of the form of its target, and
    /// its fields as sent.
    pub fn request(&mut self, request: &RequestHead) {
        let (method, target) = (escape(request.method().as_str()), escape(request.target()));
        self.line(format!("request {method} {target} {}", request.protocol()));
        if request.url() != request.target() {
            self.line(format!("url {}", escape(request.url())));
        }
        if request.host().as_bytes() != request.headers().get("host").unwrap_or_default() {
            self.line(format!("host {}", escape(request.host())));
        }
        self.fields(request.headers());
    }

    /// Logs a piece of the body.
    pub fn data(&mut self, piece: &Bytes) {
        self.data.extend_from_slice(piece);
    }

    /// Logs the end of a request, with its trailers.
    pub fn end(&mut self, trailers: &Headers) {
        self.line("end".into());
        self.fields(trailers);
    }

    /// Logs a refused call.
    pub fn misuse(&mut self, misuse: &Misuse) {
        self.line(format!("misuse: {misuse:?}"));
    }

    /// Logs the end of the connection.
    pub fn closed(&mut self, reason: CloseReason) {
        self.line(match reason {
            CloseReason::Finished => "closed finished".into(),
            CloseReason::PeerClosed => "closed peer closed".into(),
            CloseReason::Truncated => "closed truncated".into(),
            CloseReason::Refused(fault) => format!("closed refused: {fault:?}"),
            CloseReason::TimedOut(timer) => format!("closed timed out: {timer}"),
            CloseReason::Shutdown => "closed shutdown".into(),
            CloseReason::Aborted => "closed aborted".into(),
            CloseReason::IoError => "closed io error".into(),
            other => format!("closed {other:?}"),
        });
    }

    /// Logs any other line.
    pub fn line(&mut self, line: String) {
        self.flush();
        self.lines.push(line);
    }

    /// Returns all lines, with repeated ones counted.
    #[must_use]
    pub fn finish(mut self) -> Vec<String> {
        self.flush();
        let runs = self.lines.chunk_by(|a, b| a == b);
        runs.flat_map(|run| match run {
            [line, _, _, _, ..] => vec![format!("{{* {}}}{line}", run.len())],
            few => few.to_vec(),
        })
        .collect()
    }

    fn fields(&mut self, headers: &Headers) {
        for (name, value) in headers.iter_raw() {
            let value = text::escape(value, false);
            self.line(format!("  {name}: {value}").trim_end().to_owned());
        }
    }

    fn flush(&mut self) {
        if !self.data.is_empty() {
            self.lines.push(format!("data \"{}\"", text::escape(&self.data, true)));
            self.data.clear();
        }
    }
}

fn escape(text: &str) -> String {
    text::escape(text.as_bytes(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_repeated_lines_are_merged() {
        let mut log = Log::default();
        log.data(&Bytes::from_static(b"he"));
        log.data(&Bytes::from_static(b"llo\r\n\""));
        log.end(&Headers::parse("A: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nB:\r\n\r\n".as_bytes()).unwrap());
        log.closed(CloseReason::Finished);
        assert_eq!(log.finish(), ["data \"hello\\r\\n\\\"\"", "end", "{* 4}  A: 1", "  B:", "closed finished"]);
    }
}
