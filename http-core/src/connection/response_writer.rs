//! Responds as Pants does: status, fields, content and end, one call after the other.

use bytes::Bytes;
use http::StatusCode;

use super::Connection;
use super::responses::ResponseState;
use crate::message::field_lines::FieldLines;
use crate::message::misuse::Misuse;
use crate::message::request::RequestId;
use crate::message::response::{BodyLen, ResponseHead};

/// The response to the current request, made call by call; from
/// [`Connection::response_writer`](Connection::response_writer).
///
/// The order is `send_status`, `send_headers` (once or several times), `send`, `finish`; a
/// call out of turn is a [`Misuse`] that says which one was expected. The framing is the core's:
/// a Content-Length among the headers is kept to, without one the content is chunked (on
/// HTTP/1.0 it ends with the stream), and a response finished before any content has length 0.
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
    /// Responds to this request call by call.
    pub fn response_writer(&mut self, request: RequestId) -> ResponseWriter<'_> {
        ResponseWriter { connection: self, request }
    }
}

impl ResponseWriter<'_> {
    /// Sends the status (200 by default in Pants), with its registered reason phrase and in the
    /// request's version. It leaves with the header fields.
    ///
    /// # Errors
    /// [`Misuse::HeadSent`] the second time, [`Misuse::Status`] outside 100 to 999, and what
    /// [`Connection::respond`] says of informational ones.
    pub fn send_status(&mut self, status: impl Into<u16> + TryInto<StatusCode>) -> Result<(), Misuse> {
        let head = self.new_head(status.into())?;
        self.connection.pending = Some(Box::new(head));
        Ok(())
    }

    /// Sends header fields; with `end_headers` the head leaves, without it more may follow.
    ///
    /// # Errors
    /// [`Misuse::HeadDue`] before `send_status`; the first field that cannot be sent, of
    /// which no field of this call was added.
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

    /// Does as [`send_headers`](Self::send_headers) with fields that are checked already.
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

    /// Adds the fields of [`Connection::response_fields_mut`], which without this call leave with
    /// the head; of the cookies to set (`cookies_out` in Pants) only those named, or all of them
    /// for `None`. `end_headers` as in [`send_headers`](Self::send_headers).
    ///
    /// # Errors
    /// [`Misuse::HeadDue`] before `send_status`, and as [`Connection::respond`].
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

    /// Sends a piece of the content, as [`Connection::send`]; the head leaves before the first one.
    ///
    /// # Errors
    /// As [`Connection::send`] and [`Connection::respond`]. With [`Misuse::NoBody`] the head has
    /// left, because the response consists of it.
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

    /// Sends a whole response in one call; the defaults of Pants are 200 and `text/plain`.
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

    /// Creates a head with this status, if none was sent.
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

    /// The head that `send_status` began.
    fn pending(&mut self) -> Result<&mut ResponseHead, Misuse> {
        self.connection.head_expected(self.request)?;
        self.connection.pending.as_deref_mut().ok_or(Misuse::HeadDue)
    }

    /// The head that `send_status` began, unless one was given by `respond` since.
    fn unsent_head(&self) -> Option<&ResponseHead> {
        let is_expected = self.connection.response_state(self.request) == ResponseState::Expected;
        self.connection.pending.as_deref().filter(|_| is_expected)
    }

    /// The length that the fields announce of the body, if this head has one.
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
            // Nothing was sent: the head can still be mended.
            self.connection.pending = Some(head);
        }
        sent
    }
}

/// Returns true if a `Set-Cookie` line sets the cookie of this name.
fn is_cookie(line: &[u8], name: &[u8]) -> bool {
    line.strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="))
}
