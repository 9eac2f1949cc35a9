//! A run of one connection with an input.

use std::sync::Arc;

use httpants_core::{
    CloseReason, Connection, ConnectionInfo, Event as CoreEvent, Now, Preface, Receiving, RequestHead, RequestId,
    Transmit,
};

use crate::event::Event;
use crate::report::{Refused, Report, Verdict};
use crate::settings::{Settings, StreamEnd};

/// Parses an input that arrives in pieces, split at the positions in `cuts`, which must be
/// ascending; others are ignored. Each request gets a response, so that the next one is parsed.
#[must_use]
pub fn parse(input: &[u8], cuts: &[usize], settings: &Settings) -> Report {
    let mut run = Run::new(settings);
    let mut start = 0;
    for &cut in cuts.iter().chain([&input.len()]) {
        if let Some(piece) = input.get(start..cut) {
            run.deliver(piece);
            start = cut;
        }
    }
    run.finish()
}

struct Run<'a> {
    settings: &'a Settings,
    connection: Connection,
    /// Bytes that were delivered and not accepted.
    socket: Vec<u8>,
    /// Number of bytes before those that the connection has received.
    preface: u64,
    /// `Some` while a handshake is expected; true once it has begun.
    handshake: Option<bool>,
    /// The request that is being received or responded to.
    request: Option<RequestHead>,
    /// True if the request needs a response.
    due: bool,
    events: Vec<Event>,
    refusal: Option<Refused>,
    closed: Option<CloseReason>,
    responses: Vec<u16>,
}

const NOW: Now = Now::new(std::time::Duration::ZERO, httpants_core::UnixTime::from_secs(0));

impl<'a> Run<'a> {
    fn new(settings: &'a Settings) -> Self {
        let config = Arc::new(settings.config.clone());
        let peer = ConnectionInfo::default();
        let connection = match settings.tls {
            true => Connection::with_handshake(config, peer, NOW),
            false => Connection::new(config, peer, NOW),
        };
        let mut run = Self {
            settings,
            connection,
            socket: Vec::new(),
            preface: 0,
            handshake: settings.tls.then_some(false),
            request: None,
            due: false,
            events: Vec::new(),
            refusal: None,
            closed: None,
            responses: Vec::new(),
        };
        if settings.end == StreamEnd::BeforeResponses {
            run.connection.handle_peer_closed(NOW);
        }
        run
    }

    fn deliver(&mut self, piece: &[u8]) {
        self.socket.extend_from_slice(piece);
        if self.handshake.is_some() {
            self.read_preface();
        }
        loop {
            let taken = match self.connection.wants_recv() {
                true => self.connection.receive(&self.socket, NOW),
                false => 0,
            };
            self.socket.drain(..taken);
            let progress = self.drive();
            if taken == 0 && !progress {
                return;
            }
        }
    }

    /// Classifies bytes that arrive in place of a handshake.
    fn read_preface(&mut self) {
        while self.handshake == Some(false) {
            match self.connection.receive_preface(&self.socket, NOW) {
                Preface::Header(length) => {
                    self.socket.drain(..length);
                    self.preface += length as u64;
                    self.drive();
                }
                Preface::Handshake => self.handshake = Some(true),
                Preface::Refused => {
                    self.handshake = None;
                    self.drive();
                }
                _ => return,
            }
        }
    }

    /// Takes the events, responds and sends; returns false if there was nothing to do.
    fn drive(&mut self) -> bool {
        let mut progress = false;
        loop {
            while let Some(event) = self.connection.poll_event() {
                self.record(event);
                progress = true;
            }
            if self.due {
                self.respond();
            }
            let mut length = 0;
            while let Some(Transmit::Bytes(slices)) = self.connection.poll_transmit() {
                let sent = slices.map(<[u8]>::len).sum::<usize>() as u64;
                self.connection.handle_sent(sent, NOW);
                length += sent;
            }
            // A driver would close the socket as returned here; the connection then receives no
            // more bytes.
            let _ = self.connection.poll_close();
            if length == 0 {
                return progress;
            }
        }
    }

    fn respond(&mut self) {
        self.due = false;
        if let Some(request) = &self.request {
            // It fails only if the connection has ended, which an event reports.
            let _ = self.settings.application.respond(request, &mut self.connection);
        }
    }

