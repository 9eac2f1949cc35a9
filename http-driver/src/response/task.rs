//! Passing of a response from the application to the core.

use std::error::Error;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use httpants_core::{BodyLen, Misuse, ResponseHead, ResponseState};

use super::compression::{self, Coder};
use super::files;
use super::heartbeat::Heartbeat;
use super::outlet::Outlet;
use super::server_error::ServerErrorKind;
use super::{BoxError, Content, ContentStream, ErrorText, Piece, Response, UpgradeHandler};
use crate::exchange::BodyError;
use crate::observe::report::report;
use crate::observe::{Panicked, guard};
use crate::request::FormError;

/// Maximum number of polls of a stream before its bytes are written.
const PIECES: usize = 32;
/// Maximum number of slices of pieces that are compressed before other tasks get a turn.
const CODED: usize = 8;

/// A response whose body is still being produced.
pub(crate) struct StreamTask {
    /// The head; `None` after it was sent.
    head: Option<ResponseHead>,
    stream: ContentStream,
    /// The schedule of comments, for server-sent events.
    heartbeat: Option<Heartbeat>,
    /// Number of polls of server-sent events since the server began to shut down.
    last_polls: usize,
    /// The encoder, if the pieces are compressed.
    coder: Option<Coder>,
}

/// The work left after a response was given to the core.
pub(crate) enum RemainingWork {
    Nothing,
    Stream(Box<StreamTask>),
    Upgrade(UpgradeHandler),
}

type PolledPiece = Poll<Option<Result<Piece, BoxError>>>;

/// The result of polling a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The task waits for the stream or for room to send.
    Waiting,
    /// The task continues after the queued bytes were written.
    Yielded,
    Done,
}

