//! The application under test.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::protocol::Config;
use httpants_driver::protocol::proxy::XHeaders;
use httpants_driver::runtime::{Runtime, Sleep};
use httpants_driver::{AccessLog, BodyPolicy, Handle, Misuse, Request, Response, Server};
use httpants_testkit::memory::{Client, Memory};

pub(crate) struct Site {
    pub(crate) memory: Memory,
    pub(crate) handle: Handle,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with_memory(Memory::new())
    }

    pub(crate) fn with_memory(memory: Memory) -> Self {
        Self::with_config(memory, |_| {})
    }

    pub(crate) fn with_config(memory: Memory, change: impl FnOnce(&mut Config)) -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let written = Arc::clone(&lines);
        let log = AccessLog::combined(move |line| written.lock().unwrap().push(line.into()));
        let clock = memory.clone();
        let server = Server::with_runtime(memory.clone(), move |request| application(clock.clone(), request))
            .config(change)
            .max_body_size(100_000)
            .forms(|limits| limits.memory = 1000)
            .xheaders(XHeaders::trusted(["192.0.2.1"]).unwrap())
            .body_policy(|request| if request.path() == "/echo" { BodyPolicy::Stream } else { BodyPolicy::Buffer })
            .access_log(log);
        let handle = memory.start(server);
        Self { memory, handle, lines }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Sends bytes and runs the tasks to the end; returns the client and what it received.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> (Client, Vec<u8>) {
        let client = self.memory.connect();
        client.send(bytes);
        self.memory.run();
        let received = client.take_received();
        (client, received)
    }
}

pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

async fn application(memory: Memory, request: Request) -> Response {
    tracing::info!("at work");
    let path = request.path().to_owned();
    match &*path {
        "/large" => Response::bytes("application/octet-stream", vec![b'x'; 100_000]),
        "/chunks" => Response::stream(Pieces { left: 10, fail: false }),
        "/broken" => Response::stream(Pieces { left: 3, fail: true }),
        "/short" => Response::stream(Pieces { left: 3, fail: false }).with_header("Content-Length", "20007"),
        "/short-responder" => short(request).await.unwrap_or_else(Into::into),
        "/slow" => {
            sleep(&memory, Duration::from_secs(5)).await;
            "slow".into()
        }
        "/busy" => {
            memory.jump(Duration::from_secs(3));
            "busy".into()
        }
        "/echo" => Response::stream(request.into_body()),
        "/upgrade" => Response::upgrade("echo", async |_| {}),
        "/panic" => panic!("on purpose"),
        "/status" => Response::new(request.query().parse::<u16>().unwrap()),
        _ => "hello".into(),
    }
}

async fn short(request: Request) -> Result<Response, Misuse> {
    let mut responder = request.responder();
    responder.send_status(200)?;
    responder.send_headers([("Content-Length", "5")], true)?;
    responder.send("abc").await?;
    responder.finish().await
}

async fn sleep(memory: &Memory, span: Duration) {
    let mut timer = Box::pin(memory.sleep_until(memory.now().mono + span));
    std::future::poll_fn(|context| timer.as_mut().poll_elapsed(context)).await;
}

struct Pieces {
    left: usize,
    fail: bool,
}

impl Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.left -= usize::from(self.left > 0);
        Poll::Ready(match self.left {
            0 if self.fail => Some(Err(std::io::Error::other("on purpose"))),
            0 => None,
            _ => Some(Ok(Bytes::from(vec![b'y'; 10_000]))),
        })
    }
}
