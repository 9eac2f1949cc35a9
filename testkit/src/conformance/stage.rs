//! What the suite needs of a runtime: how to run a server on it, and how to connect to it.

use std::io;
use std::time::Duration;

use httpants_driver::runtime::{Runtime, Spawn};
use httpants_driver::{Handle, ListenAddress, Server};

use super::handler::{CaseHandler, Task};

/// How long a case waits for what must happen, before it fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A runtime under test, with a server and clients.
///
/// [`Sockets`](super::Sockets) is the stage of every runtime that takes over sockets of the
/// platform, so an author rarely implements this; [`InMemory`](super::InMemory) shows how.
/// Cases make one, on a thread of their own, and drop it at their end.
pub trait Stage: Sized + 'static {
    /// The runtime under test.
    type Runtime: Runtime<Transport: Send> + Spawn<Task>;
    /// The end of a connection that a case holds.
    type Client: StageClient;

    /// Makes an empty stage.
    fn set() -> Self;

    /// Returns the runtime; every call returns the same one.
    fn runtime(&self) -> Self::Runtime;

    /// Returns a listening socket of the runtime for [`connect`](Self::connect), which the case
    /// accepts from by itself. Called within `block_on` of the runtime.
    ///
    /// # Errors
    /// Those of binding it and of the runtime.
    fn listen(&mut self) -> io::Result<<Self::Runtime as Runtime>::Listener>;

    /// Returns a server on the runtime, for the case to configure before it starts.
    fn server(&self, handler: CaseHandler) -> Server<Self::Runtime, CaseHandler>;

    /// Runs a server in the background until its handle ends it.
    fn start(&mut self, server: Server<Self::Runtime, CaseHandler>) -> Handle;

    /// Waits for the end of the server that was started and stopped; nothing of it may be
    /// left then.
    fn end(&mut self);

    /// Connects to the server, or to what [`listen`](Self::listen) returned.
    fn connect(&self) -> Self::Client;

    /// Lets this much time pass, where it does not pass by itself: a manual clock is moved. Where
    /// it does, the case waits for what is to happen in that time.
    fn pass(&self, span: Duration);

    /// Returns the time that has passed since the stage was made.
    fn time(&self) -> Duration;

    /// Waits until the condition holds, at most for [`PATIENCE`]; returns whether it does.
    fn wait(&self, until: &dyn Fn() -> bool) -> bool;
}

/// A stage of the platform's sockets, which has addresses.
pub trait Platform: Stage {
    /// Returns the addresses of the server: first that of [`Stage::connect`], then added ones.
    fn addresses(&self) -> &[ListenAddress];

    /// Connects to this address.
    ///
    /// # Errors
    /// Those of the platform.
    fn connect_to(&self, address: &ListenAddress) -> io::Result<Self::Client>;

    /// Returns the client's own address, which the server must report.
    fn local_address(client: &Self::Client) -> httpants_driver::protocol::Address;
}

/// A client's end of a connection.
pub trait StageClient {
    /// Sends all of it, as far as the server takes it: a connection that has ended swallows the
    /// rest. One that takes nothing for [`PATIENCE`] is a failed case.
    fn send(&mut self, bytes: &[u8]);

    /// Sends all of it while the case goes on and receives.
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
    /// Some bytes.
    Bytes,
    /// The end of the stream.
    End,
    /// A reset.
    Reset,
    /// Nothing in that time.
    Nothing,
}
