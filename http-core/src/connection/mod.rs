//! The connection: its state and the contract of its methods.

mod close;
mod config;
mod config_error;
mod content;
mod deadline;
mod events;
mod getters;
mod idle;
mod interim;
mod lent_buffers;
mod preamble;
mod receive;
mod recv_buffer;
mod refusal;
mod refuse;
mod request_limits;
mod respond;
mod response_writer;
mod responses;
mod send_queue;
mod state;
mod storage;
mod timers;
mod uncommon;
mod unsent_refusal;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

pub use self::config::{Config, HalfClose, Limits, Timeouts};
pub use self::config_error::ConfigError;
pub use self::events::{Close, CloseReason, Event, ResponseStats};
pub use self::idle::IdleConnection;
pub use self::lent_buffers::{Dropped, RecvBuffer, TransmitQueue, Transmitted};
pub use self::preamble::{Endpoints, Preface, ProxyHeader, ProxyHeaderError};
pub use self::refusal::Refusal;
pub use self::request_limits::RequestLimits;
pub use self::response_writer::ResponseWriter;
pub use self::responses::ResponseState;
pub use self::send_queue::{Slices, Transmit};
pub use self::state::{Receiving, Sending, State};
pub use self::storage::Storage;
pub use self::timers::{Deadline, Timer};
pub use self::unsent_refusal::RefusalResponse;

use self::content::Content;
use self::events::PendingEvents;
use self::preamble::PrefaceHeader;
use self::recv_buffer::RecvBuf;
use self::responses::Responses;
use self::send_queue::{Lent, Segment, SendQueue};
use self::state::Input;
use self::timers::Times;
use self::uncommon::Uncommon;
use crate::message::connection_info::ConnectionInfo;
use crate::message::field_lines::FieldLines;
use crate::message::now::Now;
use crate::message::request::{RecycledBuffers, RequestHead, RequestId};
use crate::message::response::ResponseHead;
use crate::wire::default_headers::DefaultHeaders;
use crate::wire::head::HeadReader;
use crate::wire::response_framing::Mode;

