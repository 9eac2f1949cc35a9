//! Replacements for compression when its feature is disabled: uninhabited types, so that responses
//! need no `cfg`.

use std::io;

use bytes::Bytes;
use httpants_core::{FieldLines, Misuse, RequestHead, ResponseHead};

use crate::response::Content;

#[derive(Debug)]
pub(crate) enum Compression {}

pub(crate) enum Coder {}

pub(super) fn compress(
    compression: &Compression,
    _: &RequestHead,
    _: &mut ResponseHead,
    _: &mut Content,
) -> Result<Option<Coder>, Misuse> {
    match *compression {}
}

impl Coder {
    pub(crate) fn push(&mut self, _: Bytes) {
        match *self {}
    }

    pub(crate) fn step(&mut self) -> Option<io::Result<Bytes>> {
        match *self {}
    }

    pub(crate) fn correct_trailers(&self, _: &mut FieldLines) {
        match *self {}
    }

    pub(crate) fn finish(&mut self) -> io::Result<Bytes> {
        match *self {}
    }
}
