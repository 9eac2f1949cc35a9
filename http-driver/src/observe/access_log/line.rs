//! One line, in the format of Apache's `mod_log_config`.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use httpants_core::{CloseReason, Request, UnixTime};

use crate::observe::escaped::Escaped;

/// What is known of an answer when it has left, or never will.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// `None` where what came was no request.
    pub(super) request: Option<&'a Request>,
    pub(super) remote_ip: Option<IpAddr>,
    /// When the head was received.
    pub(super) received: UnixTime,
    /// `None` where no answer was begun.
    pub(super) status: Option<StatusCode>,
    /// Bytes of content that have left.
    pub(super) bytes: u64,
    /// Whether all of the answer has left.
    pub(super) complete: bool,
    /// From the head's last byte to the answer's.
    pub(super) duration: Option<Duration>,
    /// Why the connection ended, where it did before the answer.
    pub(super) reason: Option<CloseReason>,
}

/// What nginx writes for a client that did not wait.
const UNANSWERED: u16 = 499;

pub(super) struct Line<'a> {
    pub(super) record: &'a Record<'a>,
    pub(super) combined: bool,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record;
        match record.remote_ip {
            Some(ip) => write!(f, "{ip}")?,
            None => f.write_str("-")?,
        }
        write!(f, " - - [{}] \"", Timestamp(record.received))?;
        match record.request {
            Some(request) => write!(
                f,
                "{} {} {}",
                Escaped(request.method().as_str().as_bytes()),
                Escaped(request.target().as_bytes()),
                request.protocol()
            )?,
            None => f.write_str("-")?,
        }
        write!(f, "\" {} ", record.status.map_or(UNANSWERED, |status| status.as_u16()))?;
        match record.bytes {
            0 => f.write_str("-")?,
            bytes => bytes.fmt(f)?,
        }
        if self.combined {
            let field = |name| record.request.and_then(|request| request.headers().get(name));
            for name in ["referer", "user-agent"] {
                write!(f, " \"{}\"", Escaped(field(name).filter(|value| !value.is_empty()).unwrap_or(b"-")))?;
            }
        }
        Ok(())
    }
}

/// `10/Oct/2000:13:55:36 +0000`.
struct Timestamp(UnixTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Beyond the year 9999 there is no such date; the last one that there is stands for it.
        const LAST: u64 = 253_402_300_799;
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.as_secs().min(LAST));
        // Sun, 06 Nov 1994 08:49:37 GMT
        let date = httpdate::fmt_http_date(moment);
        let part = |range| date.get(range).unwrap_or_default();
        write!(f, "{}/{}/{}:{} +0000", part(5..7), part(8..11), part(12..16), part(17..25))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_apaches() {
        for (seconds, written) in [
            (0, "01/Jan/1970:00:00:00 +0000"),
            (971_186_136, "10/Oct/2000:13:55:36 +0000"),
            (1_709_164_799, "28/Feb/2024:23:59:59 +0000"),
            (1_709_251_199, "29/Feb/2024:23:59:59 +0000"),
            (u64::MAX, "31/Dec/9999:23:59:59 +0000"),
        ] {
            assert_eq!(Timestamp(UnixTime::from_secs(seconds)).to_string(), written);
        }
    }
}
