//! What follows a response that ends HTTP on its connection.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use crate::response::{UpgradeHandler, Upgraded};

/// Speaks the other protocol behind a 101, or behind the 2xx to CONNECT: an extension of the
/// service's response. Without it, and without hyper's, such a response is a failure.
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
    /// Goes on with the stream by this function. Of clones the first that is answered with
    /// counts: there is one stream.
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
