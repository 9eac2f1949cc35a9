//! One request of a simulated client: the bytes on the wire, and the expected response.

use std::fmt::Write as _;
use std::time::Duration;

use crate::memory::random::Random;

/// The boundary of simulated forms.
const BOUNDARY: &str = "simulated";

/// A body size in bytes that a server with default settings still drains for the next request.
const DRAIN: usize = 60_000;

/// Factor between clients in request ids: the ids of a client start at a multiple of this.
pub(super) const IDS: u64 = 100;

/// The task of the application for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// A body of known length, after `wait` milliseconds.
    Content { size: usize, wait: u64 },
    /// A body of unknown length in several pieces, each after `wait` milliseconds.
    Stream { size: usize, pieces: usize, wait: u64 },
    /// The same, as a response stream of the application.
    Pieces { size: usize, pieces: usize, wait: u64 },
    /// A body from a handler that continues for `wait` milliseconds after its response.
    Outlive { size: usize, wait: u64 },
    /// A range of a file.
    File { first: usize, last: usize },
    /// The request's body, after it was received completely.
    Echo,
    /// The request's body, while it is received.
    EchoStreamed,
    /// The same, with reads that are cancelled and started again until one returns something.
    EchoCancelled,
    /// A response without reading the body.
    Ignore,
    /// The number of bytes of the file in a form.
    Form,
    /// A panic of the application before it responds, which gets 500.
    Panic,
    /// A body that is shorter than the announced length.
    BreakOff { size: usize },
    /// Nothing: the request's body is larger than the server accepts.
    TooLarge,
    /// A malformed request.
    Malformed,
    /// An upgrade to a protocol that echoes.
    Upgrade,
}

impl Task {
    /// Returns true if the request has a body, which the application reads or ignores.
    pub(super) fn has_request_content(self) -> bool {
        matches!(self, Self::Echo | Self::EchoStreamed | Self::EchoCancelled | Self::Ignore | Self::Form)
    }

    fn path(self) -> &'static str {
        match self {
            Self::Content { .. } => "/content",
            Self::Stream { .. } => "/stream",
            Self::Pieces { .. } => "/pieces",
            Self::Outlive { .. } => "/outlive",
            Self::File { .. } => "/file",
            Self::Echo => "/echo",
            Self::EchoStreamed => "/streamed/echo",
            Self::EchoCancelled => "/streamed/cancelled",
            Self::Ignore => "/streamed/ignore",
            Self::Form => "/form",
            Self::Panic => "/panic",
            Self::BreakOff { .. } => "/break-off",
            Self::TooLarge | Self::Malformed => "/never",
            Self::Upgrade => "/upgrade",
        }
    }
}

/// The parameters in the query of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) size: usize,
    pub(super) pieces: usize,
    pub(super) wait: Duration,
}

