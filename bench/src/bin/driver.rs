//! `driver CASE ITERATIONS`: whole exchanges of the driver with a handler, over an in-memory
//! transport and a runtime without threads. Prints the last responses. `callgrind.py` counts the
//! instructions of one exchange. In the case `driver-file` the response is `load.lua`, opened by the
//! handler.

use std::cell::RefCell;
use std::fs::File;
use std::future::{Future, pending};
use std::hint::black_box;
use std::io::{self, IoSlice, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use httpants_core::{ConnectionInfo, Now, UnixTime};
use httpants_driver::runtime::{Blocking, BlockingPool, Clock, Listener, Runtime, SendHint, Sleep, Spawn, Transport};
use httpants_driver::{NamedFile, Request, Response, Server};

const WRK: &str = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\r\n";

/// The bytes that the server's one client sends with each poll.
#[derive(Debug, Default)]
struct Wire {
    unread: Vec<u8>,
    /// The recorded responses; `None` while they are not recorded.
    recorded: Option<Vec<u8>>,
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Clone, Default)]
struct Bench {
    wire: Arc<Mutex<Wire>>,
    tasks: Rc<RefCell<Vec<Task>>>,
}

struct OnWire(Arc<Mutex<Wire>>);

impl Transport for OnWire {
    fn poll_recv(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut wire = lock(&self.0);
        if wire.unread.is_empty() {
            return Poll::Pending;
        }
        let count = wire.unread.len().min(buffer.len());
        buffer[..count].copy_from_slice(&wire.unread[..count]);
        wire.unread.drain(..count);
        Poll::Ready(Ok(count))
    }

    fn poll_send(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>], _: SendHint) -> Poll<io::Result<usize>> {
        let count = slices.iter().map(|slice| black_box(slice).len()).sum();
        if let Some(recorded) = &mut lock(&self.0).recorded {
            slices.iter().for_each(|slice| recorded.extend_from_slice(slice));
        }
        Poll::Ready(Ok(count))
    }

    fn poll_send_file(
        &mut self,
        _: &mut Context<'_>,
        _: &File,
        _: u64,
        length: u64,
    ) -> Option<Poll<io::Result<usize>>> {
        if let Some(recorded) = &mut lock(&self.0).recorded {
            recorded.resize(recorded.len() + length as usize, 0);
        }
        Some(Poll::Ready(Ok(length as usize)))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Once(Option<OnWire>);

impl Listener for Once {
    type Transport = OnWire;

    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<(OnWire, ConnectionInfo)>> {
        self.0.take().map_or(Poll::Pending, |transport| Poll::Ready(Ok((transport, ConnectionInfo::default()))))
    }
}

struct Never;

impl Sleep for Never {
    fn poll_elapsed(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn reset(self: Pin<&mut Self>, _: Duration) {}
}

fn now() -> Now {
    black_box(Now::new(Duration::from_secs(100), UnixTime::from_secs(1_795_352_400)))
}

impl Runtime for Bench {
    type Transport = OnWire;
    type Listener = Once;
    type Sleep = Never;

    fn now(&self) -> Now {
        now()
    }

    fn clock(&self) -> Clock {
        Clock::new(now)
    }

    fn sleep_until(&self, _: Duration) -> Never {
        Never
    }

    fn listen_tcp(&self, _: TcpListener) -> io::Result<Once> {
        Ok(Once(Some(OnWire(Arc::clone(&self.wire)))))
    }

    #[cfg(unix)]
    fn listen_unix(&self, _: std::os::unix::net::UnixListener) -> io::Result<Once> {
        Ok(Once(None))
    }

    fn unblock<T: Send + 'static, W: FnOnce() -> T + Send + 'static>(&self, work: W) -> Blocking<T> {
        let result = work();
        Box::pin(async { Ok(result) })
    }

    fn blocking_pool(&self) -> BlockingPool {
        BlockingPool::new(|work| {
            work();
            Box::pin(async { Ok(()) })
        })
    }

    fn block_on<F: Future>(&self, _: F) -> io::Result<F::Output> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl<F: Future<Output = ()> + 'static> Spawn<F> for Bench {
    fn spawn(&self, future: F) {
        self.tasks.borrow_mut().push(Box::pin(future));
    }
}

async fn respond(request: Request) -> Response {
    match request.path() {
        "/file" => match File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/load.lua")) {
            Ok(file) => Response::file(NamedFile::opened(file, "file.js")),
            Err(error) => Response::text(error.to_string()).with_status(500),
        },
        _ => Response::text("Hello, World!"),
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, case, iterations] = &arguments[..] else { panic!("driver CASE ITERATIONS") };
    let input = match case.as_str() {
        "driver-wrk" => WRK.to_owned(),
        "driver-wrk-x16" => WRK.repeat(16),
        "driver-file" => WRK.replace("plaintext", "file"),
        _ => panic!("a case that callgrind.py names"),
    };
    let bench = Bench::default();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let bound = Server::with_runtime(bench.clone(), respond).listener(socket).bind()?;
    let mut serving = pin!(async {
        bound.serve().await.expect("a server that starts");
        pending::<()>().await
    });
    let context = &mut Context::from_waker(Waker::noop());
    assert!(serving.as_mut().poll(context).is_pending());
    let mut task = bench.tasks.borrow_mut().pop().expect("a connection");
    let iterations: u64 = iterations.parse().expect("a number");
    for left in (0..iterations).rev() {
        let mut wire = lock(&bench.wire);
        wire.unread.extend_from_slice(input.as_bytes());
        if left == 0 {
            wire.recorded = Some(Vec::new());
        }
        drop(wire);
        assert!(task.as_mut().poll(context).is_pending());
    }
    let wire = lock(&bench.wire);
    io::stdout().write_all(wire.recorded.as_deref().expect("the last responses"))
}

fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    wire.lock().expect("nothing panics")
}
