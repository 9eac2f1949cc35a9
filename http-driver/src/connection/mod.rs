//! The loop of one connection: one hand-written poll.

mod buffers;
mod handshake;
mod requests;
mod service;
mod stream;

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use httpants_core::{Close, Now, Peer, Transmit};
use pin_project_lite::pin_project;
use tracing::Span;

use self::handshake::Securing;
pub(crate) use self::service::{ChooseIntake, Service};
use self::stream::Stream;
use crate::exchange::Exchange;
use crate::handler::Handler;
use crate::observe::Observer;
use crate::observe::spans;
use crate::request::collect::Collecting;
use crate::response::files::{FileSender, Stretch};
use crate::response::{Answering, UpgradeHandler, Upgraded};
use crate::runtime::{Runtime, Sleep, Transport};
use crate::server::{Member, Order};
use crate::tls::Tls;

/// Turns of the loop before other tasks get theirs: a peer that pipelines without end must
/// not hold a thread.
const TURNS: usize = 32;
/// The most slices of one vectored write.
const SLICES: usize = 16;

pin_project! {
    /// Serves one accepted connection; done when it is closed. Only named where a runtime
    /// is asked whether it can spawn it.
    #[must_use = "a connection does nothing unless it is polled"]
    pub struct Serve<R: Runtime, H: Handler> {
        runtime: R,
        service: Arc<Service<H>>,
        member: Member,
        // Not there before it is secured, where it is to be, and gone once it was handed over.
        transport: Option<Stream<R::Transport>>,
        securing: Securing<R::Transport>,
        // Bytes that the transport has taken and may still hold.
        unflushed: usize,
        exchange: Exchange,
        collecting: Option<Collecting>,
        answering: Answering<H::Future>,
        files: FileSender,
        #[pin]
        sleep: Option<R::Sleep>,
        // What the timer is set to, and whether it knows the task's waker.
        armed: Option<Duration>,
        registered: bool,
        shutting: Shutting,
        upgrade: Option<UpgradeHandler>,
        // What follows an upgrade, until it is done.
        upgraded: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
        span: Span,
        // Of the request that is being answered.
        request_span: Span,
    }

    impl<R: Runtime, H: Handler> PinnedDrop for Serve<R, H> {
        // Told to close, or dropped with its runtime: an answer that this cuts off must not
        // look whole.
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(transport) = this.transport {
                let mut shared = this.exchange.lock();
                let now = shared.core.now();
                shared.core.handle_io_error(now);
                if shared.core.poll_close() == Some(Close::Reset) {
                    transport.reset_on_close();
                }
            }
        }
    }
}

/// The shutdown of the sending side.
#[derive(Clone, Copy, PartialEq)]
enum Shutting {
    No,
    Due,
    Done,
}

/// What became of what waited to be sent.
#[derive(Clone, Copy, PartialEq)]
enum Sent {
    Nothing,
    Something,
    /// As much of files as may leave in one poll.
    Enough,
}

enum Turn {
    /// Go on: something happened.
    Again,
    /// Wait for the socket, the handler or the deadline.
    Wait,
    /// Let other tasks have their turn.
    Yield,
    /// The connection is over.
    Over,
}

