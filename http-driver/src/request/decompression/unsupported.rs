//! Replacements for decompression when its feature is disabled: uninhabited types, so that bodies
//! need no `cfg`.

use bytes::Bytes;
use httpants_core::RequestHead;

use crate::exchange::BodyError;

#[derive(Debug)]
pub(crate) enum Decompression {}

pub(crate) enum Decoder {}

impl Decompression {
    pub(crate) fn decoder(&self, _: &RequestHead, _: u64) -> Result<Option<Decoder>, String> {
        match *self {}
    }
}

impl Decoder {
    pub(crate) fn push(&mut self, _: Bytes) {
        match *self {}
    }

    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        match *self {}
    }

    pub(crate) fn finish(&self) -> Result<(), BodyError> {
        match *self {}
    }
}