impl Asked {
    pub(super) fn of(request: &httpants_core::RequestHead) -> Self {
        let variables = httpants_core::forms::urlencoded::query(request).unwrap_or_default();
        let number = |name: &str| -> u64 {
            let value = variables.get(name);
            value.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        Self {
            id: number("id"),
            size: number("size") as usize,
            pieces: number("pieces").max(1) as usize,
            wait: Duration::from_millis(number("wait")),
        }
    }

    /// Returns the requested content.
    pub(super) fn content(self) -> Vec<u8> {
        pattern(self.id, self.size)
    }

    /// Returns the length of its pieces.
    pub(super) fn piece(self) -> usize {
        self.size.div_ceil(self.pieces).max(1)
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) id: u64,
    pub(super) task: Task,
    pub(super) head_only: bool,
    pub(super) http_1_0: bool,
    /// True if the client asks for the connection to close or, on HTTP/1.0, does not ask for
    /// keep-alive.
    pub(super) closes: bool,
    pub(super) chunked: bool,
    pub(super) expects_continue: bool,
    /// Size of the request's body in bytes.
    pub(super) size: usize,
}

impl Operation {
    /// Generates a random operation on one of the supported paths.
    pub(super) fn draw(id: u64, random: &mut Random, supports: &dyn Fn(&str) -> bool) -> Self {
        let size = *random.one_of(&[0, 1, 10, 500, 3_000, 30_000, 150_000]);
        let wait = *random.one_of(&[0, 0, 0, 1, 50, 4_000]);
        // Longer than a client is served after it has ended its stream.
        let wait = if size > 0 && random.percent(5) { 40_000 } else { wait };
        let task = match random.below(48) {
            0..10 => Task::Content { size, wait },
            10..16 => Task::Stream { size, pieces: 1 + random.below(5), wait },
            16..20 => {
                let first = random.below(super::FILE_SIZE);
                Task::File { first, last: first + random.below(super::FILE_SIZE - first) }
            }
            20..25 => Task::Echo,
            25..29 => Task::EchoStreamed,
            29..31 => Task::Ignore,
            31..35 => Task::Form,
            35 => Task::Panic,
            36 => Task::BreakOff { size: size + 1 },
            37 => Task::TooLarge,
            38 => Task::Malformed,
            39 => Task::Upgrade,
            40..43 => Task::Pieces { size, pieces: 1 + random.below(5), wait },
            43..46 => Task::Outlive { size, wait },
            _ => Task::EchoCancelled,
        };
        let refused = matches!(task, Task::TooLarge | Task::Malformed);
        let task = if refused || supports(task.path()) { task } else { Task::Content { size, wait } };
        let http_1_0 = task != Task::Upgrade && random.percent(10);
        let has_content = task.has_request_content();
        let may_be_head = matches!(task, Task::Content { .. } | Task::Stream { .. } | Task::Pieces { .. });
        let closes = task != Task::Upgrade && random.percent(if http_1_0 { 50 } else { 5 });
        Self {
            id,
            task,
            head_only: may_be_head && random.percent(10),
            http_1_0,
            closes,
            chunked: has_content && !http_1_0 && random.percent(40),
            expects_continue: has_content && !http_1_0 && random.percent(20),
            size: if has_content { size } else { 0 },
        }
    }

    /// Returns true if the connection must end with the response.
    pub(super) fn is_last(&self) -> bool {
        self.closes || matches!(self.task, Task::Malformed | Task::TooLarge | Task::Upgrade | Task::BreakOff { .. })
    }

    /// Returns the delay between the start of its handler and the next byte of the response, and
    /// how often that repeats; zero if the response is sent at once.
    pub(super) fn pace(&self) -> (Duration, usize) {
        let (wait, times) = match self.task {
            Task::Content { wait, .. } => (wait, 1),
            Task::Stream { size, pieces, wait } | Task::Pieces { size, pieces, wait } => {
                (wait, size.div_ceil(size.div_ceil(pieces).max(1)))
            }
            _ => (0, 0),
        };
        (Duration::from_millis(wait), times)
    }

    /// Returns how long the handler continues after its response.
    pub(super) fn outlives(&self) -> Duration {
        match self.task {
            Task::Outlive { wait, .. } => Duration::from_millis(wait),
            _ => Duration::ZERO,
        }
    }

    /// Returns true if the application leaves more bytes unread than a server drains.
    pub(super) fn leaves_much_unread(&self) -> bool {
        self.task == Task::Ignore && self.size > DRAIN
    }

