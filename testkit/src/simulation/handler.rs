//! The handler of servers under test: it does what requests ask for, and keeps a journal.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use httpants_driver::runtime::sleep;
use httpants_driver::{Body, BodyError, BodyPolicy, Handler, Misuse, NamedFile, Request, Response, Upgraded};

use super::operation::{Asked, client_of};
use crate::memory::Memory;

/// A record of what the application did.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Number of calls for each request.
    calls: RefCell<BTreeMap<u64, usize>>,
    /// The requests that are being handled.
    running: RefCell<BTreeSet<u64>>,
    /// The requests whose handlers continue after their responses. One that is left at the end had
    /// a handler that was dropped.
    outlives: RefCell<BTreeSet<u64>>,
    /// Two requests of one connection that were handled at the same time.
    overlap: Cell<Option<(u64, u64)>>,
}

impl Journal {
    /// Checks the rules that must hold at the end.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some((first, second)) = self.overlap.get() {
            return Err(format!("requests {first} and {second} were handled at the same time"));
        }
        if let Some(id) = self.outlives.borrow().first() {
            return Err(format!("the handler of request {id} was dropped after its response"));
        }
        if let Some((id, count)) = self.calls.borrow().iter().find(|(_, count)| **count > 1) {
            return Err(format!("request {id} was handled {count} times"));
        }
        match self.running.borrow().len() {
            0 => Ok(()),
            running => Err(format!("{running} handlers were left running")),
        }
    }

    /// Records that running handlers may be dropped from now on.
    pub(super) fn stop(&self) {
        self.outlives.borrow_mut().clear();
    }

    /// Returns the requests that were handled.
    pub(super) fn handled(&self) -> Vec<u64> {
        self.calls.borrow().keys().copied().collect()
    }
}

/// One call of the handler; it ends when this is dropped.
struct Call(Rc<Journal>, u64);

impl Call {
    fn begin(journal: &Rc<Journal>, id: u64) -> Self {
        *journal.calls.borrow_mut().entry(id).or_default() += 1;
        let mut running = journal.running.borrow_mut();
        // Each client has one connection.
        if let Some(other) = running.iter().find(|other| client_of(**other) == client_of(id)) {
            journal.overlap.set(Some((*other, id)));
        }
        running.insert(id);
        drop(running);
        Self(Rc::clone(journal), id)
    }

    /// Waits after the response, and must not be dropped meanwhile.
    async fn outlive(&self, memory: &Memory, wait: Duration) {
        self.0.outlives.borrow_mut().insert(self.1);
        sleep(memory, wait).await;
        self.0.outlives.borrow_mut().remove(&self.1);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.running.borrow_mut().remove(&self.1);
    }
}

/// The handler of a [`Server`](httpants_driver::Server) for the requests of simulated clients.
#[derive(Debug)]
pub struct Pages {
    pub(super) memory: Memory,
    pub(super) journal: Rc<Journal>,
    pub(super) file: PathBuf,
}

impl Handler for Pages {
    type Output = Result<Response, Misuse>;
    type Future = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn call(&self, request: Request) -> Self::Future {
        Box::pin(respond(self.memory.clone(), Rc::clone(&self.journal), self.file.clone(), request))
    }

    fn body_policy(&self, head: &httpants_core::RequestHead) -> BodyPolicy {
        if head.path().starts_with("/streamed/") { BodyPolicy::Stream } else { BodyPolicy::Buffer }
    }
}

async fn respond(
    memory: Memory,
    journal: Rc<Journal>,
    file: PathBuf,
    mut request: Request,
) -> Result<Response, Misuse> {
    let asked = Asked::of(&request);
    let call = Call::begin(&journal, asked.id);
    Ok(match request.path() {
        "/content" => {
            sleep(&memory, asked.wait).await;
            Response::bytes("application/octet-stream", asked.content())
        }
        "/stream" => {
            let mut responder = request.responder();
            responder.send_status(200)?;
            for piece in asked.content().chunks(asked.piece()) {
                sleep(&memory, asked.wait).await;
                responder.send(Bytes::copy_from_slice(piece)).await?;
            }
            responder.finish().await?
        }
        "/pieces" => Response::stream(feed(&memory, asked)),
        "/outlive" => {
            let response = request.responder().send_response(asked.content(), 200, "application/octet-stream")?;
            call.outlive(&memory, asked.wait).await;
            response
        }
        "/file" => match std::fs::File::open(file) {
            Ok(file) => Response::file(NamedFile::opened(file, "file.bin")),
            Err(_) => Response::new(404),
        },
        "/echo" => match request.body_mut().bytes().await {
            Ok(content) => Response::bytes("application/octet-stream", content),
            Err(error) => error.into(),
        },
        "/streamed/echo" => match echo(&mut request, None).await? {
            Ok(response) => response,
            Err(error) => error.into(),
        },
        "/streamed/cancelled" => match echo(&mut request, Some(&memory)).await? {
            Ok(response) => response,
            Err(error) => error.into(),
        },
        "/streamed/ignore" => Response::text("ignored"),
        "/form" => {
            let length = request.files().get("file").map_or(0, |file| file.len());
            Response::text(length.to_string())
        }
        // Unwinds like a panic, without printing a message.
        "/panic" => std::panic::resume_unwind(Box::new("a simulated failure")),
        "/break-off" => {
            let mut responder = request.responder();
            responder.send_status(200)?;
            responder.send_headers([("Content-Length", (asked.size + 1).to_string())], true)?;
            responder.send(asked.content()).await?;
            responder.finish().await?
        }
        "/upgrade" => Response::upgrade("simulated", return_bytes),
        _ => Response::new(404),
    })
}

