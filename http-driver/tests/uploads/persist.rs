//! Tests of `UploadedFile::persist` when its client disconnects before the work is done: the test
//! decides when the blocking pool runs the work, or drops it.

use std::cell::Cell;
use std::fs;
use std::future::{Future, pending, ready};
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpants_driver::protocol::Now;
use httpants_driver::runtime::{Blocking, BlockingPool, Clock, Runtime, Spawn};
use httpants_driver::{Request, Server};
use httpants_testkit::memory::{Client, Memory, MemoryListener, MemorySleep, MemoryTransport};
use tempfile::TempDir;

use crate::{MULTIPART, descriptors, form, noise, part, request};

type Work = Box<dyn FnOnce() + Send>;

/// A blocking pool that can delay work.
#[derive(Clone, Default)]
struct Pool(Arc<Mutex<Option<Vec<Work>>>>);

impl Pool {
    fn accept(&self, work: Work) -> Blocking<()> {
        match &mut *self.0.lock().unwrap() {
            Some(kept) => kept.push(work),
            None => {
                work();
                return Box::pin(ready(Ok(())));
            }
        }
        Box::pin(pending())
    }

    fn keep(&self) {
        self.0.lock().unwrap().get_or_insert_default();
    }

    /// Takes out the delayed work. Work that is added later runs at once.
    fn take(&self) -> Vec<Work> {
        self.0.lock().unwrap().take().unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().as_ref().map_or(0, Vec::len)
    }
}

/// The in-memory runtime with this pool.
#[derive(Clone)]
struct Pooled {
    memory: Memory,
    pool: Pool,
}

impl Runtime for Pooled {
    type Transport = MemoryTransport;
    type Listener = MemoryListener;
    type Sleep = MemorySleep;

    fn now(&self) -> Now {
        self.memory.now()
    }

    fn clock(&self) -> Clock {
        self.memory.clock()
    }

    fn sleep_until(&self, at: Duration) -> MemorySleep {
        self.memory.sleep_until(at)
    }

    fn listen_tcp(&self, listener: TcpListener) -> io::Result<MemoryListener> {
        self.memory.listen_tcp(listener)
    }

    fn listen_unix(&self, listener: UnixListener) -> io::Result<MemoryListener> {
        self.memory.listen_unix(listener)
    }

    fn unblock<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        self.memory.unblock(work)
    }

    fn blocking_pool(&self) -> BlockingPool {
        let pool = self.pool.clone();
        BlockingPool::new(move |work| pool.accept(work))
    }

    fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        self.memory.block_on(future)
    }
}

impl<F: Future<Output = ()> + 'static> Spawn<F> for Pooled {
    fn spawn(&self, future: F) {
        self.memory.spawn(future);
    }
}

/// A value that sets the flag when it is dropped.
struct OnDrop(Rc<Cell<bool>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// A handler that persists a file while the pool delays the work.
struct Persisting {
    memory: Memory,
    pool: Pool,
    client: Client,
    /// True if the handler was dropped.
    dropped: Rc<Cell<bool>>,
    /// The directory of temporary files.
    uploads: TempDir,
    kept: TempDir,
    path: PathBuf,
    before: Option<&'static str>,
}

impl Persisting {
    fn start(content: &[u8], before: Option<&'static str>) -> Self {
        let (memory, pool, dropped) = (Memory::new(), Pool::default(), Rc::new(Cell::new(false)));
        let (uploads, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = kept.path().join("file");
        if let Some(text) = before {
            fs::write(&path, text).unwrap();
        }
        let (given, started, to) = (Rc::clone(&dropped), pool.clone(), path.clone());
        let handler = move |request: Request| {
            let (dropped, pool, path) = (OnDrop(Rc::clone(&given)), started.clone(), to.clone());
            async move {
                let _dropped = dropped;
                pool.keep();
                request.files().get("f").unwrap().persist(path).await.unwrap();
                "kept"
            }
        };
        let runtime = Pooled { memory: memory.clone(), pool: pool.clone() };
        let server = Server::with_runtime(runtime, handler).upload_directory(uploads.path());
        // A placeholder, because the connections are in memory.
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        memory.serve(server.listener(socket).bind().unwrap().serve());
        let client = memory.connect();
        client.send(&request("POST", MULTIPART, &form(&[part("name=f; filename=x", content)])));
        memory.run();
        let persisting = Self { memory, pool, client, dropped, uploads, kept, path, before };
        assert_eq!((persisting.pool.len(), persisting.dropped.get()), (1, false), "it waits for the pool");
        persisting
    }

    /// Disconnects the client, which drops the handler.
    fn leave(&self) {
        self.client.end();
        self.memory.run();
        assert!(!self.dropped.get(), "it may still wait for the response");
        self.client.reset();
        self.memory.run();
        assert!(self.dropped.get());
        self.assert_path_is_as_before();
    }

    fn assert_path_is_as_before(&self) {
        assert_eq!(fs::read_to_string(&self.path).ok().as_deref(), self.before);
        assert_eq!(fs::read_dir(&self.kept).unwrap().count(), usize::from(self.before.is_some()));
    }

    fn assert_nothing_is_open(&self) {
        assert_eq!((descriptors(self.uploads.path()), descriptors(self.kept.path())), (0, 0));
        assert_eq!(fs::read_dir(&self.uploads).unwrap().count(), 0);
    }
}

/// Returns small files in memory and large ones in a temporary file, with a new path or an existing
/// one.
fn cases() -> impl Iterator<Item = (Vec<u8>, Option<&'static str>)> {
    [100, 700_000].into_iter().flat_map(|size| [None, Some("was there before")].map(|before| (noise(size), before)))
}

#[test]
fn persist_continues_after_its_client_disconnected() {
    for (content, before) in cases() {
        let persisting = Persisting::start(&content, before);
        persisting.leave();
        persisting.pool.take().into_iter().for_each(|work| work());
        assert!(fs::read(&persisting.path).unwrap() == content, "{} bytes", content.len());
        assert_eq!(fs::read_dir(&persisting.kept).unwrap().count(), 1, "nothing else is there");
        persisting.assert_nothing_is_open();
    }
}

#[test]
fn persist_that_never_ran_leaves_the_path_unchanged() {
    for (content, before) in cases() {
        let persisting = Persisting::start(&content, before);
        persisting.leave();
        drop(persisting.pool.take());
        persisting.assert_path_is_as_before();
        persisting.assert_nothing_is_open();
    }
}
