//! Open files of responses that are to be sent.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

/// Maximum number of files that one connection keeps open, so that a peer that pipelines requests
/// without reading responses cannot use up the process's descriptors.
const MOST: usize = 8;

/// The open files of a connection, each under the number by which the core knows it. A file is
/// closed as soon as its last byte was sent.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles {
    queue: VecDeque<OpenFile>,
    last: u64,
}

#[derive(Debug)]
struct OpenFile {
    number: u64,
    file: Arc<File>,
    /// Bytes of it that are still to be sent.
    left: u64,
}

impl OpenFiles {
    /// Returns the number for the next file.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Keeps a file of which this many bytes are to be sent. Files are sent in the order of their
    /// numbers.
    pub(crate) fn keep(&mut self, number: u64, file: File, left: u64) {
        self.queue.push_back(OpenFile { number, file: file.into(), left });
    }

    /// Returns whether the next request has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() >= MOST
    }

    /// Returns the file with this number, which must be the first to be sent.
    pub(crate) fn get(&mut self, number: u64) -> Option<&Arc<File>> {
        while self.queue.front().is_some_and(|first| first.number < number) {
            self.queue.pop_front();
        }
        self.queue.front().filter(|first| first.number == number).map(|first| &first.file)
    }

    /// Records that `count` bytes of the first file were sent.
    pub(crate) fn sent(&mut self, count: u64) {
        if let Some(first) = self.queue.front_mut() {
            first.left = first.left.saturating_sub(count);
            if first.left == 0 {
                self.queue.pop_front();
            }
        }
    }
}
