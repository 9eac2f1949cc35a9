//! A WebSocket echo (RFC 6455).

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use std::{io, mem};

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::Error;
use async_tungstenite::tungstenite::error::ProtocolError;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use httpants_driver::runtime::{Runtime, sleep};
use httpants_tokio::protocol::Headers;
use httpants_tokio::{Request, Response, Upgraded};

/// How long the client may take to close the connection after our Close.
const CLOSING: Duration = Duration::from_secs(5);
/// The same where the server shuts down.
const CLOSING_AT_SHUTDOWN: Duration = Duration::from_secs(1);

/// Responds with 101 and the echo, or with the error of the handshake.
pub(crate) fn respond<R>(request: &Request, runtime: &R) -> Response
where
    R: Runtime<Sleep: Send> + Send,
{
    match accept(request.offers_upgrade(), request.headers()) {
        Ok(key) => {
            let runtime = runtime.clone();
            let echo = |stream| serve(stream, runtime);
            Response::upgrade("websocket", echo).with_header("Sec-WebSocket-Accept", key)
        }
        Err(fault) => fault.into(),
    }
}

/// The reason why a request is not a handshake (RFC 6455 section 4.2.1).
#[derive(Debug, PartialEq)]
enum Fault {
    Offer,
    Version,
    Key,
}

impl From<Fault> for Response {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Offer => {
                Self::text("expected a WebSocket handshake\n").with_status(426).with_header("Upgrade", "websocket")
            }
            Fault::Version => Self::text("unsupported WebSocket version: expected 13\n")
                .with_status(426)
                .with_header("Upgrade", "websocket")
                .with_header("Sec-WebSocket-Version", "13"),
            Fault::Key => Self::text("invalid Sec-WebSocket-Key: expected 16 bytes in base64\n").with_status(400),
        }
    }
}

/// Returns the value of Sec-WebSocket-Accept (RFC 6455 section 4.2.2).
fn accept(offers_upgrade: bool, headers: &Headers) -> Result<String, Fault> {
    let offered = headers.list("Upgrade").any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
    if !(offers_upgrade && offered) {
        return Err(Fault::Offer);
    }
    if headers.get("Sec-WebSocket-Version") != Some(b"13") {
        return Err(Fault::Version);
    }
    match headers.get("Sec-WebSocket-Key") {
        Some(key) if STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) => Ok(derive_accept_key(key)),
        _ => Err(Fault::Key),
    }
}

/// Echoes messages until the client closes, breaks the protocol, or the server shuts down.
async fn serve<R: Runtime>(stream: Upgraded, runtime: R) {
    let draining = stream.draining();
    let config = WebSocketConfig::default();
    // Limits replies to pings that a client does not read.
    let most = config.max_message_size.unwrap_or_default() + 2 * config.write_buffer_size;
    let config = config.max_write_buffer_size(most);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let code = {
        let (draining, echoed) = (pin!(draining), pin!(echo(&mut socket)));
        match select(draining, echoed).await {
            Either::Left(_) => Some(CloseCode::Away),
            Either::Right((code, _)) => code,
        }
    };
    let ending = async {
        match code {
            Some(code) => close(&mut socket, code).await,
            // The client has closed: send the reply, and close_notify over TLS.
            None => drop(end(socket.get_mut()).await),
        }
    };
    let patience = if code == Some(CloseCode::Away) { CLOSING_AT_SHUTDOWN } else { CLOSING };
    let (ended, late) = (pin!(ending), pin!(sleep(&runtime, patience)));
    select(ended, late).await;
}

/// Echoes messages; returns the code to close with, unless the client has closed.
async fn echo(socket: &mut WebSocketStream<Upgraded>) -> Option<CloseCode> {
    while let Some(read) = socket.next().await {
        match read {
            Ok(message) if message.is_text() || message.is_binary() => socket.send(message).await.ok()?,
            Ok(_) => {}
            Err(error) => return close_code(&error),
        }
        yield_now().await;
    }
    None
}

/// Returns the status code for an error of the client (RFC 6455 section 7.4.1); `None` if the
/// client is gone.
fn close_code(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Capacity(_) => Some(CloseCode::Size),
        _ => None,
    }
}

/// Sends Close and waits for the client's, then for the end of its stream: closing a connection
/// while the client is sending would reset it, and the Close might be lost.
async fn close(socket: &mut WebSocketStream<Upgraded>, code: CloseCode) {
    if socket.close(Some(CloseFrame { code, reason: "".into() })).await.is_err() {
        return;
    }
    // Nothing is read after an error.
    while let Some(Ok(_)) = socket.next().await {
        yield_now().await;
    }
    let stream = socket.get_mut();
    if end(stream).await.is_err() {
        return;
    }
    let mut dropped = vec![0; 16 << 10];
    while let Ok(1..) = poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut dropped)).await {
        yield_now().await;
    }
}

/// Shuts down the sending side.
async fn end(stream: &mut Upgraded) -> io::Result<()> {
    poll_fn(|context| Pin::new(&mut *stream).poll_close(context)).await
}

/// Yields once to other tasks: a client that sends without pause is always ready.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "Upgrade: other, WebSocket\r\n";
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn accept(offers_upgrade: bool, fields: &[&str]) -> Result<String, Fault> {
        let headers = Headers::parse(format!("{}\r\n", fields.concat()).as_bytes()).unwrap();
        super::accept(offers_upgrade, &headers)
    }

    #[test]
    fn key_of_rfc_6455_gives_the_expected_accept() {
        assert_eq!(accept(true, &[OFFER, VERSION, KEY]), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into()));
    }

    #[test]
    fn invalid_handshakes_get_their_error() {
        assert_eq!(accept(false, &[OFFER, VERSION, KEY]), Err(Fault::Offer));
        assert_eq!(accept(true, &["Upgrade: other\r\n", VERSION, KEY]), Err(Fault::Offer));
        assert_eq!(accept(true, &[OFFER, "Sec-WebSocket-Version: 8\r\n", KEY]), Err(Fault::Version));
        assert_eq!(accept(true, &[OFFER, VERSION]), Err(Fault::Key));
        assert_eq!(accept(true, &[OFFER, VERSION, "Sec-WebSocket-Key: c2hvcnQ=\r\n"]), Err(Fault::Key));
    }
}
