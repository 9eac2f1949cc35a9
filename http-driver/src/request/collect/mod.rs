//! Buffering of a body before the handler runs. It reads pieces and passes each on, until the end.
//!
//! ```text
//!                 +- Raw            in memory, or in a temporary file by a Spool
//! Body -> collect-+
//!                 +- FormCollector  in addition, for a multipart form: text and small files in
//!                                   memory, a Spool for each large file
//! ```
//!
//! Nothing here reads the socket or blocks. One batch is written while the next is filled; when
//! that is full, too, nothing is read and the peer has to wait. An upload therefore takes two
//! batches of memory, however large it is; a form whose raw body is kept takes twice that.

mod error;
#[cfg(feature = "forms")]
mod form;
#[cfg(not(feature = "forms"))]
#[path = "form/unsupported.rs"]
mod form;
mod raw;
mod settings;
mod spool;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use httpants_core::RequestHead;
use httpants_core::forms::{FormLimits, ParseFormError};

pub(crate) use self::error::CollectError;
use self::form::FormCollector;
use self::raw::Raw;
pub(crate) use self::settings::Settings;
use super::body::Body;
use super::forms::Form;
use super::upload::Content;

/// A completely received body.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) body: Body,
    pub(crate) form: Option<Box<Form>>,
}

/// The destinations of a body while it is read.
#[derive(Debug)]
struct Collector {
    raw: Raw,
    form: FormCollector,
    settings: Arc<Settings>,
}

/// Reads the body of a request, with these limits instead of the server's if there are some.
///
/// # Errors
/// Returns an error, before any of the body is read, if it must be refused because of the head.
pub(crate) fn collect(
    head: &RequestHead,
    mut body: Body,
    limits: Option<Box<FormLimits>>,
    settings: &Arc<Settings>,
) -> Result<impl Future<Output = Result<Collected, CollectError>> + Send + 'static, CollectError> {
    let limits = limits.as_deref().unwrap_or(&settings.limits);
    // The core refuses a body whose length exceeds the limit, as it does for every other body.
    let length = body.remaining().filter(|&length| length <= limits.max_body_size);
    let mut collector = Collector::new(head, length, limits, settings)?;
    Ok(async move {
        while let Some(piece) = body.next().await {
            let pushed = match piece {
                Ok(piece) => collector.push(piece).await,
                Err(error) => Err(CollectError::body(error)),
            };
            if let Err(error) = pushed {
                error.log(&collector.settings.disk);
                collector.discard().await;
                return Err(error);
            }
        }
        let trailers = body.trailers().unwrap_or_default();
        let settings = Arc::clone(&collector.settings);
        let (content, form) = collector.finish().await.map_err(|error| {
            error.log(&settings.disk);
            error.after_the_end()
        })?;
        Ok(Collected { body: Body::collected(content, trailers), form })
    })
}

impl Collector {
    fn new(
        head: &RequestHead,
        length: Option<u64>,
        limits: &FormLimits,
        settings: &Arc<Settings>,
    ) -> Result<Self, ParseFormError> {
        let (form, raw) = FormCollector::begin(head, length, limits, &settings.forms)?;
        Ok(Self { raw, form, settings: Arc::clone(settings) })
    }

    async fn push(&mut self, piece: Bytes) -> Result<(), CollectError> {
        let disk = &self.settings.disk;
        self.form.push(&piece, disk).await?;
        self.raw.push(piece, disk).await
    }

    async fn finish(self) -> Result<(Option<Content>, Option<Box<Form>>), CollectError> {
        let Self { raw, mut form, settings } = self;
        let disk = &settings.disk;
        if let Err(error) = form.end(disk).await {
            form.discard().await;
            raw.discard().await;
            return Err(error);
        }
        let content = raw.finish(disk).await?;
        let form = form.into_form(content.as_ref())?;
        Ok((content, form))
    }

    /// Waits for pending writes, then drops what was stored.
    async fn discard(self) {
        self.form.discard().await;
        self.raw.discard().await;
    }
}
