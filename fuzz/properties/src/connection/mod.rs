//! The property of a whole connection: any operations of a client, an application and a clock, in
//! any order.

mod buffers;
mod client;
mod ends;
mod events;
mod huge;
pub mod raw;
mod script;
mod world;

use arbitrary::{Arbitrary, Unstructured};

use self::script::Script;
use self::world::World;

/// Executes the operations in `data`, then runs the connection to its end.
///
/// For all operations: the application receives the requests that the client sent, as delimited by
/// [`oracle::chunked`](crate::oracle::chunked) and Content-Length; the responses are sent in order,
/// complete or visibly broken off, and the end of each is reported once with the number of sent
/// bytes; commands for a request that is not outstanding change nothing; ranges of files may have
/// lengths up to 64 bits; buffers stay within their limits; a deadline that was handled is over;
/// and the connection always waits for something, or ends.
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
    if let Ok(scenario) = huge::Scenario::arbitrary(&mut Unstructured::new(data)) {
        scenario.check();
    }
    let Ok(script) = Script::arbitrary(&mut Unstructured::new(data)) else { return };
    let mut world = World::new(&script.settings);
    for operation in &script.operations {
        world.step(operation);
    }
    world.run_to_end();
    client::check(&world);
    ends::check(&world);
}

/// Returns the operations in `data` as text.
#[must_use]
pub fn explain(data: &[u8]) -> String {
    format!("{:?}", Script::arbitrary(&mut Unstructured::new(data)))
}
