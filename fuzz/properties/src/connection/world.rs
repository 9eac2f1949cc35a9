//! A connection with its environment: a client, an application, a clock and an adapter.

use std::time::Duration;

use bytes::Bytes;
use http::Version;
use httpants_core::{
    BodyLen, Close, CloseReason, Config, Connection, ConnectionInfo, FieldLines, Misuse, Now, Receiving, RecvBuffer,
    RequestId, ResponseHead, ResponseState, ResponseStats, ResponseWriter, Sending, Storage, Timer, Transmit,
    TransmitQueue, UnixTime,
};

use super::client;
use super::script::{self, Operation, Settings};
use crate::oracle::response::Asked;
use crate::shown;

/// The response of the application to one request.
pub(super) struct AppResponse {
    pub(super) id: RequestId,
    pub(super) has_body: bool,
    pub(super) asked: Asked,
    /// The status; 0 before the head was sent.
    pub(super) status: u16,
    /// The statuses of the interim responses before it.
    pub(super) interim: Vec<u16>,
    pub(super) content: Vec<u8>,
    pub(super) finished: bool,
}

impl std::fmt::Debug for AppResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { asked, status, content, finished, .. } = self;
        write!(f, "{status} to {asked:?}, {} bytes, finished: {finished}", content.len())
    }
}

pub(super) struct World {
    pub(super) connection: Connection,
    pub(super) config: Config,
    pub(super) now: Now,
    /// All bytes that the client sends, and those that the connection has accepted.
    pub(super) to_send: Vec<u8>,
    pub(super) sent: client::Sent,
    pub(super) expects_proxy_header: bool,
    pub(super) end_of_stream: bool,
    /// True if the client has ended its stream and the connection was informed before it has read
    /// everything.
    pub(super) peer_closed: bool,
    pub(super) held: bool,
    /// Buffers that were moved out.
    pub(super) buffer: Option<RecvBuffer>,
    pub(super) queue: TransmitQueue,
    /// The bytes that the client has received.
    pub(super) out: Vec<u8>,
    pub(super) given: Vec<AppResponse>,
    /// The ends of responses, as they were reported.
    pub(super) ends: Vec<ResponseStats>,
    /// The expected reason of a close, from a refusal or a timeout.
    pub(super) announced: Option<CloseReason>,
    /// True if input that is not a request was refused with a response.
    pub(super) refused_no_request: bool,
    pub(super) closed: Option<CloseReason>,
    pub(super) upgraded: bool,
    /// True if the transport failed or accepted nothing, so that the waiting bytes are lost.
    pub(super) cut_off: bool,
    shutdown_reported: bool,
    pub(super) end: Option<Close>,
    pub(super) storage: Option<Storage>,
    /// The value from which an idle connection was moved, for the next one to be restored into.
    pub(super) vacated: Option<Connection>,
    /// The largest storage that was lent, in bytes.
    pub(super) lent: usize,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, {:?}, out: {}", self.closed, self.connection.state(), self.out.escape_ascii())
    }
}

impl World {
    pub(super) fn new(settings: &Settings) -> Self {
        let config = settings.config();
        let now = Now::new(Duration::ZERO, UnixTime::from_secs(1_795_352_400));
        Self {
            connection: Connection::new(config.clone().into(), ConnectionInfo::default(), now),
            now,
            to_send: vec![],
            sent: client::Sent::default(),
            expects_proxy_header: config.proxy_protocol,
            end_of_stream: false,
            peer_closed: false,
            held: false,
            buffer: None,
            queue: TransmitQueue::default(),
            out: vec![],
            given: vec![],
            ends: vec![],
            announced: None,
            refused_no_request: false,
            closed: None,
            upgraded: false,
            cut_off: false,
            shutdown_reported: false,
            end: None,
            storage: None,
            vacated: None,
            lent: 0,
            config,
        }
    }

