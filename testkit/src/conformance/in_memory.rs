//! The stage of the in-memory runtime.

use std::time::Duration;

use httpants_driver::runtime::Runtime as _;
use httpants_driver::{Handle, Server};

use super::handler::CaseHandler;
use super::stage::{Received, Stage, StageClient};
use crate::memory::{self, Faults, Memory, MemoryListener};

/// Number of bytes that an in-memory client accepts before it reads, as the buffers of a socket
/// would.
const WINDOW: usize = 64 << 10;

/// The stage of [`Memory`], whose time passes only when a case advances it.
#[derive(Debug)]
pub struct InMemory {
    memory: Memory,
}

impl Stage for InMemory {
    type Runtime = Memory;
    type Client = InMemoryClient;

    fn set() -> Self {
        let faults = Faults { send_files: true, ..Faults::default() };
        Self { memory: Memory::with_faults(0, faults) }
    }

    fn runtime(&self) -> Memory {
        self.memory.clone()
    }

    fn listen(&mut self) -> std::io::Result<MemoryListener> {
        Ok(self.memory.listener())
    }

    fn server(&self, handler: CaseHandler) -> Server<Memory, CaseHandler> {
        self.memory.server(handler)
    }

    fn start(&mut self, server: Server<Memory, CaseHandler>) -> Handle {
        self.memory.start(server)
    }

    fn end(&mut self) {
        self.memory.run();
        assert_eq!(self.memory.tasks(), 0, "tasks are left");
    }

    fn connect(&self) -> InMemoryClient {
        let client = self.memory.connect();
        client.take_only(WINDOW);
        InMemoryClient { memory: self.memory.clone(), client }
    }

    fn pass(&self, span: Duration) {
        self.memory.advance(span);
    }

    fn time(&self) -> Duration {
        self.memory.now().mono
    }

    fn wait(&self, until: &dyn Fn() -> bool) -> bool {
        self.memory.run();
        until()
    }
}

/// A client that runs the tasks whenever it waits.
#[derive(Debug)]
pub struct InMemoryClient {
    memory: Memory,
    client: memory::Client,
}

impl StageClient for InMemoryClient {
    fn send(&mut self, bytes: &[u8]) {
        self.client.send(bytes);
        self.memory.run();
    }

    /// Sending in memory never blocks, so this need not run concurrently.
    fn send_meanwhile(&mut self, bytes: Vec<u8>) {
        self.send(&bytes);
    }

    fn receive(&mut self, received: &mut Vec<u8>, _: Duration) -> Received {
        self.memory.run();
        let bytes = self.client.take_received();
        self.client.take_only(WINDOW);
        received.extend_from_slice(&bytes);
        match () {
            () if !bytes.is_empty() => Received::Bytes,
            () if self.client.is_reset() => Received::Reset,
            () if self.client.is_ended() => Received::End,
            () => {
                // The server may wait for the room that was just freed.
                self.memory.run();
                let bytes = self.client.take_received();
                received.extend_from_slice(&bytes);
                if bytes.is_empty() { Received::Nothing } else { Received::Bytes }
            }
        }
    }

    fn end(&mut self) {
        self.client.end();
        self.memory.run();
    }

    fn reset(self) {
        self.client.reset();
        self.memory.run();
    }
}

impl Drop for InMemoryClient {
    /// A socket that is closed with bytes unread resets its connection (RFC 9293 section 3.6.1).
    fn drop(&mut self) {
        if !self.client.take_received().is_empty() {
            self.client.reset();
        }
    }
}
