//! Responses in the style of Pants: status, fields, content and end are separate calls.

use bytes::Bytes;
use http::StatusCode;

use super::Connection;
use super::responses::ResponseState;
use crate::message::field_lines::FieldLines;
use crate::message::misuse::Misuse;
use crate::message::request::RequestId;
use crate::message::response::{BodyLen, ResponseHead};

/// A response to the current request that is built call by call, from
/// [`Connection::response_writer`](Connection::response_writer).
///
/// The order is `send_status`, `send_headers` (once or more), `send`, `finish`; a call out of order
/// fails with a [`Misuse`] that names the expected call. The core determines the framing: it
/// enforces a Content-Length among the headers, without one the content is chunked (on HTTP/1.0 it
/// ends with the connection), and a response that is finished before any content has length 0.
///
/// ```
/// # use httpants_core::{Config, Connection, Event, Now, ConnectionInfo};
/// # let now = Now::default();
/// # let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
/// # connection.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", now);
/// # let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
/// let mut writer = connection.response_writer(request.id());
/// writer.send_status(200)?;
/// writer.send_headers([("Content-Type", "text/plain"), ("Content-Length", "5")], false)?;
/// writer.send("hello")?;
/// writer.finish()?;
/// # Ok::<(), httpants_core::Misuse>(())
/// ```
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    connection: &'a mut Connection,
    request: RequestId,
}

/// Commands for a request, by the names of Pants.
impl Connection {
    /// Returns a [`ResponseWriter`], which responds to this request call by call.
    pub fn response_writer(&mut self, request: RequestId) -> ResponseWriter<'_> {
        ResponseWriter { connection: self, request }
    }
}

