//! HTTP dates (RFC 9110 section 5.6.7) as whole seconds since 1970.

use core::fmt::Write;
use std::time::UNIX_EPOCH;

use http::HeaderValue;

use crate::wire::date::http_date;

/// The length of an `IMF-fixdate`.
const LENGTH: usize = 29;

/// The date as an `IMF-fixdate`.
pub(crate) fn format(seconds: u64) -> HeaderValue {
    let mut text = String::with_capacity(LENGTH);
    let _ = write!(text, "{}", http_date(seconds));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// Reads `IMF-fixdate`, `rfc850-date` and `asctime-date`, from 1970 on. `None` for anything
/// else, also for a day that does not exist or has another weekday.
///
/// httpdate takes the two-digit years of `rfc850-date` for 1970 to 2069. None of them is more
/// than 50 years in the future from 2019 on, so section 5.6.7 is met.
pub(crate) fn parse(value: &[u8]) -> Option<u64> {
    let date = httpdate::parse_http_date(core::str::from_utf8(value).ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::date::LAST_SECOND;

    const EXAMPLE: u64 = 784_111_777;

    #[test]
    fn three_formats_are_read() {
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(date.as_bytes()), Some(EXAMPLE), "{date}");
        }
        assert_eq!(parse(b"Wed Nov 16 08:49:37 1994"), Some(EXAMPLE + 10 * 86_400));
        assert_eq!(parse(b"Thursday, 01-Jan-70 00:00:00 GMT"), Some(0));
        assert_eq!(parse(b"Tuesday, 31-Dec-69 23:59:59 GMT"), Some(3_155_759_999));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for bad in [
            &b""[..],
            b"0",
            b"784111777",
            b"Mon, 06 Nov 1994 08:49:37 GMT",
            b"Sun, 06 Nov 1994 08:49:37",
            b"Sun, 06 Nov 1994 08:49:37 UTC",
            b"Sun, 06 Nov 1994 08:49:37 +0000",
            b"Sun, 6 Nov 1994 08:49:37 GMT",
            b"sun, 06 nov 1994 08:49:37 gmt",
            b"Sun, 06 Nov 94 08:49:37 GMT",
            b"Sun, 31 Feb 1994 08:49:37 GMT",
            b"Sun, 06 Nov 1994 24:00:00 GMT",
            b"Sun, 06 Nov 1994 08:60:37 GMT",
            b"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            b"Sunday, 06-Nov-1994 08:49:37 GMT",
            b"Sun Nov 6 08:49:37 1994",
            b"Wed, 31 Dec 1969 23:59:59 GMT",
            b"Sun, 06 Nov 1994 08:49:37 GM\xd4",
        ] {
            assert_eq!(parse(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn every_date_written_is_read_back_and_late_ones_stop_at_the_last_year() {
        for seconds in (0..LAST_SECOND).step_by(987_654_321).chain([0, EXAMPLE, LAST_SECOND]) {
            assert_eq!(parse(format(seconds).as_bytes()), Some(seconds));
        }
        for late in [LAST_SECOND + 1, u64::MAX] {
            assert_eq!(format(late), "Fri, 31 Dec 9999 23:59:59 GMT");
        }
    }

    #[test]
    fn damaged_dates_do_not_panic() {
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Wednesday, 09-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            for at in 0..date.len() {
                for byte in 0..=255 {
                    let mut damaged = date.as_bytes().to_vec();
                    damaged[at] = byte;
                    parse(&damaged);
                    parse(&damaged[..at]);
                    parse(&damaged[at..]);
                }
            }
        }
    }
}
