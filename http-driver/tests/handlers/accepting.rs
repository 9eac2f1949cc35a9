//! Tests of errors of accepting.

use std::io::ErrorKind;

use httpants_driver::{Handle, Request};

use crate::altered::Altered;
use crate::world::{errors, get, millis, ok, responses, seconds};

fn start() -> (Altered, Handle) {
    Altered::start(async |_: Request| "served", |server| server)
}

#[test]
fn accepting_is_retried_100_ms_after_an_error() {
    let (runtime, handle) = start();
    let client = runtime.client(&[ErrorKind::OutOfMemory; 2], &get("/"));
    for errors in 1..=2 {
        assert_eq!((handle.counters().accept_errors, handle.connections()), (errors, 0));
        runtime.memory.advance(millis(99));
        assert_eq!(handle.counters().accept_errors, errors);
        runtime.memory.advance(millis(1));
    }
    assert_eq!(responses(&client), [ok("served")]);
    assert_eq!(handle.counters().accept_errors, 2);
}

#[test]
fn errors_of_one_connection_do_not_delay_others() {
    let (runtime, handle) = start();
    let kinds = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::Interrupted];
    let client = runtime.client(&kinds, &get("/"));
    assert_eq!(responses(&client), [ok("served")]);
    assert_eq!(handle.counters().accept_errors, 0);
}

#[test]
fn repeated_accept_errors_are_logged_once() {
    let (runtime, handle) = start();
    let logged = errors(|| {
        for count in [3, 0, 2] {
            let client = runtime.client(&[ErrorKind::OutOfMemory].repeat(count), &get("/"));
            runtime.memory.advance(seconds(1));
            assert_eq!(responses(&client), [ok("served")]);
        }
    });
    assert!(logged.iter().all(|event| event.contains("accept failed")), "{logged:?}");
    assert_eq!(logged.len(), 2, "the second time after an accepted connection");
    assert_eq!(handle.counters().accept_errors, 5);
}

/// A lingering connection is closed to free its descriptor.
#[test]
fn accept_error_closes_a_lingering_connection() {
    let (runtime, _) = start();
    let client = runtime.client(&[], "no request\r\n\r\n");
    assert!(client.is_ended() && !client.is_closed(), "it lingers");
    let next = runtime.client(&[ErrorKind::OutOfMemory], &get("/"));
    assert!(client.is_closed());
    runtime.memory.advance(millis(100));
    assert_eq!(responses(&next), [ok("served")]);
}