/// Sends the body back while it is received; if it is incomplete, so is the response. With a
/// memory, reads are cancelled.
async fn echo(request: &mut Request, cancels: Option<&Memory>) -> Result<Result<Response, BodyError>, Misuse> {
    let mut responder = request.responder();
    let mut begun = false;
    loop {
        let piece = match cancels {
            Some(memory) => read_with_timeouts(memory, request.body_mut()).await,
            None => request.body_mut().next().await,
        };
        let Some(piece) = piece else { break };
        match piece {
            Ok(piece) => {
                if !std::mem::replace(&mut begun, true) {
                    responder.send_status(200)?;
                }
                responder.send(piece).await?;
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    if !begun {
        responder.send_status(200)?;
    }
    Ok(Ok(responder.finish().await?))
}

/// Returns the next piece, with reads that are dropped by a timeout and started again.
async fn read_with_timeouts(memory: &Memory, body: &mut Body) -> Option<Result<Bytes, BodyError>> {
    let mut timeout = Duration::from_millis(1);
    loop {
        let (mut read, mut timer) = (pin!(body.next()), pin!(sleep(memory, timeout)));
        let read = poll_fn(|context| match read.as_mut().poll(context) {
            Poll::Ready(piece) => Poll::Ready(Some(piece)),
            Poll::Pending => timer.as_mut().poll(context).map(|()| None),
        });
        if let Some(piece) = read.await {
            return piece;
        }
        timeout *= 2;
    }
}

/// The pieces of a stream, which another task adds.
#[derive(Default)]
struct QueuedStream {
    pieces: VecDeque<Bytes>,
    is_complete: bool,
    reader: Option<Waker>,
}

struct Pieces(Arc<Mutex<QueuedStream>>);

impl Stream for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut fed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match fed.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(piece))),
            None if fed.is_complete => Poll::Ready(None),
            None => {
                fed.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Returns a stream of the requested pieces, which a task adds one after the other.
fn feed(memory: &Memory, asked: Asked) -> Pieces {
    let fed = Arc::<Mutex<QueuedStream>>::default();
    let (pieces, clock) = (Arc::downgrade(&fed), memory.clone());
    memory.serve(async move {
        let content = asked.content();
        let mut rest = content.chunks(asked.piece());
        loop {
            let piece = rest.next().map(Bytes::copy_from_slice);
            if piece.is_some() {
                sleep(&clock, asked.wait).await;
            }
            // The stream was dropped, so no more pieces are needed.
            let Some(fed) = pieces.upgrade() else { return };
            let mut fed = fed.lock().unwrap_or_else(PoisonError::into_inner);
            fed.is_complete = piece.is_none();
            fed.pieces.extend(piece);
            let (reader, is_complete) = (fed.reader.take(), fed.is_complete);
            drop(fed);
            reader.into_iter().for_each(Waker::wake);
            if is_complete {
                return;
            }
        }
    });
    Pieces(fed)
}

async fn return_bytes(mut stream: Upgraded) {
    let mut buffer = [0; 512];
    loop {
        let read = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await;
        let mut rest = match read {
            Ok(count) if count > 0 => buffer.get(..count).unwrap_or_default(),
            _ => break,
        };
        while !rest.is_empty() {
            match poll_fn(|context| Pin::new(&mut stream).poll_write(context, rest)).await {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(_) => return,
            }
        }
    }
    let _ = poll_fn(|context| Pin::new(&mut stream).poll_close(context)).await;
}
