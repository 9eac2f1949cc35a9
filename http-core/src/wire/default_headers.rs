//! The field lines that the core adds to nearly every response: Server and Date.

use core::fmt::Write;

use crate::wire::date::{LAST_SECOND, UnixTime, http_date};
use crate::wire::response_framing::ReservedFields;

/// The lines of Server and Date, formatted once a second and copied together, because writing them
/// is most of the cost of a response head.
#[derive(Debug, Default)]
pub(crate) struct DefaultHeaders {
    second: Option<u64>,
    lines: String,
    /// Offset of the Date line, which follows the Server line if there is one.
    date_at: usize,
}

impl DefaultHeaders {
    /// Creates a value without lines, but with capacity for them. The storage lives as long as the
    /// connection; if it were allocated during the first response, it would fragment the memory
    /// that is freed after that response.
    pub(crate) fn with_room_for(server: Option<&str>) -> Self {
        const DATE_LINE: usize = 37;
        let room = server.map_or(0, |server| server.len() + 10) + DATE_LINE;
        Self { lines: String::with_capacity(room), ..Self::default() }
    }

    /// Formats the lines for this time unless they already are (RFC 9110 section 6.6.1 for Date,
    /// 10.2.4 for Server).
    pub(crate) fn at(&mut self, wall: UnixTime, server: Option<&str>) -> &Self {
        let second = wall.as_secs().min(LAST_SECOND);
        if self.second != Some(second) {
            self.second = Some(second);
            self.format(second, server);
        }
        self
    }

    #[cold]
    fn format(&mut self, second: u64, server: Option<&str>) {
        self.lines.clear();
        if let Some(server) = server {
            self.lines.extend(["Server: ", server, "\r\n"]);
        }
        self.date_at = self.lines.len();
        let date = http_date(second);
        // Writing to a String does not fail.
        let _ = write!(self.lines, "Date: {date}\r\n");
    }

    /// Returns the lines of those fields that the application has not set itself.
    pub(crate) fn without(&self, reserved: &ReservedFields) -> &[u8] {
        let lines = match (reserved.server, reserved.date) {
            (false, false) => self.lines.as_str(),
            (false, true) => self.lines.get(..self.date_at).unwrap_or_default(),
            (true, false) => self.lines.get(self.date_at..).unwrap_or_default(),
            (true, true) => "",
        };
        lines.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(default_headers: &DefaultHeaders, server: bool, date: bool) -> String {
        let lines = default_headers.without(&ReservedFields { server, date, ..ReservedFields::default() });
        String::from_utf8(lines.to_vec()).unwrap()
    }

    #[test]
    fn date_line_follows_the_clock() {
        let mut default_headers = DefaultHeaders::default();
        for (second, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1, "Thu, 01 Jan 1970 00:00:01 GMT"),
            (1_795_352_400, "Sun, 22 Nov 2026 13:00:00 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let default_headers = default_headers.at(UnixTime::from_secs(second), None);
            assert_eq!(written(default_headers, false, false), format!("Date: {date}\r\n"));
        }
    }

    #[test]
    fn fields_of_the_application_replace_the_defaults() {
        let mut default_headers = DefaultHeaders::default();
        let default_headers = default_headers.at(UnixTime::from_secs(0), Some("x"));
        let date = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
        assert_eq!(written(default_headers, false, false), format!("Server: x\r\n{date}"));
        assert_eq!(written(default_headers, true, false), date);
        assert_eq!(written(default_headers, false, true), "Server: x\r\n");
        assert_eq!(written(default_headers, true, true), "");
    }

    #[test]
    fn capacity_is_that_of_both_lines() {
        for server in [None, Some("x"), Some("a longer name")] {
            let mut default_headers = DefaultHeaders::with_room_for(server);
            let room = default_headers.lines.capacity();
            assert_eq!(default_headers.at(UnixTime::from_secs(0), server).lines.len(), room);
        }
    }
}
