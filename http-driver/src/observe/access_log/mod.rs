//! The access log: a `tracing` event for each response, and lines in Apache's formats.

mod line;
mod state;

use std::fmt;

use self::line::{Line, Record};
pub(crate) use self::state::AccessLogState;
use crate::observe::escaped::Escaped;

/// The target of the events. A subscriber that enables it receives the access log.
const TARGET: &str = "httpants::access";

/// The format of the access log and the function that writes its lines; for
/// [`Server::access_log`](crate::Server::access_log).
///
/// Each accepted request has one line, written when its response was sent or its connection ended.
/// Each refusal of invalid input has one, too. Lines of one connection are in the order of the
/// responses:
///
/// ```text
/// host ident authuser [10/Oct/2000:13:55:36 +0000] "request line" status bytes "referer" "user-agent"
/// ```
///
/// - *host* is [`remote_ip`](crate::Request::remote_ip): the client's address if proxies are
///   trusted. For a refusal it is the peer's address, or the one in the PROXY header if there is
///   one; `-` for a peer without an IP address (a unix socket).
/// - *ident* and *authuser* are `-`: the server does not authenticate.
/// - The time is the one at which the head was received, in UTC; for a refusal, the one at which
///   its response was sent or aborted.
/// - *bytes* counts body bytes that the transport accepted, `-` for none. Framing does not count.
///   If a chunked response was aborted, unsent framing counts as unsent body, so the number is
///   never too large.
/// - The request line of a refusal is shown as far as it was received, cut at 256 bytes; `-` if
///   there was none.
/// - *referer* and *user-agent* of a refusal are present if their field lines were complete.
/// - *status* is 499 if the connection ended before a response was begun.
/// - `"`, `\` and everything that is not printable ASCII are written as `\xHH`, also in values from
///   the application, so that a line stays one line and contains no control sequences.
///
/// A connection keeps the heads of requests until their lines are written. If they exceed 64 KiB
/// because the peer reads slowly, the connection accepts no further request until some lines are
/// written.
///
/// ```
/// use std::io::Write;
/// use std::sync::Mutex;
/// use httpants_driver::{AccessLog, Request, Server};
/// use httpants_testkit::memory::Memory;
///
/// # fn main() -> std::io::Result<()> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("access.log");
/// let file = Mutex::new(std::fs::OpenOptions::new().create(true).append(true).open(&path)?);
/// let log = AccessLog::combined(move |line| {
///     if let Ok(mut file) = file.lock() {
///         // One write per line, so that lines of two processes do not mix.
///         let _ = file.write_all(format!("{line}\n").as_bytes());
///     }
/// });
/// let server = Server::with_runtime(Memory::new(), async |_: Request| "hello").access_log(log);
/// # drop(server); Ok(()) }
/// ```
pub struct AccessLog {
    format: Format,
    write: Box<dyn Fn(&str) + Send + Sync>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Common,
    Combined,
}

impl AccessLog {
    /// Creates a log in the Common Log Format, without referer and user agent.
    ///
    /// The function gets each line without a line end. It is called on the thread that serves the
    /// connection and blocks it.
    #[must_use]
    pub fn common(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { format: Format::Common, write: Box::new(write) }
    }

    /// Creates a log in the Combined Log Format; otherwise like [`common`](Self::common).
    #[must_use]
    pub fn combined(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { format: Format::Combined, write: Box::new(write) }
    }

    fn write(&self, record: &Record) {
        (self.write)(&Line { record, combined: self.format == Format::Combined }.to_string());
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("format", &self.format).finish_non_exhaustive()
    }
}

/// Returns whether a subscriber enables the events.
pub(crate) fn has_subscriber() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}

fn emit(record: &Record) {
    let request = &record.request;
    tracing::info!(
        target: TARGET,
        remote_ip = record.remote_ip.map(tracing::field::display),
        method = %Escaped(request.method()),
        target = %Escaped(request.target()),
        protocol = %Escaped(request.protocol()),
        status = record.status.map(|status| status.as_u16()),
        bytes = record.bytes,
        complete = record.complete,
        duration_us = record.duration.map(|span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX)),
        refused = record.refused.map(tracing::field::display),
    );
}