    pub(super) fn step(&mut self, operation: &Operation) {
        match operation {
            Operation::Send(sent) if self.unsent().len() < 300_000 && !self.peer_closed => {
                sent.write(&mut self.to_send)
            }
            Operation::Send(_) => {}
            Operation::Receive { most, lend } => self.receive(*most as usize, *lend),
            Operation::Poll { most, sends_continue } => self.poll(usize::from(*most), *sends_continue),
            Operation::Transmit { most } => self.transmit(usize::from(*most)),
            Operation::Respond(given) => self.respond(given),
            Operation::RespondByCalls { length, finish } => self.respond_by_calls(usize::from(*length), *finish),
            Operation::Interim(choice) => self.interim(*choice),
            Operation::Finish { length, file, end } => self.finish(usize::from(*length), *file, *end),
            Operation::Time { how, millis } => self.time(*how, u64::from(*millis)),
            Operation::Pause(pause) => {
                let id = self.current();
                let done = if *pause { self.connection.pause(id) } else { self.connection.resume(id) };
                let reads_content = self.connection.state().recv == Receiving::Body;
                assert!(done.is_err() || !pause || !reads_content || !self.connection.wants_recv());
            }
            Operation::MaxRequest(choice) => {
                let limit = [0, 10, 1 << 30][usize::from(*choice) % 3];
                let is_outstanding = self.connection.current_request().is_some();
                assert_eq!(self.connection.set_max_body_size(self.current(), limit).is_ok(), is_outstanding);
            }
            Operation::Storage(choice) => self.exchange_storage(*choice),
            Operation::Eof => {
                self.end_of_stream = true;
                self.connection.handle_eof(self.now);
            }
            Operation::Abort if self.connection.abort(self.current()).is_ok() => {}
            Operation::Abort => self.connection.close(),
            Operation::Shutdown => self.connection.handle_shutdown(self.now),
            Operation::IoError => {
                self.cut_off = true;
                self.connection.handle_io_error(self.now);
            }
            Operation::LendRecv { most } => self.lend_recv(*most as usize),
            Operation::TakeTransmit { most } => self.take_transmit(u64::from(*most)),
            Operation::Hold(hold) => {
                self.held = *hold;
                if *hold { self.connection.hold_requests() } else { self.connection.accept_requests() }
            }
            Operation::PeerClosed => {
                self.peer_closed = true;
                self.connection.handle_peer_closed(self.now);
                assert!(!self.connection.watches_peer());
            }
            Operation::Stale { command, request } => self.check_stale_command(*command, *request),
            Operation::Spurious(choice) => self.check_no_effect(*choice),
        }
        self.check();
    }

    fn receive(&mut self, most: usize, lend: bool) {
        if self.end_of_stream {
            return;
        }
        let most = most.min(self.unsent().len());
        let wanted = self.connection.wants_recv() && self.buffer.is_none();
        let taken = if lend {
            let room = self.connection.recv_buf();
            let count = most.min(room.len());
            room[..count].copy_from_slice(&self.to_send[self.sent.bytes.len()..][..count]);
            self.connection.handle_recv(count, self.now);
            count
        } else {
            self.connection.receive(&self.to_send[self.sent.bytes.len()..][..most], self.now)
        };
        assert_eq!(taken > 0, wanted && most > 0);
        self.has_sent(taken);
    }

