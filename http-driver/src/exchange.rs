//! What a connection's loop, its handler and the handler's bodies share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use httpants_core::{CloseReason, Connection, Event, Headers, Now, Receiving, Request};

use crate::observe::{Count, Observer};
use crate::request::BodyError;
use crate::request::collect::Settings;
use crate::response::files::{FilePolicy, OpenFiles};
use crate::tls::TlsSession;

/// A connection's core and the places where its events wait for the one they concern.
///
/// The loop and a body that is read elsewhere take turns; in the usual case, where the
/// handler runs in the connection's own task, the lock is never contended.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) core: Connection,
    /// Those of the answers that wait in the core.
    pub(crate) files: OpenFiles,
    pub(crate) file_policy: Arc<FilePolicy>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) observer: Observer,
    /// Counts the requests, so that what is left of one cannot reach into the next.
    pub(crate) serial: u64,
    content: VecDeque<Bytes>,
    end: Option<Result<Headers, BodyError>>,
    /// The body is being read: content is of use, and `100 Continue` is due.
    wanted: bool,
    expected: bool,
    /// A request whose head was parsed, for the loop.
    request: Option<Request>,
    pub(crate) closed: Option<CloseReason>,
    pub(crate) peer_closed: bool,
    pub(crate) upgraded: bool,
    /// Who waits for content, for room to send, and the loop itself.
    reader: Option<Waker>,
    writer: Option<Waker>,
    task: Option<Waker>,
}

/// The shared part of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Exchange(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    shared: Mutex<Shared>,
    /// Once the transport is secured.
    tls: OnceLock<Box<TlsSession>>,
}

impl Exchange {
    pub(crate) fn new(
        core: Connection,
        file_policy: Arc<FilePolicy>,
        settings: Arc<Settings>,
        observer: Observer,
    ) -> Self {
        let shared = Mutex::new(Shared {
            core,
            files: OpenFiles::default(),
            file_policy,
            settings,
            observer,
            serial: 0,
            content: VecDeque::new(),
            end: None,
            wanted: false,
            expected: false,
            request: None,
            closed: None,
            peer_closed: false,
            upgraded: false,
            reader: None,
            writer: None,
            task: None,
        });
        Self(Arc::new(Parts { shared, tls: OnceLock::new() }))
    }

    /// The lock. A panic of the holder leaves the core as it was between two calls, so the
    /// loop can still close the connection in order.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the handshake agreed on.
    #[cfg_attr(not(feature = "_tls"), expect(dead_code, reason = "there is no handshake"))]
    pub(crate) fn tls(&self) -> Option<&TlsSession> {
        self.0.tls.get().map(|session| &**session)
    }

    pub(crate) fn secure(&self, session: TlsSession) {
        let _ = self.0.tls.set(Box::new(session));
    }
}

impl Shared {
    /// Moves events to where they are awaited; returns a new request for the loop. Content
    /// is fetched only while somebody wants it and none waits; behind its answer the core drops
    /// what is left of it, whoever wanted it.
    pub(crate) fn pump(&mut self) -> Option<Request> {
        loop {
            if let Some(request) = self.request.take() {
                return Some(request);
            }
            if self.wanted && !self.content.is_empty() && self.core.state().recv == Receiving::Content {
                return None;
            }
            self.observer.look(&self.core);
            let event = self.core.poll_event()?;
            if let Some(request) = self.take(event) {
                return Some(request);
            }
        }
    }

    #[inline(always)]
    fn take(&mut self, event: Event) -> Option<Request> {
        match event {
            Event::Request(request) => {
                self.begin();
                self.observer.request(&self.core, &request);
                return Some(request);
            }
            Event::Expect100 => {
                self.expected = true;
                self.continue_if_wanted();
            }
            Event::Data(data) => {
                self.content.push_back(data);
                self.wake_reader();
            }
            Event::End(trailers) => self.end_content(Ok(trailers)),
            Event::Writable => self.wake_writer(),
            Event::PeerClosed => self.peer_closed = true,
            Event::Upgraded => {
                self.upgraded = true;
                self.observer.count(Count::Upgrade, 1);
            }
            Event::Closed(reason) => self.close(reason),
            _ => {}
        }
        None
    }

