//! Replacements for files when the feature `files` is disabled: uninhabited types, so that
//! responses and connections need no `cfg`.

use std::io;
use std::task::{Context, Poll};

use httpants_core::{Misuse, ResponseHead};

use crate::response::Outlet;

#[derive(Debug)]
pub(crate) enum NamedFile {}

#[derive(Debug, Default)]
pub(crate) struct FilePolicy {}

/// The files of a connection: none.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles {}

#[derive(Default)]
pub(crate) struct FileSender {}

#[expect(dead_code, reason = "no range is sent")]
pub(crate) struct FileRange<'a> {
    pub(crate) file: &'a NamedFile,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

pub(crate) fn respond(_: &mut Outlet<'_>, _: ResponseHead, file: NamedFile) -> Result<(), Misuse> {
    match file {}
}

impl OpenFiles {
    pub(crate) fn reserve(&self) -> bool {
        true
    }

    pub(crate) fn get(&self, _: u64) -> Option<&NamedFile> {
        None
    }

    pub(crate) fn sent(&self, _: u64) {}
}

impl FileSender {
    pub(crate) fn begin_turn(&self) {}

    pub(crate) fn is_spent(&self) -> bool {
        false
    }

    pub(crate) fn forget(&self) {}

    pub(crate) fn poll_send<R, T>(
        &self,
        _: &R,
        _: &mut T,
        _: &mut Context<'_>,
        range: FileRange<'_>,
    ) -> Poll<io::Result<usize>> {
        match *range.file {}
    }
}
