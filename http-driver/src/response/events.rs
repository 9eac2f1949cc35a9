//! Server-sent events: `text/event-stream` of the HTML standard, section 9.2.

use std::fmt::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use httpants_core::{FieldLines, ResponseHead};

use super::heartbeat::Heartbeat;
use super::{BoxError, Content, ContentStream, Piece, Response};
use crate::request::Request;

/// A server-sent event, an item of [`Response::events`].
///
/// The text may have several lines, which end with CR, LF or CRLF; clients receive them separated
/// by LF.
///
/// ```
/// use std::time::Duration;
/// use httpants_driver::{Event, EventError};
///
/// let event = Event::new("21 °C\n40 %").with_id("7")?.with_name("weather")?.with_retry(Duration::from_secs(2));
/// assert_eq!(event.to_string(), "event: weather\nid: 7\nretry: 2000\ndata: 21 °C\ndata: 40 %\n\n");
/// assert_eq!(Event::new("").with_id("7\n8").unwrap_err(), EventError::Id);
/// # Ok::<(), EventError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    data: Option<String>,
    name: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
    comment: Option<String>,
}

/// The error of an event that clients would not receive as it was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventError {
    /// An id with CR, LF or NUL. Clients ignore an id with NUL.
    Id,
    /// A name with CR or LF.
    Name,
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "an event id must not contain CR, LF or NUL",
            Self::Name => "an event name must not contain CR or LF",
        })
    }
}

impl std::error::Error for EventError {}

impl Event {
    /// Creates an event with this text. Clients do not dispatch an event without text, from
    /// [`Event::default`]; they only store its id and retry time.
    #[must_use]
    pub fn new(data: impl Into<String>) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }

    /// Creates an event with this value as JSON.
    ///
    /// # Errors
    /// Returns an error if the value cannot be serialized, such as a map whose keys are not strings.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::new)
    }

    /// Sets the id, which a client that reconnects sends back ([`Request::last_event_id`]). An
    /// empty id makes the client forget the last one.
    ///
    /// # Errors
    /// Returns [`EventError::Id`] for an id with CR, LF or NUL.
    pub fn with_id(mut self, id: impl Into<String>) -> Result<Self, EventError> {
        let id = id.into();
        if id.contains(['\r', '\n', '\0']) {
            return Err(EventError::Id);
        }
        self.id = Some(id);
        Ok(self)
    }

    /// Sets the name, the type that clients listen for. Without one it is `message`.
    ///
    /// # Errors
    /// Returns [`EventError::Name`] for a name with CR or LF.
    pub fn with_name(mut self, name: impl Into<String>) -> Result<Self, EventError> {
        let name = name.into();
        if name.contains(['\r', '\n']) {
            return Err(EventError::Name);
        }
        self.name = Some(name);
        Ok(self)
    }

    /// Sets the time that clients wait before they reconnect, in whole milliseconds. Browsers wait a
    /// few seconds by default.
    #[must_use]
    pub fn with_retry(mut self, time: Duration) -> Self {
        self.retry = Some(time);
        self
    }

    /// Sets a comment, which clients ignore.
    #[must_use]
    pub fn with_comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }
}

/// Writes the event as it is sent, with the empty line that ends it.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(comment) = &self.comment {
            write_lines(f, "", comment)?;
        }
        if let Some(name) = &self.name {
            writeln!(f, "event: {name}")?;
        }
        if let Some(id) = &self.id {
            writeln!(f, "id: {id}")?;
        }
        if let Some(retry) = self.retry {
            writeln!(f, "retry: {}", retry.as_millis())?;
        }
        if let Some(data) = &self.data {
            write_lines(f, "data", data)?;
        }
        f.write_char('\n')
    }
}

