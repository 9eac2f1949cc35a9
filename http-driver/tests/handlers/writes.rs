//! Tests of the number of writes for responses. Each write is a system call on a socket.

use httpants_driver::{Request, Response};
use httpants_testkit::memory::Memory;

use crate::world::{World, get, ok, post, responses, start, start_streaming};

/// Sends these requests at once, and checks that their responses are sent in one write.
#[track_caller]
fn assert_one_write(world: &World, requests: &str, bodies: &[&str]) {
    let client = world.client(requests);
    let expected: Vec<_> = bodies.iter().map(|body| ok(body)).collect();
    assert_eq!(responses(&client), expected);
    assert_eq!(client.writes(), 1);
}

#[test]
fn head_and_body_are_one_write() {
    let world = start(async |_: Memory, _: Request| "hello");
    assert_one_write(&world, &get("/"), &["hello"]);
}

#[test]
fn pipelined_responses_are_one_write() {
    let world = start(async |_: Memory, request: Request| request.path().to_owned());
    assert_one_write(&world, &[get("/a"), get("/b"), get("/c")].concat(), &["/a", "/b", "/c"]);
}

#[test]
fn head_and_a_streamed_body_that_was_received_are_one_write() {
    let echo =
        async |_: Memory, request: Request| Response::stream(request.into_body()).with_header("Content-Length", "5");
    for world in [start(echo), start_streaming(echo)] {
        assert_one_write(&world, &post("/", "there"), &["there"]);
    }
}
