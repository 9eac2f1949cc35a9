//! Interim responses, such as 103 Early Hints.

use http::{StatusCode, Version};

use super::Connection;
use crate::message::field_lines::FieldLines;
use crate::message::misuse::Misuse;
use crate::message::request::RequestId;
use crate::wire::encode;

/// Interim responses.
impl Connection {
    /// Sends an interim response with these fields before the response to this request, such as 103
    /// with `Link` fields (Early Hints, RFC 8297). May be called more than once. Returns false, and
    /// sends nothing, if the request is HTTP/1.0, which has no interim responses (RFC 9110 section
    /// 15.2).
    ///
    /// It takes memory until it is sent, like a piece of a body
    /// ([`poll_send_room`](Self::poll_send_room)).
    ///
    /// ```
    /// # use httpants_core::{Config, Connection, ConnectionInfo, Event, FieldLines, Now};
    /// # let now = Now::default();
    /// # let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
    /// # connection.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", now);
    /// # let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
    /// let hints = FieldLines::try_from_iter([("Link", "</style.css>; rel=preload; as=style")])?;
    /// assert_eq!(connection.send_interim(request.id(), 103, &hints), Ok(true));
    /// # Ok::<(), httpants_core::Misuse>(())
    /// ```
    ///
    /// # Errors
    /// [`Misuse::InterimStatus`] for a status outside 102 to 199; 100 and 101 are sent by
    /// [`send_continue`](Self::send_continue) and [`respond_upgrade`](Self::respond_upgrade).
    /// [`Misuse::Framing`] for `Content-Length`, `Transfer-Encoding`, `Connection`, `Trailer` and
    /// `Upgrade`. [`Misuse::HeadSent`] if the response has begun, [`Misuse::NoRequest`] if it is
    /// finished, [`Misuse::Closed`] if the connection is closing. Nothing is sent in these cases.
    pub fn send_interim(
        &mut self,
        request: RequestId,
        status: impl Into<u16> + TryInto<StatusCode>,
        fields: &FieldLines,
    ) -> Result<bool, Misuse> {
        self.head_expected(request)?;
        let status = status.into();
        if !(102..200).contains(&status) {
            return Err(Misuse::InterimStatus(status));
        }
        let status = StatusCode::from_u16(status).map_err(|_| Misuse::InterimStatus(status))?;
        if let Some(field) = fields.reserved().framing() {
            return Err(Misuse::Framing(field));
        }
        let is_1_0 = self.current.as_ref().is_none_or(|request| request.version() == Version::HTTP_10);
        if !is_1_0 {
            encode::interim(self.queue().gather(), status, fields.as_bytes());
        }
        Ok(!is_1_0)
    }
}
