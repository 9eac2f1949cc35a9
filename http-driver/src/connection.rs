//! The loop of one connection: one hand-written poll.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use httpants_core::forms::Limits;
use httpants_core::{Close, Connection, Framing, Now, Peer, Transmit};
use pin_project_lite::pin_project;

use crate::answering::{self, Answering, Progress};
use crate::body::Body;
use crate::exchange::Exchange;
use crate::files::{FileSender, Stretch};
use crate::handler::{Handler, Intake};
use crate::intake::{self, Collecting};
use crate::pool;
use crate::registry::{Member, Order};
use crate::request::Request;
use crate::response::{Response, UpgradeHandler};
use crate::runtime::{Runtime, Sleep, Transport};
use crate::service::Service;
use crate::upgraded::Upgraded;
use crate::upload::Form;

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
        // Gone once it was handed over.
        transport: Option<R::Transport>,
        exchange: Exchange,
        collecting: Option<Collecting>,
        #[pin]
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
    ) -> Self {
        let core = Connection::new(Arc::clone(&service.config), peer, runtime.now());
        let exchange = Exchange::new(core, Arc::clone(&service.files), Arc::clone(&service.settings));
        Self {
            runtime,
            service,
            member,
            transport: Some(transport),
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
        }
    }

    /// One turn: what was received becomes requests and answers, answers leave, and only
    /// then more is read.
    fn turn(mut self: Pin<&mut Self>, context: &mut Context<'_>, now: Now) -> Turn {
        let mut moved = self.as_mut().take_requests(context);
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

    /// Events, and the handlers they start, until nothing moves.
    fn take_requests(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let mut moved = false;
        loop {
            let request = {
                let mut shared = self.exchange.lock();
                if shared.files.is_full() { None } else { shared.pump() }
            };
            let mut again = false;
            if let Some(head) = request {
                self.as_mut().begin(head);
                again = true;
            }
            again |= self.as_mut().collect(context);
            let this = self.as_mut().project();
            match this.answering.poll(context, this.exchange) {
                Progress::Waiting => {}
                Progress::Moved | Progress::Done(None) => again = true,
                Progress::Done(upgrade) => {
                    *this.upgrade = upgrade;
                    again = true;
                }
            }
            if !again {
                return moved;
            }
            moved = true;
        }
    }

    /// A head has come: what becomes of its content?
    fn begin(self: Pin<&mut Self>, head: httpants_core::Request) {
        let intake = match head.framing() {
            Framing::None => Intake::Buffer,
            _ => self.service.intake(&head),
        };
        match intake {
            Intake::Buffer => self.buffer(head, None),
            Intake::BufferWith(limits) => self.buffer(head, Some(limits)),
            Intake::Stream => self.stream(head, None),
            Intake::StreamUpTo(max_request) => self.stream(head, Some(max_request)),
            Intake::Refuse(response) => self.refuse(*response),
        }
    }

    fn buffer(self: Pin<&mut Self>, head: httpants_core::Request, limits: Option<Box<Limits>>) {
        let max_request = limits.as_ref().map(|limits| limits.max_request);
        match Collecting::begin(head, limits, &self.service.settings) {
            Ok(collecting) => {
                self.exchange.lock().begin_content(true, max_request);
                *self.project().collecting = Some(collecting);
            }
            Err(response) => self.refuse(*response),
        }
    }

    fn stream(self: Pin<&mut Self>, head: httpants_core::Request, max_request: Option<u64>) {
        let serial = self.exchange.lock().begin_content(false, max_request);
        let body = Body::arriving(self.exchange.clone(), serial, head.framing());
        self.call(head, body, None, serial);
    }

    fn refuse(self: Pin<&mut Self>, response: Response) {
        let this = self.project();
        let _ = this.answering.give(&mut this.exchange.lock(), response);
    }

    fn call(self: Pin<&mut Self>, head: httpants_core::Request, body: Body, form: Option<Box<Form>>, serial: u64) {
        let request = Request::new(head, body, form, self.exchange.clone(), serial);
        let mut this = self.project();
        match answering::call(&this.service.handler, request) {
            Ok(future) => this.answering.set(Answering::Handler { future }),
            Err(()) => answering::fail(&mut this.exchange.lock()),
        }
    }

    /// Collects content; runs the handler when it is complete, forgets it when it never will be.
    fn collect(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let this = self.as_mut().project();
        let Some(collecting) = this.collecting else {
            return false;
        };
        let mut shared = this.exchange.lock();
        let progress = collecting.poll(context, &mut shared, &this.service.settings);
        let serial = shared.serial;
        drop(shared);
        match progress {
            intake::Progress::Waiting => return false,
            intake::Progress::Moved => {}
            intake::Progress::Complete(body, form) => {
                if let Some(collected) = this.collecting.take() {
                    self.call(collected.into_head(), body, form, serial);
                }
            }
            intake::Progress::Refused(response) => {
                // What was stored is removed before the answer is given.
                *this.collecting = None;
                self.refuse(*response);
            }
            intake::Progress::Broken => *this.collecting = None,
        }
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
                Poll::Ready(Ok(count)) => shared.core.handle_sent(count as u64, now),
                Poll::Ready(Err(error)) => return Err(error),
            }
            moved = Sent::Something;
        }
    }

    /// What the core says of closing.
    fn close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Option<Turn> {
        let this = self.project();
        let transport = this.transport.as_mut()?;
        let close = this.exchange.lock().core.poll_close();
        match close {
            Some(Close::ShutdownWrite) => *this.shutting = Shutting::Due,
            Some(Close::Reset) => {
                transport.reset_on_close();
                return Some(Turn::Over);
            }
            Some(_) => return Some(Turn::Over),
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
        let mut shared = this.exchange.lock();
        let core = &mut shared.core;
        if !core.wants_recv() {
            return false;
        }
        if let Some(size) = core.wanted_storage()
            && let Some(replaced) = core.lend(pool::take(size))
        {
            pool::put(replaced);
        }
        let buffer = core.recv_buf();
        if buffer.is_empty() {
            return false;
        }
        match transport.poll_recv(context, buffer) {
            Poll::Pending => {
                if let Some(storage) = core.release() {
                    pool::put(storage);
                }
                return false;
            }
            Poll::Ready(Ok(0)) => core.handle_eof(now),
            Poll::Ready(Ok(count)) => core.handle_recv(count, now),
            Poll::Ready(Err(_)) => core.handle_io_error(now),
        }
        true
    }

    /// Whether the deadline has come. The clock decides, not the timer: one that was set
    /// early because the deadline moved since is set again, and costs nothing meanwhile.
    fn time(self: Pin<&mut Self>, context: &mut Context<'_>, now: Now) -> bool {
        let this = self.project();
        let mut shared = this.exchange.lock();
        let Some(deadline) = shared.core.poll_timeout() else {
            return false;
        };
        if deadline.at <= now.mono {
            shared.core.handle_timeout(now);
            return true;
        }
        drop(shared);
        let mut sleep = this.sleep;
        if this.armed.is_some_and(|armed| now.mono < armed && armed <= deadline.at) {
            if *this.registered {
                return false;
            }
        } else {
            *this.armed = Some(deadline.at);
            match sleep.as_mut().as_pin_mut() {
                Some(sleep) => sleep.reset(deadline.at),
                None => sleep.set(Some(this.runtime.sleep_until(deadline.at))),
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
}

impl<R: Runtime, H: Handler> Future for Serve<R, H>
where
    R::Transport: Send,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // A stream that was handed over outlasts the drain, but not the close behind it.
        let order = self.as_mut().project().member.attend(context);
        if order == Order::Close {
            return Poll::Ready(());
        }
        if let Some(upgraded) = self.as_mut().project().upgraded {
            return upgraded.as_mut().poll(context);
        }
        let mut now = self.runtime.now();
        self.as_mut().project().files.begin_turn();
        let mut shared = self.exchange.lock();
        shared.core.handle_time(now);
        let another_waker = shared.attend(context);
        if order == Order::Drain {
            shared.core.handle_shutdown(now);
        }
        drop(shared);
        if another_waker {
            *self.as_mut().project().registered = false;
        }
        for _ in 0..TURNS {
            match self.as_mut().turn(context, now) {
                Turn::Over => {
                    if let Some(storage) = self.exchange.lock().core.release() {
                        pool::put(storage);
                    }
                    return Poll::Ready(());
                }
                Turn::Again => {}
                Turn::Yield => break,
                Turn::Wait if self.as_mut().hand_over() => {
                    return match self.as_mut().project().upgraded {
                        Some(upgraded) => upgraded.as_mut().poll(context),
                        // Nobody speaks the other protocol.
                        None => Poll::Ready(()),
                    };
                }
                Turn::Wait if self.as_mut().time(context, now) => now = self.runtime.now(),
                Turn::Wait => return Poll::Pending,
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
