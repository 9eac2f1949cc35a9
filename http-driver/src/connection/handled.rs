//! The request that a connection handles: collects its body, runs its handler, streams its
//! response.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use httpants_core::{Now, RequestHead, RequestId, RequestLimits};
use tracing::Span;

use super::boxed::BoxedFuture;
use super::service::Service;
use crate::handler::{BodyPolicy, Handler};
use crate::observe::{Metrics, Panicked, guard, spans};
use crate::request::collect::{CollectError, Collected, collect};
use crate::request::{Body, Request};
use crate::response::{Outlet, Progress, RemainingWork, Response, ServerErrorKind, StreamTask, UpgradeHandler};

type Collecting = Pin<Box<dyn Future<Output = Result<Collected, CollectError>> + Send>>;

/// One request, from its head until its handler has ended and its whole response was passed to the
/// core. The next request may then begin while the response is still being sent.
pub(super) struct Handled<F> {
    request: RequestId,
    stage: Stage<F>,
    /// True if polling may make progress.
    pub(super) ready: bool,
    /// The upgrade handler, which gets the stream after the response.
    pub(super) upgrade: Option<UpgradeHandler>,
    pub(super) span: Span,
}

enum Stage<F> {
    /// No request is handled.
    Idle,
    /// The body is being read before the handler is called.
    Collecting { head: RequestHead, collecting: Collecting },
    /// The handler runs. Its future is boxed, so that an idle connection does not reserve memory for
    /// it.
    Handler(BoxedFuture<F>),
    /// A stream from the handler is being sent. Boxed for the same reason.
    Streaming(Box<StreamTask>),
}

impl<F: 'static> Handled<F> {
    pub(super) fn new() -> Self {
        Self { request: RequestId::default(), stage: Stage::Idle, ready: false, upgrade: None, span: Span::none() }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    pub(super) fn request(&self) -> RequestId {
        self.request
    }

    /// Returns the time at which the request must be polled even if nothing has happened.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Streaming(stream) => stream.deadline(),
            _ => None,
        }
    }

    /// Drops the current stage inside the request's span.
    pub(super) fn drop_stage(&mut self, metrics: &Metrics) {
        let _entered = spans::enter(&self.span);
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        let _ = guard(metrics, "drop of a handler", || match stage {
            Stage::Handler(future) => future.end(),
            stage => drop(stage),
        });
    }

    /// Drops the current stage and any upgrade inside the request's span.
    pub(super) fn drop_all<T>(&mut self, upgraded: Option<T>, metrics: &Metrics) {
        self.drop_stage(metrics);
        let _entered = spans::enter(&self.span);
        let upgrade = self.upgrade.take();
        let _ = guard(metrics, "drop of an upgrade", || drop((upgrade, upgraded)));
    }
}

