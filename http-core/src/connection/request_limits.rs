//! Limits and timeouts of one request.

use core::time::Duration;

use super::Connection;
use super::config::Timeouts;
use super::content::Coding;
use crate::message::misuse::Misuse;
use crate::message::request::RequestId;

/// Limits of one request that override those of [`Config`](crate::Config), for
/// [`Connection::set_request_limits`]. Limits that are not set stay unchanged. A timeout of 0
/// expires at once; `None` means no limit.
///
/// ```
/// use core::time::Duration;
/// use httpants_core::RequestLimits;
///
/// // A slow upload of up to 1 TiB, whose handler may take an hour besides receiving it.
/// let limits = RequestLimits::new()
///     .max_body_size(1 << 40)
///     .body_timeout(Duration::from_secs(120))
///     .body_rate(0)
///     .handler_timeout(Duration::from_secs(3600));
/// # drop(limits);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestLimits {
    max_body_size: Option<u64>,
    chunk_overhead: Option<usize>,
    body_timeout: Setting,
    body_rate: Option<u32>,
    body_rate_grace: Option<Duration>,
    handler_timeout: Setting,
}

/// A setting for a timeout of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Setting {
    /// The timeout of the server.
    #[default]
    Kept,
    /// This timeout, or no limit.
    Set(Option<Duration>),
}

impl Setting {
    fn or(self, other: Self) -> Self {
        if self == Self::Kept { other } else { self }
    }

    fn apply(self, timeout: &mut Option<Duration>) {
        if let Self::Set(set) = self {
            *timeout = set;
        }
    }
}

impl RequestLimits {
    /// Creates limits that change nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum size of the body in bytes
    /// ([`Limits::max_body_size`](crate::Limits::max_body_size)).
    #[must_use]
    pub fn max_body_size(mut self, bytes: u64) -> Self {
        self.max_body_size = Some(bytes);
        self
    }

    /// Sets the maximum number of bytes of chunk framing beyond the free allowance, plus trailers
    /// ([`Limits::chunk_overhead`](crate::Limits::chunk_overhead)). Trailers of this size may have
    /// to be held in memory.
    #[must_use]
    pub fn chunk_overhead(mut self, bytes: usize) -> Self {
        self.chunk_overhead = Some(bytes);
        self
    }

    /// Sets the maximum time without a byte of the body
    /// ([`Timeouts::body`](crate::Timeouts::body)); `None` disables the timer.
    #[must_use]
    pub fn body_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.body_timeout = Setting::Set(timeout.into());
        self
    }

    /// Sets the minimum rate of the body in bytes per second
    /// ([`Timeouts::body_rate`](crate::Timeouts::body_rate)); 0 disables the check.
    #[must_use]
    pub fn body_rate(mut self, bytes_per_second: u32) -> Self {
        self.body_rate = Some(bytes_per_second);
        self
    }

    /// Sets the time during which the rate of the body is not checked
    /// ([`Timeouts::body_rate_grace`](crate::Timeouts::body_rate_grace)).
    #[must_use]
    pub fn body_rate_grace(mut self, grace: Duration) -> Self {
        self.body_rate_grace = Some(grace);
        self
    }

    /// Sets the maximum time for the application to respond
    /// ([`Timeouts::handler`](crate::Timeouts::handler)); `None` disables the timer.
    #[must_use]
    pub fn handler_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.handler_timeout = Setting::Set(timeout.into());
        self
    }

    /// Returns these limits; those that are not set are taken from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            max_body_size: self.max_body_size.or(other.max_body_size),
            chunk_overhead: self.chunk_overhead.or(other.chunk_overhead),
            body_timeout: self.body_timeout.or(other.body_timeout),
            body_rate: self.body_rate.or(other.body_rate),
            body_rate_grace: self.body_rate_grace.or(other.body_rate_grace),
            handler_timeout: self.handler_timeout.or(other.handler_timeout),
        }
    }

    /// Returns the maximum size of the body in bytes, if it is set.
    #[must_use]
    pub fn body_size(&self) -> Option<u64> {
        self.max_body_size
    }

    fn has_timeouts(&self) -> bool {
        let size = Self { max_body_size: None, chunk_overhead: None, ..self.clone() };
        size != Self::default()
    }

    fn apply(&self, timeouts: &mut Timeouts) {
        self.body_timeout.apply(&mut timeouts.body);
        self.handler_timeout.apply(&mut timeouts.handler);
        timeouts.body_rate = self.body_rate.unwrap_or(timeouts.body_rate);
        timeouts.body_rate_grace = self.body_rate_grace.unwrap_or(timeouts.body_rate_grace);
    }
}

impl Connection {
    /// Sets limits of this request that override those of the configuration until its response is
    /// finished. Sizes are checked when events of the body are polled, so call it on
    /// [`Event::Request`](crate::Event::Request).
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] for a finished response, [`Misuse::Closed`] on a closing connection.
    pub fn set_request_limits(&mut self, request: RequestId, limits: &RequestLimits) -> Result<(), Misuse> {
        self.outstanding(request)?;
        if let Some(size) = limits.max_body_size {
            self.content.limit = size;
        }
        if let (Some(overhead), Coding::Chunked(decoder)) = (limits.chunk_overhead, &mut self.content.coding) {
            decoder.set_overhead(overhead);
        }
        if limits.has_timeouts() {
            let uncommon = self.uncommon.get_or_insert_default();
            limits.apply(uncommon.timeouts.get_or_insert_with(|| self.config.timeouts.clone()));
        }
        Ok(())
    }

    /// Returns the timeouts of the current request, or of the configuration if it has none.
    pub(super) fn timeouts(&self) -> &Timeouts {
        let own = self.uncommon.as_deref().and_then(|uncommon| uncommon.timeouts.as_ref());
        own.unwrap_or(&self.config.timeouts)
    }
}