impl Outlet<'_> {
    /// Passes the response of a handler to the core.
    pub(crate) fn respond(&mut self, response: Response) -> RemainingWork {
        let request = self.request;
        let Response { mut head, mut content, misuse } = response;
        if let Some(misuse) = misuse {
            return self.refuse(misuse, content);
        }
        let coder = match self.compress(&mut head, &mut content) {
            Ok(coder) => coder,
            Err(kind) => {
                let _ = guard(self.metrics, "drop of a response body", || drop(content));
                self.fail(kind);
                return RemainingWork::Nothing;
            }
        };
        let result = match content {
            Content::Whole(content) => {
                // A clone, so that the last handle of the content is dropped without the lock.
                let kept = content.clone();
                let given = self.with(|shared| shared.core.respond_with(request, &head, content));
                drop(kept);
                given.map(|()| RemainingWork::Nothing)
            }
            Content::File(file) => files::respond(self, head, *file).map(|()| RemainingWork::Nothing),
            Content::Upgrade(then) => match self.with(|shared| shared.core.respond_upgrade(request, &head)) {
                Ok(()) => Ok(RemainingWork::Upgrade(then)),
                Err(misuse) => {
                    let _ = guard(self.metrics, "drop of an upgrade", || drop(then));
                    self.report(&misuse);
                    self.fail(ServerErrorKind::Misuse(misuse));
                    return RemainingWork::Nothing;
                }
            },
            Content::Error(error_text) => self.respond_with_page(head, *error_text),
            Content::Failed(error) => {
                self.break_off(error);
                return RemainingWork::Nothing;
            }
            Content::Sent => {
                self.check_sent();
                return RemainingWork::Nothing;
            }
            Content::Stream(stream) => self.begin_stream(head, StreamTask::new(stream, None, coder)),
            Content::Events(stream, heartbeat) => {
                self.begin_stream(head, StreamTask::new(stream, Some(heartbeat), coder))
            }
        };
        result.unwrap_or_else(|misuse| {
            self.fail_with(&misuse);
            RemainingWork::Nothing
        })
    }

    /// Compresses a response if the server is configured for it and the client accepts it; returns
    /// the encoder of a body that is still being produced.
    ///
    /// # Errors
    /// Returns an error, which was logged, if the application's filter panics or its fields are
    /// invalid.
    fn compress(&mut self, head: &mut ResponseHead, content: &mut Content) -> Result<Option<Coder>, ServerErrorKind> {
        let Some(compression) = &self.policy.compression else { return Ok(None) };
        let id = self.request;
        let current = self.with(|shared| shared.core.current_request().cloned());
        let Some(request) = current.filter(|request| request.id() == id) else { return Ok(None) };
        let compressed = guard(self.metrics, "compression of a response", || {
            compression::compress(compression, &request, head, content)
        });
        compressed.map_err(|_| ServerErrorKind::Panic)?.map_err(|misuse| {
            self.report(&misuse);
            ServerErrorKind::Misuse(misuse)
        })
    }

    /// Handles a response that could not be created, or a misuse that the handler returned.
    #[cold]
    fn refuse(&mut self, misuse: Misuse, content: Content) -> RemainingWork {
        let _ = guard(self.metrics, "drop of a response body", || drop(content));
        if misuse == Misuse::NoBody && self.state() == ResponseState::Begun {
            // As in Go's net/http: the handler ended because the request's body was refused, and
            // the response consists only of the head.
            let request = self.request;
            let _ = self.with(|shared| shared.core.finish(request));
            return RemainingWork::Nothing;
        }
        self.fail_with(&misuse);
        RemainingWork::Nothing
    }

    /// Handles a response that cannot be sent. For a 2xx to CONNECT the reason is that the handler
    /// opens no tunnel.
    #[cold]
    fn fail_with(&mut self, misuse: &Misuse) {
        if *misuse == Misuse::Upgrade && self.is_tunnel_expected() {
            return self.refuse_tunnel();
        }
        self.report(misuse);
        self.fail(ServerErrorKind::Misuse(*misuse));
    }

    /// Checks that a responder has finished the response.
    fn check_sent(&mut self) {
        if !self.state().is_over() {
            report!("handler returned before its responder finished the response");
            self.fail(ServerErrorKind::Failure);
        }
    }

    /// Sends an error of the server, with the application's page unless it chose another status.
    #[cold]
    fn respond_with_page(&mut self, mut head: ResponseHead, error_text: ErrorText) -> Result<RemainingWork, Misuse> {
        let ErrorText { error, text } = error_text;
        let page = if head.status == error.status() { self.error_page(&error, &mut head) } else { None };
        let (request, body) = (self.request, page.unwrap_or(text));
        let kept = body.clone();
        let given = self.with(|shared| shared.core.respond_with(request, &head, body));
        drop(kept);
        given.map(|()| RemainingWork::Nothing)
    }

    fn begin_stream(&mut self, head: ResponseHead, task: StreamTask) -> Result<RemainingWork, Misuse> {
        let (request, status) = (self.request, head.status);
        let has_body = self
            .with(|shared| shared.core.current_request().is_none_or(|request| request.allows_response_body(status)));
        if has_body {
            return Ok(RemainingWork::Stream(Box::new(StreamTask { head: Some(head), ..task })));
        }
        let _ = guard(self.metrics, "drop of a response stream", || drop(task));
        self.with(|shared| {
            shared.core.respond(request, &head, BodyLen::Unknown)?;
            shared.core.finish(request)
        })?;
        Ok(RemainingWork::Nothing)
    }

    /// Aborts the response because the application failed with this error.
    #[cold]
    fn break_off(&mut self, error: BoxError) {
        let state = self.state();
        let _ = guard(self.metrics, "formatting of an application error", || report_break(state, error));
        self.fail(ServerErrorKind::Failure);
    }
}

impl StreamTask {
    fn new(stream: ContentStream, heartbeat: Option<Heartbeat>, coder: Option<Coder>) -> Self {
        Self { head: None, stream, heartbeat, last_polls: 0, coder }
    }

