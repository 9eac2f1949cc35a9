//! The view of the client: the requests in the bytes that it sent, and the responses in the bytes
//! that it received.

use httpants_core::{Close, Framing, RequestHead};

use super::world::{AppResponse, World};
use crate::oracle::chunked;
use crate::oracle::response::{self, Asked};

/// The bytes that the client has sent, compared with the events of the application.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// The bytes that the connection has accepted.
    pub(super) bytes: Vec<u8>,
    /// The position at which the content of the current request begins.
    content_at: usize,
    framing: Framing,
    /// The part of the content that the application has received.
    content: Vec<u8>,
}

impl Sent {
    /// Records that a PROXY header was read.
    pub(super) fn skip(&mut self, length: usize) {
        self.content_at = length;
    }

    /// Checks that the request begins where the previous one ends.
    pub(super) fn request(&mut self, request: &RequestHead) {
        let mut at = match self.framing {
            Framing::Length(length) => self.content_at + usize::try_from(length).unwrap(),
            Framing::Chunked => match chunked::read(&self.bytes[self.content_at..]).end {
                chunked::End::At(length) => self.content_at + length,
                end => panic!("{request:?} after content without an end: {end:?}"),
            },
            _ => self.content_at,
        };
        while self.bytes[at..].starts_with(b"\r\n") {
            at += 2;
        }
        assert!(
            self.bytes[at..].starts_with(request.as_bytes()),
            "{request:?} is not what was sent: {}",
            self.bytes[at..].escape_ascii()
        );
        self.content_at = at + request.as_bytes().len();
        self.framing = request.framing();
        self.content.clear();
    }

    /// Records a piece of content.
    pub(super) fn data(&mut self, data: &[u8]) {
        assert!(!data.is_empty());
        self.content.extend_from_slice(data);
    }

    /// Checks the end of the content.
    pub(super) fn end(&self, trailers: &httpants_core::Headers) {
        let sent = &self.bytes[self.content_at..];
        match self.framing {
            Framing::Length(length) => assert!(self.content == sent[..usize::try_from(length).unwrap()]),
            Framing::Chunked => {
                let body = chunked::read(sent);
                assert!(matches!(body.end, chunked::End::At(_)), "{body:?}");
                assert!(self.content == body.content, "other content");
                for (name, value) in trailers.iter_raw() {
                    assert!(body.trailers.contains(&(name.into(), value.into())), "{name} was not sent");
                }
            }
            _ => assert!(self.content.is_empty() && trailers.is_empty()),
        }
    }
}

/// Checks that the output consists of the responses in order, all complete except possibly the last
/// one.
pub(super) fn check(world: &World) {
    let reset = world.end == Some(Close::Reset);
    let broken = world.cut_off || reset;
    let mut rest = &world.out[..];
    for (at, given) in world.given.iter().enumerate() {
        let Some((response, after)) = next(rest, given.asked) else {
            assert!(broken || !given.finished, "response {at} is missing: {given:?}, {world:?}");
            return;
        };
        assert_eq!(interim(rest, given.asked), given.interim, "the interim responses ahead of {at}");
        let whole = response.whole && !(response.until_close && broken);
        if given.status == 0 || (!given.finished && response.status != given.status) {
            // Not a response of the application: a refusal or a timeout.
            assert!(response.status >= 400 && after.is_empty(), "{response:?}");
            return;
        }
        assert_eq!(response.status, given.status);
        if whole && given.finished {
            assert!(response.content == given.content || !given.has_content(), "response {at} is another: {world:?}");
        } else {
            assert!(given.content.starts_with(&response.content), "response {at} is another one");
            assert!(broken || !given.finished, "response {at} is cut off: {given:?}, {world:?}");
            // A response without content is complete with its head, even if the application did not
            // finish it.
            assert!(after.is_empty(), "bytes after an unfinished response: {}", after.escape_ascii());
        }
        rest = after;
    }
    if !rest.is_empty() {
        let head_only = rest.ends_with(b"\r\n\r\n");
        let refusal = next(rest, if head_only { Asked::Head } else { Asked::Other });
        assert!(
            refusal.is_none_or(|(response, after)| response.status >= 400 && after.is_empty()),
            "one response too many: {}",
            rest.escape_ascii()
        );
    }
}

/// Returns the next response that is not an interim one.
pub(super) fn next(mut out: &[u8], asked: Asked) -> Option<(response::Response, &[u8])> {
    loop {
        let (response, rest) = response::read(out, asked)?;
        if !is_interim(response.status) {
            return Some((response, rest));
        }
        out = rest;
    }
}

fn is_interim(status: u16) -> bool {
    status < 200 && status != 101
}

/// Returns the statuses of the interim responses before it, except 100.
fn interim(mut out: &[u8], asked: Asked) -> Vec<u16> {
    let mut all = vec![];
    while let Some((response, rest)) = response::read(out, asked).filter(|(response, _)| is_interim(response.status)) {
        all.extend(Some(response.status).filter(|status| *status != 100));
        out = rest;
    }
    all
}

impl AppResponse {
    pub(super) fn has_content(&self) -> bool {
        let none = matches!(self.status, 101 | 204 | 205 | 304) || self.asked == Asked::Head;
        !none && (self.asked != Asked::Connect || !(200..300).contains(&self.status))
    }
}
