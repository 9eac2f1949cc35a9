//! Failures of the application and of the system that it runs on, for its operator.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Logs a failure as an ERROR, with variables as fields that are shown by `Display`. In a process that has
/// no subscriber of `tracing` the first one of each call site is written to standard error, so
/// that no mistake of an application goes unnoticed.
///
/// What a peer can bring about at will is no failure: a peer must not be able to fill a log.
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

/// Writes a line to standard error, where nothing was `written` before.
#[cold]
pub(crate) fn write_once(written: &AtomicBool, line: fmt::Arguments<'_>) {
    if !written.swap(true, Ordering::Relaxed) {
        // One write a line: lines of two threads do not mix. Nothing can be done about an error.
        let _ = std::io::stderr().write_all(format!("httpants: {line}\n").as_bytes());
    }
}
