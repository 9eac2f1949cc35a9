//! Tests of a custom runtime in the simulation: its transport has its own buffers, as
//! `docs/custom-runtime.md` describes for completion-based interfaces. Tested unchanged, and with
//! faults that must be found.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice, Read};
use std::net::TcpListener;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use httpants_driver::protocol::{ConnectionInfo, Now};
use httpants_driver::runtime::{Blocking, BlockingPool, Clock, Listener, Runtime, SendHint, Spawn, Transport};
use httpants_testkit::memory::{Memory, MemoryListener, MemorySleep, MemoryTransport};
use httpants_testkit::simulation::{Outcome, Simulator, Violation};

/// The size in bytes of a buffer lent to the kernel.
const BUFFER: usize = 700;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// Treats bytes in flight as sent.
    FlushesNothing,
    /// Shuts down or closes before bytes in flight.
    ShutsDownEarly,
    /// Reuses a buffer that is in flight.
    OverwritesTheBuffer,
    /// Does not wake the reader.
    LosesTheReader,
    /// Does not wake the writer.
    LosesTheWriter,
    /// Wakes the task at once, whether or not something is ready.
    Spins,
}

struct Completing {
    socket: MemoryTransport,
    received: VecDeque<u8>,
    in_flight: Vec<u8>,
    fault: Fault,
}

impl Completing {
    /// Continues the operation in flight.
    fn poll_in_flight(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let context = &mut wakes_if(context, self.fault != Fault::LosesTheWriter);
        while !self.in_flight.is_empty() {
            let count = ready!(self.socket.poll_send(context, &[IoSlice::new(&self.in_flight)], SendHint::Last))?;
            self.in_flight.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns the context of the task, or one without effect, for a socket that does not wake its
/// task.
fn wakes_if<'a>(context: &'a Context<'_>, wakes: bool) -> Context<'a> {
    Context::from_waker(if wakes { context.waker() } else { Waker::noop() })
}

impl Transport for Completing {
    fn poll_recv(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.received.is_empty() {
            let mut lent = [0; BUFFER];
            if self.fault == Fault::Spins {
                context.waker().wake_by_ref();
            }
            let context = &mut wakes_if(context, self.fault != Fault::LosesTheReader);
            let count = ready!(self.socket.poll_recv(context, &mut lent))?;
            self.received.extend(lent.iter().take(count));
        }
        Poll::Ready(self.received.read(buffer))
    }

    fn poll_send(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>], _: SendHint) -> Poll<io::Result<usize>> {
        if self.fault == Fault::OverwritesTheBuffer {
            self.in_flight.clear();
        }
        ready!(self.poll_in_flight(context))?;
        self.in_flight.extend(slices.iter().flat_map(|slice| slice.iter()).take(BUFFER));
        let taken = self.in_flight.len();
        // An error from here on is returned by the next call.
        let _ = self.poll_in_flight(context);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.fault == Fault::FlushesNothing { Poll::Ready(Ok(())) } else { self.poll_in_flight(context) }
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.fault != Fault::ShutsDownEarly {
            ready!(self.poll_in_flight(context))?;
        }
        self.socket.poll_shutdown(context)
    }

    fn reset_on_close(&mut self) {
        self.socket.reset_on_close();
    }
}

struct Accepts {
    listener: MemoryListener,
    fault: Fault,
}

impl Listener for Accepts {
    type Transport = Completing;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(Completing, ConnectionInfo)>> {
        let (socket, peer) = ready!(self.listener.poll_accept(context))?;
        let transport = Completing { socket, received: VecDeque::new(), in_flight: Vec::new(), fault: self.fault };
        Poll::Ready(Ok((transport, peer)))
    }
}

/// A runtime that replaces only the transport of another one.
#[derive(Clone)]
struct Completion {
    memory: Memory,
    fault: Fault,
}

impl Runtime for Completion {
    type Transport = Completing;
    type Listener = Accepts;
    type Sleep = MemorySleep;

    fn now(&self) -> Now {
        self.memory.now()
    }

    fn clock(&self) -> Clock {
        self.memory.clock()
    }

    fn sleep_until(&self, at: Duration) -> MemorySleep {
        self.memory.sleep_until(at)
    }

    fn listen_tcp(&self, _: TcpListener) -> io::Result<Accepts> {
        Ok(Accepts { listener: self.memory.listener(), fault: self.fault })
    }

    #[cfg(unix)]
    fn listen_unix(&self, _: std::os::unix::net::UnixListener) -> io::Result<Accepts> {
        Ok(Accepts { listener: self.memory.listener(), fault: self.fault })
    }

    fn unblock<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        self.memory.unblock(work)
    }

    fn blocking_pool(&self) -> BlockingPool {
        self.memory.blocking_pool()
    }

    fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        self.memory.block_on(future)
    }
}

impl<F: Future<Output = ()> + 'static> Spawn<F> for Completion {
    fn spawn(&self, future: F) {
        self.memory.spawn(future);
    }
}

fn run(simulator: &Simulator, seed: u64, fault: Fault) -> Result<Outcome, Violation> {
    simulator.run_on(seed, |memory| {
        let listener = Accepts { listener: memory.listener(), fault };
        (Completion { memory: memory.clone(), fault }, listener)
    })
}

#[test]
fn completion_transport_satisfies_every_rule() {
    let simulator = Simulator::new().unwrap();
    for seed in 0..400 {
        run(&simulator, seed, Fault::None)
            .unwrap_or_else(|violation| panic!("{}\n{violation}", violation.log.join("\n")));
    }
}

#[test]
fn injected_faults_are_detected() {
    let simulator = Simulator::new().unwrap();
    for (fault, what) in [
        (Fault::FlushesNothing, "the response is incomplete"),
        (Fault::ShutsDownEarly, "bytes came back in another protocol"),
        (Fault::OverwritesTheBuffer, "bytes of another protocol were altered"),
        (Fault::LosesTheReader, "408 instead of 200"),
        (Fault::LosesTheWriter, "the response is incomplete"),
        (Fault::Spins, "turns at one moment"),
    ] {
        let violation = (0..400).find_map(|seed| run(&simulator, seed, fault).err());
        let violation = violation.unwrap_or_else(|| panic!("{fault:?} is not found"));
        assert!(violation.what.contains(what), "{fault:?}: {violation}");
    }
}
