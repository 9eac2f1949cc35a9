//! Application code is foreign code: it may panic wherever it is called, polled or dropped.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::counters::{Count, Metrics};

/// The application panicked; that is counted and logged already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Calls application code; where it panics, counts and logs that as of `what`.
pub(crate) fn guard<T>(metrics: &Metrics, what: &str, call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| report(metrics, what, &*panic))
}

#[cold]
fn report(metrics: &Metrics, what: &str, panic: &(dyn Any + Send)) -> Panicked {
    metrics.one(Count::Panic);
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("(no text)").escape_debug().to_string(), "{what} panicked");
    Panicked
}
