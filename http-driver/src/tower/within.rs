//! The function within which a service and its bodies are called.

/// A function that calls its argument once, in a context that the application provides.
pub(super) type Within = dyn Fn(&mut dyn FnMut()) + Send + Sync;

/// Calls `call` within the function, if there is one. Returns `None` if the function did not call
/// it.
pub(super) fn run<T>(within: Option<&Within>, call: impl FnOnce() -> T) -> Option<T> {
    let Some(within) = within else { return Some(call()) };
    let (mut call, mut result) = (Some(call), None);
    within(&mut || {
        if let Some(call) = call.take() {
            result = Some(call());
        }
    });
    result
}

/// The error if the function does not call its argument.
pub(super) const NOT_CALLED: &str = "the function of TowerService::within did not call its argument";
