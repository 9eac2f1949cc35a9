//! A WebSocket that says everything back (RFC 6455).

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::Role;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use httpants_tokio::core::Headers;
use httpants_tokio::{Request, Response, Upgraded};

/// 101 and the echo behind it, or what is wrong with the handshake.
pub(crate) fn answer(request: &Request) -> Response {
    match accept(request.offers_upgrade(), request.headers()) {
        Ok(key) => Response::upgrade("websocket", echo).with_header("Sec-WebSocket-Accept", key),
        Err(fault) => fault.into(),
    }
}

/// What a request lacks to be a handshake (RFC 6455 section 4.2.1).
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
                Self::text("a WebSocket answers here\n").with_status(426).with_header("Upgrade", "websocket")
            }
            Fault::Version => Self::text("version 13 is spoken here\n")
                .with_status(426)
                .with_header("Upgrade", "websocket")
                .with_header("Sec-WebSocket-Version", "13"),
            Fault::Key => Self::text("Sec-WebSocket-Key is not 16 bytes in base64\n").with_status(400),
        }
    }
}

/// The value of Sec-WebSocket-Accept (RFC 6455 section 4.2.2).
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

async fn echo(stream: Upgraded) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            break;
        }
    }
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
    fn the_key_of_the_specification_gives_its_answer() {
        assert_eq!(accept(true, &[OFFER, VERSION, KEY]), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into()));
    }

    #[test]
    fn what_is_no_handshake_is_told_what_it_lacks() {
        assert_eq!(accept(false, &[OFFER, VERSION, KEY]), Err(Fault::Offer));
        assert_eq!(accept(true, &["Upgrade: other\r\n", VERSION, KEY]), Err(Fault::Offer));
        assert_eq!(accept(true, &[OFFER, "Sec-WebSocket-Version: 8\r\n", KEY]), Err(Fault::Version));
        assert_eq!(accept(true, &[OFFER, VERSION]), Err(Fault::Key));
        assert_eq!(accept(true, &[OFFER, VERSION, "Sec-WebSocket-Key: c2hvcnQ=\r\n"]), Err(Fault::Key));
    }
}