/// Writes one field line for each line of the text; lines end as in the parser of an event stream.
fn write_lines(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some((line, after)) = rest.find(['\r', '\n']).map(|at| rest.split_at(at)) {
        writeln!(f, "{name}: {line}")?;
        rest = after.strip_prefix("\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    writeln!(f, "{name}: {rest}")
}

/// An item of an event stream: an [`Event`], or a `Result` of one.
pub trait IntoEvent {
    /// Returns the event.
    ///
    /// # Errors
    /// Returns the error of the application, which drops the connection.
    fn into_event(self) -> Result<Event, BoxError>;
}

impl IntoEvent for Event {
    fn into_event(self) -> Result<Event, BoxError> {
        Ok(self)
    }
}

impl<E: Into<BoxError>> IntoEvent for Result<Event, E> {
    fn into_event(self) -> Result<Event, BoxError> {
        self.map_err(Into::into)
    }
}

/// A stream of server-sent events with its settings, which converts into a [`Response`].
/// [`Response::events`] has the defaults.
///
/// ```
/// # use futures_core::Stream;
/// use std::time::Duration;
/// use httpants_driver::{Event, Events, Response};
///
/// # fn stream() -> impl Stream<Item = Event> + Send + 'static { futures_util::stream::empty() }
/// let response: Response = Events::new(stream()).heartbeat(Duration::from_secs(60)).into();
/// assert_eq!(response.head().fields.get("Content-Type"), Some(&b"text/event-stream"[..]));
/// ```
pub struct Events {
    stream: ContentStream,
    heartbeat: Heartbeat,
}

impl Events {
    /// Creates a stream of server-sent events from a stream of [`Event`], or of `Result<Event, E>`.
    #[must_use]
    pub fn new<S>(stream: S) -> Self
    where
        S: Stream<Item: IntoEvent> + Send + 'static,
    {
        Self { stream: Box::pin(Encoded { stream: Box::pin(stream) }), heartbeat: Heartbeat::default() }
    }

    /// Sets the time without an event after which a comment is sent, so that proxies keep the
    /// connection open and a client that has disconnected is noticed. Default: 15 s.
    #[must_use]
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = Heartbeat::every(interval);
        self
    }

    /// Sends no comments. A client that has disconnected is noticed with the next event.
    #[must_use]
    pub fn without_heartbeat(mut self) -> Self {
        self.heartbeat = Heartbeat::never();
        self
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("heartbeat", &self.heartbeat).finish_non_exhaustive()
    }
}

impl From<Events> for Response {
    fn from(events: Events) -> Self {
        let head = ResponseHead::with_fields(http::StatusCode::OK, FieldLines::new());
        let response = Self { head, content: Content::Events(events.stream, events.heartbeat), misuse: None };
        // nginx buffers a response unless `X-Accel-Buffering` is `no`.
        let fields =
            [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")];
        fields.into_iter().fold(response, |response, (name, value)| response.with_header(name, value))
    }
}

impl Response {
    /// Creates a 200 that sends each event as soon as the stream returns it (`text/event-stream`),
    /// for the browser's `EventSource`. The items are [`Event`] or `Result<Event, E>`. It is not
    /// cached, and nginx does not buffer it (`X-Accel-Buffering`).
    ///
    /// A comment is sent after 15 seconds without an event; [`Events`] has another interval or
    /// none. The stream is dropped when the client has disconnected, which is noticed at the latest
    /// when the comment is sent. It also ends when the server begins to shut down: events that are
    /// ready then are sent, and the client reconnects with the id of the last one
    /// ([`Request::last_event_id`]), to another server if this one has stopped. An error drops the
    /// connection, and the client reconnects, too.
    ///
    /// ```
    /// use futures_util::stream;
    /// use httpants_driver::{Event, EventError, Request, Response};
    ///
    /// /// Continues after the last line that the client received.
    /// async fn lines(request: Request) -> Response {
    ///     let last = request.last_event_id().and_then(|id| id.parse::<usize>().ok());
    ///     let lines = ["one", "two", "three"].into_iter().enumerate().skip(last.map_or(0, |last| last + 1));
    ///     Response::events(stream::iter(lines.map(|(number, line)| Event::new(line).with_id(number.to_string()))))
    /// }
    /// # let _ = lines;
    /// ```
    #[must_use]
    pub fn events<S>(stream: S) -> Self
    where
        S: Stream<Item: IntoEvent> + Send + 'static,
    {
        Events::new(stream).into()
    }
}

impl Request {
    /// Returns the id of the last event that a client received before it reconnected
    /// (`Last-Event-ID`), so that [`Response::events`] can continue after it. Returns `None` if
    /// there is none, or if it is not UTF-8, because [`Event::with_id`] sends only UTF-8.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.headers().get("last-event-id").and_then(|id| std::str::from_utf8(id).ok())
    }
}

/// The encoded events of a stream.
struct Encoded<S> {
    stream: Pin<Box<S>>,
}

impl<S: Stream<Item: IntoEvent>> Stream for Encoded<S> {
    type Item = Result<Piece, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let encode = |event: Event| Piece::Data(Bytes::from(event.to_string()));
        self.stream.as_mut().poll_next(context).map(|item| item.map(|item| item.into_event().map(encode)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_cr_lf_or_both() {
        for (data, expected) in [
            ("", "data: \n\n"),
            ("a", "data: a\n\n"),
            ("a\nb\rc\r\nd", "data: a\ndata: b\ndata: c\ndata: d\n\n"),
            ("\n", "data: \ndata: \n\n"),
            ("\r\r\n\n", "data: \ndata: \ndata: \ndata: \n\n"),
            ("a\n", "data: a\ndata: \n\n"),
            (" a: b\u{feff}\0", "data:  a: b\u{feff}\0\n\n"),
            ("x\r\nid: 1\rretry: 0\n\nevent: y", "data: x\ndata: id: 1\ndata: retry: 0\ndata: \ndata: event: y\n\n"),
        ] {
            assert_eq!(Event::new(data).to_string(), expected, "{data:?}");
        }
        assert_eq!(Event::default().with_comment("a\rdata: b").to_string(), ": a\n: data: b\n\n");
        assert_eq!(Event::default().with_retry(Duration::from_micros(2999)).to_string(), "retry: 2\n\n");
    }

    #[test]
    fn line_ends_are_refused_in_ids_and_names() {
        for end in ["\r", "\n", "\r\n"] {
            let text = format!("a{end}data: b");
            assert_eq!(Event::new("").with_id(&*text), Err(EventError::Id));
            assert_eq!(Event::new("").with_name(&*text), Err(EventError::Name));
        }
        assert_eq!(Event::new("").with_id("a\0"), Err(EventError::Id));
        assert_eq!(Event::new("").with_name("a\0").map(|event| event.to_string()), Ok("event: a\0\ndata: \n\n".into()));
        assert_eq!(Event::new("").with_id("").map(|event| event.to_string()), Ok("id: \ndata: \n\n".into()));
    }
}