impl ResponseWriter<'_> {
    /// Sets the status (200 by default in Pants), with its registered reason phrase and the version
    /// of the request. It is sent together with the header fields.
    ///
    /// # Errors
    /// [`Misuse::HeadSent`] if it was called before, [`Misuse::Status`] for a status outside 100 to
    /// 999, [`Misuse::InformationalStatus`] for 100 to 199.
    pub fn send_status(&mut self, status: impl Into<u16> + TryInto<StatusCode>) -> Result<(), Misuse> {
        let head = self.new_head(status.into())?;
        self.connection.pending = Some(Box::new(head));
        Ok(())
    }

    /// Adds header fields. Sends the head if `end_headers` is true; otherwise more fields may
    /// follow.
    ///
    /// # Errors
    /// [`Misuse::HeadDue`] before `send_status`; otherwise the error of the first field that cannot
    /// be sent, and then no field of this call is added.
    pub fn send_headers<N, V>(
        &mut self,
        headers: impl IntoIterator<Item = (N, V)>,
        end_headers: bool,
    ) -> Result<(), Misuse>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        self.send_fields(&FieldLines::try_from_iter(headers)?, end_headers)
    }

    /// Adds header fields that have already been checked, like
    /// [`send_headers`](Self::send_headers).
    ///
    /// # Errors
    /// [`Misuse::HeadDue`] before `send_status`.
    pub fn send_fields(&mut self, fields: &FieldLines, end_headers: bool) -> Result<(), Misuse> {
        let pending = self.pending()?;
        let before = pending.fields.mark();
        pending.fields.append(fields);
        if !end_headers {
            return Ok(());
        }
        let sent = self.send_head(BodyLen::Unknown);
        if let (Err(_), Some(pending)) = (&sent, &mut self.connection.pending) {
            pending.fields.truncate(before);
        }
        sent
    }

    /// Adds the fields of [`Connection::response_fields_mut`], which otherwise are sent with the
    /// head. Of the cookies among them (`cookies_out` in Pants), only those in `names` are added,
    /// or all if it is `None`. `end_headers` has the same meaning as in
    /// [`send_headers`](Self::send_headers).
    ///
    /// # Errors
    /// [`Misuse::HeadDue`] before `send_status`; others as for [`Connection::respond`].
    pub fn send_cookies(&mut self, names: Option<&[&str]>, end_headers: bool) -> Result<(), Misuse> {
        self.pending()?;
        let added = self.connection.added_fields.take();
        let mut fields = added.as_deref().cloned().unwrap_or_default();
        if let Some(names) = names {
            let is_chosen = |line: &[u8]| names.iter().any(|name| is_cookie(line, name.as_bytes()));
            fields.retain(|name, value| !name.eq_ignore_ascii_case("set-cookie") || is_chosen(value));
        }
        let sent = self.send_fields(&fields, end_headers);
        if sent.is_err() {
            self.connection.added_fields = added;
        }
        sent
    }

    /// Sends a piece of the content, like [`Connection::send`]; sends the head before the first
    /// one.
    ///
    /// # Errors
    /// As for [`Connection::send`] and [`Connection::respond`]. With [`Misuse::NoBody`] the head is
    /// sent, because it is the complete response.
    pub fn send(&mut self, data: impl Into<Bytes>) -> Result<(), Misuse> {
        let data = data.into();
        if let Some(head) = self.unsent_head() {
            let (due, given) = (self.announced(head), data.len() as u64);
            if let Some(due) = due.filter(|&due| given > due) {
                return Err(Misuse::TooMuchContent { due, given });
            }
            self.send_head(BodyLen::Unknown)?;
        }
        self.connection.send(self.request, data)
    }

    /// Sends a complete response in one call; the defaults in Pants are 200 and `text/plain`.
    ///
    /// # Errors
    /// As [`Connection::respond`].
    pub fn send_response(
        &mut self,
        content: impl Into<Bytes>,
        status: impl Into<u16> + TryInto<StatusCode>,
        content_type: &str,
    ) -> Result<(), Misuse> {
        let mut head = self.new_head(status.into())?;
        head.fields.push("Content-Type", content_type)?;
        self.connection.respond_with(self.request, &head, content)
    }

    /// Ends the response; one without any content gets `Content-Length: 0`.
    ///
    /// # Errors
    /// As [`Connection::finish`].
    pub fn finish(&mut self) -> Result<(), Misuse> {
        if let Some(head) = self.unsent_head() {
            let is_known = head.fields.content_length().is_some();
            self.send_head(if is_known { BodyLen::Unknown } else { BodyLen::Known(0) })?;
        }
        self.connection.finish(self.request)
    }

    /// Creates a head with this status, if it is allowed and none was set before.
    fn new_head(&self, status: u16) -> Result<ResponseHead, Misuse> {
        self.connection.head_expected(self.request)?;
        if self.connection.pending.is_some() {
            return Err(Misuse::HeadSent);
        }
        if (100..200).contains(&status) {
            return Err(Misuse::InformationalStatus(status));
        }
        ResponseHead::new(status)
    }

    /// Returns the head that `send_status` began.
    fn pending(&mut self) -> Result<&mut ResponseHead, Misuse> {
        self.connection.head_expected(self.request)?;
        self.connection.pending.as_deref_mut().ok_or(Misuse::HeadDue)
    }

    /// Returns the head that `send_status` began, unless `respond` has sent one since.
    fn unsent_head(&self) -> Option<&ResponseHead> {
        let is_expected = self.connection.response_state(self.request) == ResponseState::Expected;
        self.connection.pending.as_deref().filter(|_| is_expected)
    }

    /// Returns the Content-Length of the body in the fields, if this response can have a body.
    fn announced(&self, head: &ResponseHead) -> Option<u64> {
        let request = self.connection.current.as_ref()?;
        let added = self.connection.added_fields.as_deref().and_then(FieldLines::content_length);
        let length = added.or(head.fields.content_length());
        length.filter(|_| request.allows_response_body(head.status))
    }

    fn send_head(&mut self, length: BodyLen) -> Result<(), Misuse> {
        let head = self.connection.pending.take().ok_or(Misuse::HeadDue)?;
        let sent = self.connection.respond(self.request, &head, length);
        if sent.is_err() {
            // Nothing was sent, so the application can correct the head.
            self.connection.pending = Some(head);
        }
        sent
    }
}

/// Returns true if a `Set-Cookie` line sets the cookie of this name.
fn is_cookie(line: &[u8], name: &[u8]) -> bool {
    line.strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="))
}
