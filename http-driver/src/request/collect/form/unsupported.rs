//! Replacements for forms when the feature `forms` is disabled: no body is parsed.

use bytes::Bytes;
use httpants_core::RequestHead;
use httpants_core::forms::{FormLimits, ParseFormError};

use super::error::CollectError;
use super::raw::Raw;
use super::settings::Disk;
use crate::request::forms::{Form, FormSettings};
use crate::request::upload::Content;

#[derive(Debug)]
pub(super) struct FormCollector;

impl FormCollector {
    pub(super) fn begin(
        _: &RequestHead,
        length: Option<u64>,
        limits: &FormLimits,
        _: &FormSettings,
    ) -> Result<(Self, Raw), ParseFormError> {
        Ok((Self, Raw::new(length, limits)?))
    }

    pub(super) async fn push(&mut self, _: &Bytes, _: &Disk) -> Result<(), CollectError> {
        Ok(())
    }

    pub(super) async fn end(&mut self, _: &Disk) -> Result<(), CollectError> {
        Ok(())
    }

    pub(super) fn into_form(self, _: Option<&Content>) -> Result<Option<Box<Form>>, CollectError> {
        Ok(None)
    }

    pub(super) async fn discard(self) {}
}
