//! Validation of a configuration.

use core::error::Error;
use core::fmt;
use core::time::Duration;

use super::config::{Config, Limits, Timeouts};

/// `GET / HTTP/1.0` with its empty line.
const MIN_HEAD: usize = 18;
/// `GET`.
const MIN_METHOD: usize = 3;

/// The error of [`Config::check`]: a setting with which no request could be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    setting: &'static str,
    expected: &'static str,
}

impl ConfigError {
    /// Returns the name of the setting, such as `limits.head`.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {}: expected {}", self.setting, self.expected)
    }
}

impl Error for ConfigError {}

impl Config {
    /// Checks that requests can be served with these settings. Call it before the first
    /// [`Connection`](crate::Connection) is created; the driver's server does so when it starts. A
    /// connection accepts any settings, and refuses or closes what exceeds them.
    ///
    /// A limit of 0 allows nothing and never means no limit. It is an error if nothing could be
    /// served with it; otherwise it is valid, such as no body at all. A timeout of 0 would expire
    /// immediately and is an error, except for lingering; `None` means no limit.
    ///
    /// # Errors
    /// [`ConfigError`] with the first setting that is too small.
    ///
    /// ```
    /// use httpants_core::Config;
    ///
    /// let mut config = Config::default();
    /// config.limits.max_body_size = 0;
    /// config.check()?;
    /// config.limits.fields = 0;
    /// let error = config.check().unwrap_err();
    /// assert_eq!(error.setting(), "limits.fields");
    /// assert_eq!(error.to_string(), "invalid limits.fields: expected at least 1, for the field Host");
    /// # Ok::<(), httpants_core::ConfigError>(())
    /// ```
    pub fn check(&self) -> Result<(), ConfigError> {
        let Limits { head, target, method, fields, .. } = self.limits;
        let too_small = [
            (head < MIN_HEAD, "limits.head", "at least 18 bytes, the shortest request"),
            (target == 0, "limits.target", "at least 1 byte, the target `/`"),
            (method < MIN_METHOD, "limits.method", "at least 3 bytes, the method GET"),
            (fields == 0, "limits.fields", "at least 1, for the field Host"),
            (self.requests_per_connection == Some(0), "requests_per_connection", "at least 1, or `None` for no limit"),
            (
                self.timeouts.body_rate > 0 && self.timeouts.body_rate_grace.is_zero(),
                "timeouts.body_rate_grace",
                "more than 0, or a `body_rate` of 0",
            ),
        ];
        let too_small = too_small.into_iter().filter(|(is_error, ..)| *is_error);
        let limit = too_small.map(|(_, setting, expected)| ConfigError { setting, expected }).next();
        limit.or_else(|| self.timeouts.zero()).map_or(Ok(()), Err)
    }
}

