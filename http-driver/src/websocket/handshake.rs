//! The opening handshake (RFC 6455 section 4.2).

use std::future::Future;
use std::time::Duration;

use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use httpants_core::{Headers, RequestHead};

use super::closing::serve;
use super::origin::Origins;
use super::pings::PingSettings;
use super::socket::WebSocket;
use crate::request::{Request, WebSocketError};
use crate::response::Response;

/// Default maximum size of a message in bytes.
const MAX_MESSAGE: usize = 1 << 20;
/// Size in bytes of the read buffer that each WebSocket keeps; longer messages get separate memory.
const READ_BUFFER: usize = 8 << 10;

impl Request {
    /// Checks that the request is a WebSocket handshake (RFC 6455 section 4.2.1); returns the
    /// settings of the WebSocket. Feature `websocket`. See [`websocket`](crate::websocket).
    ///
    /// # Errors
    /// Returns [`WebSocketError`], which converts into the response and passes through
    /// [`Server::on_error`](crate::Server::on_error).
    pub fn websocket(&self) -> Result<WebSocketUpgrade, WebSocketError> {
        if *self.method() != Method::GET {
            return Err(WebSocketError::Method);
        }
        let accept = accept(self.offers_upgrade(), self.headers())?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let protocols = self.headers().list("Sec-WebSocket-Protocol");
        Ok(WebSocketUpgrade {
            accept,
            config,
            pings: PingSettings::default(),
            origins: Origins::default(),
            head: self.head().clone(),
            host: self.host().to_owned(),
            offered: protocols.map(|protocol| String::from_utf8_lossy(protocol).into_owned()).collect(),
            protocol: None,
        })
    }
}

/// Returns the value of Sec-WebSocket-Accept.
fn accept(offers_upgrade: bool, headers: &Headers) -> Result<String, WebSocketError> {
    let mut offered = headers.list("Upgrade");
    if !(offers_upgrade && offered.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))) {
        return Err(WebSocketError::Upgrade);
    }
    let only = |name| {
        let mut values = headers.all(name);
        values.next().filter(|_| values.next().is_none())
    };
    if only("Sec-WebSocket-Version") != Some(b"13") {
        return Err(WebSocketError::Version);
    }
    match only("Sec-WebSocket-Key") {
        Some(key) if STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) => Ok(derive_accept_key(key)),
        _ => Err(WebSocketError::Key),
    }
}

/// A valid handshake, and the settings of its WebSocket; from
/// [`Request::websocket`](crate::Request::websocket).
///
/// ```
/// use httpants_driver::websocket::{WebSocket, WebSocketError};
/// use httpants_driver::{Request, Response};
///
/// async fn respond(request: Request) -> Result<Response, WebSocketError> {
///     let websocket = request.websocket()?.protocols(["chat.v2", "chat"]).max_message_size(64 << 10);
///     Ok(websocket.allow_origin("https://app.example.com").on_upgrade(chat))
/// }
///
/// async fn chat(mut socket: WebSocket) {
///     let version = socket.protocol().unwrap_or("chat").to_owned();
///     let _ = socket.send(format!("this is {version}").into()).await;
/// }
/// # let _ = respond;
/// ```
#[derive(Clone, Debug)]
#[must_use = "the client waits for the response of `on_upgrade`"]
pub struct WebSocketUpgrade {
    accept: String,
    config: WebSocketConfig,
    pings: PingSettings,
    origins: Origins,
    head: RequestHead,
    host: String,
    /// The subprotocols that the client offered.
    offered: Vec<String>,
    protocol: Option<String>,
}

