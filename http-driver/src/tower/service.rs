//! A handler made from a service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Extensions;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::response::{self, Circumstances};
use super::within::{self, NOT_CALLED, Within};
use crate::handler::{BodyPolicy, Handler};
use crate::request::{Body, Request};
use crate::response::{BoxError, Response};

type Extend = dyn Fn(&Request, &mut Extensions) + Send + Sync;

/// A handler that calls a `tower` service; pass it to [`Server::new`](crate::Server::new).
///
/// The service is cloned for each request, and the clone is called once it is ready, so limits
/// shared by clones apply. Threads share the service, so it must be `Sync`: to box one, use
/// `tower::util::BoxCloneSyncService`, because `BoxCloneService` is not `Sync`.
#[derive(Clone)]
pub struct TowerService<S> {
    service: S,
    extend: Option<Arc<Extend>>,
    within: Option<Arc<Within>>,
}

impl<S> TowerService<S> {
    /// Creates a handler from this service.
    pub fn new(service: S) -> Self {
        Self { service, extend: None, within: None }
    }

    /// Adds values to the extensions of each request, where services find them.
    ///
    /// For axum's extractor `ConnectInfo`:
    ///
    /// ```
    /// # #[derive(Clone)] struct ConnectInfo<T>(T);
    /// # let router = ();
    /// use httpants_driver::Address;
    /// use httpants_driver::tower::TowerService;
    ///
    /// let service = TowerService::new(router).extend(|request, extensions| {
    ///     if let Address::Ip(remote) = request.connection_info().remote_addr {
    ///         extensions.insert(ConnectInfo(remote));
    ///     }
    /// });
    /// ```
    #[must_use]
    pub fn extend(mut self, extend: impl Fn(&Request, &mut Extensions) + Send + Sync + 'static) -> Self {
        self.extend = Some(Arc::new(extend));
        self
    }

    /// Calls and polls the service, and polls the bodies of its responses, within this function,
    /// which must call its argument. Use it for a service that needs the context of another
    /// runtime, such as one with `tokio::time` on smol or async-std. Upgraded streams are polled
    /// outside of the function.
    ///
    /// ```
    /// # mod tokio { pub mod runtime {
    /// #     pub struct Handle; pub struct Builder; pub struct Runtime;
    /// #     impl Handle { pub fn enter(&self) {} }
    /// #     impl Clone for Handle { fn clone(&self) -> Self { Self } }
    /// #     impl Builder { pub fn new_multi_thread() -> Self { Self }
    /// #         pub fn worker_threads(self, _: usize) -> Self { self } pub fn enable_all(self) -> Self { self }
    /// #         pub fn build(self) -> std::io::Result<Runtime> { Ok(Runtime) } }
    /// #     impl Runtime { pub fn handle(&self) -> &Handle { &Handle } }
    /// # } }
    /// # fn main() -> std::io::Result<()> {
    /// # let router = ();
    /// use httpants_driver::tower::TowerService;
    ///
    /// // It must live as long as the server.
    /// let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    /// let handle = tokio.handle().clone();
    /// let service = TowerService::new(router).within(move |poll| {
    ///     let _entered = handle.enter();
    ///     poll();
    /// });
    /// # drop(service); Ok(()) }
    /// ```
    #[must_use]
    pub fn within(mut self, within: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Self {
        self.within = Some(Arc::new(within));
        self
    }
}

impl<S, B> Handler for TowerService<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + 'static,
    S::Error: Into<BoxError>,
    S::Future: 'static,
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Response;
    type Future = ResponseFuture<S>;

    fn call(&self, mut request: Request) -> ResponseFuture<S> {
        let body = request.body_mut().take();
        let mut converted = http::Request::<()>::from(request.head()).map(|()| body);
        let circumstances = Circumstances::of(&request, converted.extensions_mut());
        if let Some(extend) = &self.extend {
            extend(&request, converted.extensions_mut());
        }
        converted.extensions_mut().insert(Arc::new(request));
        ResponseFuture {
            stage: Stage::Ready { service: self.service.clone(), request: Some(converted) },
            circumstances,
            within: self.within.clone(),
        }
    }

    /// Streams every body.
    fn body_policy(&self, _: &httpants_core::RequestHead) -> BodyPolicy {
        BodyPolicy::Stream
    }
}

impl<S: fmt::Debug> fmt::Debug for TowerService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerService").field("service", &self.service).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of a [`TowerService`]. Public only so that it can be named in bounds on a
    /// runtime's `Spawn`.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S: Service<http::Request<Body>>> {
        #[pin]
        stage: Stage<S, S::Future>,
        circumstances: Circumstances,
        within: Option<Arc<Within>>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<S, F> {
        // The service may not be ready; the request is kept until it is.
        Ready { service: S, request: Option<http::Request<Body>> },
        Called { #[pin] future: F },
        // The future was dropped before its response is used, because it may hold the `OnUpgrade`
        // of its request.
        Done,
    }
}

impl<S, B> Future for ResponseFuture<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Response;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let within = self.within.clone();
        let polled = within::run(within.as_deref(), || self.poll_service(context));
        polled.unwrap_or_else(|| Poll::Ready(response::failed(NOT_CALLED.into())))
    }
}

impl<S, B> ResponseFuture<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn poll_service(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let mut this = self.project();
        loop {
            let result = match this.stage.as_mut().project() {
                StageProjection::Called { future } => ready!(future.poll(context)),
                StageProjection::Done => return Poll::Pending,
                StageProjection::Ready { service, request } => match ready!(service.poll_ready(context)) {
                    Err(error) => Err(error),
                    Ok(()) => {
                        let Some(request) = request.take() else {
                            return Poll::Ready(response::failed("the service was already called".into()));
                        };
                        let future = service.call(request);
                        this.stage.set(Stage::Called { future });
                        continue;
                    }
                },
            };
            this.stage.set(Stage::Done);
            return Poll::Ready(match result {
                Ok(response) => response::of(response, std::mem::take(this.circumstances), this.within.take(), context),
                Err(error) => response::failed(error.into()),
            });
        }
    }
}

impl<S: Service<http::Request<Body>>> fmt::Debug for ResponseFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