/// An accepted connection, from its first byte to its close, without any IO.
///
/// # The contract
///
/// The caller owns the socket and the clock. After every input it calls, in this order:
///
/// 1. [`poll_event`](Self::poll_event) until it returns `None`: it parses requests, to which the
///    caller responds;
/// 2. [`poll_transmit`](Self::poll_transmit): write the bytes that it returns and report them by
///    [`handle_sent`](Self::handle_sent), until it returns `None` or the socket is full. After
///    sending something go back to 1, because the next request may have waited for room to send;
/// 3. [`poll_close`](Self::poll_close): shut down or close the socket if it says so;
/// 4. [`poll_timeout`](Self::poll_timeout): wait for the socket until this deadline at most;
///    [`wants_recv`](Self::wants_recv) returns true if bytes are to be read. Then call
///    [`handle_timeout`](Self::handle_timeout), also if bytes were received: no other method acts
///    on a deadline, so a client that sends a byte now and then would never time out.
///
/// # The methods
///
/// | kind | methods |
/// |---|---|
/// | constructors | [`new`](Self::new), [`with_handshake`](Self::with_handshake) |
/// | inputs | [`recv_buf`](Self::recv_buf) and [`handle_recv`](Self::handle_recv), or [`receive`](Self::receive), or [`lend_recv_buf`](Self::lend_recv_buf) and [`return_recv_buf`](Self::return_recv_buf); [`receive_preface`](Self::receive_preface), [`handle_secured`](Self::handle_secured), [`handle_handshake_failed`](Self::handle_handshake_failed); [`handle_eof`](Self::handle_eof), [`handle_peer_closed`](Self::handle_peer_closed), [`handle_sent`](Self::handle_sent) or [`handle_transmitted`](Self::handle_transmitted), [`handle_partly_transmitted`](Self::handle_partly_transmitted), [`handle_timeout`](Self::handle_timeout), [`handle_time`](Self::handle_time), [`handle_shutdown`](Self::handle_shutdown), [`handle_io_error`](Self::handle_io_error) |
/// | outputs | [`poll_event`](Self::poll_event), [`poll_transmit`](Self::poll_transmit) or [`take_transmit`](Self::take_transmit), [`poll_close`](Self::poll_close), [`poll_timeout`](Self::poll_timeout), [`poll_send_room`](Self::poll_send_room), [`poll_refusal`](Self::poll_refusal), [`take_dropped`](Self::take_dropped) |
/// | commands for a request | [`response_writer`](Self::response_writer), [`respond`](Self::respond), [`respond_with`](Self::respond_with), [`respond_upgrade`](Self::respond_upgrade), [`send`](Self::send), [`send_external`](Self::send_external), [`finish`](Self::finish), [`finish_with_trailers`](Self::finish_with_trailers), [`check_expectation`](Self::check_expectation), [`send_continue`](Self::send_continue), [`send_interim`](Self::send_interim), [`abort`](Self::abort), [`response_fields_mut`](Self::response_fields_mut), [`set_max_body_size`](Self::set_max_body_size), [`set_request_limits`](Self::set_request_limits), [`set_body_decoded`](Self::set_body_decoded), [`pause`](Self::pause), [`resume`](Self::resume) |
/// | commands for the connection | [`hold_requests`](Self::hold_requests), [`accept_requests`](Self::accept_requests), [`replace_refusal`](Self::replace_refusal), [`close`](Self::close), [`refuse_overloaded`](Self::refuse_overloaded), [`refuse_address`](Self::refuse_address), [`expire_at`](Self::expire_at), [`take_upgrade`](Self::take_upgrade), [`supply_storage`](Self::supply_storage), [`release_storage`](Self::release_storage), [`take_idle`](Self::take_idle), [`restore`](Self::restore) |
/// | getters | [`current_request`](Self::current_request), [`response_state`](Self::response_state), [`wants_recv`](Self::wants_recv), [`watches_peer`](Self::watches_peer), [`wanted_storage`](Self::wanted_storage), [`storage_size`](Self::storage_size), [`is_idle`](Self::is_idle), [`awaits_request`](Self::awaits_request), [`awaits_body`](Self::awaits_body), [`lacks_proxy_header`](Self::lacks_proxy_header), [`state`](Self::state), [`now`](Self::now), [`served`](Self::served), [`position`](Self::position), [`connection_info`](Self::connection_info), [`is_peer_closed`](Self::is_peer_closed), [`has_dropped`](Self::has_dropped), [`limits`](Self::limits) |
///
/// Inputs never fail: an error of the peer results in a queued response, [`Event::Refused`] and
/// [`Event::Closed`]. They are safe in any order, and a superfluous one does nothing. Commands take
/// the id of their request and check it. They fail with [`Misuse`](crate::Misuse) if the caller
/// uses them wrongly, and then change nothing, except in the three cases that its documentation
/// names.
pub struct Connection {
    config: Arc<Config>,
    peer: ConnectionInfo,
    now: Now,
    state: State,
    recv: RecvBuf,
    send: SendQueue,
    /// Number of bytes that were taken out of `send` and have not been sent.
    lent: Lent,
    /// The segments that were in `send` when the connection broke.
    dropped: VecDeque<Segment>,
    events: PendingEvents,
    responses: Responses,
    times: Times,
    reader: HeadReader,
    empty_lines: usize,
    content: Content,
    current: Option<RequestHead>,
    recycled: RecycledBuffers,
    served: u64,
    mode: Mode,
    pending: Option<Box<ResponseHead>>,
    uncommon: Option<Box<Uncommon>>,
    default_headers: DefaultHeaders,
    /// Fields to add to the head of the current response.
    added_fields: Option<Box<FieldLines>>,
    /// Number of bytes that were dropped while the connection closes.
    discarded: u64,

    // The fields below are not part of `state`, because they apply in several states: in its table
    // they would multiply the rows without adding a transition.
    /// True if the client may hold its body back until `100 Continue` or a response. It may also
    /// send the body without either (RFC 9110 section 10.1.1), so the head of a response does not
    /// reset this.
    awaits_continue: bool,
    /// True while the application does not read the body: it is not parsed, and its timers are
    /// stopped.
    paused: bool,
    /// Time at which the body was paused, or at which a body that was held back was asked for.
    paused_at: Duration,
    /// True while no request is parsed because the application is busy with the previous one, whose
    /// response may have been sent.
    held: bool,
    /// Time at which the end of the peer's stream was detected, possibly after bytes that were not
    /// read: these are still parsed, in the state of the request that they belong to.
    peer_closed_at: Option<Duration>,
    /// True if [`Event::PeerClosed`] was emitted for the current request; it is emitted once for
    /// each.
    peer_closed_emitted: bool,
    /// True if everything that the peer sent was received. Becomes [`Input::EndOfStream`] once all
    /// of it is parsed.
    end_of_stream: bool,
    /// True if the socket is to be reset when it is closed, possibly after other bytes were sent.
    reset: bool,
    /// True if [`Close::ShutdownWrite`] was returned; it is returned once in the state
    /// [`Sending::Shut`].
    shutdown_emitted: bool,
    /// Progress of the PROXY header that precedes a handshake or the first request.
    proxy_header: PrefaceHeader,
    /// True if the client may send more after its last request, because that did not ask to close
    /// the connection. Determines how the connection closes, long after the request was accepted.
    more_may_come: bool,
    /// True if the last request was received completely, or there is none, so that the peer is not
    /// known to be sending. Determines how long a closing connection lingers.
    ordinary_end: bool,
}

