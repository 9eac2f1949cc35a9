//! A stream that is lent out and can be called back.
//!
//! hyper passes a stream to a task of its own. The server counts the connection until that task is
//! done with it, and must be able to close it when the grace period is over.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};

use crate::response::Upgraded;

#[derive(Debug, Default)]
struct Loan {
    /// `None` once it was returned or called back.
    stream: Option<Upgraded>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    lender: Option<Waker>,
}

fn lock(loan: &Mutex<Loan>) -> MutexGuard<'_, Loan> {
    loan.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lends a stream.
pub(super) fn lend(stream: Upgraded) -> (Lent, Lender) {
    let loan = Arc::new(Mutex::new(Loan { stream: Some(stream), ..Loan::default() }));
    (Lent(Arc::clone(&loan)), Lender(loan))
}

/// The borrower's side of the stream; dropping it closes the stream.
#[derive(Debug)]
pub(super) struct Lent(Arc<Mutex<Loan>>);

/// The owner's side, which waits for the end; dropping it closes the stream, too.
#[derive(Debug)]
pub(super) struct Lender(Arc<Mutex<Loan>>);

impl Lent {
    fn poll<T>(
        &self,
        context: &mut Context<'_>,
        waker: impl FnOnce(&mut Loan) -> &mut Option<Waker>,
        call: impl FnOnce(Pin<&mut Upgraded>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut loan = lock(&self.0);
        let Some(stream) = &mut loan.stream else {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        };
        let polled = call(Pin::new(stream), context);
        if polled.is_pending() {
            *waker(&mut loan) = Some(context.waker().clone());
        }
        polled
    }
}

impl AsyncRead for Lent {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll(context, |loan| &mut loan.reader, |stream, context| stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(context, |loan| &mut loan.writer, |stream, context| stream.poll_write_vectored(context, slices))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, |loan| &mut loan.writer, |stream, context| stream.poll_flush(context))
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, |loan| &mut loan.writer, |stream, context| stream.poll_close(context))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut loan = lock(&self.0);
        let (stream, lender) = (loan.stream.take(), loan.lender.take());
        drop(loan);
        drop(stream);
        if let Some(lender) = lender {
            lender.wake();
        }
    }
}

/// Completes once the stream was returned.
impl Future for Lender {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut loan = lock(&self.0);
        if loan.stream.is_none() {
            return Poll::Ready(());
        }
        loan.lender = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Lender {
    fn drop(&mut self) {
        let mut loan = lock(&self.0);
        let (stream, wakers) = (loan.stream.take(), [loan.reader.take(), loan.writer.take()]);
        drop(loan);
        drop(stream);
        // Wakes the other side, which finds that the stream is gone.
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}