    fn position(&self) -> u64 {
        self.preface + self.connection.position()
    }

    fn record(&mut self, event: CoreEvent) {
        match event {
            CoreEvent::ProxyHeader => {
                let info = self.connection.connection_info();
                let (addresses, end) = ([info.remote_addr, info.local_addr], self.position());
                self.events.push(Event::ProxyHeader { end, addresses });
            }
            CoreEvent::Request(head) => {
                self.events.push(Event::request(&head, self.position()));
                self.due = !head.has_body();
                self.request = Some(head);
                // Before any of the body is parsed.
                if self.settings.application.is_early() {
                    self.respond();
                }
            }
            CoreEvent::Expect100(id) => self.send_continue(id),
            CoreEvent::Data(id, bytes) => self.data(id.index(), &bytes),
            CoreEvent::End(id, trailers) => {
                self.events.push(Event::end(id.index(), self.position(), &trailers));
                self.due = true;
            }
            CoreEvent::Upgraded(id) => {
                let offset = self.position();
                // The rest is not HTTP.
                drop(self.connection.take_upgrade());
                self.events.push(Event::Upgraded { request: id.index(), offset });
            }
            CoreEvent::Refused(refusal) => self.refusal = Some(Refused::new(&refusal)),
            CoreEvent::ResponseEnd(stats) => self.responses.extend(stats.status.map(|status| status.as_u16())),
            CoreEvent::Closed(reason) => self.closed = Some(reason),
            _ => {}
        }
    }

    fn send_continue(&mut self, id: RequestId) {
        if !self.settings.application.is_early() && self.connection.send_continue(id).is_ok() {
            self.events.push(Event::Continue { request: id.index() });
        }
    }

    /// Appends the piece to the previous one if their bytes are consecutive in the input.
    fn data(&mut self, index: u64, piece: &[u8]) {
        let end = self.position();
        let start = end.saturating_sub(piece.len() as u64);
        if let Some(Event::Data { request, range, bytes }) = self.events.last_mut()
            && (*request, range.end) == (index, start)
        {
            range.end = end;
            bytes.extend_from_slice(piece);
            return;
        }
        self.events.push(Event::Data { request: index, range: start..end, bytes: piece.to_vec() });
    }

    fn finish(mut self) -> Report {
        let is_upgraded = self.connection.state().recv == Receiving::SwitchedProtocol;
        // The bytes that follow are dropped, or are not HTTP.
        let position = match self.closed {
            _ if is_upgraded => self.parsed(),
            Some(_) => self.parsed(),
            None => self.position(),
        };
        let is_between = self.closed.is_none() && self.connection.is_idle();
        if self.settings.end != StreamEnd::Open {
            self.connection.handle_eof(NOW);
            self.drive();
        }
        let requests = self.connection.served();
        let (verdict, reason) = match self.closed {
            Some(reason @ CloseReason::Refused(_)) => (Verdict::Refused, reason.to_string()),
            Some(reason @ CloseReason::Finished) => (Verdict::Accepted, reason.to_string()),
            Some(reason @ CloseReason::PeerClosed) if requests > 0 && self.has_responded() => {
                (Verdict::Accepted, reason.to_string())
            }
            Some(reason) => (Verdict::Incomplete, reason.to_string()),
            None if is_upgraded => (Verdict::Accepted, "the stream belongs to another protocol".to_owned()),
            None if self.handshake == Some(true) => (Verdict::Incomplete, "a handshake begins".to_owned()),
            None if is_between && requests > 0 => (Verdict::Accepted, "the next request is awaited".to_owned()),
            None => (Verdict::Incomplete, "more bytes are awaited".to_owned()),
        };
        let offset = self.refusal.as_ref().map_or(position, |refusal| refusal.offset);
        Report {
            events: self.events,
            verdict,
            refusal: self.refusal,
            reason,
            responses: self.responses,
            requests,
            offset,
        }
    }

    /// Returns the offset of the end of the last event.
    fn parsed(&self) -> u64 {
        self.events.iter().map(Event::end_of_range).max().unwrap_or_default()
    }

    /// Returns true if each request has received its response.
    fn has_responded(&self) -> bool {
        self.responses.len() as u64 == self.connection.served()
    }
}