    /// Passes pieces to the core while the stream has some and there is room.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, outlet: &mut Outlet<'_>) -> Progress {
        let mut coded = 0;
        for _ in 0..PIECES {
            if self.head.is_none() && !self.has_room(outlet) {
                self.heartbeat.iter_mut().for_each(Heartbeat::restart);
                return Progress::Waiting;
            }
            let passed = match self.coder.as_mut().and_then(Coder::step) {
                Some(slice) => {
                    coded += 1;
                    let piece = slice.map(Piece::Data).map_err(BoxError::from);
                    self.pass_on(outlet, Poll::Ready(Some(piece)), Bytes::new())
                }
                None => {
                    let Ok(polled) = self.poll_stream(context, outlet) else {
                        outlet.fail(ServerErrorKind::Panic);
                        return Progress::Done;
                    };
                    self.encode(outlet, polled)
                }
            };
            match passed {
                Ok(Some(progress)) => return progress,
                Ok(None) if coded == CODED => return Progress::Yielded,
                Ok(None) => {}
                Err(error) => {
                    outlet.break_off(error);
                    return Progress::Done;
                }
            }
        }
        Progress::Yielded
    }

    fn poll_stream(&mut self, context: &mut Context<'_>, outlet: &Outlet<'_>) -> Result<PolledPiece, Panicked> {
        // A stream of events that is always ready must also end at shutdown.
        if self.heartbeat.is_some() && outlet.is_draining {
            if self.last_polls == PIECES {
                return Ok(Poll::Ready(None));
            }
            self.last_polls += 1;
        }
        // Polled before the head is sent: a stream that reads the request's body causes `100
        // Continue`, which must precede the final status.
        let polled = guard(outlet.metrics, "response stream", || self.stream.as_mut().poll_next(context))?;
        Ok(self.add_heartbeat(outlet, polled))
    }

    /// Passes a piece to the core or to the encoder.
    fn encode(&mut self, outlet: &mut Outlet<'_>, polled: PolledPiece) -> Result<Option<Progress>, BoxError> {
        match (&mut self.coder, polled) {
            (Some(coder), Poll::Ready(Some(Ok(Piece::Data(data))))) => {
                coder.push(data);
                Ok(None)
            }
            (Some(coder), mut end @ Poll::Ready(None | Some(Ok(_)))) => {
                let last = coder.finish()?;
                if let Poll::Ready(Some(Ok(Piece::Trailers(trailers)))) = &mut end {
                    coder.correct_trailers(trailers);
                }
                self.pass_on(outlet, end, last)
            }
            (_, polled) => self.pass_on(outlet, polled, Bytes::new()),
        }
    }

    /// Returns the time at which the task must be polled even if nothing has happened.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.heartbeat.as_ref().and_then(Heartbeat::due)
    }

    /// Returns the polled item; in place of a pending one a comment if that is due, or the end if
    /// the server shuts down.
    fn add_heartbeat(&mut self, outlet: &Outlet<'_>, polled: PolledPiece) -> PolledPiece {
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
                    heartbeat.restart();
                }
                polled
            }
        }
    }

    fn has_room(&self, outlet: &mut Outlet<'_>) -> bool {
        let request = outlet.request;
        // If the connection has ended, the stream continues until its next piece fails.
        !matches!(outlet.with(|shared| shared.core.poll_send_room(request)), Ok(0))
    }

    /// Sends the head if it was not sent yet, then `before`, then a piece of the body.
    fn pass_on(
        &mut self,
        outlet: &mut Outlet<'_>,
        polled: PolledPiece,
        before: Bytes,
    ) -> Result<Option<Progress>, BoxError> {
        let piece = match polled {
            Poll::Ready(piece) => Some(piece.transpose()?),
            Poll::Pending => None,
        };
        let request = outlet.request;
        let head = self.head.take();
        // A clone, so that the last handle of the data is dropped without the lock.
        let kept = if let Some(Some(Piece::Data(data))) = &piece { Some(data.clone()) } else { None };
        let progress = outlet.with(|shared| {
            if let Some(head) = &head {
                shared.core.respond(request, head, BodyLen::Unknown)?;
            }
            if !before.is_empty() {
                shared.core.send(request, before)?;
            }
            match piece {
                // A responder of the same request may have finished the response.
                None if shared.core.response_state(request).is_over() => return Err(Misuse::NoRequest),
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
#[expect(clippy::needless_pass_by_value, reason = "its drop may panic, which the caller catches")]
fn report_break(state: ResponseState, error: BoxError) {
    // A response that is too short also ends the connection, but this is not the fault of the peer.
    let is_short = matches!(error.downcast_ref(), Some(Misuse::TooLittleContent { .. }));
    let is_peers = state.is_over() && !is_short || is_peers_fault(&*error);
    let text = error.to_string();
    let error = text.escape_debug();
    if is_peers {
        tracing::debug!(%error, "response aborted");
    } else {
        report!("response aborted", error);
    }
}

/// Returns whether the error is that of a request body that was invalid or incomplete.
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
