//! Checks of the bytes that a client received against the rules.

use std::time::Duration;

use super::client::{Client, Disconnect, Sending};
use super::operation::Task;
use super::response::{End, ParsedResponse, Read};

/// The events that affected the server during the scenario.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Circumstances {
    /// True if it was asked to finish running requests.
    pub(super) drained: bool,
    /// True if it was asked to drop everything, or the grace period ended.
    pub(super) closed: bool,
    /// True if the machine was suspended.
    pub(super) jumped: bool,
    /// True if clients had to wait to be accepted.
    pub(super) crowded: bool,
    /// The end of the grace period.
    pub(super) over: Option<Duration>,
}

/// The numbers of requests by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) completed: usize,
    pub(super) refused: usize,
    pub(super) broken: usize,
    pub(super) dropped: usize,
}

/// The continuation of a connection after a response.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Another,
    /// The response was the last one, as required.
    Closed,
    /// There are no more responses, for a valid reason.
    Nothing,
}

/// Checks one client at the end of the scenario; returns the first violated rule.
pub(super) fn check(client: &Client, circumstances: Circumstances) -> Result<Counts, String> {
    let stopped = circumstances.drained || circumstances.closed;
    if client.end == End::Open && stopped && client.received.is_empty() {
        // The connection was never accepted: a machine refuses such connections.
        return Ok(Counts { dropped: client.requests.len(), ..Counts::default() });
    }
    let mut reading = Reading { client, circumstances, rest: &client.received, counts: Counts::default() };
    let mut next = Next::Another;
    for (place, request) in client.requests.iter().enumerate() {
        next = reading
            .response(request)
            .map_err(|why| format!("request {}: {why}: {:?}", place + 1, request.operation))?;
        if next != Next::Another {
            break;
        }
    }
    if !reading.rest.is_empty() {
        return Err(format!("{} bytes after the last response", reading.rest.len()));
    }
    if client.end == End::Open {
        return Err("its connection was never closed".into());
    }
    if let (Some(ended), Some(over), false) = (client.ended_at, circumstances.over, circumstances.jumped)
        && ended > over
    {
        return Err(format!("its connection was closed {:?} after the grace period", ended - over));
    }
    if next != Next::Closed {
        timers(client, circumstances, next == Next::Another)?;
    }
    let counts = reading.counts;
    handlers(client, circumstances)?;
    ended(client, circumstances)?;
    Ok(counts)
}

/// The bytes that a client received, and the position of the check in them.
struct Reading<'a> {
    client: &'a Client,
    circumstances: Circumstances,
    rest: &'a [u8],
    counts: Counts,
}

impl Reading<'_> {
    fn response(&mut self, request: &Sending) -> Result<Next, String> {
        let excused = !request.is_whole() || may_be_incomplete(self.client, request, self.circumstances);
        let excused = excused || may_be_abandoned(self.client, request, self.circumstances);
        match self.read(request)? {
            Read::Malformed(why) => Err(format!("a malformed response: {why}")),
            Read::Nothing if excused => {
                self.counts.dropped += 1;
                Ok(Next::Nothing)
            }
            Read::Nothing => Err("no response".into()),
            Read::Part if excused || matches!(request.operation.task, Task::BreakOff { .. }) => {
                self.counts.broken += 1;
                self.rest = &[];
                Ok(Next::Nothing)
            }
            Read::Part => Err("the response is incomplete".into()),
            Read::Whole(response) => self.whole(request, &response),
        }
    }

    fn whole(&mut self, request: &Sending, response: &ParsedResponse) -> Result<Next, String> {
        if check_response(self.client, request, response, self.circumstances)? {
            self.counts.completed += 1;
        } else {
            self.counts.refused += 1;
        }
        if response.status == 101 {
            follow(self.client, self.rest, self.circumstances)?;
            self.rest = &[];
            return Ok(Next::Closed);
        }
        // The server may detect only after the response that more is unread than it drains.
        let unread = request.operation.leaves_much_unread() && self.rest.is_empty();
        Ok(if request.is_whole() && (response.closes || unread) { Next::Closed } else { Next::Another })
    }

    /// Reads the next final response; an interim one must have been requested.
    fn read(&mut self, request: &Sending) -> Result<Read, String> {
        let mut asked = false;
        loop {
            let read = self.client.read(request, self.rest);
            let Read::Whole(response) = &read else {
                return Ok(read);
            };
            self.rest = self.rest.get(response.length..).unwrap_or_default();
            if response.status != 100 {
                return Ok(read);
            }
            if !request.operation.expects_continue || asked {
                return Err("an interim response that was not requested".into());
            }
            asked = true;
        }
    }
}