impl WebSocketUpgrade {
    /// Sets the maximum size of a received message, and of each of its frames, in bytes. For a
    /// larger one, the WebSocket is closed with 1009. Default: 1 MiB.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.config = self.config.max_message_size(Some(bytes)).max_frame_size(Some(bytes));
        self
    }

    /// Sets the maximum size of one frame, if it is to be smaller than that of a message.
    pub fn max_frame_size(mut self, bytes: usize) -> Self {
        self.config = self.config.max_frame_size(Some(bytes));
        self
    }

    /// Sets the interval at which the server sends pings; `None` sends none. Default: 30 s.
    ///
    /// A client that lost its network or crashed does not end its connection: without pings a
    /// handler that waits for it would wait forever and keep its memory and descriptor. Also,
    /// proxies close connections on which nothing is sent, many of them after 60 s. Clients respond
    /// to pings without their application (RFC 6455 section 5.5.2), and the pongs are not passed on
    /// to the handler.
    ///
    /// ```
    /// use std::time::Duration;
    /// use httpants_driver::websocket::{WebSocket, WebSocketError};
    /// use httpants_driver::{Request, Response};
    ///
    /// async fn respond(request: Request) -> Result<Response, WebSocketError> {
    ///     let websocket = request.websocket()?.ping_interval(Duration::from_secs(15));
    ///     Ok(websocket.ping_timeout(Duration::from_secs(5)).on_upgrade(watch))
    /// }
    ///
    /// async fn watch(mut socket: WebSocket) {
    ///     while let Some(Ok(_)) = socket.next().await {}
    /// }
    /// # let _ = respond;
    /// ```
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.pings.interval = interval.into();
        self
    }

    /// Sets the maximum time after a ping until something is received from the client: a pong or
    /// anything else. If it expires, the connection is closed, [`WebSocket::next`] and
    /// [`WebSocket::send`] return an error of the kind [`TimedOut`](std::io::ErrorKind::TimedOut),
    /// and the handler is dropped a second later. Default: 20 s.
    ///
    /// One message is received before a handler asks for it. Until the handler takes that message,
    /// a client that has disconnected is not detected.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.pings.timeout = timeout;
        self
    }

    /// Sets the supported subprotocols, the preferred first. The first that the client offers is
    /// selected; without one, the WebSocket has none.
    pub fn protocols<P: AsRef<str>>(mut self, supported: impl IntoIterator<Item = P>) -> Self {
        let offered = |protocol: &P| self.offered.iter().any(|offered| offered == protocol.as_ref());
        self.protocol = supported.into_iter().find(offered).map(|protocol| protocol.as_ref().to_owned());
        self
    }

    /// Returns the selected subprotocol.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Allows pages of this origin, such as `https://app.example.com`, in addition to those of the
    /// same host. May be called more than once.
    pub fn allow_origin(mut self, origin: &str) -> Self {
        self.origins.allow(origin);
        self
    }

    /// Allows pages of every origin. If cookies identify the user, every page can then act for
    /// that user.
    pub fn any_origin(mut self) -> Self {
        self.origins.allow_any();
        self
    }

    /// Returns the response that opens the WebSocket, and a handler for it; 403 if the origin is
    /// not allowed.
    #[must_use]
    pub fn on_upgrade<F, Fut>(self, handler: F) -> Response
    where
        F: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        if !self.origins.permit(self.head.headers().all("Origin"), &self.host) {
            return WebSocketError::Origin.into();
        }
        let (settings, protocol) = ((self.config, self.pings), self.protocol.clone());
        let response = Response::upgrade("websocket", move |stream| serve(stream, settings, protocol, handler));
        let response = response.with_header("Sec-WebSocket-Accept", self.accept);
        match self.protocol {
            Some(protocol) => response.with_header("Sec-WebSocket-Protocol", protocol),
            None => response,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "Upgrade: other, WebSocket\r\n";
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn accept(offers_upgrade: bool, fields: &[&str]) -> Result<String, WebSocketError> {
        let headers = Headers::parse(format!("{}\r\n", fields.concat()).as_bytes()).unwrap();
        super::accept(offers_upgrade, &headers)
    }

    #[test]
    fn key_of_rfc_6455_gives_the_expected_accept() {
        assert_eq!(accept(true, &[OFFER, VERSION, KEY]), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into()));
    }

    #[test]
    fn invalid_handshakes_get_their_error() {
        assert_eq!(accept(false, &[OFFER, VERSION, KEY]), Err(WebSocketError::Upgrade));
        assert_eq!(accept(true, &["Upgrade: other\r\n", VERSION, KEY]), Err(WebSocketError::Upgrade));
        assert_eq!(accept(true, &[OFFER, "Sec-WebSocket-Version: 8\r\n", KEY]), Err(WebSocketError::Version));
        assert_eq!(accept(true, &[OFFER, VERSION, VERSION, KEY]), Err(WebSocketError::Version));
        assert_eq!(accept(true, &[OFFER, VERSION]), Err(WebSocketError::Key));
        assert_eq!(accept(true, &[OFFER, VERSION, KEY, KEY]), Err(WebSocketError::Key));
        assert_eq!(accept(true, &[OFFER, VERSION, "Sec-WebSocket-Key: c2hvcnQ=\r\n"]), Err(WebSocketError::Key));
    }
}
