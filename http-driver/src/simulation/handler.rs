//! The handler of servers under test: does what requests ask for, and keeps a journal.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};

use super::errand::Asked;
use crate::memory::Memory;
use crate::runtime::sleep;
use crate::{BodyError, FileToSend, Handler, Intake, Misuse, Request, Response, Upgraded};

/// What the application did.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// How often each request was handled.
    calls: RefCell<BTreeMap<u64, usize>>,
    /// How many are being handled.
    running: RefCell<usize>,
}

impl Journal {
    /// What must hold when all is over.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some((id, count)) = self.calls.borrow().iter().find(|(_, count)| **count > 1) {
            return Err(format!("request {id} was handled {count} times"));
        }
        match *self.running.borrow() {
            0 => Ok(()),
            running => Err(format!("{running} handlers were left running")),
        }
    }
}

/// One call; over when it is dropped.
struct Call(Rc<Journal>);

impl Call {
    fn begin(journal: &Rc<Journal>, id: u64) -> Self {
        *journal.calls.borrow_mut().entry(id).or_default() += 1;
        *journal.running.borrow_mut() += 1;
        Self(Rc::clone(journal))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        *self.0.running.borrow_mut() -= 1;
    }
}

/// What the simulated clients ask for, as the handler of a [`Server`](crate::Server).
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
        Box::pin(answer(self.memory.clone(), Rc::clone(&self.journal), self.file.clone(), request))
    }

    fn intake(&self, head: &httpants_core::Request) -> Intake {
        if head.path().starts_with("/streamed/") { Intake::Stream } else { Intake::Buffer }
    }
}

async fn answer(memory: Memory, journal: Rc<Journal>, file: PathBuf, mut request: Request) -> Result<Response, Misuse> {
    let asked = Asked::of(&request);
    let _call = Call::begin(&journal, asked.id);
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
        "/file" => match std::fs::File::open(file) {
            Ok(file) => Response::file(FileToSend::opened(file, "file.bin")),
            Err(_) => Response::new(404),
        },
        "/echo" => match request.body_mut().bytes().await {
            Ok(content) => Response::bytes("application/octet-stream", content),
            Err(error) => error.into(),
        },
        "/streamed/echo" => match echo(&mut request).await? {
            Ok(response) => response,
            Err(error) => error.into(),
        },
        "/streamed/ignore" => Response::text("ignored"),
        "/form" => {
            let length = request.files().get("file").map_or(0, |file| file.len());
            Response::text(length.to_string())
        }
        // Unwinds as a panic does, and says nothing on the way.
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

/// The content goes out as it comes in; where it breaks off, so does the answer.
async fn echo(request: &mut Request) -> Result<Result<Response, BodyError>, Misuse> {
    let mut responder = request.responder();
    let mut begun = false;
    while let Some(piece) = request.body_mut().next().await {
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
