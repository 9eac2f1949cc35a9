//! Sending of file ranges to the socket.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::observe::report::report;
use crate::runtime::{Blocking, Runtime, SendHint, Transport};

/// Number of file bytes that one poll of a connection may send before other tasks get a turn: about
/// 0.1 ms. Turns below 256 KiB cost more per byte, longer ones save nothing.
const TURN: u64 = 1 << 20;
/// Cost of a byte that this process reads, and usually encrypts: the number of bytes of [`TURN`]
/// that it uses up.
const READING: u64 = 4;
/// Size of one read if the transport cannot send files itself. At most one piece per connection is
/// in memory.
const PIECE: u64 = 64 << 10;

/// The sender of the current file.
#[derive(Default)]
pub(crate) struct FileSender {
    /// The number of bytes that may still be sent in this poll.
    allowance: u64,
    piece: Piece,
    /// The buffer of the previous piece, kept for reuse until the range was sent.
    spare: Vec<u8>,
}

/// A range of a file to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileRange<'a> {
    pub(crate) file: &'a Arc<File>,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The next bytes to send if the transport cannot send files itself.
#[derive(Default)]
enum Piece {
    #[default]
    None,
    /// The bytes are being read.
    Reading(Blocking<(Vec<u8>, io::Result<usize>)>),
    /// The bytes were read; some of them may have been sent.
    Read { buffer: Vec<u8>, sent: usize, end: usize },
}

impl FileSender {
    /// Resets the allowance for a new poll of the connection.
    pub(crate) fn begin_turn(&mut self) {
        self.allowance = TURN;
    }

    /// Returns whether other tasks must get a turn before more is sent.
    pub(crate) fn is_spent(&self) -> bool {
        self.allowance == 0
    }

    /// Drops the state, because nothing is left to send.
    #[inline]
    pub(crate) fn forget(&mut self) {
        if !matches!(self.piece, Piece::None) || self.spare.capacity() > 0 {
            self.drop_state();
        }
    }

    #[cold]
    fn drop_state(&mut self) {
        self.piece = Piece::None;
        self.spare = Vec::new();
    }

    /// Sends the first bytes of a range; returns the number of bytes sent.
    ///
    /// # Errors
    /// Returns the errors of the transport and of reading, and [`ErrorKind::UnexpectedEof`] if the
    /// file ends before the range does.
    #[inline(never)]
    pub(crate) fn poll_send<R: Runtime>(
        &mut self,
        runtime: &R,
        transport: &mut impl Transport,
        context: &mut Context<'_>,
        range: FileRange<'_>,
    ) -> Poll<io::Result<usize>> {
        let FileRange { file, offset, length } = range;
        let by_itself = match self.piece {
            Piece::None => transport.poll_send_file(context, file, offset, length.min(self.allowance)),
            _ => None,
        };
        let (count, cost) = match by_itself {
            Some(sent) => match ready!(sent)? {
                0 => return Poll::Ready(Err(broken(ErrorKind::UnexpectedEof.into()))),
                count => (count, 1),
            },
            None => (ready!(self.poll_piece(runtime, transport, context, range))?, READING),
        };
        self.allowance = self.allowance.saturating_sub(count as u64 * cost);
        Poll::Ready(Ok(count))
    }

    fn poll_piece<R: Runtime>(
        &mut self,
        runtime: &R,
        transport: &mut impl Transport,
        context: &mut Context<'_>,
        range: FileRange<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match &mut self.piece {
                Piece::None => {
                    let mut buffer = std::mem::take(&mut self.spare);
                    buffer.resize(range.length.min(PIECE) as usize, 0);
                    self.piece = match runtime.read_cached(range.file, &mut buffer, range.offset) {
                        Some(end) => Piece::Read { buffer, sent: 0, end },
                        None => Piece::Reading(read(runtime, range, buffer)),
                    };
                }
                Piece::Reading(reading) => {
                    let (buffer, count) = ready!(reading.as_mut().poll(context))?;
                    match count {
                        Ok(0) => return Poll::Ready(Err(broken(ErrorKind::UnexpectedEof.into()))),
                        Ok(end) => self.piece = Piece::Read { buffer, sent: 0, end },
                        Err(error) => return Poll::Ready(Err(broken(error))),
                    }
                }
                Piece::Read { buffer, sent, end } => {
                    let rest = buffer.get(*sent..*end).unwrap_or_default();
                    let more = range.length > rest.len() as u64;
                    let hint = if more { SendHint::More } else { SendHint::Last };
                    let count = ready!(transport.poll_send(context, &[IoSlice::new(rest)], hint))?;
                    if count == 0 {
                        return Poll::Ready(Err(ErrorKind::WriteZero.into()));
                    }
                    *sent += count;
                    if sent == end {
                        self.spare = if more { std::mem::take(buffer) } else { Vec::new() };
                        self.piece = Piece::None;
                    }
                    return Poll::Ready(Ok(count));
                }
            }
        }
    }
}

/// Logs the error of reading a file. Returns the error with which the connection is dropped,
/// because the response is incomplete.
fn broken(error: io::Error) -> io::Error {
    report!("file was truncated or became unreadable while being sent", error);
    error
}

/// Reads the first bytes of a range on the blocking pool.
fn read<R: Runtime>(runtime: &R, range: FileRange<'_>, mut buffer: Vec<u8>) -> Blocking<(Vec<u8>, io::Result<usize>)> {
    let (file, offset) = (Arc::clone(range.file), range.offset);
    runtime.unblock(move || {
        let count = loop {
            match read_at(&file, &mut buffer, offset) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                count => break count,
            }
        };
        (buffer, count)
    })
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}
