//! How a server serves what it accepts.

use std::sync::Arc;

use crate::connection::{Accepted, Serve, Service};
use crate::handler::Handler;
use crate::runtime::{Runtime, Spawn};
use crate::tls::Tls;

/// Serves an accepted connection in a task of the runtime.
///
/// It is chosen where the server gets its handler, so that only that has bounds on the handler, and
/// a wrong handler is one error of the compiler: settings, `bind`, `serve` and `run` are there for
/// any.
pub(crate) type Connect<R, H> = fn(&R, &Arc<Service<H>>, Accepted<<R as Runtime>::Transport>, Option<&Tls>);

pub(crate) fn connect<R, H>(runtime: &R, service: &Arc<Service<H>>, accepted: Accepted<R::Transport>, tls: Option<&Tls>)
where
    R: Runtime + Spawn<Serve<R, H>>,
    R::Transport: Send,
    H: Handler,
{
    runtime.spawn(Serve::new(runtime.clone(), Arc::clone(service), accepted, tls));
}