/// Constructors.
impl Connection {
    /// Creates a connection that was just accepted.
    #[must_use]
    pub fn new(config: Arc<Config>, peer: ConnectionInfo, now: Now) -> Self {
        let default_headers = DefaultHeaders::with_room_for(config.server);
        Self::with_default_headers(config, default_headers, peer, now)
    }

    /// Creates a connection with the default headers of another one with the same configuration.
    fn with_default_headers(
        config: Arc<Config>,
        default_headers: DefaultHeaders,
        peer: ConnectionInfo,
        now: Now,
    ) -> Self {
        let proxy_header = PrefaceHeader::first(&config);
        let reader = HeadReader::new(config.head_limits());
        Self {
            config,
            peer,
            now,
            state: State::NEW,
            recv: RecvBuf::default(),
            send: SendQueue::default(),
            lent: Lent::default(),
            dropped: VecDeque::new(),
            events: PendingEvents::default(),
            responses: Responses::default(),
            times: Times::new(now.mono),
            reader,
            empty_lines: 0,
            content: Content::default(),
            current: None,
            recycled: RecycledBuffers::default(),
            served: 0,
            mode: Mode::Without,
            pending: None,
            uncommon: None,
            default_headers,
            awaits_continue: false,
            paused: false,
            paused_at: now.mono,
            held: false,
            peer_closed_at: None,
            peer_closed_emitted: false,
            end_of_stream: false,
            reset: false,
            shutdown_emitted: false,
            proxy_header,
            more_may_come: false,
            added_fields: None,
            discarded: 0,
            ordinary_end: false,
        }
    }
}

/// Inputs: events of the socket and the clock.
impl Connection {
    /// Returns the free space of the receive buffer, which is initialised, to read from the socket.
    /// Empty if nothing is to be received ([`wants_recv`](Self::wants_recv)).
    pub fn recv_buf(&mut self) -> &mut [u8] {
        if !self.wants_recv() {
            return &mut [];
        }
        let size = self.wanted_size();
        self.recv.room(size)
    }

    /// Records that `count` bytes were read into the beginning of [`recv_buf`](Self::recv_buf). At
    /// the end of the stream call [`handle_eof`](Self::handle_eof) instead; a `count` of 0 only
    /// updates the time.
    pub fn handle_recv(&mut self, count: usize, now: Now) {
        self.set_now(now);
        if count > 0 {
            self.recv.commit(count);
            self.times.received(self.now.mono, count);
        }
    }

    /// Copies bytes into the receive buffer, for callers that already have them in memory. Returns
    /// the number of bytes taken; pass the rest again after polling the events.
    #[must_use = "bytes that were not taken must be passed again"]
    pub fn receive(&mut self, bytes: &[u8], now: Now) -> usize {
        let room = self.recv_buf();
        let count = bytes.len().min(room.len());
        if let (Some(room), Some(bytes)) = (room.get_mut(..count), bytes.get(..count)) {
            room.copy_from_slice(bytes);
        }
        self.handle_recv(count, now);
        count
    }

    /// Records that the peer ended its stream and that all of it was received. Complete requests in
    /// it are still served.
    pub fn handle_eof(&mut self, now: Now) {
        self.set_now(now);
        self.end_of_stream = true;
        self.peer_closed_at.get_or_insert(self.now.mono);
    }

    /// Records that the peer ended its stream after bytes that were not received yet
    /// (`EPOLLRDHUP`). [`handle_eof`](Self::handle_eof) follows once they are received.
    pub fn handle_peer_closed(&mut self, now: Now) {
        self.set_now(now);
        self.peer_closed_at.get_or_insert(self.now.mono);
    }

    /// Records that `count` bytes returned by [`poll_transmit`](Self::poll_transmit) were sent.
    pub fn handle_sent(&mut self, count: u64, now: Now) {
        self.set_now(now);
        let count = count.min(self.send.len());
        self.send.sent(count);
        self.has_sent(count);
    }

    fn has_sent(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        self.responses.sent(count);
        self.times.sent = self.now.mono;
        if self.has_unsent() {
            self.times.progressed(self.now.mono, count, &self.config.timeouts);
        }
        if self.state.send == Sending::Idle {
            self.times.idle = self.now.mono;
        }
        self.continue_if_flushed();
    }

    /// Updates the time without another input. All other inputs update it, too.
    pub fn handle_time(&mut self, now: Now) {
        self.set_now(now);
    }