/// Returns true if there is a valid reason for the response to be missing or incomplete.
fn may_be_incomplete(client: &Client, request: &Sending, circumstances: Circumstances) -> bool {
    let ended_before = client.ended_at.is_some_and(|ended| request.last.is_none_or(|last| ended <= last));
    client.disconnect == Disconnect::Resets
        || client.stops_reading
        || circumstances.closed
        || circumstances.drained
        || circumstances.jumped
        || ended_before
}

/// Returns true if the response is the requested one, and false if it is a refusal for a valid
/// reason.
fn check_response(
    client: &Client,
    request: &Sending,
    response: &ParsedResponse,
    circumstances: Circumstances,
) -> Result<bool, String> {
    let operation = &request.operation;
    if !request.is_begun() {
        return Err(format!("{} to a request that was not sent", response.status));
    }
    let slow = match (request.first, request.last) {
        (Some(first), Some(last)) => last - first >= Duration::from_secs(9),
        _ => true,
    };
    if response.status == 408 && (slow || circumstances.jumped || client.stops_reading) {
        return Ok(false);
    }
    if response.status == 503 && response.closes && may_be_abandoned(client, request, circumstances) {
        return Ok(false);
    }
    if !request.is_whole() {
        return match response.status {
            400 | 408 | 413 if response.closes => Ok(false),
            200 if operation.task == Task::Ignore => Ok(true),
            status => Err(format!("{status} to a request that was cut off")),
        };
    }
    if response.status != operation.status() {
        return Err(format!("{} instead of {}", response.status, operation.status()));
    }
    if operation.is_last() && response.status != 101 && !response.closes {
        return Err("the connection continues".into());
    }
    if operation.head_only {
        return Ok(true);
    }
    match operation.content() {
        Some(content) if content != response.content => {
            Err(format!("{} bytes that are not the {} expected", response.content.len(), content.len()))
        }
        content => Ok(content.is_some() || response.status == 101),
    }
}

/// Maximum time for which a client is served after it has ended its stream.
const HALF_CLOSED: Duration = Duration::from_secs(30);

/// Returns the time at which the server gives up a request whose client has ended its stream,
/// because the application sends nothing for too long.
fn abandon_time(client: &Client, request: &Sending) -> Option<Duration> {
    let (fin, (wait, times)) = (client.fin?, request.operation.pace());
    let (handled, _) = client.handled();
    let (_, begin) = handled.into_iter().find(|(handled, _)| handled.operation.id == request.operation.id)?;
    // A response stream sends the head before its first piece.
    let mut since = fin.max(begin);
    let mut next = begin;
    for _ in 0..times {
        next += wait;
        if next > since + HALF_CLOSED {
            return Some(since + HALF_CLOSED);
        }
        since = since.max(next);
    }
    None
}

fn may_be_abandoned(client: &Client, request: &Sending, circumstances: Circumstances) -> bool {
    abandon_time(client, request).is_some()
        || (client.fin.is_some() && (circumstances.jumped || circumstances.crowded || waits_too_long(client, request)))
}

/// Returns true if a handler of an earlier request outlives its response by more than the time for
/// which a half-closed client is served.
fn waits_too_long(client: &Client, request: &Sending) -> bool {
    let mut before = client.requests.iter().take_while(|earlier| earlier.operation.id != request.operation.id);
    before.any(|earlier| earlier.operation.outlives() >= HALF_CLOSED)
}