    /// Returns the head, and the body with its framing.
    pub(super) fn wire(&self) -> (Vec<u8>, Vec<u8>) {
        let (content, content_type) = self.request_content();
        let mut fields = format!("Content-Type: {content_type}\r\n");
        let body = if self.chunked { chunks(&content) } else { content.clone() };
        match self.task {
            Task::TooLarge => drop(write!(fields, "Content-Length: {}\r\n", super::MAX_REQUEST + 1)),
            Task::Upgrade => fields.push_str("Connection: upgrade\r\nUpgrade: simulated\r\n"),
            Task::File { first, last } => drop(write!(fields, "Range: bytes={first}-{last}\r\n")),
            Task::Malformed => fields.push_str("Broken field\r\n"),
            _ if self.chunked => fields.push_str("Transfer-Encoding: chunked\r\n"),
            task if task.has_request_content() => {
                let _ = write!(fields, "Content-Length: {}\r\n", content.len());
            }
            _ => {}
        }
        if self.expects_continue {
            fields.push_str("Expect: 100-continue\r\n");
        }
        match (self.http_1_0, self.closes) {
            (false, true) => fields.push_str("Connection: close\r\n"),
            (true, false) => fields.push_str("Connection: keep-alive\r\n"),
            _ => {}
        }
        let version = if self.http_1_0 { "1.0" } else { "1.1" };
        let head = format!("{} {} HTTP/{version}\r\nHost: simulated\r\n{fields}\r\n", self.method(), self.target());
        (head.into_bytes(), body)
    }

    fn method(&self) -> &'static str {
        match self.task {
            _ if self.head_only => "HEAD",
            Task::TooLarge => "POST",
            task if task.has_request_content() => "POST",
            _ => "GET",
        }
    }

    fn target(&self) -> String {
        let (path, id) = (self.task.path(), self.id);
        match self.task {
            Task::Content { size, wait } | Task::Outlive { size, wait } => {
                format!("{path}?id={id}&size={size}&wait={wait}")
            }
            Task::Stream { size, pieces, wait } | Task::Pieces { size, pieces, wait } => {
                format!("{path}?id={id}&size={size}&pieces={pieces}&wait={wait}")
            }
            Task::BreakOff { size } => format!("{path}?id={id}&size={size}"),
            _ => format!("{path}?id={id}"),
        }
    }

    fn request_content(&self) -> (Vec<u8>, String) {
        let content = pattern(self.id, self.size);
        if self.task != Task::Form {
            return (content, "application/octet-stream".into());
        }
        let mut form =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n")
                .into_bytes();
        form.extend_from_slice(&content);
        form.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        (form, format!("multipart/form-data; boundary={BOUNDARY}"))
    }

    /// Returns the status of the response, if the request is received completely and in time.
    pub(super) fn status(&self) -> u16 {
        match self.task {
            Task::Panic => 500,
            Task::TooLarge => 413,
            Task::Malformed => 400,
            Task::Upgrade => 101,
            Task::File { .. } => 206,
            _ => 200,
        }
    }

    /// Returns the body of the response, if the application creates it.
    pub(super) fn content(&self) -> Option<Vec<u8>> {
        match self.task {
            Task::Content { size, .. }
            | Task::Stream { size, .. }
            | Task::Pieces { size, .. }
            | Task::Outlive { size, .. } => Some(pattern(self.id, size)),
            Task::File { first, last } => {
                Some(pattern(0, super::FILE_SIZE).into_iter().take(last + 1).skip(first).collect())
            }
            Task::Echo | Task::EchoStreamed | Task::EchoCancelled => Some(pattern(self.id, self.size)),
            Task::Ignore => Some(b"ignored".to_vec()),
            Task::Form => Some(self.size.to_string().into_bytes()),
            Task::Panic | Task::BreakOff { .. } | Task::TooLarge | Task::Malformed | Task::Upgrade => None,
        }
    }
}

fn chunks(content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in content.chunks(7_000) {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

/// Returns the client that sends the request with this id.
pub(super) fn client_of(id: u64) -> u64 {
    id / IDS
}

/// Returns the content that belongs to the request with this id: random bytes, so that a misplaced
/// byte is detected.
#[must_use]
pub fn pattern(id: u64, size: usize) -> Vec<u8> {
    let mut random = Random::new(id);
    let mut content = Vec::with_capacity(size + 8);
    while content.len() < size {
        content.extend_from_slice(&random.next().to_le_bytes());
    }
    content.truncate(size);
    content
}
