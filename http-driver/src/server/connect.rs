//! The function that serves accepted connections.

use std::sync::Arc;

use crate::connection::{Accepted, Serve, Service};
use crate::handler::Handler;
use crate::runtime::{Runtime, Spawn};
use crate::tls::Tls;

/// A function that serves an accepted connection in a task of the runtime.
///
/// The constructor of the server stores it, so that only constructors require `H: Handler`:
/// settings, `bind`, `serve` and `run` do not, and a wrong handler is one compiler error.
pub(crate) type Connect<R, H> = fn(&R, &Arc<Service<H>>, Accepted<<R as Runtime>::Transport>, Option<&Tls>);

pub(crate) fn connect<R, H>(runtime: &R, service: &Arc<Service<H>>, accepted: Accepted<R::Transport>, tls: Option<&Tls>)
where
    R: Runtime + Spawn<Serve<R, H>>,
    R::Transport: Send,
    H: Handler,
{
    runtime.spawn(Serve::new(runtime.clone(), Arc::clone(service), accepted, tls));
}
