//! What a whole exchange looks like from outside.

use httpants_core::{Config, Connection, Event, Now, Peer};

/// The places of the fields are those of the head, not of the part of it behind the request line.
#[test]
fn fields_are_found_in_the_head() {
    let now = Now::default();
    let mut connection = Connection::new(Config::default().into(), Peer::default(), now);
    let head = b"GET /a HTTP/1.1\r\nHost: example.com\r\nX-One:  two \r\n\r\n";
    assert_eq!(connection.receive(head, now), head.len());
    let Some(Event::Request(request)) = connection.poll_event() else { panic!("a request is due") };
    let lines: Vec<_> = request.headers().raw().collect();
    assert_eq!(lines, [("Host", &b"example.com"[..]), ("X-One", b"two")]);
    assert_eq!(request.host(), "example.com");
}
