//! One line of the access log, in the format of Apache's `mod_log_config`.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use httpants_core::{ProtocolError, Refusal, RequestHead, UnixTime};

use crate::observe::escaped::Escaped;

/// The data of a response that was sent or aborted.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) request: LoggedRequest,
    pub(super) remote_ip: Option<IpAddr>,
    /// The time at which the head was received.
    pub(super) received: UnixTime,
    /// The status; `None` if no response was begun.
    pub(super) status: Option<StatusCode>,
    /// Body bytes that were sent.
    pub(super) bytes: u64,
    /// True if the whole response was sent.
    pub(super) complete: bool,
    /// The time from the last byte of the request's head to the last byte of the response.
    pub(super) duration: Option<Duration>,
    /// The protocol error for which the request or its body was refused.
    pub(super) refused: Option<ProtocolError>,
}

/// The request, or the input that was refused.
#[derive(Debug)]
pub(super) enum LoggedRequest {
    Request(RequestHead),
    /// Input that was not a valid request.
    Refused(Box<Refusal>),
    Unknown,
}

/// Maximum number of bytes shown of a refused request line.
const SHOWN: usize = 256;

impl LoggedRequest {
    /// Returns the word of the request line with this index, from 0.
    fn word(&self, index: usize) -> &[u8] {
        let Self::Refused(refusal) = self else { return b"-" };
        let line = refusal.request_line();
        let line = line.get(..SHOWN).unwrap_or(line);
        line.split(|&byte| byte == b' ').nth(index).filter(|word| !word.is_empty()).unwrap_or(b"-")
    }

    pub(super) fn method(&self) -> &[u8] {
        match self {
            Self::Request(request) => request.method().as_str().as_bytes(),
            _ => self.word(0),
        }
    }

    pub(super) fn target(&self) -> &[u8] {
        match self {
            Self::Request(request) => request.target().as_bytes(),
            _ => self.word(1),
        }
    }

    pub(super) fn protocol(&self) -> &[u8] {
        match self {
            Self::Request(request) => request.protocol().as_bytes(),
            _ => self.word(2),
        }
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        match self {
            Self::Request(request) => request.headers().get(name),
            Self::Refused(refusal) => refusal.field(name),
            Self::Unknown => None,
        }
    }
}

/// The status that nginx logs if the connection ended before a response.
const NO_RESPONSE: u16 = 499;

pub(super) struct Line<'a> {
    pub(super) record: &'a Record,
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
        match &record.request {
            LoggedRequest::Request(_) => {
                let request = &record.request;
                let [method, target, protocol] = [request.method(), request.target(), request.protocol()].map(Escaped);
                write!(f, "{method} {target} {protocol}")?;
            }
            LoggedRequest::Refused(refusal) if !refusal.request_line().is_empty() => {
                let line = refusal.request_line();
                Escaped(line.get(..SHOWN).unwrap_or(line)).fmt(f)?;
            }
            _ => f.write_str("-")?,
        }
        write!(f, "\" {} ", record.status.map_or(NO_RESPONSE, |status| status.as_u16()))?;
        match record.bytes {
            0 => f.write_str("-")?,
            bytes => bytes.fmt(f)?,
        }
        if self.combined {
            for name in ["referer", "user-agent"] {
                write!(
                    f,
                    " \"{}\"",
                    Escaped(record.request.field(name).filter(|value| !value.is_empty()).unwrap_or(b"-"))
                )?;
            }
        }
        Ok(())
    }
}

/// A time such as `10/Oct/2000:13:55:36 +0000`.
struct Timestamp(UnixTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The format ends with the year 9999; later times are shown as its last second.
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
    fn time_has_apaches_format() {
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
