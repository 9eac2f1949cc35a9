//! The ends of responses: one for each request, with the part that the client has received.

use httpants_core::ResponseStats;

use super::client;
use super::world::World;
use crate::oracle::response::Asked;

/// Checks that the reported ends match the bytes that the client has received.
pub(super) fn check(world: &World) {
    let (requests, others) = world.ends.split_at(world.ends.len().min(world.given.len()));
    let mut rest = &world.out[..];
    for (given, end) in world.given.iter().zip(requests) {
        assert_eq!(end.request, Some(given.id), "{world:?}");
        rest = check_response(end, given.asked, rest, world);
    }
    assert_eq!(requests.len(), world.given.len(), "a response without an end: {world:?}");
    assert_eq!(others.len(), usize::from(world.refused_no_request), "{others:?}, {world:?}");
    for end in others {
        assert_eq!(end.request, None);
        let asked = if rest.ends_with(b"\r\n\r\n") { Asked::Head } else { Asked::Other };
        check_response(end, asked, rest, world);
    }
}

/// Compares one report with the next response in the received bytes. Returns the bytes after it.
fn check_response<'a>(end: &ResponseStats, asked: Asked, out: &'a [u8], world: &World) -> &'a [u8] {
    let Some(status) = end.status else {
        assert!(end.body_bytes == 0 && !end.complete, "{end:?}");
        return out;
    };
    let Some((response, after)) = client::next(out, asked) else {
        assert!(end.body_bytes == 0 && !end.complete, "{end:?} of nothing: {world:?}");
        return &[];
    };
    assert_eq!(response.status, status.as_u16(), "{end:?}");
    assert!(!end.complete || response.whole, "{end:?} is not whole: {world:?}");
    let sent = response.content.len() as u64;
    // Unsent framing is counted as unsent content.
    let is_chunked = response.field("Transfer-Encoding").is_some();
    let same = if end.complete || !is_chunked { end.body_bytes == sent } else { end.body_bytes <= sent };
    assert!(same, "{end:?} of {sent} bytes: {world:?}");
    after
}
