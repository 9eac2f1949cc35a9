//! Ranges of files with lengths up to 64 bits, which no transport could send in practice.

use std::collections::VecDeque;

use arbitrary::{Arbitrary, Result, Unstructured};
use http::StatusCode;
use httpants_core::{BodyLen, Config, Connection, ConnectionInfo, Event, Misuse, Now, ResponseHead, Transmit};

/// A length, an offset or a count, mostly near the limits of its type.
#[derive(Clone, Copy, Debug)]
struct Number(u64);

impl<'a> Arbitrary<'a> for Number {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        const ENDS: [u64; 8] = [0, 1, 2500, 1 << 32, 1 << 63, u64::MAX - 2500, u64::MAX - 1, u64::MAX];
        Ok(Self(if u.ratio(7, 8)? { *u.choose(&ENDS)? } else { u.arbitrary()? }))
    }
}

#[derive(Debug, Arbitrary)]
pub(super) struct Scenario {
    request: u8,
    known: Option<Number>,
    steps: Vec<Step>,
    finish: bool,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Send { offset: Number, length: Number },
    Sent(Number),
}

/// The rest of a waiting range.
#[derive(Debug)]
struct FileRange {
    offset: u64,
    length: u64,
}

impl Scenario {
    /// Checks that nothing panics or wraps around. As long as the waiting bytes can be counted,
    /// each range is returned as it was queued, except for the part that was sent.
    pub(super) fn check(&self) {
        const REQUESTS: [&str; 3] =
            ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"];
        let now = Now::default();
        let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
        let request = REQUESTS[usize::from(self.request) % 3].as_bytes();
        assert_eq!(connection.receive(request, now), request.len());
        let Some(Event::Request(asked)) = connection.poll_event() else { panic!("no request") };
        let (id, has_body) = (asked.id(), asked.allows_response_body(StatusCode::OK));
        let length = self.known.map_or(BodyLen::Unknown, |Number(length)| BodyLen::Known(length));
        connection.respond(id, &ResponseHead::default(), length).unwrap();
        let mut waiting = VecDeque::new();
        // Once the number of waiting bytes overflows, only the absence of panics is checked.
        let mut countable = true;
        for step in &self.steps {
            match step {
                Step::Send { offset: Number(offset), length: Number(length) } => {
                    match connection.send_external(id, 7, *offset, *length) {
                        Ok(()) if *length > 0 => waiting.push_back(FileRange { offset: *offset, length: *length }),
                        Ok(()) | Err(Misuse::TooMuchContent { .. }) => {}
                        Err(Misuse::NoBody) if !has_body => {}
                        Err(other) => panic!("{other:?}"),
                    }
                    let total: u128 = waiting.iter().map(|range: &FileRange| u128::from(range.length)).sum();
                    countable &= total < u128::from(u64::MAX - 10_000);
                }
                Step::Sent(Number(count)) => leave(&mut connection, *count, &mut waiting, countable, now),
            }
        }
        if self.finish {
            // Missing content is checked elsewhere.
            let _ = connection.finish(id);
        }
        connection.handle_sent(u64::MAX, now);
        assert!(connection.poll_transmit().is_none(), "{self:?}");
    }
}

/// Sends what the connection returns next, but no more than `count` bytes.
fn leave(connection: &mut Connection, count: u64, waiting: &mut VecDeque<FileRange>, countable: bool, now: Now) {
    let file = match connection.poll_transmit() {
        None => return,
        Some(Transmit::External { file: 7, offset, length }) => {
            let front = waiting.front_mut().filter(|_| countable);
            if let Some(front) = front {
                assert_eq!((offset, length), (front.offset, front.length));
            }
            Some(length)
        }
        Some(Transmit::Bytes(_)) => None,
        Some(other) => panic!("{other:?}"),
    };
    // Bytes in memory are sent one at a time, which is never more than there are.
    let count = count.min(file.unwrap_or(1));
    connection.handle_sent(count, now);
    if let (Some(_), Some(front)) = (file, waiting.front_mut()) {
        front.offset = front.offset.saturating_add(count);
        front.length = front.length.saturating_sub(count);
        if front.length == 0 {
            waiting.pop_front();
        }
    }
}
