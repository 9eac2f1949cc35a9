//! Requests become answers: their content is collected, their handlers run.

use std::pin::Pin;
use std::task::Context;

use httpants_core::Framing;
use httpants_core::forms::Limits;
use tracing::Span;

use super::Serve;
use crate::handler::{Handler, Intake};
use crate::observe::spans;
use crate::request::collect::{self, Collecting};
use crate::request::upload::Form;
use crate::request::{Body, Request};
use crate::response::{Answering, Progress, Response, answering};
use crate::runtime::Runtime;

impl<R: Runtime, H: Handler> Serve<R, H>
where
    R::Transport: Send,
{
    /// Events, and the handlers they start, until nothing moves.
    pub(super) fn take_requests(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let mut moved = false;
        loop {
            let request = {
                let mut shared = self.exchange.lock();
                if shared.files.is_full() { None } else { shared.pump() }
            };
            let mut again = false;
            if let Some(head) = request {
                self.as_mut().begin(head);
                again = true;
            }
            again |= self.as_mut().collect(context);
            again |= self.as_mut().answer(context);
            if !again {
                return moved;
            }
            moved = true;
        }
    }

    /// Lets the handler, or what it gave, go on under the request's span.
    #[inline]
    fn answer(self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let this = self.project();
        let progress = {
            let _entered = this.request_span.enter();
            this.answering.poll(context, this.exchange)
        };
        match progress {
            Progress::Waiting => return false,
            Progress::Moved => {}
            Progress::Done(None) if this.request_span.is_none() => {}
            Progress::Done(None) => *this.request_span = Span::none(),
            Progress::Done(upgrade) => *this.upgrade = upgrade,
        }
        true
    }

    /// A head has come: what becomes of its content?
    fn begin(mut self: Pin<&mut Self>, head: httpants_core::Request) {
        let this = self.as_mut().project();
        *this.request_span = spans::request(this.span, &head, this.exchange);
        let intake = match head.framing() {
            Framing::None => Intake::Buffer,
            _ => self.service.intake(&head),
        };
        match intake {
            Intake::Buffer => self.buffer(head, None),
            Intake::BufferWith(limits) => self.buffer(head, Some(limits)),
            Intake::Stream => self.stream(head, None),
            Intake::StreamUpTo(max_request) => self.stream(head, Some(max_request)),
            Intake::Refuse(response) => self.refuse(*response),
        }
    }

    fn buffer(self: Pin<&mut Self>, head: httpants_core::Request, limits: Option<Box<Limits>>) {
        let max_request = limits.as_ref().map(|limits| limits.max_request);
        match Collecting::begin(head, limits, &self.service.settings) {
            Ok(collecting) => {
                self.exchange.lock().begin_content(true, max_request);
                *self.project().collecting = Some(collecting);
            }
            Err(response) => self.refuse(*response),
        }
    }

    fn stream(self: Pin<&mut Self>, head: httpants_core::Request, max_request: Option<u64>) {
        let serial = self.exchange.lock().begin_content(false, max_request);
        let body = Body::arriving(self.exchange.clone(), serial, head.framing());
        self.call(head, body, None, serial);
    }

    pub(super) fn refuse(self: Pin<&mut Self>, response: Response) {
        let this = self.project();
        let _ = this.answering.give(&mut this.exchange.lock(), response);
    }

    fn call(self: Pin<&mut Self>, head: httpants_core::Request, body: Body, form: Option<Box<Form>>, serial: u64) {
        let request = Request::new(head, body, form, self.exchange.clone(), serial);
        let this = self.project();
        let _entered = this.request_span.enter();
        if let Ok(future) = answering::call(&this.service.handler, request, this.exchange) {
            *this.answering = Answering::Handler(Box::pin(future));
        }
    }

    /// Collects content; runs the handler when it is complete, forgets it when it never will be.
    fn collect(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let this = self.as_mut().project();
        let Some(collecting) = this.collecting else {
            return false;
        };
        let mut shared = this.exchange.lock();
        let progress = collecting.poll(context, &mut shared, &this.service.settings);
        let serial = shared.serial;
        drop(shared);
        match progress {
            collect::Progress::Waiting => return false,
            collect::Progress::Moved => {}
            collect::Progress::Complete(body, form) => {
                if let Some(collected) = this.collecting.take() {
                    self.call(collected.into_head(), body, form, serial);
                }
            }
            collect::Progress::Refused(response) => {
                // What was stored is removed before the answer is given.
                *this.collecting = None;
                self.refuse(*response);
            }
            collect::Progress::Broken => *this.collecting = None,
        }
        true
    }
}
