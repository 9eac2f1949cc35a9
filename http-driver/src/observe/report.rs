//! Reports of failures of the application and the system to the operator.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Logs a failure as an ERROR, with variables as fields formatted by `Display`. In a process
/// without a `tracing` subscriber each call site writes up to [`MAX_LINES`] different failures to
/// standard error, each once, so that mistakes of an application are not silent.
///
/// Not for failures that a peer can cause at will: a peer must not be able to fill a log.
macro_rules! report {
    ($message:literal $(, $name:ident)*) => {{
        static WRITTEN: $crate::observe::report::Written = $crate::observe::report::Written::new();
        tracing::error!($($name = %$name,)* $message);
        if !tracing::dispatcher::has_been_set() {
            WRITTEN.write_once(format_args!(concat!($message $(, "; ", stringify!($name), ": {}")*) $(, $name)*));
        }
    }};
}

pub(crate) use report;

/// Maximum number of different lines that a call site writes: their text may contain what clients
/// send.
pub(crate) const MAX_LINES: usize = 16;

/// The hashes of the lines that a call site has written.
pub(crate) struct Written(Mutex<Vec<u64>>);

impl Written {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Writes a line to standard error, unless it was written before or [`MAX_LINES`] were.
    #[cold]
    pub(crate) fn write_once(&self, line: fmt::Arguments<'_>) {
        // Formatted before locking: `Display` may be the application's.
        let line = line.to_string();
        if self.is_new(&line) {
            // One write per line, so that lines of different threads do not mix. Errors are ignored.
            let _ = std::io::stderr().write_all(format!("httpants: {line}\n").as_bytes());
        }
    }

    fn is_new(&self, line: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let hash = hasher.finish();
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = written.len() < MAX_LINES && !written.contains(&hash);
        if is_new {
            written.push(hash);
        }
        is_new
    }
}
