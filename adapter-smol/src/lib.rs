//! httpants over smol.
//!
//! ```no_run
//! use httpants_smol::{Request, Response, Server};
//!
//! async fn hello(request: Request) -> Response {
//!     Response::text(format!("hello {}, you asked for {}", request.host(), request.path()))
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     smol::block_on(async { Server::new(hello).listen("127.0.0.1:8080").bind()?.serve().await })
//! }
//! ```
//!
//! [`BoundServer::serve`] accepts in the task that awaits it and gives each connection to smol's global
//! executor ([`smol::spawn`]), whose threads `SMOL_THREADS` counts. [`BoundServer::run`] is for
//! programs that have nothing else to do: it blocks, and drives an executor of its own on each of
//! the threads that [`workers`](httpants_driver::Server::workers) counts, which a connection
//! never leaves. All of them share smol's one reactor.
//!
//! Nothing here knows the protocol, or sockets: those and the timers are
//! [`httpants_driver::async_io`], and the server is re-exported with this runtime filled in.

mod executor;
#[cfg(test)]
mod tests;

pub use executor::Executor;
pub use httpants_driver::async_io::{AsyncIo, Listener, Timer, Transport};

/// The runtime that the driver runs on: smol's reactor and its executors.
pub type Smol = AsyncIo<Executor>;

/// Tests of applications without sockets and without waiting. Feature `testing`.
///
/// ```
/// use httpants_smol::Request;
/// use httpants_smol::testing::memory::Memory;
///
/// let memory = Memory::new();
/// memory.start(memory.server(async |request: Request| format!("hello from {}", request.path())));
/// let client = memory.connect();
/// client.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
/// memory.run();
/// assert!(client.take_received().ends_with(b"\r\n\r\nhello from /a"));
/// ```
#[cfg(feature = "testing")]
pub use httpants_testkit as testing;

httpants_driver::adapter!(Smol);
