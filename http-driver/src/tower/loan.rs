//! A stream that is lent and can be recalled.
//!
//! hyper passes an upgraded stream to a task of the application. The server counts the connection
//! until that task drops the stream, and must be able to close it when the grace period is over.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};

use crate::response::Upgraded;

#[derive(Debug, Default)]
struct Loan {
    /// `None` while the borrower polls the stream, and after the end of the loan.
    stream: Option<Upgraded>,
    /// True if the stream was returned or recalled.
    is_over: bool,
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

/// The owner's side, a future that waits for the end of the loan; dropping it closes the stream,
/// too.
#[derive(Debug)]
pub(super) struct Lender(Arc<Mutex<Loan>>);

/// A stream that is being polled, without the lock. On drop it is put back, unless it was recalled
/// meanwhile.
struct Taken<'a> {
    loan: &'a Mutex<Loan>,
    stream: Option<Upgraded>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut loan = lock(self.loan);
        if !loan.is_over {
            loan.stream = self.stream.take();
        }
    }
}

/// Selects the waker for the direction in which a poll of a lent stream waits.
type Direction = fn(&mut Loan) -> &mut Option<Waker>;

impl Lent {
    fn poll<T>(
        &self,
        context: &mut Context<'_>,
        direction: Direction,
        call: impl FnOnce(Pin<&mut Upgraded>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        // Registered before the poll, so that recalling the stream during the poll wakes this task.
        let waker = context.waker().clone();
        let (stream, replaced) = {
            let mut loan = lock(&self.0);
            let stream = loan.stream.take();
            let replaced = if stream.is_some() { direction(&mut loan).replace(waker) } else { Some(waker) };
            (stream, replaced)
        };
        drop(replaced);
        let mut taken = Taken { loan: &self.0, stream };
        match &mut taken.stream {
            Some(stream) => call(Pin::new(stream), context),
            None => Poll::Ready(Err(ErrorKind::ConnectionAborted.into())),
        }
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
        loan.is_over = true;
        let (stream, lender) = (loan.stream.take(), loan.lender.take());
        drop(loan);
        drop(stream);
        if let Some(lender) = lender {
            lender.wake();
        }
    }
}

/// Completes when the stream was returned.
impl Future for Lender {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let (polled, unused) = {
            let mut loan = lock(&self.0);
            if loan.is_over { (Poll::Ready(()), Some(waker)) } else { (Poll::Pending, loan.lender.replace(waker)) }
        };
        drop(unused);
        polled
    }
}

impl Drop for Lender {
    fn drop(&mut self) {
        let mut loan = lock(&self.0);
        loan.is_over = true;
        let (stream, wakers) = (loan.stream.take(), [loan.reader.take(), loan.writer.take()]);
        drop(loan);
        drop(stream);
        // Wakes the other side, which then sees the end of the loan.
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use bytes::Bytes;

    use super::*;
    use crate::lifecycle::Drain;
    use crate::response::TimeLimit;
    use crate::runtime::{SendHint, Transport};

    /// The state that foreign code checks when it runs.
    #[derive(Default)]
    struct Place {
        loan: Mutex<Weak<Mutex<Loan>>>,
        /// Dropped by the next poll of the transport.
        lender: Mutex<Option<Lender>>,
        is_locked: AtomicBool,
    }

    impl Place {
        fn check(&self) {
            let loan = self.loan.lock().unwrap().upgrade();
            if loan.is_some_and(|loan| loan.try_lock().is_err()) {
                self.is_locked.store(true, Ordering::Relaxed);
            }
        }

        fn poll<T>(&self) -> Poll<T> {
            self.check();
            let lender = self.lender.lock().unwrap().take();
            // With the lock held, dropping the lender would deadlock.
            if !self.is_locked.load(Ordering::Relaxed) {
                drop(lender);
            }
            Poll::Pending
        }
    }

    struct Checked(Arc<Place>);

    impl Drop for Checked {
        fn drop(&mut self) {
            self.0.check();
        }
    }

    impl Wake for Checked {
        fn wake(self: Arc<Self>) {
            self.0.check();
        }
    }

    impl Transport for Checked {
        fn poll_recv(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            self.0.poll()
        }

        fn poll_send(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>], _: SendHint) -> Poll<io::Result<usize>> {
            self.0.poll()
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.poll()
        }

        fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.poll()
        }
    }

    fn lent() -> (Lent, Lender, Arc<Place>) {
        let place = Arc::<Place>::default();
        let transport = Checked(Arc::clone(&place));
        let (lent, lender) = lend(Upgraded::new(transport, Bytes::new(), Drain::default(), TimeLimit::default()));
        *place.loan.lock().unwrap() = Arc::downgrade(&lent.0);
        (lent, lender, place)
    }

    fn waker(place: &Arc<Place>) -> Waker {
        Arc::new(Checked(Arc::clone(place))).into()
    }

    /// Polls with a new waker, so that the previous one is dropped.
    fn poll_all(lent: &mut Lent, place: &Arc<Place>) -> [bool; 4] {
        let waker = waker(place);
        let context = &mut Context::from_waker(&waker);
        [
            Pin::new(&mut *lent).poll_read(context, &mut [0]).is_pending(),
            Pin::new(&mut *lent).poll_write(context, &[0]).is_pending(),
            Pin::new(&mut *lent).poll_flush(context).is_pending(),
            Pin::new(&mut *lent).poll_close(context).is_pending(),
        ]
    }

    #[test]
    fn transport_and_wakers_run_without_the_lock() {
        for returns in [false, true] {
            let (mut lent, mut lender, place) = lent();
            for _ in 0..2 {
                assert_eq!(poll_all(&mut lent, &place), [true; 4]);
                assert!(Pin::new(&mut lender).poll(&mut Context::from_waker(&waker(&place))).is_pending());
            }
            if returns {
                drop(lent);
                assert!(Pin::new(&mut lender).poll(&mut Context::from_waker(&waker(&place))).is_ready());
            } else {
                drop(lender);
                assert_eq!(poll_all(&mut lent, &place), [false; 4]);
            }
            assert!(!place.is_locked.load(Ordering::Relaxed), "foreign code ran under the lock");
        }
    }

    #[test]
    fn stream_recalled_during_a_poll_is_closed() {
        let (mut lent, lender, place) = lent();
        *place.lender.lock().unwrap() = Some(lender);
        assert_eq!(poll_all(&mut lent, &place), [true, false, false, false]);
        assert!(lock(&lent.0).stream.is_none());
        assert_eq!(Arc::strong_count(&place), 1, "the transport is closed, and no waker is left");
    }
}