    /// Begins a shutdown: a connection between requests closes, a busy one closes after its current
    /// response, which carries `Connection: close` unless its head was already queued. If no
    /// response could announce the end and bytes of another request were received, that request is
    /// still served, and its response announces the end.
    pub fn handle_shutdown(&mut self, now: Now) {
        self.set_now(now);
        self.times.shutdown.get_or_insert(self.now.mono);
        self.wind_down(CloseReason::Shutdown);
    }

    /// Records that the transport failed. Nothing is received or sent any more.
    pub fn handle_io_error(&mut self, now: Now) {
        self.set_now(now);
        self.break_off(CloseReason::IoError);
    }
}

/// Outputs: actions for the caller.
impl Connection {
    /// Returns the bytes, or the range of a file, to be sent next; `None` if nothing waits to be
    /// sent.
    #[must_use]
    pub fn poll_transmit(&self) -> Option<Transmit<'_>> {
        self.send.poll()
    }

    /// Returns how to shut down or close the socket; `None` while it is in use. The shutdown is
    /// returned once, the close on every call.
    #[must_use]
    pub fn poll_close(&mut self) -> Option<Close> {
        match self.state.send {
            Sending::Closed if self.reset => Some(Close::Reset),
            Sending::Closed => Some(Close::Now),
            Sending::Shut if !core::mem::replace(&mut self.shutdown_emitted, true) => Some(Close::ShutdownWrite),
            _ => None,
        }
    }
}

/// Helpers of the modules of the connection.
impl Connection {
    fn set_now(&mut self, now: Now) {
        // A clock that steps back must not cause early or missed deadlines.
        self.now = Now { mono: self.now.mono.max(now.mono), wall: now.wall };
    }

    /// Applies an input to the state. Returns false if the input has no effect in this state.
    ///
    /// Inlined, because the input is a constant at each call, which reduces the table to a few
    /// cases.
    #[inline(always)]
    fn apply(&mut self, input: Input) -> bool {
        let next = self.state.after(input);
        if let Some(next) = next {
            self.state = next;
        }
        next.is_some()
    }

    fn has_backlog_room(&self) -> bool {
        self.backlog() < self.config.limits.backlog() as u64
    }

    /// Returns the memory in bytes that is used by what waits to be sent.
    fn backlog(&self) -> u64 {
        match self.send.memory().saturating_add(self.lent.memory) {
            0 => 0,
            waiting => waiting.saturating_add(self.responses.memory()),
        }
    }

    /// Returns the number of bytes that wait to be sent, including those that were taken out.
    fn unsent(&self) -> u64 {
        self.send.len().saturating_add(self.lent.memory).saturating_add(self.lent.files)
    }

    fn has_unsent(&self) -> bool {
        !self.send.is_empty() || self.lent.memory | self.lent.files != 0
    }

    /// Returns the id of the last accepted request.
    fn current_id(&self) -> RequestId {
        RequestId::new(self.served)
    }

    /// Returns the send queue; if nothing waits, starts the write timer.
    fn queue(&mut self) -> &mut SendQueue {
        if !self.has_unsent() {
            self.times.progress = self.now.mono;
            self.times.ahead = 0;
        }
        &mut self.send
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer)
            .field("state", &self.state)
            .field("current_request", &self.current)
            .field("received", &self.recv.len())
            .field("to_send", &self.unsent())
            .finish_non_exhaustive()
    }
}

/// Commands for the connection.
impl Connection {
    /// Stops parsing requests until [`accept_requests`](Self::accept_requests), because the
    /// application is not ready for another one. The timers for the next request are stopped, too.
    pub fn hold_requests(&mut self) {
        self.held = true;
    }

    /// Continues to parse requests after [`hold_requests`](Self::hold_requests).
    pub fn accept_requests(&mut self) {
        if core::mem::take(&mut self.held) && self.state.send == Sending::Idle {
            self.times.idle = self.now.mono;
            self.times.head = self.now.mono;
            if self.served == 0 {
                self.times.accepted = self.now.mono;
            }
        }
    }

    /// Takes the bytes that were read after the request by the time of [`Event::Upgraded`]. They
    /// precede the bytes that the socket returns next. Empty before that event.
    #[must_use = "these bytes belong to the new protocol"]
    pub fn take_upgrade(&mut self) -> Bytes {
        if self.state.recv == Receiving::SwitchedProtocol && !self.has_unsent() {
            let length = self.recv.len();
            let taken = self.recv.take(length);
            // The other protocol may last long and does not use these buffers.
            drop((self.recv.release(), self.send.release(), core::mem::take(&mut self.recycled)));
            taken
        } else {
            Bytes::new()
        }
    }
}
