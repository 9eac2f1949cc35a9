//! A simulated client: its random plan and the bytes that it received.

use std::collections::VecDeque;
use std::time::Duration;

use super::operation::{Operation, Task};
use super::response::{self, End, Read};
use crate::memory::random::Random;

/// An action of a client on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Send(Vec<u8>),
    /// Ends its sending side.
    End,
    Reset,
    /// Reads at most this many more bytes.
    TakeOnly(usize),
}

/// One step of a client's plan.
#[derive(Clone, Debug)]
enum Step {
    Do(Action),
    Wait(Duration),
    /// Waits until this many of its requests have a response.
    AwaitResponses(usize),
    /// Waits until the server sends `100 Continue` for this request, or responds without it.
    AwaitContinue(usize),
}

/// The ways to disconnect, other than receiving all responses and ending the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disconnect {
    Ends,
    /// Ends its stream directly after its last request, and waits for the responses.
    HalfCloses,
    Resets,
    /// Sends nothing more, and never closes.
    StopsSending,
}

/// A request, with the times at which its bytes were sent.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    pub(super) operation: Operation,
    start: usize,
    head_end: usize,
    end: usize,
    pub(super) first: Option<Duration>,
    pub(super) last: Option<Duration>,
    /// The time at which its response was complete.
    pub(super) responded: Option<Duration>,
}

/// A client without a connection: it returns the next action, and gets the received bytes.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) requests: Vec<Sending>,
    steps: VecDeque<Step>,
    until: Option<Duration>,
    sent: usize,
    pub(super) sent_at: Duration,
    /// The time at which it ended its stream.
    pub(super) fin: Option<Duration>,
    pub(super) disconnect: Disconnect,
    pub(super) pipelines: bool,
    pub(super) was_cut: bool,
    pub(super) stops_reading: bool,
    /// The bytes that are sent after an upgrade.
    pub(super) tail: Vec<u8>,
    pub(super) received: Vec<u8>,
    pub(super) received_at: Duration,
    pub(super) end: End,
    pub(super) ended_at: Option<Duration>,
}

impl Client {
    pub(super) fn draw(number: u64, random: &mut Random, supports: &dyn Fn(&str) -> bool) -> Self {
        let mut client = Self {
            requests: Vec::new(),
            steps: VecDeque::new(),
            until: None,
            sent: 0,
            sent_at: Duration::ZERO,
            fin: None,
            disconnect: match random.below(8) {
                0 => Disconnect::Resets,
                1 | 2 => Disconnect::StopsSending,
                3 | 4 => Disconnect::HalfCloses,
                _ => Disconnect::Ends,
            },
            pipelines: random.percent(50),
            was_cut: false,
            stops_reading: false,
            tail: Vec::new(),
            received: Vec::new(),
            received_at: Duration::ZERO,
            end: End::Open,
            ended_at: None,
        };
        client.wait(random);
        let count = 1 + random.below(6);
        for place in 0..count {
            let operation = Operation::draw(number * super::operation::IDS + place as u64, random, supports);
            let is_followed = !operation.is_last() || (operation.task != Task::Upgrade && random.percent(30));
            client.request(operation, random);
            if !is_followed {
                break;
            }
        }
        if client.disconnect == Disconnect::HalfCloses {
            if let Some(Step::AwaitResponses(_)) = client.steps.back() {
                client.steps.pop_back();
            }
            client.steps.push_back(Step::Do(Action::End));
        }
        client.steps.push_back(Step::AwaitResponses(client.requests.len()));
        if client.requests.last().is_some_and(|request| request.operation.task == Task::Upgrade) {
            // Timers of HTTP do not end the stream of another protocol.
            if client.disconnect == Disconnect::StopsSending {
                client.disconnect = Disconnect::Resets;
            }
            client.steps.push_back(Step::Do(Action::TakeOnly(usize::MAX)));
        } else {
            client.cut(random);
        }
        match client.disconnect {
            Disconnect::Ends => client.steps.push_back(Step::Do(Action::End)),
            Disconnect::Resets => client.steps.push_back(Step::Do(Action::Reset)),
            Disconnect::HalfCloses | Disconnect::StopsSending => {}
        }
        client
    }

    fn request(&mut self, operation: Operation, random: &mut Random) {
        let place = self.requests.len();
        let (head, body) = operation.wire();
        let start = self.requests.last().map_or(0, |before| before.end);
        let head_end = start + head.len();
        let end = head_end + body.len();
        self.send(&head, random);
        if operation.expects_continue {
            self.steps.push_back(Step::AwaitContinue(place));
        }
        self.send(&body, random);
        if operation.task == Task::Upgrade {
            self.tail = super::operation::pattern(operation.id, random.below(3_000));
            self.send(&self.tail.clone(), random);
        }
        self.requests.push(Sending { operation, start, head_end, end, first: None, last: None, responded: None });
        if !self.pipelines {
            self.steps.push_back(Step::AwaitResponses(place + 1));
            if random.percent(20) {
                self.wait(random);
            }
        }
        if random.percent(3) {
            self.stops_reading = true;
            self.steps.push_back(Step::Do(Action::TakeOnly(random.below(5_000))));
            if random.percent(60) {
                self.steps.push_back(Step::Wait(Duration::from_secs(1 + random.below(40) as u64)));
                self.steps.push_back(Step::Do(Action::TakeOnly(usize::MAX)));
            }
        }
    }

