//! HTTP dates (RFC 9110 section 5.6.7) as whole seconds since 1970.

use core::fmt::Write;
use std::time::UNIX_EPOCH;

use http::HeaderValue;

use crate::wire::date::http_date;

/// The length of an `IMF-fixdate`.
const LENGTH: usize = 29;

/// Formats a date as an `IMF-fixdate`.
pub(crate) fn format(seconds: u64) -> HeaderValue {
    let mut text = String::with_capacity(LENGTH);
    let _ = write!(text, "{}", http_date(seconds));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// Parses `IMF-fixdate`, `rfc850-date` and `asctime-date`, from 1970 on. Returns `None` for
/// anything else, including a day that does not exist or has another weekday.
///
/// httpdate interprets the two-digit years of `rfc850-date` as 1970 to 2069. From 2019 on, none of
/// them is more than 50 years in the future, as section 5.6.7 requires.
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
    fn invalid_dates_are_none() {
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
    fn formatted_dates_parse_and_late_ones_are_clamped_to_9999() {
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