/// Checks that responses do not wait for what their handlers do afterwards, and that half-closed
/// clients get them in time.
fn handlers(client: &Client, circumstances: Circumstances) -> Result<(), String> {
    if client.pipelines || client.disconnect == Disconnect::Resets || is_disturbed(client, circumstances) {
        return Ok(());
    }
    for (request, begin) in client.handled().0 {
        let expected = if matches!(request.operation.task, Task::Outlive { .. }) {
            Some(begin)
        } else {
            abandon_time(client, request).filter(|_| !request.operation.head_only)
        };
        let end = request.responded.or(client.ended_at);
        if let (Some(expected), Some(end)) = (expected, end)
            // Bytes that were sent after the end were never seen.
            && expected != end
            && end >= begin
        {
            return Err(format!("the response ended at {end:?} instead of {expected:?}: {:?}", request.operation));
        }
    }
    Ok(())
}

/// Checks that a client that has ended its stream and has its responses is closed at once.
fn ended(client: &Client, circumstances: Circumstances) -> Result<(), String> {
    let is_abandoned = client.requests.iter().any(|request| abandon_time(client, request).is_some());
    if let (Some(fin), Some(ended), false) = (client.fin, client.ended_at, is_abandoned)
        && !is_disturbed(client, circumstances)
    {
        let (_, free) = client.handled();
        let late = ended.saturating_sub(fin.max(client.received_at).max(free));
        if late.is_zero() {
            return Ok(());
        }
        return Err(format!("its connection was closed {late:?} after its stream and its responses"));
    }
    Ok(())
}

/// Checks the bytes after an upgrade: they are the ones that the client sent.
fn follow(client: &Client, rest: &[u8], circumstances: Circumstances) -> Result<(), String> {
    if !client.tail.starts_with(rest) {
        return Err("the bytes of another protocol were altered".into());
    }
    let disturbed = client.was_cut
        || client.stops_reading
        || client.disconnect == Disconnect::Resets
        || circumstances.closed
        || circumstances.drained;
    if !disturbed && rest.len() != client.tail.len() {
        return Err(format!("{} of {} bytes came back in another protocol", rest.len(), client.tail.len()));
    }
    Ok(())
}

/// Returns true if other things than its requests may have changed the times of its responses.
fn is_disturbed(client: &Client, circumstances: Circumstances) -> bool {
    client.stops_reading
        || circumstances.drained
        || circumstances.closed
        || circumstances.jumped
        || circumstances.crowded
}

/// Checks that a silent client is closed when its timer expires, neither earlier nor later.
fn timers(client: &Client, circumstances: Circumstances, is_idle: bool) -> Result<(), String> {
    let undisturbed =
        client.disconnect == Disconnect::StopsSending && !client.pipelines && !is_disturbed(client, circumstances);
    let (Some(ended), true) = (client.ended_at, undisturbed) else {
        return Ok(());
    };
    let within = |since: Duration, least: u64, most: u64, timer: &str| {
        let after = ended.saturating_sub(since);
        let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
        if after < least || after > most { Err(format!("the {timer} timer after {after:?}")) } else { Ok(()) }
    };
    let (_, free) = client.handled();
    let in_time = |at: Option<Duration>| at.is_some_and(|at| at <= ended);
    match client.unfinished().filter(|(request, _)| in_time(request.first)) {
        // A malformed request may be refused before it is complete.
        Some((request, false)) if request.operation.task != Task::Malformed => {
            within(request.first.unwrap_or_default().max(free), 15, 15, "head")
        }
        Some((request, true))
            if request.operation.task.has_request_content() && request.operation.task != Task::Ignore =>
        {
            // The minimum rate is checked after 10 s; no progress at all is allowed for 30 s.
            within(request.first.unwrap_or_default(), 10, 3_600, "rate")?;
            within(client.sent_at.max(free), 0, 30, "body")
        }
        Some(_) => Ok(()),
        None if client.received.is_empty() => within(Duration::ZERO, 15, 15, "accept"),
        None if is_idle => match client.requests.iter().rfind(|request| in_time(request.first)) {
            // A body that the application did not read may arrive after the response.
            Some(request) if in_time(request.last) => {
                within(client.received_at.max(request.last.unwrap_or_default()).max(free), 75, 75, "idle")
            }
            // The connection ended before the client had sent everything.
            _ => Ok(()),
        },
        None => Ok(()),
    }
}
