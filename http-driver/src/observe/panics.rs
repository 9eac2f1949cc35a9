//! Protection against panics of application code, which may panic when called, polled or dropped.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::counters::{Count, Metrics};

/// The application panicked; that was counted and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Calls application code; counts and logs a panic as one of `what`.
pub(crate) fn guard<T>(metrics: &Metrics, what: &str, call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| report(metrics, what, panic))
}

/// Drops the value of a panic, which may panic with another such value.
pub(crate) fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

#[cold]
fn report(metrics: &Metrics, what: &str, panic: Box<dyn Any + Send>) -> Panicked {
    metrics.one(Count::Panic);
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("(no text)").escape_debug().to_string(), "{what} panicked");
    discard(panic);
    Panicked
}
