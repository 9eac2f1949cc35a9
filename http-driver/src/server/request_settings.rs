//! The setting for the limits of single requests.

use httpants_core::{RequestHead, RequestLimits};

use super::Server;
use crate::runtime::Runtime;

impl<R: Runtime, H> Server<R, H> {
    /// Sets a function that chooses the limits and timeouts of a request from its head, also for
    /// requests without a body. `None`, and values that are not set, leave those of the server.
    /// Limits of a [`BodyPolicy`](crate::BodyPolicy) take precedence. Default: every request has
    /// the limits of the server.
    ///
    /// The function runs in the task of the connection, before
    /// [`Handler::body_policy`](crate::Handler::body_policy) and without a lock; it must not block. If it panics, the response is 500.
    ///
    /// ```
    /// use std::time::Duration;
    /// use httpants_driver::{Request, RequestLimits, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let minutes = |count: u64| RequestLimits::new().handler_timeout(Duration::from_secs(60 * count));
    /// let server = Server::with_runtime(Memory::new(), async |_: Request| "done")
    ///     .config(|config| config.timeouts.handler = Some(Duration::from_secs(30)))
    ///     .request_limits(move |head| match head.path() {
    ///         "/report" => Some(minutes(5)),
    ///         // A stream of events may wait any time before its first byte.
    ///         "/events" => Some(RequestLimits::new().handler_timeout(None)),
    ///         _ => None,
    ///     });
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn request_limits(
        mut self,
        choose: impl Fn(&RequestHead) -> Option<RequestLimits> + Send + Sync + 'static,
    ) -> Self {
        self.parts.choose_limits = Some(Box::new(choose));
        self
    }
}
