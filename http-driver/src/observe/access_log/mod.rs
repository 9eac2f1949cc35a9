//! The access log: an event of `tracing` for each response, and lines in Apache's formats.

mod line;
mod state;

use std::fmt;

use self::line::{Line, Record};
pub(crate) use self::state::AccessLogState;
use crate::observe::escaped::Escaped;

/// The target of the events; a subscriber that shows it writes the access log.
const TARGET: &str = "httpants::access";

/// Where the lines of an access log go, and in which format; for
/// [`Server::access_log`](crate::Server::access_log).
///
/// Each request that was accepted gives one line, when its response has left or its connection
/// is over, and so does each response to something that was no request; those of one connection
/// come in the order of the responses:
///
/// ```text
/// host ident authuser [10/Oct/2000:13:55:36 +0000] "request line" status bytes "referer" "user-agent"
/// ```
///
/// - *host* is [`remote_ip`](crate::Request::remote_ip): the client's where proxies are
///   trusted. Of something that was no request it is the peer's, with the PROXY protocol the one
///   of its header. `-` for a peer without an address (a unix socket).
/// - *ident* and *authuser* are `-`: the server does not authenticate.
/// - The time is when the head was received, in UTC; of something that was no request when its
///   response had left or never would.
/// - *bytes* are those of content that the transport took, `-` for none. Framing does not
///   count; of a chunked response that broke off, framing which had not left counts as content
///   which had not, so that the number is never too large.
/// - A refusal of something that was no request has the request line as far as it was read,
///   cut at 256 bytes, and `-` where nothing was.
/// - *referer* and *user-agent* of such a refusal are there where their lines were complete.
/// - *status* is 499 where the connection was over before a response was begun.
/// - `"`, `\` and whatever is not printable ASCII is `\xHH`, also of the application's making:
///   a line is a line, and holds no control sequence.
///
/// A connection keeps the heads of requests until their lines are written, and accepts no further
/// one while these are more than 64 KiB, because its peer reads too slowly.
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
///         // One write a line: lines of two processes do not mix.
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
    /// The Common Log Format: without referer and user agent.
    ///
    /// The function gets each line without its end. It is called on the thread that serves
    /// the connection, which waits for it.
    #[must_use]
    pub fn common(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { format: Format::Common, write: Box::new(write) }
    }

    /// The Combined Log Format, which most readers of logs expect; else as
    /// [`common`](Self::common).
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

/// Whether somebody reads the events.
pub(crate) fn has_subscriber() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}

fn emit(record: &Record) {
    let asked = &record.asked;
    tracing::info!(
        target: TARGET,
        remote_ip = record.remote_ip.map(tracing::field::display),
        method = %Escaped(asked.method()),
        target = %Escaped(asked.target()),
        protocol = %Escaped(asked.protocol()),
        status = record.status.map(|status| status.as_u16()),
        bytes = record.bytes,
        complete = record.complete,
        duration_us = record.duration.map(|span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX)),
        refused = record.refused.map(tracing::field::display),
    );
}