    /// Plans to send bytes in a few pieces, with pauses between them.
    fn send(&mut self, bytes: &[u8], random: &mut Random) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = if random.percent(70) { rest.len() } else { 1 + random.below(rest.len()) };
            let (piece, after) = rest.split_at(length);
            self.steps.push_back(Step::Do(Action::Send(piece.to_vec())));
            if random.percent(15) {
                self.wait(random);
            }
            rest = after;
        }
    }

    fn wait(&mut self, random: &mut Random) {
        let pause = *random.one_of(&[0, 1, 1, 1, 20, 20, 300, 300, 3_000, 3_000, 9_000, 20_000, 85_000]);
        self.steps.push_back(Step::Wait(Duration::from_millis(pause)));
    }

    /// Cuts off the plans of one client in eight.
    fn cut(&mut self, random: &mut Random) {
        if random.percent(12) {
            self.was_cut = true;
            self.steps.truncate(random.below(self.steps.len()));
            if let Some(Step::Do(Action::Send(bytes))) = self.steps.back_mut() {
                bytes.truncate(random.below(bytes.len()));
            }
        }
    }

    /// Returns the next action; `None` if it waits or has nothing more to do.
    pub(super) fn act(&mut self, now: Duration) -> Option<Action> {
        loop {
            match self.steps.front()? {
                Step::Wait(pause) => {
                    if now < *self.until.get_or_insert(now + *pause) {
                        return None;
                    }
                    self.until = None;
                }
                Step::AwaitResponses(count) if self.end == End::Open && self.responses(false) < *count => return None,
                Step::AwaitContinue(place) if self.end == End::Open && self.responses(true) <= *place => return None,
                Step::AwaitResponses(_) | Step::AwaitContinue(_) => {}
                Step::Do(_) => break,
            }
            self.steps.pop_front();
        }
        let Some(Step::Do(action)) = self.steps.pop_front() else { return None };
        if let Action::Send(bytes) = &action {
            // Bytes that are sent at the time at which the stream ended count as sent after that.
            let at = if self.end == End::Open { now } else { now + Duration::from_nanos(1) };
            self.sent += bytes.len();
            self.sent_at = at;
            for request in &mut self.requests {
                if self.sent > request.start {
                    request.first.get_or_insert(at);
                }
                if self.sent >= request.end {
                    request.last.get_or_insert(at);
                }
            }
        }
        if action == Action::End {
            self.fin = Some(now);
        }
        Some(action)
    }

    /// Returns the time until which it waits.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.until
    }

    pub(super) fn receive(&mut self, bytes: &[u8], end: End, now: Duration) {
        if bytes.is_empty() && end == self.end {
            return;
        }
        if !bytes.is_empty() {
            self.received_at = now;
            self.received.extend_from_slice(bytes);
        }
        if end != End::Open && self.ended_at.is_none() {
            self.end = end;
            self.ended_at = Some(now);
        }
        if end == End::Reset {
            self.end = end;
        }
        let count = self.responses(false);
        for request in self.requests.iter_mut().take(count) {
            request.responded.get_or_insert(now);
        }
    }

    /// Returns the number of requests that have a response or, with `or_asked`, a `100 Continue`.
    fn responses(&self, or_asked: bool) -> usize {
        let mut rest = self.received.as_slice();
        let mut count = 0;
        while let Some(request) = self.requests.get(count) {
            match self.read(request, rest) {
                Read::Whole(response) => {
                    rest = rest.get(response.length..).unwrap_or_default();
                    if response.status >= 200 || response.status == 101 {
                        count += 1;
                    } else if rest.is_empty() {
                        return count + usize::from(or_asked);
                    }
                }
                // More waiting cannot complete a malformed response.
                Read::Malformed(_) => return usize::MAX,
                Read::Nothing | Read::Part => break,
            }
        }
        count
    }
}

impl Client {
    /// Parses the response to this request at the start of these bytes.
    pub(super) fn read(&self, request: &Sending, bytes: &[u8]) -> Read {
        match response::read(bytes, request.operation.head_only, self.end) {
            // A server that has not received the whole head of a HEAD request may send a refusal
            // with a body.
            Read::Whole(refusal) if refusal.status >= 400 => response::read(bytes, false, self.end),
            read => read,
        }
    }

    /// Returns the time at which the handler of each request could begin, up to the first one that
    /// could not; and the time at which the last of these handlers ended.
    pub(super) fn handled(&self) -> (Vec<(&Sending, Duration)>, Duration) {
        let mut free = Duration::ZERO;
        let begin = |request| -> Option<(&Sending, Duration)> {
            let request: &Sending = request;
            let begin = request.last?.max(free);
            free = request.responded.unwrap_or(begin).max(begin) + request.operation.outlives();
            Some((request, begin))
        };
        let handled = self.requests.iter().map_while(begin).collect();
        (handled, free)
    }

    /// Returns the request that it was sending when it fell silent, and whether that was in its
    /// body.
    pub(super) fn unfinished(&self) -> Option<(&Sending, bool)> {
        let request = self.requests.iter().find(|request| request.is_begun() && !request.is_whole())?;
        Some((request, request.is_in_content(self.sent)))
    }
}

impl Sending {
    pub(super) fn is_whole(&self) -> bool {
        self.last.is_some()
    }

    /// Returns whether some of the request was sent.
    pub(super) fn is_begun(&self) -> bool {
        self.first.is_some()
    }

    /// Returns whether its head was sent, but not all of its body.
    pub(super) fn is_in_content(&self, sent: usize) -> bool {
        sent >= self.head_end && !self.is_whole()
    }
}
