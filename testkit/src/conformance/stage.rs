//! The interface between the suite and a runtime: running a server on it, and connecting to it.

use std::io;
use std::time::Duration;

use httpants_driver::runtime::{Runtime, Spawn};
use httpants_driver::{Handle, ListenAddress, Server};

use super::handler::{CaseHandler, Task};

/// Maximum time for which a case waits for an expected event, before it fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A runtime under test, with a server and clients.
///
/// [`Sockets`](super::Sockets) is the stage for runtimes with sockets of the platform, so authors
/// rarely implement this; [`InMemory`](super::InMemory) is an example. Each case creates a stage on
/// its own thread, and drops it at its end.
pub trait Stage: Sized + 'static {
    /// The runtime under test.
    type Runtime: Runtime<Transport: Send> + Spawn<Task>;
    /// The client's end of a connection.
    type Client: StageClient;

    /// Creates an empty stage.
    fn set() -> Self;

    /// Returns the runtime; every call returns the same one.
    fn runtime(&self) -> Self::Runtime;

    /// Returns a listening socket of the runtime for [`connect`](Self::connect), from which the
    /// case accepts connections itself. Called within `block_on` of the runtime.
    ///
    /// # Errors
    /// Returns the errors of binding it and of the runtime.
    fn listen(&mut self) -> io::Result<<Self::Runtime as Runtime>::Listener>;

    /// Returns a server on the runtime, for the case to configure before it starts.
    fn server(&self, handler: CaseHandler) -> Server<Self::Runtime, CaseHandler>;

    /// Runs a server in the background until its handle stops it.
    fn start(&mut self, server: Server<Self::Runtime, CaseHandler>) -> Handle;

    /// Waits for the end of the server that was started and stopped; checks that nothing is left of
    /// it.
    fn end(&mut self);

    /// Connects to the server, or to the listener that [`listen`](Self::listen) returned.
    fn connect(&self) -> Self::Client;

    /// Advances a virtual clock by `span`. On a real clock it returns at once, because the case
    /// waits for events that happen in that time.
    fn pass(&self, span: Duration);

    /// Returns the time since the stage was created.
    fn time(&self) -> Duration;

    /// Waits until the condition holds, at most for [`PATIENCE`]; returns whether it does.
    fn wait(&self, until: &dyn Fn() -> bool) -> bool;
}

/// A stage with sockets of the platform, which have addresses.
pub trait Platform: Stage {
    /// Returns the addresses of the server: that of [`Stage::connect`] first, then added ones.
    fn addresses(&self) -> &[ListenAddress];

    /// Connects to this address.
    ///
    /// # Errors
    /// Returns the errors of the platform.
    fn connect_to(&self, address: &ListenAddress) -> io::Result<Self::Client>;

    /// Returns the client's own address, which the server must report.
    fn local_address(client: &Self::Client) -> httpants_driver::protocol::Address;
}

/// A client's end of a connection.
pub trait StageClient {
    /// Sends all bytes, as far as the server accepts them: if the connection has ended, the rest is
    /// dropped. The case fails if the server accepts nothing for [`PATIENCE`].
    fn send(&mut self, bytes: &[u8]);

    /// Sends all bytes while the case continues and receives.
    fn send_meanwhile(&mut self, bytes: Vec<u8>);

    /// Waits for bytes or the end, at most for `patience`, and appends the bytes to `received`.
    fn receive(&mut self, received: &mut Vec<u8>, patience: Duration) -> Received;

    /// Ends the sending side.
    fn end(&mut self);

    /// Resets the connection.
    fn reset(self);
}

/// The result of [`StageClient::receive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Bytes were received.
    Bytes,
    /// The end of the stream was received.
    End,
    /// The connection was reset.
    Reset,
    /// Nothing was received within the time.
    Nothing,
}
