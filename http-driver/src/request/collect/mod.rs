//! Content on its way in, before the handler runs.
//!
//! ```text
//!                         +- Raw  Whole      in memory, raw or urlencoded
//! content -> Collecting --+          | too large
//!                         |       Spool   <--+  a temporary file, written in batches
//!                         +- Multipart   beside it, of a form: text and small files in memory,
//!                                        a Spool for each large file
//! ```
//!
//! Nothing here reads the socket or blocks. One batch is written at a time while the next is
//! gathered; when that is full, too, no more content is asked for. So an upload takes two
//! batches of memory, however large it is; a form of which both is kept, twice that.

mod fault;
mod multipart;
mod raw;
mod settings;
mod spool;
#[cfg(test)]
mod tests;
mod whole;

use std::iter::once;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use httpants_core::forms::{BadForm, FormType, Limits};
use httpants_core::{Framing, Headers, Request};

pub(crate) use self::settings::Settings;

use self::fault::Fault;
use self::multipart::MultipartIntake;
use self::raw::Raw;
use self::whole::Whole;
use crate::exchange::Shared;
use crate::request::body::Body;
use crate::request::upload::{Content, Form};
use crate::response::Response;

/// A request whose content is collected before its handler runs.
#[derive(Debug)]
pub(crate) struct Collecting {
    head: Request,
    /// Those of this request, where they are not the server's.
    limits: Option<Box<Limits>>,
    stage: Stage,
    ended: bool,
    /// No content is asked for until some was written.
    stalled: bool,
}

#[derive(Debug)]
struct Stage {
    raw: Raw,
    /// Those of a multipart form, while they arrive.
    parts: Option<Box<MultipartIntake>>,
    /// What they became.
    form: Option<Box<Form>>,
}

/// What came in.
#[derive(Debug)]
struct Received {
    /// `None` where it was not kept.
    content: Option<Content>,
    form: Option<Box<Form>>,
}

/// What polling led to.
pub(crate) enum Progress {
    /// Nothing to do, or nothing possible yet.
    Waiting,
    /// Something came in.
    Moved,
    /// All of it is there: the handler's turn.
    Complete(Body, Option<Box<Form>>),
    /// It is not acceptable, or could not be stored: the answer.
    Refused(Box<Response>),
    /// The connection ended first.
    Broken,
}

impl Collecting {
    /// Begins with the head alone.
    ///
    /// # Errors
    /// The answer, where the head says enough to refuse the content.
    pub(crate) fn begin(
        head: Request,
        limits: Option<Box<Limits>>,
        settings: &Settings,
    ) -> Result<Self, Box<Response>> {
        match Stage::begin(&head, limits.as_deref().unwrap_or(&settings.limits), settings) {
            Ok(stage) => Ok(Self { head, limits, stage, ended: false, stalled: false }),
            Err(fault) => Err(Fault::Form(fault).response(settings, true)),
        }
    }

    pub(crate) fn into_head(self) -> Request {
        self.head
    }

    /// Takes what came and stores it. Content is asked for as long as there is room for it.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, shared: &mut Shared, settings: &Settings) -> Progress {
        let mut progress = Progress::Waiting;
        loop {
            match self.stage.poll(context, settings) {
                Poll::Pending => {
                    if !std::mem::replace(&mut self.stalled, true) {
                        shared.want_content(false);
                    }
                    return progress;
                }
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(Some(Received { content, form }))) => {
                    return Progress::Complete(Body::collected(content, trailers(shared)), form);
                }
                Poll::Ready(Err(fault)) => return Progress::Refused(fault.response(settings, !self.ended)),
            }
            if std::mem::take(&mut self.stalled) {
                shared.want_content(true);
                progress = Progress::Moved;
            }
            if let Some(piece) = shared.take_content() {
                let limits = self.limits.as_deref().unwrap_or(&settings.limits);
                if let Err(fault) = self.stage.receive(piece, limits) {
                    return Progress::Refused(Fault::Form(fault).response(settings, true));
                }
                progress = Progress::Moved;
                continue;
            }
            match shared.content_end() {
                Some(Ok(_)) if !self.ended => {
                    self.ended = true;
                    self.stage.handle_eof();
                }
                Some(Err(_)) => return Progress::Broken,
                _ => return progress,
            }
        }
    }
}

fn trailers(shared: &Shared) -> Headers {
    match shared.content_end() {
        Some(Ok(trailers)) => trailers.clone(),
        _ => Headers::default(),
    }
}

impl Stage {
    fn begin(head: &Request, limits: &Limits, settings: &Settings) -> Result<Self, BadForm> {
        let stage = |raw| Self { raw, parts: None, form: None };
        let length = match head.framing() {
            // Without content there is no form, whatever the type says.
            Framing::None => return Ok(stage(Raw::Memory(Whole::raw(None)))),
            Framing::Length(length) => Some(length),
            _ => None,
        };
        let form_type = if settings.takes_form(head.method()) { form_type(head)? } else { None };
        Ok(match form_type {
            Some(FormType::Multipart(boundary)) => {
                let keep_blank_values = settings.variables.keep_blank_values;
                let parts = MultipartIntake::new(&boundary, limits, keep_blank_values);
                Self { parts: Some(Box::new(parts)), ..stage(Raw::Memory(Whole::form(length))) }
            }
            Some(FormType::Urlencoded) => stage(Raw::Memory(Whole::urlencoded(length, limits)?)),
            _ => stage(Raw::Memory(Whole::raw(length))),
        })
    }

    /// Only while [`poll`](Self::poll) is ready.
    fn receive(&mut self, piece: Bytes, limits: &Limits) -> Result<(), BadForm> {
        match &mut self.parts {
            None => self.raw.receive(piece, limits),
            Some(parts) => {
                parts.receive(piece.clone());
                // What is too large is refused by the parts, which may have to wait for that.
                let _ = self.raw.receive(piece, limits);
                Ok(())
            }
        }
    }

    fn handle_eof(&mut self) {
        match &mut self.parts {
            None => self.raw.handle_eof(),
            Some(parts) => parts.handle_eof(),
        }
    }

    /// Pending while there is no room for more content; what was received, once that is
    /// complete.
    fn poll(&mut self, context: &mut Context<'_>, settings: &Settings) -> Poll<Result<Option<Received>, Fault>> {
        if let Some(parts) = &mut self.parts {
            match parts.poll(context, &settings.disk) {
                Poll::Pending => {
                    let _ = self.raw.poll(context, settings)?;
                    return Poll::Pending;
                }
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(form)) => {
                    (self.form, self.parts) = (form, None);
                    self.raw.handle_eof();
                }
                Poll::Ready(Err(fault)) => {
                    if let Fault::Form(_) = fault {
                        ready!(self.raw.poll_idle(context));
                    }
                    return Poll::Ready(Err(fault));
                }
            }
        }
        let received = ready!(self.raw.poll(context, settings))?;
        Poll::Ready(
            Ok(received.map(|Received { content, form }| Received { content, form: self.form.take().or(form) })),
        )
    }
}

/// The form that the content has.
fn form_type(head: &Request) -> Result<Option<FormType>, BadForm> {
    let mut values = head.headers().all("content-type");
    let Some(first) = values.next() else {
        return Ok(None);
    };
    let form_type = FormType::of(first)?;
    let Some(second) = values.next() else {
        return Ok(form_type);
    };
    // With two types two readers could see two contents (RFC 9110 section 8.3).
    let mut others = once(second).chain(values);
    let raw = form_type.is_none() && others.all(|value| FormType::of(value) == Ok(None));
    if raw { Ok(None) } else { Err(BadForm::ContentType) }
}
