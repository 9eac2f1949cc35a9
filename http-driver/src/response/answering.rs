//! A handler at work, and its answer on the way into the core.

use std::any::Any;
use std::error::Error;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use httpants_core::{BodyLen, Misuse, ResponseHead, Sending};

use super::files;
use super::{Content, ContentStream, Piece, Response, StreamError, UpgradeHandler};
use crate::exchange::{Exchange, Shared};
use crate::handler::Handler;
use crate::observe::Count;
use crate::request::{BodyError, FormError, Request};

/// Where the answer to the current request is.
pub(crate) enum Answering<F> {
    /// No request is being answered.
    Nothing,
    /// The handler runs. Its future is made for each request, however large it is: an idle
    /// connection does not hold room for it.
    Handler(Pin<Box<F>>),
    /// The handler gave a stream, which is sent piece by piece; its head until it is sent.
    Stream { head: Option<ResponseHead>, stream: ContentStream },
}

/// What polling the answer led to.
pub(crate) enum Progress {
    /// Nothing to do, or nothing possible yet.
    Waiting,
    /// Something went into the core.
    Moved,
    /// The answer is complete; with an upgrade, what follows its head.
    Done(Option<UpgradeHandler>),
}

/// Starts the handler; a panic in the function itself is answered as one in its future.
pub(crate) fn call<H: Handler>(handler: &H, request: Request, exchange: &Exchange) -> Result<H::Future, ()> {
    catch_unwind(AssertUnwindSafe(|| handler.call(request))).map_err(|panic| {
        let shared = &mut exchange.lock();
        report_panic(shared, &*panic);
        fail(shared);
    })
}

fn report_panic(shared: &Shared, panic: &(dyn Any + Send)) {
    shared.observer.count(Count::Panic, 1);
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("(no text)").escape_debug().to_string(), "a handler panicked");
}

/// An error for the application's failures only, so that no peer can fill the log.
fn report_break(shared: &Shared, error: &(dyn Error + 'static)) {
    let text = error.to_string().escape_debug().to_string();
    if is_over(shared) || is_peers_fault(error) {
        tracing::debug!(error = text, "an answer broke off");
    } else {
        tracing::error!(error = text, "an answer broke off");
    }
}

/// Whether the connection ended before the answer did.
fn is_over(shared: &Shared) -> bool {
    !matches!(shared.core.state().send, Sending::Head | Sending::Content)
}

/// Whether it comes from what the peer sent as content, or did not send.
fn is_peers_fault(mut error: &(dyn Error + 'static)) -> bool {
    loop {
        let body = match error.downcast_ref() {
            Some(FormError::Form(_)) => return true,
            Some(FormError::Body(body)) => Some(body),
            None => error.downcast_ref::<BodyError>(),
        };
        if let Some(body) = body {
            return !matches!(body, BodyError::Storage(_) | BodyError::NotKept);
        }
        // An io::Error is transparent: its source is that of what it holds.
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        match held {
            Some(held) => error = held,
            None => match error.source() {
                Some(source) => error = source,
                None => return false,
            },
        }
    }
}

impl<F> Answering<F>
where
    F: Future,
    F::Output: Into<Response>,
{
    /// Lets the handler or its stream go on. The exchange is not locked while the
    /// application's code runs.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, exchange: &Exchange) -> Progress {
        match self {
            Self::Nothing => Progress::Waiting,
            Self::Handler(future) => {
                let output = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context).map(Into::into)));
                match output {
                    Ok(Poll::Pending) => Progress::Waiting,
                    Ok(Poll::Ready(response)) => {
                        *self = Self::Nothing;
                        self.give(&mut exchange.lock(), response)
                    }
                    Err(panic) => {
                        *self = Self::Nothing;
                        let shared = &mut exchange.lock();
                        report_panic(shared, &*panic);
                        fail(shared);
                        Progress::Done(None)
                    }
                }
            }
            Self::Stream { head, stream } => {
                if head.is_none() && exchange.lock().core.send_room() == 0 {
                    return Progress::Waiting;
                }
                // Polled before the head is sent: a stream that reads the request's content asks
                // the client for it, and 100 must not come behind a final status.
                let piece = catch_unwind(AssertUnwindSafe(|| stream.as_mut().poll_next(context)));
                let shared = &mut *exchange.lock();
                let sent = match piece {
                    Ok(piece) => pass_on(shared, head, piece),
                    Err(panic) => {
                        report_panic(shared, &*panic);
                        Err("panic".into())
                    }
                };
                if !matches!(sent, Ok(Progress::Waiting | Progress::Moved)) {
                    *self = Self::Nothing;
                }
                sent.unwrap_or_else(|error| {
                    report_break(shared, &*error);
                    fail(shared);
                    Progress::Done(None)
                })
            }
        }
    }

    /// Takes a finished response.
    pub(crate) fn give(&mut self, shared: &mut Shared, response: Response) -> Progress {
        let Response { mut head, content, misuse } = response;
        if let Some(misuse) = misuse {
            if is_over(shared) {
                tracing::debug!(%misuse, "the connection ended before its answer");
            } else {
                tracing::error!(%misuse, "a response could not be sent as it was made");
            }
            fail(shared);
            return Progress::Done(None);
        }
        let result = match content {
            Content::Whole(content) => shared.core.respond_with(&head, content).map(|()| None),
            Content::File(file) => files::respond(shared, &mut head, *file).map(|()| None),
            Content::Upgrade(then) => shared.core.respond(&head, BodyLen::Unknown).map(|()| Some(then)),
            Content::Sent => return Progress::Done(settle_sent(shared)),
            Content::Stream(stream) => {
                *self = Self::Stream { head: Some(head), stream };
                return Progress::Moved;
            }
        };
        Progress::Done(result.unwrap_or_else(|misuse| {
            if misuse != Misuse::Closed {
                tracing::error!(%misuse, "a response could not be sent");
                fail(shared);
            }
            None
        }))
    }
}

