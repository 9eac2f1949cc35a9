//! The form in a body, parsed in addition to storing its raw bytes.

mod multipart;

use bytes::Bytes;
use httpants_core::RequestHead;
use httpants_core::forms::{FormLimits, FormType, ParseFormError, urlencoded};

use self::multipart::MultipartCollector;
use super::error::CollectError;
use super::raw::Raw;
use super::settings::Disk;
use crate::request::forms::{Form, FormSettings};
use crate::request::upload::Content;

/// The parser of the body, if it is a form.
#[derive(Debug)]
pub(super) enum FormCollector {
    None,
    /// Parsed at the end of the body.
    Urlencoded(urlencoded::Options),
    Multipart(Box<MultipartCollector>),
}

impl FormCollector {
    /// Begins a body: chooses how it is parsed, and where its raw bytes are stored.
    ///
    /// # Errors
    /// Returns an error if the body must be refused because of the head.
    pub(super) fn begin(
        head: &RequestHead,
        length: Option<u64>,
        limits: &FormLimits,
        settings: &FormSettings,
    ) -> Result<(Self, Raw), ParseFormError> {
        let form_type = if settings.takes_form(head.method()) { FormType::of_headers(head.headers())? } else { None };
        Ok(match form_type {
            Some(FormType::Multipart(boundary)) => {
                let form = MultipartCollector::new(&boundary, limits);
                let raw = Raw::with(length, limits, |policy| policy.begin_body(length))?;
                (Self::Multipart(Box::new(form)), raw)
            }
            Some(FormType::Urlencoded) => {
                let raw = Raw::with(length, limits, |policy| policy.begin_urlencoded(length))?;
                (Self::Urlencoded(settings.variables.clone()), raw)
            }
            _ => (Self::None, Raw::new(length, limits)?),
        })
    }

    /// Processes the next piece of the body.
    pub(super) async fn push(&mut self, piece: &Bytes, disk: &Disk) -> Result<(), CollectError> {
        match self {
            Self::Multipart(form) => form.push(piece.clone(), disk).await,
            Self::None | Self::Urlencoded(_) => Ok(()),
        }
    }

    /// Processes the end of the body.
    pub(super) async fn end(&mut self, disk: &Disk) -> Result<(), CollectError> {
        match self {
            Self::Multipart(form) => form.end(disk).await,
            Self::None | Self::Urlencoded(_) => Ok(()),
        }
    }

    /// Returns the form after the end of the body. `body` is the raw body, if it was kept.
    pub(super) fn into_form(self, body: Option<&Content>) -> Result<Option<Box<Form>>, CollectError> {
        Ok(match (self, body) {
            (Self::Multipart(form), _) => Some(form.into_form()),
            (Self::Urlencoded(variables), Some(Content::Memory(body))) => {
                let post = urlencoded::parse(body, &variables)?;
                Some(Box::new(Form { post, ..Form::default() }))
            }
            _ => None,
        })
    }

    /// Waits for pending writes, then drops what was stored.
    pub(super) async fn discard(self) {
        if let Self::Multipart(form) = self {
            form.discard().await;
        }
    }
}
