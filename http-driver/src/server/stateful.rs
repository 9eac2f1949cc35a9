//! A handler with a state that its requests share.

use std::fmt;
use std::future::Future;

use super::Server;
use crate::connection::Serve;
use crate::handler::Handler;
use crate::request::Request;
use crate::response::Response;
use crate::runtime::{Runtime, Spawn};

/// A function of a state and a request as a handler, from
/// [`Server::with_state`](crate::Server::with_state); with your own runtime, pass it to
/// [`Server::with_runtime`](crate::Server::with_runtime).
///
/// Each call gets a clone of the state, so put a state that is larger than a few pointers into an
/// [`Arc`](std::sync::Arc).
#[derive(Clone)]
pub struct StatefulHandler<S, F> {
    state: S,
    function: F,
}

impl<S, F, Fut> StatefulHandler<S, F>
where
    S: Clone + 'static,
    F: Fn(S, Request) -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: Into<Response>,
{
    /// Creates a handler that calls this function with this state.
    #[must_use]
    pub fn new(state: S, function: F) -> Self {
        Self { state, function }
    }
}

impl<S, F> fmt::Debug for StatefulHandler<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatefulHandler").finish_non_exhaustive()
    }
}

impl<S, F, Fut> Handler for StatefulHandler<S, F>
where
    S: Clone + 'static,
    F: Fn(S, Request) -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: Into<Response>,
{
    type Output = Fut::Output;
    type Future = Fut;

    fn call(&self, request: Request) -> Fut {
        (self.function)(self.state.clone(), request)
    }
}

impl<R: Runtime, S, F> Server<R, StatefulHandler<S, F>> {
    /// Creates a server that calls this function with a clone of this state and each request.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use httpants_driver::{Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// #[derive(Default)]
    /// struct Visits(AtomicU64);
    ///
    /// async fn count(visits: Arc<Visits>, _: Request) -> String {
    ///     format!("visit {}\n", 1 + visits.0.fetch_add(1, Ordering::Relaxed))
    /// }
    ///
    /// let server = Server::<Memory, _>::with_state(Arc::new(Visits::default()), count);
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn with_state<Fut>(state: S, function: F) -> Self
    where
        R: Default + Spawn<Serve<R, StatefulHandler<S, F>>>,
        R::Transport: Send,
        S: Clone + 'static,
        F: Fn(S, Request) -> Fut + 'static,
        Fut: Future<Output: Into<Response>> + 'static,
    {
        Self::with_runtime(R::default(), StatefulHandler::new(state, function))
    }
}
