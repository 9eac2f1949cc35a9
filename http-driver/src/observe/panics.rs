//! Protection against panics of application code, which may panic when called, polled or dropped.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::counters::{Count, Metrics};

/// The error for application code that panicked. The panic was counted and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Calls application code; counts a panic and logs it with `what`, the name of the code.
pub(crate) fn guard<T>(metrics: &Metrics, what: &str, call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| report(metrics, what, panic))
}

/// Drops the payload of a panic. Its destructor may panic, too, with another payload.
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
