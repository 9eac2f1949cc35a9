//! Reports of failures of the application and the system to the operator.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Logs a failure as an ERROR, with variables as fields shown by `Display`. In a process without a
/// `tracing` subscriber the first failure of each call site is written to standard error, so that
/// mistakes of an application are not silent.
///
/// Not for failures that a peer can cause at will: a peer must not be able to fill a log.
macro_rules! report {
    ($message:literal $(, $name:ident)*) => {{
        static WRITTEN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
        tracing::error!($($name = %$name,)* $message);
        if !tracing::dispatcher::has_been_set() {
            $crate::observe::report::write_once(
                &WRITTEN,
                format_args!(concat!($message $(, "; ", stringify!($name), ": {}")*) $(, $name)*),
            );
        }
    }};
}

pub(crate) use report;

/// Writes a line to standard error, unless `written` is set.
#[cold]
pub(crate) fn write_once(written: &AtomicBool, line: fmt::Arguments<'_>) {
    if !written.swap(true, Ordering::Relaxed) {
        // One write per line, so that lines of different threads do not mix. Errors are ignored.
        let _ = std::io::stderr().write_all(format!("httpants: {line}\n").as_bytes());
    }
}
