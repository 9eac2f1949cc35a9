//! Passing of a response from the application to the core.

use std::error::Error;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Method;
use httpants_core::{BodyLen, Misuse, ResponseHead, ResponseState};

use super::events::Heartbeat;
use super::files;
use super::outlet::Outlet;
use super::{BoxError, Content, ContentStream, Piece, Response, UpgradeHandler};
use crate::exchange::BodyError;
use crate::observe::guard;
use crate::observe::report::report;
use crate::request::FormError;

/// Polls of a stream before its bytes are written.
const PIECES: usize = 32;

/// A response whose body is still being produced.
pub(crate) struct StreamTask {
    /// The head, until it is sent.
    head: Option<ResponseHead>,
    stream: ContentStream,
    /// For server-sent events.
    heartbeat: Option<Heartbeat>,
}

/// The work left after a response was given to the core.
pub(crate) enum Rest {
    Nothing,
    Stream(StreamTask),
    Upgrade(UpgradeHandler),
}

/// The result of polling a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It waits for the stream or for room to send.
    Waiting,
    /// It continues after its bytes were written.
    Yielded,
    Done,
}

impl Outlet<'_> {
    /// Gives the response of a handler to the core.
    pub(crate) fn respond(&mut self, response: Response) -> Rest {
        let request = self.request;
        let Response { head, content, misuse } = response;
        if let Some(misuse) = misuse {
            return self.refuse(misuse, content);
        }
        let result = match content {
            Content::Whole(content) => {
                // The last handle of the content is dropped without the lock.
                let kept = content.clone();
                let given = self.with(|shared| shared.core.respond_with(request, &head, content));
                drop(kept);
                given.map(|()| Rest::Nothing)
            }
            Content::File(file) => files::respond(self, head, *file).map(|()| Rest::Nothing),
            Content::Upgrade(then) => match self.with(|shared| shared.core.respond_upgrade(request, &head)) {
                Ok(()) => Ok(Rest::Upgrade(then)),
                Err(misuse) => {
                    let _ = guard(self.metrics, "drop of an upgrade", || drop(then));
                    self.report(&misuse);
                    self.fail();
                    return Rest::Nothing;
                }
            },
            Content::Failed(error) => {
                self.break_off(error);
                return Rest::Nothing;
            }
            Content::Sent => {
                self.check_sent();
                return Rest::Nothing;
            }
            Content::Stream(stream) => self.begin_stream(head, stream, None),
            Content::Events(events) => self.begin_stream(head, events.stream, Some(events.heartbeat)),
        };
        result.unwrap_or_else(|misuse| {
            self.fail_with(&misuse);
            Rest::Nothing
        })
    }

    /// Handles a response that could not be created, or a misuse that the handler returned.
    fn refuse(&mut self, misuse: Misuse, content: Content) -> Rest {
        let _ = guard(self.metrics, "drop of a response body", || drop(content));
        if misuse == Misuse::NoBody && self.state() == ResponseState::Begun {
            // As in Go: the handler ended because its body was refused, and the response consists
            // of the head alone.
            let request = self.request;
            let _ = self.with(|shared| shared.core.finish(request));
            return Rest::Nothing;
        }
        self.fail_with(&misuse);
        Rest::Nothing
    }

    /// Handles a response that cannot be sent. A 2xx to CONNECT means that the handler has no
    /// tunnel to open.
    fn fail_with(&mut self, misuse: &Misuse) {
        if *misuse == Misuse::Upgrade && self.is_tunnel_expected() {
            return self.refuse_tunnel();
        }
        self.report(misuse);
        self.fail();
    }

    /// Checks that a responder has finished the response.
    fn check_sent(&mut self) {
        if !self.state().is_over() {
            report!("handler returned before its responder finished the response");
            self.fail();
        }
    }

    fn begin_stream(
        &mut self,
        head: ResponseHead,
        stream: ContentStream,
        heartbeat: Option<Heartbeat>,
    ) -> Result<Rest, Misuse> {
        let (request, status) = (self.request, head.status);
        let (has_body, ends_http) = self.with(|shared| match shared.core.current_request() {
            None => (true, false),
            Some(request) => {
                (request.allows_response_body(status), *request.method() == Method::CONNECT && status.is_success())
            }
        });
        if has_body && !ends_http {
            return Ok(Rest::Stream(StreamTask { head: Some(head), stream, heartbeat }));
        }
        let _ = guard(self.metrics, "drop of a response stream", || drop(stream));
        self.with(|shared| {
            shared.core.respond(request, &head, BodyLen::Unknown)?;
            shared.core.finish(request)
        })?;
        Ok(Rest::Nothing)
    }

    /// Aborts the response because the application failed with this error.
    fn break_off(&mut self, error: BoxError) {
        let state = self.state();
        let _ = guard(self.metrics, "formatting of an application error", || report_break(state, error));
        self.fail();
    }
}

