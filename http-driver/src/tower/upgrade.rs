//! Upgrades by a service.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use crate::response::{UpgradeHandler, Upgraded};

/// The handler of the stream after a 101, or after 2xx to CONNECT, as an extension of the service's
/// response. Without it, and without hyper's `OnUpgrade`, such a response is an application
/// failure.
///
/// ```
/// use httpants_driver::Upgraded;
/// use httpants_driver::tower::Upgrade;
///
/// fn switch() -> http::Response<String> {
///     let mut response = http::Response::new(String::new());
///     *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
///     response.headers_mut().insert("upgrade", http::HeaderValue::from_static("echo"));
///     response.extensions_mut().insert(Upgrade::new(async |stream: Upgraded| drop(stream)));
///     response
/// }
/// # switch();
/// ```
#[derive(Clone)]
pub struct Upgrade(Arc<Mutex<Option<UpgradeHandler>>>);

impl Upgrade {
    /// Creates an upgrade with this function. The function is called once: of several responses
    /// with clones of this value, only the first gets a stream.
    #[must_use]
    pub fn new<F, Fut>(then: F) -> Self
    where
        F: FnOnce(Upgraded) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(Mutex::new(Some(Box::new(|stream| Box::pin(then(stream)))))))
    }

    pub(super) fn take(&self) -> Option<UpgradeHandler> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade")
    }
}
