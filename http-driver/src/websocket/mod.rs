//! WebSockets (RFC 6455) on every runtime. Feature `websocket`.
//!
//! ```
//! use httpants_driver::websocket::{WebSocket, WebSocketError};
//! use httpants_driver::{Request, Response};
//!
//! async fn respond(request: Request) -> Result<Response, WebSocketError> {
//!     Ok(request.websocket()?.on_upgrade(echo))
//! }
//!
//! async fn echo(mut socket: WebSocket) {
//!     while let Some(Ok(message)) = socket.next().await {
//!         if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
//!             return;
//!         }
//!     }
//! }
//! # let _ = respond;
//! ```
//!
//! [`Request::websocket`](crate::Request::websocket) checks the handshake,
//! [`WebSocketUpgrade`] has the settings, and [`WebSocket`] is the connection: a `Stream` and a `Sink` of
//! messages over [async-tungstenite](async_tungstenite), which this module re-exports.
//!
//! # Browsers
//!
//! A page of any site may open a WebSocket to any server, with the cookies that the browser has for
//! that server. Therefore a request whose Origin field names another host than the request gets 403
//! (RFC 6455 section 10.2), unless [`allow_origin`](WebSocketUpgrade::allow_origin) names that
//! origin or [`any_origin`](WebSocketUpgrade::any_origin) allows all. Clients that are not browsers
//! send no Origin and are not checked. Behind a proxy that replaces the Host field, the host is
//! that of [`Server::xheaders`](crate::Server::xheaders).
//!
//! # Closing
//!
//! | cause | Close frame | then |
//! |---|---|---|
//! | the handler drops the socket | 1000 | up to 5 s for the client's Close and the end of its stream |
//! | the server shuts down | 1001; the handler reads the end of the messages | 1 s for the handler and the client together |
//! | the client breaks the protocol | 1002, or 1007 for invalid UTF-8, or 1009 for a message over the limit | as above, once the handler has dropped the socket |
//! | the client closes | its own code | the handler reads the Close and then the end |
//! | nothing comes from the client in time after a [ping](WebSocketUpgrade::ping_interval) | none | the connection is closed; the handler reads an error, and has 1 s |
//!
//! A handler that panics drops the connection. After [`Handle::shutdown`](crate::Handle::shutdown)
//! a WebSocket lasts no longer than [`Server::upgrade_grace`](crate::Server::upgrade_grace).

mod closing;
mod handshake;
mod origin;
mod paced;
mod pings;
mod shared;
mod socket;

pub use async_tungstenite;
pub use async_tungstenite::tungstenite::Message;
pub use async_tungstenite::tungstenite::protocol::CloseFrame;
pub use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

pub use self::handshake::WebSocketUpgrade;
pub use self::socket::WebSocket;
pub use crate::request::WebSocketError;
