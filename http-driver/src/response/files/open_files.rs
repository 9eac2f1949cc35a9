//! The open files of responses that are not sent yet.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use crate::descriptors::{FILES, Permit};

/// Maximum number of files that one connection keeps open. Files after the first one need permits,
/// so that peers that pipeline requests without reading responses cannot use up the descriptors.
/// Without a permit, the next request waits until the files before it were sent.
const MAX_OPEN: usize = 8;

/// The open files of a connection, each with the number that the core uses for it. A file is closed
/// as soon as its last byte was sent.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles {
    queue: VecDeque<OpenFile>,
    last: u64,
    /// A permit for the next file.
    next: Option<Permit>,
}

#[derive(Debug)]
struct OpenFile {
    number: u64,
    file: Arc<File>,
    /// Number of bytes of the file that are still to be sent.
    left: u64,
    _permit: Option<Permit>,
}

impl OpenFiles {
    /// Returns the number for the next file.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Keeps a file of which `left` bytes are to be sent. Files are sent in the order of their
    /// numbers.
    pub(crate) fn keep(&mut self, number: u64, file: File, left: u64) {
        let permit = self.next.take();
        self.queue.push_back(OpenFile { number, file: file.into(), left, _permit: permit });
    }

    /// Reserves a permit for the file of the next request; returns false if the request has to
    /// wait.
    pub(crate) fn reserve(&mut self) -> bool {
        if self.queue.is_empty() {
            return true;
        }
        if self.queue.len() < MAX_OPEN && self.next.is_none() {
            self.next = FILES.take();
        }
        self.next.is_some()
    }

    /// Returns the file with this number, which must be the first to be sent.
    pub(crate) fn get(&mut self, number: u64) -> Option<&Arc<File>> {
        while self.queue.front().is_some_and(|first| first.number < number) {
            self.close_first();
        }
        self.queue.front().filter(|first| first.number == number).map(|first| &first.file)
    }

    /// Records that `count` bytes of the first file were sent.
    pub(crate) fn sent(&mut self, count: u64) {
        if let Some(first) = self.queue.front_mut() {
            first.left = first.left.saturating_sub(count);
            if first.left == 0 {
                self.close_first();
            }
        }
    }

    fn close_first(&mut self) {
        self.queue.pop_front();
        if self.queue.is_empty() {
            self.next = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also the permits of files that were not sent.
    #[test]
    fn permits_are_returned() {
        let mut files = OpenFiles::default();
        for number in 1..=MAX_OPEN as u64 {
            assert!(files.reserve());
            files.keep(number, tempfile::tempfile().unwrap(), 2);
        }
        assert!(!files.reserve());
        assert_eq!(FILES.taken(), MAX_OPEN - 1);
        files.sent(1);
        assert!(!files.reserve());
        files.sent(1);
        assert!(files.reserve());
        assert!(files.get(MAX_OPEN as u64).is_some() && files.get(1).is_none());
        files.sent(2);
        assert_eq!(FILES.taken(), 0);
        files.keep(9, tempfile::tempfile().unwrap(), 1);
        assert!(files.reserve());
        drop(files);
        assert_eq!(FILES.taken(), 0);
    }
}
