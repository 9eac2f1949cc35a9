//! The type of handler that all cases use.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use httpants_driver::{Handler, Request, Response};

/// A future to run in the background.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The handler of a case, boxed, so that a runtime proves its `spawn` for one type:
/// `R: Spawn<Serve<R, CaseHandler>>`.
pub struct CaseHandler(Box<dyn Fn(Request) -> ResponseTask + Send + Sync>);

type ResponseTask = Pin<Box<dyn Future<Output = Response> + Send>>;

impl CaseHandler {
    /// Creates a handler from this function.
    pub fn new<F, Fut>(handler: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Into<Response>> + Send + 'static,
    {
        Self(Box::new(move |request| {
            let response = handler(request);
            Box::pin(async { response.await.into() })
        }))
    }
}

impl Handler for CaseHandler {
    type Output = Response;
    type Future = ResponseTask;

    fn call(&self, request: Request) -> ResponseTask {
        (self.0)(request)
    }
}

impl fmt::Debug for CaseHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaseHandler")
    }
}

/// A gate at which a handler waits until the case opens it, so that a test controls the duration of
/// handlers on every clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    open: bool,
    /// Number of handlers that have arrived, including those that were dropped since.
    arrived: usize,
    wakers: Vec<Waker>,
}

impl Gate {
    pub(super) async fn pass(&self) {
        self.waiting(|waiting| waiting.arrived += 1);
        poll_fn(|context| {
            self.waiting(|waiting| {
                if waiting.open {
                    return Poll::Ready(());
                }
                waiting.wakers.push(context.waker().clone());
                Poll::Pending
            })
        })
        .await;
    }

    pub(super) fn open(&self) {
        let wakers = self.waiting(|waiting| {
            waiting.open = true;
            std::mem::take(&mut waiting.wakers)
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn arrived(&self) -> usize {
        self.waiting(|waiting| waiting.arrived)
    }

    fn waiting<T>(&self, look: impl FnOnce(&mut Waiting) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