/// A piece of a streamed answer, behind its head if that is still to come.
fn pass_on(
    shared: &mut Shared,
    head: &mut Option<ResponseHead>,
    piece: Poll<Option<Result<Piece, StreamError>>>,
) -> Result<Progress, StreamError> {
    let piece = piece?;
    let begins = head.take();
    if let Some(head) = &begins {
        shared.core.respond(head, BodyLen::Unknown)?;
    }
    Ok(match piece {
        Poll::Ready(Some(Piece::Data(data))) => {
            shared.core.send(data)?;
            Progress::Moved
        }
        Poll::Ready(Some(Piece::Trailers(trailers))) => {
            shared.core.finish_with_trailers(&trailers)?;
            Progress::Done(None)
        }
        Poll::Ready(None) => {
            shared.core.finish()?;
            Progress::Done(None)
        }
        Poll::Pending if begins.is_some() => Progress::Moved,
        Poll::Pending => Progress::Waiting,
    })
}

/// A responder was to send the answer: where it did not finish, the answer is broken off.
fn settle_sent(shared: &mut Shared) -> Option<UpgradeHandler> {
    if matches!(shared.core.state().send, Sending::Head | Sending::Content) {
        tracing::error!("a handler returned before its responder finished the answer");
        fail(shared);
    }
    None
}

/// The handler failed: 500 where nothing was sent, else the connection is dropped, so that
/// no broken answer looks whole. Where the core refused the request already, that stands.
fn fail(shared: &mut Shared) {
    if shared.core.state().send == Sending::Head {
        let text = "the application failed\n";
        let answered = ResponseHead::new(500).and_then(|mut head| {
            head.fields = httpants_core::FieldLines::text_plain();
            shared.core.respond_with(&head, text)
        });
        if answered.is_ok() {
            return;
        }
    }
    if matches!(shared.core.state().send, Sending::Head | Sending::Content) {
        shared.core.abort();
    }
}