impl<F> Handled<F>
where
    F: Future + 'static,
    F::Output: Into<Response>,
{
    /// Begins a request: decides how its body is read, and calls the handler if it need not wait
    /// for the body.
    pub(super) fn begin<H>(&mut self, head: RequestHead, service: &Service<H>, outlet: &mut Outlet<'_>)
    where
        H: Handler<Future = F>,
    {
        self.request = head.id();
        self.span = spans::request(&head);
        let Ok(chosen) = self.choose_limits(&head, service, outlet) else {
            return outlet.fail(ServerErrorKind::Panic);
        };
        if !head.has_body() {
            if let Some(limits) = chosen {
                outlet.set_request_limits(&limits);
            }
            return self.call(Request::without_body(head, outlet.exchange.clone()), service, outlet);
        }
        self.begin_with_body(head, chosen, service, outlet);
    }

    /// Begins a request with a body according to its policy. Not inlined, because most requests
    /// have no body.
    #[inline(never)]
    fn begin_with_body<H>(
        &mut self,
        head: RequestHead,
        chosen: Option<RequestLimits>,
        service: &Service<H>,
        outlet: &mut Outlet<'_>,
    ) where
        H: Handler<Future = F>,
    {
        let policy = guard(outlet.metrics, "body policy", || service.body_policy(&head));
        let Ok((policy, limits)) = policy.map(BodyPolicy::into_parts) else {
            return outlet.fail(ServerErrorKind::Panic);
        };
        let size = policy.max_body_size().map(|size| RequestLimits::new().max_body_size(size));
        let limits = [limits, size, chosen].into_iter().flatten().reduce(RequestLimits::or);
        match policy {
            BodyPolicy::BufferWith(form) => self.collect((head, limits), Some(form), service, outlet),
            BodyPolicy::Stream | BodyPolicy::StreamUpTo(_) => self.stream(head, limits, service, outlet),
            BodyPolicy::Refuse(response) => self.respond(*response, outlet),
            BodyPolicy::Buffer | BodyPolicy::Limited(_) => self.collect((head, limits), None, service, outlet),
        }
    }

    /// Returns the limits that the server chooses for this request, if any.
    fn choose_limits<H>(
        &self,
        head: &RequestHead,
        service: &Service<H>,
        outlet: &Outlet<'_>,
    ) -> Result<Option<RequestLimits>, Panicked> {
        let Some(choose) = &service.choose_limits else { return Ok(None) };
        let _entered = spans::enter(&self.span);
        guard(outlet.metrics, "limits of a request", || choose(head))
    }

    fn collect<H>(
        &mut self,
        (mut head, limits): (RequestHead, Option<RequestLimits>),
        mut form: Option<Box<httpants_core::forms::FormLimits>>,
        service: &Service<H>,
        outlet: &mut Outlet<'_>,
    ) where
        H: Handler<Future = F>,
    {
        let Some(body) = self.open_body(&mut head, limits.as_ref(), service, outlet) else { return };
        if let Some(size) = limits.and_then(|limits| limits.body_size()) {
            form.get_or_insert_with(|| Box::new(service.settings.limits.clone())).max_body_size = size;
        }
        match collect(&head, body, form, &service.settings) {
            Ok(collecting) => self.stage = Stage::Collecting { head, collecting: Box::pin(collecting) },
            Err(error) => self.refuse(error, outlet),
        }
    }

    fn stream<H>(
        &mut self,
        mut head: RequestHead,
        limits: Option<RequestLimits>,
        service: &Service<H>,
        outlet: &mut Outlet<'_>,
    ) where
        H: Handler<Future = F>,
    {
        let Some(body) = self.open_body(&mut head, limits.as_ref(), service, outlet) else { return };
        self.call(Request::new(head, body, None, outlet.exchange.clone()), service, outlet);
    }

    /// Opens the body for reading, with a decoder if the server decodes it; returns `None` if the
    /// request was refused because of its body.
    fn open_body<H>(
        &mut self,
        head: &mut RequestHead,
        limits: Option<&RequestLimits>,
        service: &Service<H>,
        outlet: &mut Outlet<'_>,
    ) -> Option<Body>
    where
        H: Handler<Future = F>,
    {
        let max_size =
            limits.and_then(RequestLimits::body_size).unwrap_or(service.environment.config.limits.max_body_size);
        let decoder = match service.decompression.as_ref().map(|settings| settings.decoder(head, max_size)) {
            None => None,
            Some(Ok(decoder)) => decoder,
            Some(Err(supported)) => {
                self.respond(Response::unsupported_coding(&supported), outlet);
                return None;
            }
        };
        outlet.exchange.with(|shared| shared.open_body(head, limits)).ok()?;
        let body = Body::arriving(outlet.exchange.clone(), head.id(), head.framing());
        let Some(decoder) = decoder else { return Some(body) };
        *head = outlet.exchange.with(|shared| shared.core.set_body_decoded(head.id())).ok()?;
        Some(body.decoded(decoder))
    }

    fn call<H>(&mut self, request: Request, service: &Service<H>, outlet: &mut Outlet<'_>)
    where
        H: Handler<Future = F>,
    {
        let _entered = spans::enter(&self.span);
        match guard(outlet.metrics, "handler", || BoxedFuture::new(service.handler.call(request))) {
            Ok(future) => self.stage = Stage::Handler(future),
            Err(_) => outlet.fail(ServerErrorKind::Panic),
        }
    }

    /// Polls the current stage inside the request's span. No lock is held meanwhile. The clock is
    /// read again after application code, because durations and response timeouts count from then.
    pub(super) fn poll<H>(
        &mut self,
        context: &mut Context<'_>,
        service: &Service<H>,
        outlet: &mut Outlet<'_>,
        clock: impl Fn() -> Now,
    ) where
        H: Handler<Future = F>,
    {
        if matches!(self.stage, Stage::Collecting { .. }) {
            self.poll_collecting(context, service, outlet);
        }
        if matches!(self.stage, Stage::Handler(_)) {
            self.poll_handler(context, outlet, &clock);
        }
        if matches!(self.stage, Stage::Streaming(_)) {
            self.poll_stream(context, outlet);
            outlet.now = clock();
        }
    }

    /// Continues reading the body; calls the handler at its end.
    fn poll_collecting<H>(&mut self, context: &mut Context<'_>, service: &Service<H>, outlet: &mut Outlet<'_>)
    where
        H: Handler<Future = F>,
    {
        let Stage::Collecting { collecting, .. } = &mut self.stage else { return };
        let Poll::Ready(collected) = collecting.as_mut().poll(context) else { return };
        let Stage::Collecting { head, collecting } = std::mem::replace(&mut self.stage, Stage::Idle) else { return };
        // Files stored for a refused request are removed before the response.
        drop(collecting);
        match collected {
            Ok(Collected { body, form }) => {
                self.call(Request::new(head, body, form, outlet.exchange.clone()), service, outlet);
            }
            Err(error) => self.refuse(error, outlet),
        }
    }

    fn poll_handler(&mut self, context: &mut Context<'_>, outlet: &mut Outlet<'_>, clock: &impl Fn() -> Now) {
        let Stage::Handler(future) = &mut self.stage else { return };
        let polled = {
            let _entered = spans::enter(&self.span);
            guard(outlet.metrics, "handler", || future.poll(context).map(Into::into))
        };
        outlet.now = clock();
        if let Ok(Poll::Pending) = polled {
            return;
        }
        self.drop_stage(outlet.metrics);
        match polled {
            Ok(Poll::Ready(response)) => self.respond(response, outlet),
            _ => outlet.fail(ServerErrorKind::Panic),
        }
    }

    fn poll_stream(&mut self, context: &mut Context<'_>, outlet: &mut Outlet<'_>) {
        let Stage::Streaming(stream) = &mut self.stage else { return };
        let progress = {
            let _entered = spans::enter(&self.span);
            stream.poll(context, outlet)
        };
        match progress {
            Progress::Waiting => {}
            Progress::Yielded => self.ready = true,
            Progress::Done => self.drop_stage(outlet.metrics),
        }
    }

    fn refuse(&mut self, error: CollectError, outlet: &mut Outlet<'_>) {
        if let Some(response) = Response::for_collect_error(error, outlet.metrics) {
            self.respond(response, outlet);
        }
    }

    /// Sends the response of the handler, or an error response if that cannot be sent.
    pub(super) fn respond(&mut self, response: Response, outlet: &mut Outlet<'_>) {
        match outlet.respond(response) {
            RemainingWork::Nothing => {}
            RemainingWork::Stream(stream) => self.stage = Stage::Streaming(stream),
            RemainingWork::Upgrade(then) => self.upgrade = Some(then),
        }
    }
}