    /// Returns the bytes that the client has not sent yet.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.to_send[self.sent.bytes.len()..]
    }

    /// Records that the connection has accepted `count` of these bytes.
    pub(super) fn has_sent(&mut self, count: usize) {
        let from = self.sent.bytes.len();
        self.sent.bytes.extend_from_slice(&self.to_send[from..from + count]);
    }

    /// Returns the number of bytes that wait to be sent before the first file.
    fn waiting(&self) -> usize {
        let waiting = self.waiting_in_queue();
        match self.connection.poll_transmit() {
            Some(Transmit::Bytes(slices)) => {
                let file = slices.file_follows();
                assert!(!file || self.connection.state().send != Sending::Idle || slices.clone().count() > 0);
                slices.map(<[u8]>::len).sum::<usize>() + waiting
            }
            _ => waiting,
        }
    }

    pub(super) fn has_backlog_room(&self) -> bool {
        self.waiting() < self.config.limits.send_backlog.max(1)
    }

    /// Sends the head of a response, or a complete response.
    fn respond(&mut self, chosen: &script::ResponsePlan) {
        let status = [200, 200, 200, 404, 204, 304, 101, 500][usize::from(chosen.status) % 8];
        let mut head = ResponseHead::new(status).unwrap();
        if chosen.close.is_multiple_of(8) {
            head.fields.push("Connection", "close").unwrap();
        }
        if status == 101 {
            head.fields.push("Upgrade", "x").unwrap();
        }
        let content = "r".repeat([0, 5, 3000, 100_000][usize::from(chosen.length) % 4]);
        let length = if chosen.known { BodyLen::Known(content.len() as u64) } else { BodyLen::Unknown };
        let id = self.current();
        let given = match chosen.whole {
            true => self.connection.respond_with(id, &head, content.clone()),
            false => self.connection.respond(id, &head, length),
        };
        let is_upgrade = given == Err(Misuse::Upgrade) && self.connection.respond_upgrade(id, &head).is_ok();
        if given.is_err() && !is_upgrade {
            return;
        }
        let response = self.given.last_mut().expect("a response is taken for a request only");
        response.status = status;
        let tunnel = response.asked == Asked::Connect && head.status.is_success();
        assert_eq!(is_upgrade, status == 101 || tunnel);
        response.finished = chosen.whole || is_upgrade;
        response.content = if chosen.whole { content.into_bytes() } else { vec![] };
    }

    /// Sends an interim response, which fails with 100, 101 and final statuses.
    fn interim(&mut self, choice: u8) {
        let status = [103, 102, 199, 100, 101, 200][usize::from(choice) % 6];
        let fields = FieldLines::try_from_iter([("Link", "</a>")]).unwrap();
        let is_1_0 = self.connection.current_request().is_some_and(|request| request.version() == Version::HTTP_10);
        let id = self.current();
        let is_expected = self.connection.response_state(id) == ResponseState::Expected;
        let given = self.connection.send_interim(id, status, &fields);
        assert_eq!(given.is_ok(), is_expected && matches!(status, 102 | 103 | 199), "{given:?}");
        if let Ok(sent) = given {
            assert_eq!(sent, !is_1_0);
            let response = self.given.last_mut().expect("it is sent ahead of a response only");
            response.interim.extend(sent.then_some(status));
        }
    }

    /// Responds call by call, as in Pants.
    fn respond_by_calls(&mut self, length: usize, finish: bool) {
        if self.given.last().is_none_or(|last| last.asked == Asked::Connect) {
            return;
        }
        let content = "s".repeat(length);
        let calls = |writer: &mut ResponseWriter<'_>| {
            writer.send_status(201)?;
            writer.send_headers([("X", "y")], false)?;
            match writer.send(content.clone()) {
                // The head was sent.
                Err(Misuse::NoBody) => Ok(()),
                sent => sent,
            }
        };
        let mut writer = self.connection.response_writer(self.given.last().map(|last| last.id).unwrap_or_default());
        let given = calls(&mut writer);
        let finished = given.is_ok() && finish && writer.finish().is_ok();
        if given.is_ok()
            && let Some(response) = self.given.last_mut()
        {
            (response.status, response.content, response.finished) = (201, content.into_bytes(), finished);
        }
    }

    /// Continues a response that was begun.
    fn finish(&mut self, length: usize, file: bool, end: u8) {
        if !self.send(length, file) {
            return;
        }
        let mut trailers = FieldLines::new();
        trailers.push("X-Sum", "1").unwrap();
        let finished = match end % 4 {
            0 => self.connection.finish(self.current()),
            1 => self.connection.finish_with_trailers(self.current(), &trailers),
            _ => return,
        };
        if finished.is_ok() {
            self.given.last_mut().unwrap().finished = true;
        }
    }

    /// Sends a piece of content, or only the rest if the piece would be too long.
    fn send(&mut self, length: usize, file: bool) -> bool {
        let id = self.current();
        let room = self.connection.poll_send_room(id);
        assert_eq!(room.is_ok(), !self.connection.response_state(id).is_over());
        assert!(room.is_ok_and(|room| room <= self.config.limits.send_backlog.max(1)) || room.is_err());
        let mut give = |length: usize| match file {
            true => self.connection.send_external(id, 7, 0, length as u64),
            false => self.connection.send(id, Bytes::from(vec![b't'; length])),
        };
        let given = match give(length) {
            Ok(()) => length,
            Err(Misuse::NoBody) => {
                assert!(length > 0 && !self.given.last().unwrap().has_content(), "content is possible");
                return true;
            }
            Err(Misuse::TooMuchContent { due, .. }) => {
                let missing = usize::try_from(due).unwrap();
                give(missing).unwrap();
                missing
            }
            Err(_) => return false,
        };
        let byte = if file { b'F' } else { b't' };
        self.given.last_mut().unwrap().content.extend(std::iter::repeat_n(byte, given));
        true
    }

    /// Sends `most` bytes; 0 means all.
    fn transmit(&mut self, most: usize) {
        if !self.queue.is_empty() {
            return self.take_transmit(most as u64);
        }
        let mut bytes = match self.connection.poll_transmit() {
            None => return,
            Some(Transmit::Bytes(slices)) => slices.flatten().copied().collect(),
            Some(Transmit::External { length, .. }) => vec![b'F'; usize::try_from(length).unwrap()],
            Some(other) => panic!("{other:?}"),
        };
        assert!(!bytes.is_empty(), "an empty transmit");
        if most > 0 {
            bytes.truncate(most);
        }
        self.out.extend_from_slice(&bytes);
        self.connection.handle_sent(bytes.len() as u64, self.now);
    }

    /// Advances the clock: to a deadline, to just before it, or to after it.
    fn time(&mut self, how: u8, millis: u64) {
        let deadline = self.connection.poll_timeout();
        let by = match (how % 4, deadline) {
            (0, Some(deadline)) => deadline.at.saturating_sub(self.now.mono + Duration::from_millis(1)),
            (1, Some(deadline)) => deadline.at.saturating_sub(self.now.mono),
            (2, Some(deadline)) => deadline.at.saturating_sub(self.now.mono) + Duration::from_millis(millis),
            _ => Duration::from_millis(millis % 2000),
        };
        self.now = self.now.after(by);
        let Some(deadline) = deadline else { return self.connection.handle_timeout(self.now) };
        shown::display(&deadline.timer);
        let is_over = deadline.at <= self.now.mono;
        self.cut_off |= is_over && self.loses_bytes(deadline.timer);
        let state = self.connection.state();
        self.connection.handle_timeout(self.now);
        if is_over {
            assert_ne!(self.connection.poll_timeout(), Some(deadline), "a deadline that came stays");
        } else {
            assert_eq!(self.connection.state(), state, "{deadline:?} came early");
        }
    }

    /// Makes calls without effect, and checks that they change nothing.
    fn check_no_effect(&mut self, choice: u8) {
        let (state, deadline) = (self.connection.state(), self.connection.poll_timeout());
        match choice % 4 {
            0 => self.connection.handle_recv(0, self.now),
            1 => self.connection.handle_sent(0, self.now),
            2 => self.connection.handle_time(self.now),
            _ if deadline.is_some_and(|deadline| deadline.at <= self.now.mono) => return,
            _ => self.connection.handle_timeout(self.now),
        }
        assert_eq!((state, deadline), (self.connection.state(), self.connection.poll_timeout()));
    }

    /// Checks what holds after every operation.
    fn check(&mut self) {
        assert_eq!((self.connection.now(), self.connection.served()), (self.now, self.given.len() as u64));
        let wants = self.connection.wants_recv();
        let limits = &self.config.limits;
        let head = limits.head.min(usize::from(u16::MAX));
        let read = limits.body_buffer.max(limits.recv_buffer).max(16).max(self.lent);
        // The maximum of a head or of chunk framing, plus one read, rounded up to the next power of
        // two.
        let most = 2 * (head.max(limits.chunk_overhead) + read + 1);
        let room = self.connection.recv_buf().len();
        assert_eq!(room > 0, wants && self.buffer.is_none(), "wants_recv and recv_buf disagree");
        assert!(room <= most, "room for {room} bytes in {self:?}: {limits:?}");
        match self.connection.poll_close() {
            Some(Close::ShutdownWrite) => assert!(!std::mem::replace(&mut self.shutdown_reported, true)),
            Some(close) => {
                assert!(self.connection.poll_transmit().is_none() && !wants);
                assert!(self.connection.poll_timeout().is_none(), "a deadline after the end");
                self.end = Some(close);
            }
            None => {}
        }
        let state = self.connection.state();
        let awaits_peer = match (state.recv, state.send) {
            (Receiving::Idle | Receiving::Head, _) if self.held => false,
            (Receiving::Idle | Receiving::Head | Receiving::Drain, _) => !self.end_of_stream,
            (Receiving::Discard, Sending::Shut) => true,
            (_, Sending::Closed) => false,
            _ => self.connection.poll_transmit().is_some() || !self.queue.is_empty(),
        };
        assert!(!awaits_peer || self.connection.poll_timeout().is_some(), "nothing limits the time in {state:?}");
    }

    /// Runs the connection to its end: the application responds, the client sends and receives
    /// everything, and time passes if nothing else happens.
    pub(super) fn run_to_end(&mut self) {
        self.step(&Operation::Pause(false));
        self.step(&Operation::Hold(false));
        if self.buffer.is_some() {
            self.step(&Operation::LendRecv { most: 0 });
        }
        for _ in 0..100_000 {
            self.poll(usize::MAX, true);
            if self.connection.state().send == Sending::Head && self.respond_last() {
                continue;
            }
            if self.connection.state().send == Sending::Body {
                self.send(200_000, false);
                self.finish(0, false, 0);
                continue;
            }
            if self.connection.poll_transmit().is_some() || !self.queue.is_empty() {
                self.transmit(0);
                continue;
            }
            self.check();
            if self.upgraded || matches!(self.end, Some(Close::Now | Close::Reset)) {
                assert!(self.upgraded || self.closed.is_some(), "the end was not reported");
                return;
            }
            if self.connection.wants_recv() && !self.unsent().is_empty() && !self.end_of_stream {
                self.receive(usize::MAX, false);
                continue;
            }
            if !self.end_of_stream {
                self.step(&Operation::Eof);
                continue;
            }
            let Some(deadline) = self.connection.poll_timeout() else {
                panic!("stuck in {:?}", self.connection.state());
            };
            self.now = self.now.after(deadline.at.saturating_sub(self.now.mono));
            self.cut_off |= self.loses_bytes(deadline.timer);
            self.connection.handle_timeout(self.now);
        }
        panic!("no end in {:?}", self.connection.state());
    }

    fn respond_last(&mut self) -> bool {
        let id = self.current();
        self.connection.set_max_body_size(id, 1 << 30).unwrap();
        let head = ResponseHead::default();
        match self.connection.respond_with(id, &head, "last") {
            Err(Misuse::Upgrade) if self.connection.respond_upgrade(id, &head).is_err() => return false,
            Err(Misuse::Upgrade) | Ok(()) => {}
            Err(_) => return false,
        }
        let response = self.given.last_mut().unwrap();
        (response.status, response.content, response.finished) = (200, b"last".to_vec(), true);
        true
    }

    /// Returns true if the waiting bytes are lost when this timer expires.
    fn loses_bytes(&self, timer: Timer) -> bool {
        let has_begun = self.connection.state().send == Sending::Body;
        timer == Timer::Write || timer == Timer::HalfClosed && has_begun
    }
}