impl StreamTask {
    /// Passes pieces on while there are some and there is room.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, outlet: &mut Outlet<'_>) -> Progress {
        for turn in 1..=PIECES {
            if self.head.is_none() && !self.has_room(outlet) {
                self.heartbeat.iter_mut().for_each(Heartbeat::rest);
                return Progress::Waiting;
            }
            // Polled before the head is sent: a stream that reads the request's body causes `100
            // Continue`, which must precede the final status.
            let polled = match self.heartbeat {
                // Events that are always ready end with the server, too.
                Some(_) if outlet.is_draining && turn == PIECES => Ok(Poll::Ready(None)),
                _ => guard(outlet.metrics, "response stream", || self.stream.as_mut().poll_next(context)),
            };
            let Ok(polled) = polled else {
                outlet.fail();
                return Progress::Done;
            };
            let polled = self.beat(outlet, polled);
            match self.pass_on(outlet, polled) {
                Ok(Some(progress)) => return progress,
                Ok(None) => {}
                Err(error) => {
                    outlet.break_off(error);
                    return Progress::Done;
                }
            }
        }
        Progress::Yielded
    }

    /// Returns when this is to be polled even if nothing has happened.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.heartbeat.as_ref().and_then(Heartbeat::due)
    }

    /// Puts a comment in the place of an event if it is time, and the end if the server shuts down.
    fn beat(
        &mut self,
        outlet: &Outlet<'_>,
        polled: Poll<Option<Result<Piece, BoxError>>>,
    ) -> Poll<Option<Result<Piece, BoxError>>> {
        let Some(heartbeat) = &mut self.heartbeat else { return polled };
        let comment = match polled {
            Poll::Pending if outlet.is_draining => return Poll::Ready(None),
            Poll::Pending => heartbeat.comment(outlet.now.mono),
            Poll::Ready(_) => None,
        };
        match comment {
            Some(comment) => Poll::Ready(Some(Ok(Piece::Data(comment)))),
            None => {
                if polled.is_ready() {
                    heartbeat.rest();
                }
                polled
            }
        }
    }

    fn has_room(&self, outlet: &mut Outlet<'_>) -> bool {
        let request = outlet.request;
        // Without a connection the stream continues, to learn of it with its next piece.
        !matches!(outlet.with(|shared| shared.core.poll_send_room(request)), Ok(0))
    }

    /// Sends a piece of the body, after the head if that was not sent yet.
    fn pass_on(
        &mut self,
        outlet: &mut Outlet<'_>,
        polled: Poll<Option<Result<Piece, BoxError>>>,
    ) -> Result<Option<Progress>, BoxError> {
        let piece = match polled {
            Poll::Ready(piece) => Some(piece.transpose()?),
            Poll::Pending => None,
        };
        let request = outlet.request;
        let head = self.head.take();
        // The last handle of the data is dropped without the lock.
        let kept = if let Some(Some(Piece::Data(data))) = &piece { Some(data.clone()) } else { None };
        let progress = outlet.with(|shared| {
            if let Some(head) = &head {
                shared.core.respond(request, head, BodyLen::Unknown)?;
            }
            match piece {
                None => return Ok(Some(Progress::Waiting)),
                Some(Some(Piece::Data(data))) => {
                    shared.core.send(request, data)?;
                    return Ok(None);
                }
                Some(Some(Piece::Trailers(trailers))) => shared.core.finish_with_trailers(request, &trailers)?,
                Some(None) => shared.core.finish(request)?,
            }
            Ok::<_, Misuse>(Some(Progress::Done))
        });
        drop(kept);
        Ok(progress?)
    }
}

/// Logs an ERROR only for failures of the application, so that no peer can fill the log.
#[expect(clippy::needless_pass_by_value, reason = "it is dropped where a panic is caught")]
fn report_break(state: ResponseState, error: BoxError) {
    let is_peers = state.is_over() || is_peers_fault(&*error);
    let text = error.to_string();
    let error = text.escape_debug();
    if is_peers {
        tracing::debug!(%error, "response aborted");
    } else {
        report!("response aborted", error);
    }
}

/// Returns whether the error comes from a body that the peer sent or failed to send.
fn is_peers_fault(mut error: &(dyn Error + 'static)) -> bool {
    loop {
        let body = match error.downcast_ref() {
            Some(FormError::Form(_)) => return true,
            Some(FormError::Body(body)) => Some(body),
            None => error.downcast_ref::<BodyError>(),
        };
        if let Some(body) = body {
            return !matches!(body, BodyError::Storage(_) | BodyError::NotKept | BodyError::Taken);
        }
        // The source of an io::Error is that of its inner error, so the inner error is checked
        // first.
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
