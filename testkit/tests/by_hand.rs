//! Tests of `examples/by_hand` in the simulation: unchanged, and with faults that must be found.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../examples/by_hand/server.rs"]
mod server;

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::ops::Range;
use std::time::Duration;

use httpants_driver::protocol::{ConnectionInfo, Now};
use httpants_driver::runtime::Transport;
use httpants_testkit::memory::MemoryTransport;
use httpants_testkit::simulation::{Outcome, Scene, Simulator, System, Violation};

use self::server::{Server, Socket};

const SEEDS: u64 = 400;

#[test]
fn server_without_the_driver_satisfies_every_rule() {
    let simulator = Simulator::new().unwrap();
    // With the seed that finds the last fault: a connection is dropped so that its response looks
    // complete.
    let outcomes: Vec<Outcome> = (0..SEEDS)
        .chain([2_321])
        .map(|seed| {
            let tell = |violation: Violation| panic!("{}\n{violation}", violation.log.join("\n"));
            simulator.run_with(seed, Server::new).unwrap_or_else(tell)
        })
        .collect();
    let sum = |part: fn(&Outcome) -> usize| outcomes.iter().map(part).sum::<usize>();
    let requests = sum(|outcome| outcome.requests);
    assert!(sum(|outcome| outcome.completed) * 2 > requests, "most requests have a response");
    assert!(sum(|outcome| outcome.refused + outcome.broken) * 50 > requests, "some are not");
}

#[test]
fn same_seed_gives_the_same_scenario() {
    let simulator = Simulator::new().unwrap();
    for seed in 0..20 {
        let run = || simulator.run_with(seed, Server::new).unwrap();
        assert_eq!(run(), run(), "seed {seed}");
    }
}

/// A mistake in the loop of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Treats the bytes offered to a socket as sent.
    IgnoresPartialWrites,
    DropsTheLastByte,
    DropsAReceivedByte,
    /// Responds first to the last of several requests received together.
    RespondsOutOfOrder,
    /// Closes instead of resetting when a response is aborted.
    ForgetsTheReset,
    IgnoresTimers,
    WakesLate,
    LoopsForNothing,
    /// Wakes each millisecond, even without clients.
    Ticks,
    ForgetsConnectionsAtShutdown,
    LeaksConnections,
    ClosesAtOnce,
    /// Drops half-closed clients.
    LeavesHalfClosedClients,
    /// Treats half-closed clients like any other.
    IgnoresTheEnd,
}

struct Faulty {
    scene: Scene,
    server: Server<FaultySocket>,
    fault: Fault,
}

struct FaultySocket {
    socket: MemoryTransport,
    fault: Fault,
}

impl System for Faulty {
    fn connect(&mut self, socket: MemoryTransport, peer: ConnectionInfo, _: Now) {
        if self.fault != Fault::ClosesAtOnce {
            self.server.connect(FaultySocket { socket, fault: self.fault }, peer);
        }
    }

    fn turn(&mut self, now: Now) -> Option<Duration> {
        let deadline = self.server.turn(now);
        match self.fault {
            Fault::IgnoresTimers => None,
            Fault::WakesLate => deadline.map(|at| if at > now.mono { at + Duration::from_secs(1) } else { at }),
            Fault::LoopsForNothing => Some(now.mono),
            Fault::Ticks => Some(now.mono + Duration::from_millis(1)),
            _ => deadline,
        }
    }

    fn shutdown(&mut self, grace: Duration, now: Now) {
        match self.fault {
            Fault::ForgetsConnectionsAtShutdown => {}
            Fault::LeaksConnections => std::mem::forget(std::mem::replace(&mut self.server, Server::new(&self.scene))),
            _ => self.server.shutdown(grace, now),
        }
    }

    fn connections(&self) -> usize {
        self.server.connections()
    }
}

impl Read for FaultySocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buffer)?;
        match self.fault {
            Fault::LeavesHalfClosedClients if count == 0 => return Err(ErrorKind::ConnectionAborted.into()),
            Fault::IgnoresTheEnd if count == 0 => return Err(ErrorKind::WouldBlock.into()),
            Fault::DropsAReceivedByte if count > 1 => return Ok(count - 1),
            Fault::RespondsOutOfOrder => {
                let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                let requests: Vec<_> = text.split_inclusive("\r\n\r\n").collect();
                if requests.iter().all(|request| request.starts_with("GET /content") && request.ends_with("\r\n\r\n")) {
                    let reversed: String = requests.into_iter().rev().collect();
                    buffer[..count].copy_from_slice(reversed.as_bytes());
                }
            }
            _ => {}
        }
        Ok(count)
    }
}

impl Write for FaultySocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.fault {
            Fault::IgnoresPartialWrites => self.socket.write(bytes).map(|_| bytes.len()),
            Fault::DropsTheLastByte => {
                let front = bytes.len() - 1;
                self.socket.write(&bytes[..front]).map(|count| if count == front { bytes.len() } else { count })
            }
            _ => self.socket.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.write(&bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for FaultySocket {
    fn shutdown(&mut self) {
        self.socket.shutdown();
    }

    fn reset_on_close(&mut self) {
        if self.fault != Fault::ForgetsTheReset {
            Transport::reset_on_close(&mut self.socket);
        }
    }
}

/// Returns the first violated rule, in the order of these seeds.
fn found(fault: Fault, seeds: Range<u64>) -> Option<Violation> {
    let simulator = Simulator::new().unwrap();
    let run = |seed| simulator.run_with(seed, |scene| Faulty { scene: *scene, server: Server::new(scene), fault });
    seeds.into_iter().find_map(|seed| run(seed).err())
}

#[test]
fn injected_faults_are_detected() {
    for (fault, what) in [
        (Fault::IgnoresPartialWrites, "a malformed response: a chunk without its end"),
        (Fault::DropsTheLastByte, "a malformed response: a chunk without its end"),
        (Fault::RespondsOutOfOrder, "bytes that are not the"),
        (Fault::DropsAReceivedByte, "400 instead of 200"),
        (Fault::ForgetsTheReset, "bytes that are not the"),
        (Fault::IgnoresTimers, "its connection was never closed"),
        (Fault::WakesLate, "the idle timer after 76s"),
        (Fault::LoopsForNothing, "turns at one moment"),
        (Fault::Ticks, "times awake while nothing happened"),
        (Fault::ForgetsConnectionsAtShutdown, "after the grace period"),
        (Fault::LeaksConnections, "its connection was never closed"),
        (Fault::ClosesAtOnce, "the accept timer after 0ns"),
        (Fault::LeavesHalfClosedClients, "no response"),
        (Fault::IgnoresTheEnd, "after its stream and its responses"),
    ] {
        let violation = found(fault, 0..SEEDS).unwrap_or_else(|| panic!("{fault:?} is not found"));
        assert!(violation.what.contains(what), "{fault:?}: {violation}");
    }
}
