//! The property of a connection whose client sends the input itself, so that any collection of
//! requests is a corpus.

use std::sync::Arc;

use httpants_core::Config;

use super::script::{Operation, Settings};
use super::world::World;
use super::{client, ends};
use crate::oracle::head;
use crate::split::{self, Cut, Numbers, pieces};
use crate::visit::visit;

/// Sends `data` to a connection with the default configuration. No byte in `data` is a choice: it
/// contains exactly the bytes that one client sends until the end of its stream.
///
/// For all cuts, the application receives the same requests and the client the same responses; the
/// verdict on the first head is that of [`oracle::head`](crate::oracle::head); and requests,
/// responses, buffers and deadlines satisfy what [`connection::check`](super::check) checks.
///
/// ```
/// use httpants_properties::connection::raw;
///
/// raw::check(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nokGET / HTTP/1.0\r\n\r\n");
/// raw::check(b"\x16\x03\x01 no HTTP at all");
/// ```
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
    let seed = data.iter().fold(0, |hash: u64, &byte| hash.rotate_left(5) ^ u64::from(byte));
    let config = Arc::new(Config::default());
    let seen = split::same(data, seed, |cut| visit(&config, data, cut, true));
    crate::head::same_as_oracle(&seen, &head::read(data, &config));
    run(data, Cut::Whole, seed);
    run(data, Cut::Sized(seed), seed);
}

/// Sends the pieces one by one; the application polls some events after each.
fn run(data: &[u8], cut: Cut, seed: u64) {
    let mut world = World::new(&Settings::default());
    let mut numbers = Numbers::new(seed);
    for piece in pieces(data, cut) {
        world.to_send.extend_from_slice(piece);
        let number = numbers.next();
        world.step(&Operation::Receive { most: u32::MAX, lend: number & 1 == 1 });
        world.step(&Operation::Poll { most: (number >> 8) as u8 % 9, sends_continue: number & 2 == 2 });
    }
    world.run_to_end();
    client::check(&world);
    ends::check(&world);
}
