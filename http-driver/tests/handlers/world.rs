//! An in-memory server, its clients, and the notes of its handlers.

use std::fmt::{Debug, Write};
use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use httpants_driver::runtime::sleep;
use httpants_driver::{BodyPolicy, Handle, Handler, Request, Response, Server};
use httpants_testkit::memory::{Client, Memory};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// A server and its runtime.
pub(crate) struct World {
    pub(crate) memory: Memory,
    pub(crate) handle: Handle,
}

/// A handler that gets the runtime with each request.
pub(crate) struct App<F> {
    memory: Memory,
    handler: F,
}

impl<F, Fut> Handler for App<F>
where
    F: Fn(Memory, Request) -> Fut + 'static,
    Fut: Future<Output: Into<Response>> + 'static,
{
    type Output = Fut::Output;
    type Future = Fut;

    fn call(&self, request: Request) -> Fut {
        (self.handler)(self.memory.clone(), request)
    }
}

/// Starts a server that buffers bodies.
pub(crate) fn start<F, Fut>(handler: F) -> World
where
    F: Fn(Memory, Request) -> Fut + 'static,
    Fut: Future<Output: Into<Response>> + 'static,
{
    start_with(handler, |server| server)
}

/// Starts a server whose handlers read the bodies.
pub(crate) fn start_streaming<F, Fut>(handler: F) -> World
where
    F: Fn(Memory, Request) -> Fut + 'static,
    Fut: Future<Output: Into<Response>> + 'static,
{
    start_with(handler, |server| server.body_policy(|_| BodyPolicy::Stream))
}

/// Starts a server with settings.
pub(crate) fn start_with<F, Fut>(
    handler: F,
    change: impl FnOnce(Server<Memory, App<F>>) -> Server<Memory, App<F>>,
) -> World
where
    F: Fn(Memory, Request) -> Fut + 'static,
    Fut: Future<Output: Into<Response>> + 'static,
{
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), App { memory: memory.clone(), handler });
    let handle = memory.start(change(server));
    World { memory, handle }
}

impl World {
    pub(crate) fn connect(&self) -> Client {
        self.memory.connect()
    }

    /// Sends bytes and runs the tasks; returns the responses received.
    pub(crate) fn ask(&self, client: &Client, bytes: impl AsRef<[u8]>) -> Vec<ReceivedResponse> {
        client.send(bytes.as_ref());
        self.memory.run();
        responses(client)
    }

    /// Returns a new connection that has sent these bytes.
    pub(crate) fn client(&self, bytes: impl AsRef<[u8]>) -> Client {
        let client = self.connect();
        client.send(bytes.as_ref());
        self.memory.run();
        client
    }

    /// Asserts that another connection is still served.
    pub(crate) fn assert_serves_others(&self) {
        let client = self.connect();
        assert_eq!(self.ask(&client, get("/other")), [ok("/other")]);
    }

    /// Asserts that no connection state is left.
    pub(crate) fn assert_left(&self) {
        assert_eq!((self.handle.connections(), self.memory.tasks()), (0, 1));
    }
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// Returns a request with this body.
pub(crate) fn post(path: &str, body: &str) -> String {
    format!("{}{body}", post_head(path, body.len()))
}

pub(crate) fn post_head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

/// A response: its status, and its body if complete.
pub(crate) type ReceivedResponse = (u16, Option<String>);

pub(crate) fn ok(body: &str) -> ReceivedResponse {
    (200, Some(body.to_owned()))
}

pub(crate) fn failed() -> ReceivedResponse {
    (500, Some("Internal Server Error\n".to_owned()))
}

/// Returns the text received since the last call.
pub(crate) fn text(client: &Client) -> String {
    String::from_utf8_lossy(&client.take_received()).into_owned()
}

/// Returns the responses received since the last call; none may be to HEAD.
pub(crate) fn responses(client: &Client) -> Vec<ReceivedResponse> {
    let received = text(client);
    let (mut rest, mut all) = (&*received, Vec::new());
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let status = head[9..12].parse().unwrap_or_else(|_| panic!("no status line: {head}"));
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let (body, after) = match length {
            _ if status < 200 || status == 204 || status == 304 => (Some(String::new()), after),
            Some(length) => match after.split_at_checked(length.parse().unwrap()) {
                Some((body, after)) => (Some(body.to_owned()), after),
                None => (None, ""),
            },
            None => chunks(after),
        };
        all.push((status, body));
        rest = after;
    }
    all
}

fn chunks(mut rest: &str) -> (Option<String>, &str) {
    let mut body = String::new();
    loop {
        let Some((size, after)) = rest.split_once("\r\n") else { return (None, "") };
        let size = usize::from_str_radix(size, 16).unwrap();
        let Some((data, after)) = after.split_at_checked(size) else { return (None, "") };
        let Some(after) = after.strip_prefix("\r\n") else { return (None, "") };
        body.push_str(data);
        if size == 0 {
            return (Some(body), after);
        }
        rest = after;
    }
}

/// The notes of handlers and their tasks, in order.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn add(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push(note.into());
    }

    /// Returns the notes since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A value that records its drop in the notes.
pub(crate) struct OnDrop(pub(crate) Notes, pub(crate) &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add(self.1);
    }
}

/// Waits for a future for at most `span`, then drops it.
pub(crate) async fn timeout<T>(memory: &Memory, span: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut elapsed) = (pin!(future), pin!(sleep(memory, span)));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => elapsed.as_mut().poll(context).map(|()| None),
    })
    .await
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Runs a test on another thread, so that a deadlock or an endless loop fails.
pub(crate) fn in_time(test: impl FnOnce() + Send + 'static) {
    let (sender, ended) = channel::<()>();
    let thread = thread::spawn(move || {
        let _sender = sender;
        test();
    });
    let hangs = ended.recv_timeout(seconds(30)) == Err(RecvTimeoutError::Timeout);
    assert!(!hangs, "it hangs");
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// Returns the errors that the driver logs during a call.
pub(crate) fn errors(run: impl FnOnce()) -> Vec<String> {
    events(Level::ERROR, "httpants_driver", run)
}

/// Returns the events of this level and target during a call, each with its fields.
pub(crate) fn events(level: Level, target: &'static str, run: impl FnOnce()) -> Vec<String> {
    let notes = Notes::default();
    let events = Events { level, target, notes: notes.clone() };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(events), run);
    notes.take()
}

struct Events {
    level: Level,
    target: &'static str,
    notes: Notes,
}

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() == self.level && metadata.target().starts_with(self.target) {
            let mut shown = Shown::default();
            event.record(&mut shown);
            self.notes.add(shown.0);
        }
    }
}

/// The fields of an event, each as ` name=value`.
#[derive(Default)]
struct Shown(String);

impl Visit for Shown {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}
