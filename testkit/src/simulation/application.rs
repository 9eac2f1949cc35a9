//! The application of simulated clients, without IO.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use httpants_core::{BodyLen, Connection, Event, Misuse, Now, RequestHead, RequestId, ResponseHead, Sending};

use super::operation::Asked;

/// The application of a [`System`](super::System) that drives [`Connection`] itself. Create one for
/// each connection, and call it where the loop calls its application. It supports all requests of
/// simulated clients except files, forms, upgrades, and those that need handlers: handlers that
/// outlive their responses, and cancelled reads.
///
/// ```
/// use std::time::Duration;
/// use httpants_core::{Connection, Now, ConnectionInfo, Transmit};
/// use httpants_testkit::simulation::{Application, config, pattern};
///
/// let mut connection = Connection::new(config().into(), ConnectionInfo::default(), Now::default());
/// let mut application = Application::default();
/// let request = b"GET /content?id=7&size=20&wait=50 HTTP/1.1\r\nHost: a\r\n\r\n";
/// let _ = connection.receive(request, Now::default());
/// application.respond(&mut connection, Now::default());
/// assert_eq!(application.deadline(), Some(Duration::from_millis(50)));
///
/// let later = Now::default().after(Duration::from_millis(50));
/// application.respond(&mut connection, later);
/// let Some(Transmit::Bytes(response)) = connection.poll_transmit() else { unreachable!() };
/// assert!(response.collect::<Vec<_>>().concat().ends_with(&pattern(7, 20)));
/// ```
#[derive(Debug, Default)]
pub struct Application {
    /// The request whose response is not finished.
    current: RequestId,
    /// The request whose body is still being received, if the response waits for it.
    asked: Option<RequestHead>,
    content: Vec<u8>,
    /// True if that body is sent back while it is received.
    streams: bool,
    task: Option<ResponseTask>,
}

/// A response that is sent piece by piece, each at its time.
#[derive(Debug)]
struct ResponseTask {
    /// The Content-Length; `None` after the head was sent with the first piece.
    length: Option<BodyLen>,
    pieces: VecDeque<Bytes>,
    /// The delay before each piece.
    wait: Duration,
    at: Duration,
}

impl Application {
    pub(super) fn supports(path: &str) -> bool {
        !matches!(path, "/file" | "/form" | "/upgrade" | "/outlive" | "/streamed/cancelled")
    }

    /// Handles the events of the connection and sends what can be sent now. Call it after each
    /// input, after bytes were sent, and at the [`deadline`](Self::deadline).
    pub fn respond(&mut self, connection: &mut Connection, now: Now) {
        loop {
            while let Some(event) = connection.poll_event() {
                if self.take(event, connection, now).is_err() {
                    connection.close();
                }
            }
            match self.continue_response(connection, now) {
                Ok(false) => return,
                Ok(true) => {}
                Err(_) => connection.close(),
            }
        }
    }

    /// Returns the time at which it has more to send, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.task.as_ref().map(|task| task.at)
    }

    fn take(&mut self, event: Event, connection: &mut Connection, now: Now) -> Result<(), Misuse> {
        match event {
            Event::Request(request) if request.path() == "/streamed/ignore" => {
                connection.respond_with(request.id(), &ResponseHead::default(), "ignored")
            }
            Event::Request(request) => {
                self.current = request.id();
                self.streams = request.path() == "/streamed/echo";
                if !request.has_body() {
                    return self.begin(&request, connection, now);
                }
                self.asked = Some(request);
                Ok(())
            }
            Event::Expect100(request) => connection.send_continue(request),
            Event::Data(request, data) if self.streams => {
                self.begin_stream(connection)?;
                connection.send(request, data)
            }
            Event::Data(_, data) => {
                self.content.extend_from_slice(&data);
                Ok(())
            }
            Event::End(..) => match self.asked.take() {
                Some(request) => self.begin(&request, connection, now),
                None => Ok(()),
            },
            Event::Closed(_) => {
                *self = Self::default();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Responds to a complete request.
    fn begin(&mut self, request: &RequestHead, connection: &mut Connection, now: Now) -> Result<(), Misuse> {
        let asked = Asked::of(request);
        let ok = ResponseHead::default();
        let id = request.id();
        let length = match request.path() {
            "/content" => BodyLen::Known(asked.size as u64),
            "/break-off" => BodyLen::Known(asked.size as u64 + 1),
            "/stream" | "/pieces" => BodyLen::Unknown,
            "/echo" => return connection.respond_with(id, &ok, std::mem::take(&mut self.content)),
            "/streamed/echo" => {
                self.begin_stream(connection)?;
                self.streams = false;
                return connection.finish(id);
            }
            "/panic" => return connection.respond_with(id, &ResponseHead::new(500)?, ""),
            _ => return connection.respond_with(id, &ResponseHead::new(404)?, ""),
        };
        let pieces = asked.content().chunks(asked.piece()).map(Bytes::copy_from_slice).collect();
        self.task = Some(ResponseTask { length: Some(length), pieces, wait: asked.wait, at: now.mono + asked.wait });
        Ok(())
    }

    fn begin_stream(&mut self, connection: &mut Connection) -> Result<(), Misuse> {
        if connection.state().send == Sending::Head {
            connection.respond(self.current, &ResponseHead::default(), BodyLen::Unknown)?;
        }
        Ok(())
    }

    /// Sends the next piece if its time has come; returns whether it did.
    fn continue_response(&mut self, connection: &mut Connection, now: Now) -> Result<bool, Misuse> {
        let Some(task) = self.task.as_mut().filter(|task| task.at <= now.mono) else {
            return Ok(false);
        };
        let piece = task.pieces.pop_front().unwrap_or_default();
        if let Some(length) = task.length.take() {
            connection.respond(self.current, &ResponseHead::default(), length)?;
        }
        if connection.current_request().is_some_and(|request| request.allows_response_body(StatusCode::OK)) {
            connection.send(self.current, piece)?;
        }
        task.at = now.mono + task.wait;
        if task.pieces.is_empty() {
            self.task = None;
            connection.finish(self.current)?;
        }
        Ok(true)
    }
}