impl Timeouts {
    /// Returns the error of the first timeout that is 0.
    fn zero(&self) -> Option<ConfigError> {
        let timeouts = [
            ("timeouts.handshake", self.handshake),
            ("timeouts.accept", self.accept),
            ("timeouts.head", self.head),
            ("timeouts.idle", self.idle),
            ("timeouts.body", self.body),
            ("timeouts.write", self.write),
            ("timeouts.handler", self.handler),
            ("timeouts.half_closed", self.half_closed),
        ];
        let (setting, _) = timeouts.into_iter().find(|(_, timeout)| *timeout == Some(Duration::ZERO))?;
        Some(ConfigError { setting, expected: "more than 0, or `None` for no limit" })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::{Connection, ConnectionInfo, Event, Now};

    /// A function that sets a setting to a number, in seconds for a timeout.
    type Set = fn(&mut Config, u64);

    fn span(number: u64) -> Duration {
        if number == u64::MAX { Duration::MAX } else { Duration::from_secs(number) }
    }

    /// All numbers and timeouts of a configuration, each with its smallest valid value.
    const SETTINGS: [(&str, u64, Set); 28] = [
        ("requests_per_connection", 1, |config, n| config.requests_per_connection = Some(n)),
        ("limits.head", 18, |config, n| config.limits.head = n as usize),
        ("limits.target", 1, |config, n| config.limits.target = n as usize),
        ("limits.method", 3, |config, n| config.limits.method = n as usize),
        ("limits.fields", 1, |config, n| config.limits.fields = n as usize),
        ("limits.empty_lines", 0, |config, n| config.limits.empty_lines = n as usize),
        ("limits.max_body_size", 0, |config, n| config.limits.max_body_size = n),
        ("limits.chunk_overhead", 0, |config, n| config.limits.chunk_overhead = n as usize),
        ("limits.drain", 0, |config, n| config.limits.drain = n),
        ("limits.linger", 0, |config, n| config.limits.linger = n),
        ("limits.refusal_linger", 0, |config, n| config.limits.refusal_linger = n),
        ("limits.send_backlog", 0, |config, n| config.limits.send_backlog = n as usize),
        ("limits.recv_buffer", 0, |config, n| config.limits.recv_buffer = n as usize),
        ("limits.body_buffer", 0, |config, n| config.limits.body_buffer = n as usize),
        ("timeouts.handshake", 1, |config, n| config.timeouts.handshake = Some(span(n))),
        ("timeouts.accept", 1, |config, n| config.timeouts.accept = Some(span(n))),
        ("timeouts.head", 1, |config, n| config.timeouts.head = Some(span(n))),
        ("timeouts.idle", 1, |config, n| config.timeouts.idle = Some(span(n))),
        ("timeouts.body", 1, |config, n| config.timeouts.body = Some(span(n))),
        ("timeouts.body_rate", 0, |config, n| config.timeouts.body_rate = n as u32),
        ("timeouts.body_rate_grace", 1, |config, n| config.timeouts.body_rate_grace = span(n)),
        ("timeouts.write", 1, |config, n| config.timeouts.write = Some(span(n))),
        ("timeouts.write_rate", 0, |config, n| config.timeouts.write_rate = n as u32),
        ("timeouts.linger", 0, |config, n| config.timeouts.linger = Some(span(n))),
        ("timeouts.refusal_linger", 0, |config, n| config.timeouts.refusal_linger = Some(span(n))),
        ("timeouts.refusal_linger_idle", 0, |config, n| config.timeouts.refusal_linger_idle = Some(span(n))),
        ("timeouts.handler", 1, |config, n| config.timeouts.handler = Some(span(n))),
        ("timeouts.half_closed", 1, |config, n| config.timeouts.half_closed = Some(span(n))),
    ];

    /// Returns true if a connection serves the shortest request.
    fn is_served(config: Config) -> bool {
        let now = Now::default();
        let mut connection = Connection::new(config.into(), ConnectionInfo::default(), now);
        let (mut rest, mut events) = (&b"GET / HTTP/1.0\r\n\r\n"[..], Vec::new());
        while !rest.is_empty() {
            let taken = connection.receive(rest, now);
            assert!(taken > 0);
            rest = &rest[taken..];
            events.extend(core::iter::from_fn(|| connection.poll_event()));
        }
        connection.handle_timeout(now);
        matches!(events[..], [Event::Request(_)]) && connection.poll_event().is_none()
    }

    #[test]
    fn settings_that_serve_no_request_are_errors() {
        for (name, least, set) in SETTINGS {
            for value in [0, 1, least.saturating_sub(1), least, u64::MAX] {
                let mut config = Config::default();
                set(&mut config, value);
                let checked = config.check();
                assert_eq!(checked.map_err(|error| error.setting()), if value < least { Err(name) } else { Ok(()) });
                assert!(value < least || is_served(config.clone()), "{name} = {value}");
                assert!(config.limits.memory_bound() > 0);
            }
        }
    }

    #[test]
    fn error_names_setting_and_expectation() {
        let mut config = Config::default();
        config.timeouts.idle = Some(Duration::ZERO);
        let text = "invalid timeouts.idle: expected more than 0, or `None` for no limit";
        assert_eq!(config.check().unwrap_err().to_string(), text);
        config = Config::default();
        config.timeouts.body_rate_grace = Duration::ZERO;
        assert_eq!(config.check().map_err(|error| error.setting()), Err("timeouts.body_rate_grace"));
        config.timeouts.body_rate = 0;
        assert_eq!(config.check(), Ok(()));
        config.limits.head = 17;
        let text = "invalid limits.head: expected at least 18 bytes, the shortest request";
        assert_eq!(config.check().unwrap_err().to_string(), text);
    }
}
