//! The view of the application: events.

use httpants_core::ProxyHeader;
use httpants_core::{CloseReason, Event, HalfClose, ProtocolError, RequestHead, RequestId, Timer};

use super::world::{AppResponse, World};
use crate::oracle::response::Asked;
use crate::shown;

impl World {
    /// Takes at most `most` events.
    pub(super) fn poll(&mut self, most: usize, sends_continue: bool) {
        for round in 0..most {
            assert!(round < 100_000, "events without end");
            let room = self.has_backlog_room();
            let Some(event) = self.connection.poll_event() else { return };
            self.check_event(&event, room);
            match event {
                Event::Closed(reason) => self.closed = Some(reason),
                Event::ResponseEnd(stats) => self.ends.push(stats),
                Event::TimedOut(timer) => self.announced = Some(CloseReason::TimedOut(timer)),
                Event::Refused(refusal) => {
                    shown::debug(&refusal);
                    self.announced = Some(CloseReason::Refused(refusal.error()));
                    self.refused_no_request =
                        refusal.request().is_none() && refusal.error() != ProtocolError::ProxyHeader;
                    assert!(refusal.request().is_none_or(|id| id == self.current()));
                    assert!(refusal.offset() <= self.sent.bytes.len() as u64);
                    assert!(refusal.request().is_none() || refusal.request_line().is_empty());
                }
                event if self.upgraded => panic!("{event:?} after the stream was handed over"),
                Event::Request(request) => self.request(&request),
                Event::Data(_, data) => self.sent.data(&data),
                Event::End(_, trailers) => self.sent.end(&trailers),
                Event::Expect100(id) if sends_continue => drop(self.connection.send_continue(id)),
                Event::Upgraded(_) => {
                    self.upgraded = true;
                    let bytes = self.connection.take_upgrade();
                    assert!(self.sent.bytes.ends_with(&bytes));
                }
                _ => {}
            }
        }
    }

    fn request(&mut self, request: &RequestHead) {
        assert!(self.given.last().is_none_or(|last| last.finished), "two requests at once");
        assert!(self.connection.current_request().is_some());
        assert!(self.buffer.is_none() && !self.held, "a request is parsed that must not be");
        if std::mem::take(&mut self.expects_proxy_header) {
            self.sent.skip(ProxyHeader::parse(&self.sent.bytes).unwrap().unwrap().len);
        }
        self.sent.request(request);
        let asked = match request.method().as_str() {
            "HEAD" => Asked::Head,
            "CONNECT" => Asked::Connect,
            _ => Asked::Other,
        };
        let (id, has_body) = (request.id(), request.has_body());
        assert_eq!(id.index(), self.given.len() as u64 + 1);
        self.given.push(AppResponse {
            id,
            has_body,
            asked,
            status: 0,
            interim: vec![],
            content: vec![],
            finished: false,
        });
    }

    /// Returns the id of the last request.
    pub(super) fn current(&self) -> RequestId {
        self.given.last().map(|given| given.id).unwrap_or_default()
    }

    /// Checks what must hold when this event is emitted; `room` is true if there was room for
    /// another response.
    fn check_event(&mut self, event: &Event, room: bool) {
        if self.closed.is_some() {
            let may_follow = matches!(event, Event::ResponseEnd(_) | Event::TimedOut(Timer::Write | Timer::Linger));
            assert!(may_follow, "{event:?} after the end");
        }
        match event {
            Event::Closed(reason) => {
                let must_be = matches!(reason, CloseReason::Refused(_) | CloseReason::TimedOut(_));
                assert!(!must_be || self.announced == Some(*reason), "{reason:?} after {:?}", self.announced);
                let is_refused = matches!(self.announced, Some(CloseReason::Refused(_)));
                assert!(!is_refused || self.announced == Some(*reason), "{reason:?} after {:?}", self.announced);
                let known = self.peer_closed || self.end_of_stream;
                self.cut_off |=
                    *reason == CloseReason::PeerClosed && known && self.config.half_close == HalfClose::Drop;
            }
            Event::Request(_) => assert!(room, "a request while too many responses wait"),
            Event::Writable(id) => assert!(self.has_backlog_room() && *id == self.current(), "no room to write"),
            Event::Data(id, _) | Event::End(id, _) | Event::Expect100(id) => {
                assert!(self.connection.current_request().is_some(), "{event:?} of a request that is over");
                assert!(*id == self.current() && self.given.last().is_some_and(|given| given.has_body), "{event:?}");
            }
            Event::PeerClosed(id) => {
                assert!(self.peer_closed || self.end_of_stream);
                assert!(*id == self.current() && self.connection.current_request().is_some());
            }
            Event::Upgraded(id) => assert_eq!(*id, self.current()),
            _ => {}
        }
    }
}