    /// So many bytes came.
    #[inline]
    pub(crate) fn received(&mut self, count: usize, now: Now) {
        self.core.handle_recv(count, now);
        self.observer.count(Count::Received, count as u64);
    }

    /// So many bytes have left.
    #[inline]
    pub(crate) fn sent(&mut self, count: usize, now: Now) {
        self.core.handle_sent(count as u64, now);
        self.observer.count(Count::Sent, count as u64);
        self.observer.look(&self.core);
    }

    /// Whether a deadline of the core has come; else the next one.
    #[inline]
    pub(crate) fn time(&mut self, now: Now) -> Result<(), Option<Duration>> {
        match self.core.poll_timeout() {
            Some(deadline) if deadline.at <= now.mono => {
                self.observer.count(Count::Timeout(deadline.why), 1);
                self.observer.look(&self.core);
                self.core.handle_timeout(now);
                // Before another look, which would take an answer of the core for the application's.
                if let Some(event) = self.core.poll_event()
                    && let Some(request) = self.take(event)
                {
                    self.request = Some(request);
                }
                Ok(())
            }
            deadline => Err(deadline.map(|deadline| deadline.at)),
        }
    }

    /// The transport is done with: what is still to be told is told.
    pub(crate) fn end(&mut self) {
        drop(self.pump());
        self.observer.end(&self.core);
    }

    #[inline]
    fn begin(&mut self) {
        self.serial += 1;
        self.content.clear();
        self.end = None;
        self.wanted = false;
        self.expected = false;
        self.peer_closed = false;
        self.reader = None;
        self.writer = None;
    }

    fn close(&mut self, reason: CloseReason) {
        self.observer.closed(&self.core, reason);
        self.closed = Some(reason);
        if self.end.is_none() {
            self.end_content(Err(BodyError::Closed(reason)));
        }
        self.wake_writer();
    }

    fn end_content(&mut self, end: Result<Headers, BodyError>) {
        self.end = Some(end);
        self.wake_reader();
    }

    /// The current request has content, of which up to `max_request` bytes are taken where
    /// that is not as usual; gives the request's serial.
    pub(crate) fn begin_content(&mut self, wanted: bool, max_request: Option<u64>) -> u64 {
        if let Some(max_request) = max_request {
            self.core.set_max_request(max_request);
        }
        self.want_content(wanted);
        self.serial
    }

    /// The content of the current request is asked for, or not for now.
    pub(crate) fn want_content(&mut self, wanted: bool) {
        self.wanted = wanted;
        self.core.pause(!wanted);
        self.continue_if_wanted();
    }

    fn continue_if_wanted(&mut self) {
        if self.wanted && std::mem::take(&mut self.expected) {
            // Fails only where the core refused the content by this very call; the event
            // that says so follows.
            let _ = self.core.send_continue();
        }
    }