impl<R: Runtime, H: Handler> Serve<R, H>
where
    R::Transport: Send,
{
    pub(crate) fn new(
        runtime: R,
        service: Arc<Service<H>>,
        member: Member,
        transport: R::Transport,
        peer: Peer,
        tls: Option<&Tls>,
    ) -> Self {
        let span = spans::connection(member.id(), &peer);
        let (config, now) = (Arc::clone(&service.config), runtime.now());
        let (core, transport, securing) = handshake::accept(config, peer, now, transport, tls);
        let observer = Observer::new(service.observed.clone());
        let exchange = Exchange::new(core, Arc::clone(&service.files), Arc::clone(&service.settings), observer);
        Self {
            runtime,
            service,
            member,
            transport,
            securing,
            unflushed: 0,
            exchange,
            collecting: None,
            answering: Answering::Nothing,
            files: FileSender::default(),
            sleep: None,
            armed: None,
            registered: false,
            shutting: Shutting::No,
            upgrade: None,
            upgraded: None,
            span,
            request_span: Span::none(),
        }
    }

    /// One turn: what was received becomes requests and answers, answers leave, and only
    /// then more is read.
    fn turn(mut self: Pin<&mut Self>, context: &mut Context<'_>, now: Now) -> Turn {
        let mut moved = self.as_mut().secure(context, now);
        moved |= self.as_mut().take_requests(context);
        match self.as_mut().transmit(context, now) {
            Ok(Sent::Enough) => return Turn::Yield,
            Ok(sent) => moved |= sent == Sent::Something,
            Err(_) => self.exchange.lock().core.handle_io_error(now),
        }
        if let Some(turn) = self.as_mut().close(context) {
            return turn;
        }
        if moved || self.as_mut().receive(context, now) { Turn::Again } else { Turn::Wait }
    }

    /// Goes on with the handshake, where one is under way; says whether it is over.
    fn secure(self: Pin<&mut Self>, context: &mut Context<'_>, now: Now) -> bool {
        let this = self.project();
        let Some(stream) = this.securing.poll(context, this.exchange, now) else {
            return false;
        };
        *this.transport = Some(stream);
        true
    }

    /// Writes what waits, until nothing does or the socket is full.
    fn transmit(self: Pin<&mut Self>, context: &mut Context<'_>, now: Now) -> io::Result<Sent> {
        let this = self.project();
        let Some(transport) = this.transport else {
            return Ok(Sent::Nothing);
        };
        let shared = &mut *this.exchange.lock();
        let mut moved = Sent::Nothing;
        loop {
            // What was taken counts once it has left: the deadlines and the close wait for that.
            if *this.unflushed > 0 {
                match transport.poll_flush(context) {
                    Poll::Pending => return Ok(moved),
                    Poll::Ready(flushed) => flushed?,
                }
                shared.sent(std::mem::take(this.unflushed), now);
                moved = Sent::Something;
            }
            let sent = match shared.core.poll_transmit() {
                None => {
                    shared.files.clear();
                    this.files.forget();
                    return Ok(moved);
                }
                Some(Transmit::Bytes(slices)) => {
                    let more = slices.file_follows();
                    let mut gathered = [IoSlice::new(&[]); SLICES];
                    let mut count = 0;
                    for (place, slice) in gathered.iter_mut().zip(slices) {
                        *place = IoSlice::new(slice);
                        count += 1;
                    }
                    transport.poll_send(context, gathered.get(..count).unwrap_or_default(), more)
                }
                Some(Transmit::External { .. }) if this.files.is_spent() => return Ok(Sent::Enough),
                Some(Transmit::External { file, offset, length }) => {
                    let file = shared.files.get(file).ok_or(ErrorKind::NotFound)?;
                    let stretch = Stretch { file, offset, length };
                    let sent = this.files.poll_send(this.runtime, transport, context, stretch);
                    if let Poll::Ready(Ok(count)) = sent {
                        shared.files.sent(count as u64);
                    }
                    sent
                }
                Some(_) => return Err(ErrorKind::Unsupported.into()),
            };
            match sent {
                Poll::Pending => return Ok(moved),
                Poll::Ready(Ok(0)) => return Err(ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => *this.unflushed = count,
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
    }

    /// What the core says of closing.
    fn close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Option<Turn> {
        let this = self.project();
        let close = this.exchange.lock().core.poll_close();
        let Some(transport) = this.transport else {
            return close.map(|_| Turn::Over);
        };
        match close {
            Some(Close::ShutdownWrite) => *this.shutting = Shutting::Due,
            Some(Close::Reset) => {
                transport.reset_on_close();
                return Some(Turn::Over);
            }
            Some(_) => {
                transport.say_end(context);
                return Some(Turn::Over);
            }
            None => {}
        }
        if *this.shutting == Shutting::Due {
            match transport.poll_shutdown(context) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => *this.shutting = Shutting::Done,
                Poll::Ready(Err(_)) => return Some(Turn::Over),
            }
        }
        None
    }

    /// Reads once, into a buffer that is borrowed for it.
    fn receive(self: Pin<&mut Self>, context: &mut Context<'_>, now: Now) -> bool {
        let this = self.project();
        let Some(transport) = this.transport else {
            return false;
        };
        let shared = &mut *this.exchange.lock();
        let core = &mut shared.core;
        if !core.wants_recv() {
            return false;
        }
        if let Some(size) = core.wanted_storage()
            && let Some(replaced) = core.lend(buffers::take(size))
        {
            buffers::put(replaced);
        }
        let buffer = core.recv_buf();
        if buffer.is_empty() {
            return false;
        }
        match transport.poll_recv(context, buffer) {
            Poll::Pending => {
                if let Some(storage) = core.release() {
                    buffers::put(storage);
                }
                return false;
            }
            Poll::Ready(Ok(0)) => core.handle_eof(now),
            Poll::Ready(Ok(count)) => shared.received(count, now),
            // The end of a TLS stream without `close_notify`. What it cuts off was delimited, so
            // nothing cut off is taken for whole; an answer under way may still be of use.
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => core.handle_eof(now),
            Poll::Ready(Err(_)) => core.handle_io_error(now),
        }
        true
    }

    /// Whether the deadline has come. The clock decides, not the timer: one that was set
    /// early because the deadline moved since is set again, and costs nothing meanwhile.
    fn time(self: Pin<&mut Self>, context: &mut Context<'_>, now: Now) -> bool {
        let this = self.project();
        let deadline = match this.exchange.lock().time(now) {
            Ok(()) => return true,
            Err(None) => return false,
            Err(Some(deadline)) => deadline,
        };
        let mut sleep = this.sleep;
        if this.armed.is_some_and(|armed| now.mono < armed && armed <= deadline) {
            if *this.registered {
                return false;
            }
        } else {
            *this.armed = Some(deadline);
            match sleep.as_mut().as_pin_mut() {
                Some(sleep) => sleep.reset(deadline),
                None => sleep.set(Some(this.runtime.sleep_until(deadline))),
            }
        }
        let elapsed = sleep.as_pin_mut().is_some_and(|sleep| sleep.poll_elapsed(context).is_ready());
        *this.registered = !elapsed;
        // Elapsed between the clock and here: look at the clock again.
        elapsed
    }

    /// Once the core has let the stream go: what follows the upgrade.
    fn hand_over(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let mut shared = this.exchange.lock();
        if !shared.upgraded {
            return false;
        }
        let leftover = shared.core.take_upgrade();
        if let (Some(then), Some(transport)) = (this.upgrade.take(), this.transport.take()) {
            *this.upgraded = Some(then(Upgraded::new(transport, leftover)));
        }
        true
    }

    /// What follows the upgrade; nothing where nobody speaks the other protocol.
    fn follow_upgrade(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let _entered = this.request_span.enter();
        this.upgraded.as_mut().map_or(Poll::Ready(()), |upgraded| upgraded.as_mut().poll(context))
    }
}

impl<R: Runtime, H: Handler> Future for Serve<R, H>
where
    R::Transport: Send,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // A stream that was handed over outlasts the drain, but not the close behind it.
        let _entered = (!self.span.is_none()).then(|| self.span.clone().entered());
        let order = self.as_mut().project().member.attend(context);
        if order == Order::Close {
            return Poll::Ready(());
        }
        if self.upgraded.is_some() {
            return self.follow_upgrade(context);
        }
        let mut now = self.runtime.now();
        self.as_mut().project().files.begin_turn();
        let mut shared = self.exchange.lock();
        shared.core.handle_time(now);
        let another_waker = shared.attend(context);
        drop(shared);
        if another_waker {
            *self.as_mut().project().registered = false;
        }
        let mut drain = order == Order::Drain;
        for _ in 0..TURNS {
            match self.as_mut().turn(context, now) {
                Turn::Over => {
                    let mut shared = self.exchange.lock();
                    shared.end();
                    if let Some(storage) = shared.core.release() {
                        buffers::put(storage);
                    }
                    drop(shared);
                    return Poll::Ready(());
                }
                Turn::Again => {}
                Turn::Yield => break,
                // A request that has come already is not turned away unread.
                Turn::Wait if std::mem::take(&mut drain) => self.exchange.lock().core.handle_shutdown(now),
                Turn::Wait if self.as_mut().hand_over() => {
                    return self.follow_upgrade(context);
                }
                Turn::Wait if self.as_mut().time(context, now) => now = self.runtime.now(),
                Turn::Wait => return Poll::Pending,
            }
        }
        if drain {
            self.exchange.lock().core.handle_shutdown(now);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