    /// The next piece of content of the request with this serial, for its body.
    pub(crate) fn poll_content(
        &mut self,
        serial: u64,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        if serial != self.serial {
            return Poll::Ready(Some(Err(BodyError::Answered)));
        }
        if self.content.is_empty() && self.end.is_none() {
            self.want_content(true);
            if let Some(request) = self.pump() {
                // A request that follows is the loop's.
                self.request = Some(request);
            }
        }
        if let Some(data) = self.content.pop_front() {
            if self.content.is_empty() {
                self.want_content(false);
            }
            return Poll::Ready(Some(Ok(data)));
        }
        match &self.end {
            Some(Ok(_)) => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(error.clone()))),
            None => {
                self.reader = Some(context.waker().clone());
                // The loop must read the socket, also when the body is read in another task.
                self.wake_task(context);
                Poll::Pending
            }
        }
    }

    /// The trailers of the request with this serial, once its content was read to the end.
    pub(crate) fn trailers(&self, serial: u64) -> Option<Headers> {
        match &self.end {
            Some(Ok(trailers)) if serial == self.serial => Some(trailers.clone()),
            _ => None,
        }
    }

    /// Content that came, and whether and how it ended, for the loop that collects it.
    pub(crate) fn take_content(&mut self) -> Option<Bytes> {
        self.content.pop_front()
    }

    pub(crate) fn content_end(&self) -> Option<&Result<Headers, BodyError>> {
        self.end.as_ref()
    }

    /// Ready when there is room to send, for the answer to the request with this serial.
    pub(crate) fn poll_room(&mut self, serial: u64, context: &mut Context<'_>) -> Poll<()> {
        if serial != self.serial || self.closed.is_some() || self.core.send_room() > 0 {
            return Poll::Ready(());
        }
        self.writer = Some(context.waker().clone());
        self.wake_task(context);
        Poll::Pending
    }

    /// Notes the loop's waker; says whether it is another than before.
    pub(crate) fn attend(&mut self, context: &Context<'_>) -> bool {
        let another = !self.task.as_ref().is_some_and(|task| task.will_wake(context.waker()));
        if another {
            self.task = Some(context.waker().clone());
        }
        another
    }

    /// Lets the loop run when the caller runs in another task.
    pub(crate) fn wake_task(&self, context: &Context<'_>) {
        if let Some(task) = &self.task
            && !task.will_wake(context.waker())
        {
            task.wake_by_ref();
        }
    }

    /// Lets the loop run, whoever calls.
    pub(crate) fn notify(&self) {
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

/// Also where the server or its runtime drops a connection in the midst.
impl Drop for Shared {
    fn drop(&mut self) {
        self.observer.end(&self.core);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Ready;

    use httpants_core::{Close, Config, Peer, Transmit};

    use super::*;
    use crate::memory::Memory;
    use crate::observe::Observed;
    use crate::response::{Answering, Response};
    use crate::runtime::Runtime;

    /// A connection whose first request has so many thousand bytes of content. Somebody has asked
    /// for it, and the first thousand has come that nobody takes any more.
    fn with_content_left(thousands: usize) -> Exchange {
        let settings = Arc::new(Settings::new(Memory::new().blocking_pool()));
        let core = Connection::new(Config::default().into(), Peer::default(), Now::default());
        let observer = Observer::new(Observed::new(&settings, None));
        let exchange = Exchange::new(core, Arc::default(), settings, observer);
        let mut shared = exchange.lock();
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {thousands}000\r\n\r\n");
        receive(&mut shared, head.as_bytes());
        assert!(shared.pump().is_some());
        let serial = shared.begin_content(false, None);
        assert!(shared.poll_content(serial, &mut Context::from_waker(Waker::noop())).is_pending());
        receive(&mut shared, &[b'x'; 1000]);
        assert!(shared.pump().is_none());
        assert_eq!(shared.core.state().recv, Receiving::Content);
        drop(shared);
        exchange
    }

    fn receive(shared: &mut Shared, bytes: &[u8]) {
        assert_eq!(shared.core.receive(bytes, Now::default()), bytes.len());
    }

    /// Gives the answer, and lets it leave.
    fn answer(shared: &mut Shared, response: Response) {
        let _ = Answering::<Ready<Response>>::Nothing.give(shared, response);
        while let Some(Transmit::Bytes(slices)) = shared.core.poll_transmit() {
            let count = slices.map(<[u8]>::len).sum();
            shared.sent(count, Now::default());
        }
    }

    #[test]
    fn content_that_nobody_takes_keeps_the_next_request_waiting_no_longer_than_itself() {
        let exchange = with_content_left(60);
        let mut shared = exchange.lock();
        answer(&mut shared, Response::text("soon"));
        for _ in 1..60 {
            receive(&mut shared, &[b'x'; 1000]);
            assert!(shared.pump().is_none());
        }
        receive(&mut shared, b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(shared.pump().unwrap().path(), "/next");
    }

    #[test]
    fn content_that_nobody_takes_holds_no_connection_open_that_closes() {
        let exchange = with_content_left(1000);
        let mut shared = exchange.lock();
        answer(&mut shared, Response::text("no room").with_status(507).with_header("Connection", "close"));
        assert_eq!(shared.core.poll_close(), Some(Close::ShutdownWrite));
        let mut count = 0;
        while shared.core.wants_recv() {
            count += 1000;
            receive(&mut shared, &[b'x'; 1000]);
            assert!(shared.pump().is_none());
        }
        assert_eq!(shared.core.poll_close(), Some(Close::Now), "behind {count} bytes");
        assert!(count > 256 << 10);
    }
}
