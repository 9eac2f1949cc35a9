//! Tests of wakers and body bytes, which are foreign code: they may use their own connection when
//! called or dropped, so no lock may be held then.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::{BodyPolicy, Handle, Misuse, Request, Responder, Response, Server};
use httpants_testkit::memory::{Client, Memory};

/// An event that ends a connection, or lets it continue.
type End = &'static dyn Fn(&Handle, &Client);

/// The number of calls of foreign code.
type Count = Arc<AtomicUsize>;

/// A value that uses its connection when it is dropped, and as a waker when it is woken.
struct Probe(Mutex<Responder>, Count);

impl Probe {
    fn new(request: &Request, count: &Count) -> Self {
        Self(Mutex::new(request.responder()), Arc::clone(count))
    }

    /// Makes a call that takes the lock and returns an error.
    fn touch(&self) {
        self.1.fetch_add(1, Ordering::Relaxed);
        assert!(self.0.lock().unwrap().send_status(0).is_err());
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.touch();
    }
}

impl AsRef<[u8]> for Probe {
    fn as_ref(&self) -> &[u8] {
        b"probe"
    }
}

/// A waker that uses the connection, then wakes another waker.
struct Waking(Probe, Waker);

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        self.0.touch();
        self.1.wake_by_ref();
    }
}

async fn application(request: Request, count: Count) -> Result<Response, Misuse> {
    let content = || Bytes::from_owner(Probe::new(&request, &count));
    match request.path() {
        "/whole" => Ok(Response::bytes("text/plain", content())),
        "/call" => request.responder().send_response(content(), 200, "text/plain"),
        "/pieces" => {
            let mut responder = request.responder();
            responder.send_status(200)?;
            for _ in 0..100 {
                responder.send(content()).await?;
            }
            responder.finish().await
        }
        _ => {
            let content = content();
            let mut request = request;
            poll_fn(|context| {
                let probe = Probe::new(&request, &count);
                let waker = Waker::from(Arc::new(Waking(probe, context.waker().clone())));
                let context = &mut Context::from_waker(&waker);
                loop {
                    match Pin::new(request.body_mut()).poll_next(context) {
                        Poll::Ready(Some(Ok(_))) => {}
                        end => return end.map(|_| ()),
                    }
                }
            })
            .await;
            Ok(Response::bytes("text/plain", content))
        }
    }
}

/// Runs a test on another thread; fails if it takes more than a minute, as in a deadlock.
fn within_a_minute(run: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let running = thread::spawn(move || {
        run();
        done.send(()).unwrap();
    });
    match is_done.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a lock is held while foreign code runs"),
        _ => running.join().unwrap(),
    }
}

#[test]
fn no_lock_is_held_while_foreign_code_runs() {
    within_a_minute(|| {
        let ends: [End; 4] = [
            &|_, client| client.take_only(usize::MAX),
            &|_, client| client.reset(),
            &|_, client| client.end(),
            &|handle, _| handle.close(),
        ];
        for path in ["/whole", "/call", "/pieces", "/body"] {
            for end in ends {
                let (memory, count) = (Memory::new(), Count::default());
                let counted = Arc::clone(&count);
                let server =
                    Server::with_runtime(memory.clone(), move |request| application(request, Arc::clone(&counted)));
                let handle = memory.start(server.body_policy(|_| BodyPolicy::Stream));
                let client = memory.connect();
                client.take_only(50);
                client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n").as_bytes());
                memory.run();
                client.send(b"ab");
                memory.run();
                end(&handle, &client);
                memory.run();
                client.send(b"cd");
                memory.run();
                handle.close();
                memory.run();
                assert!(count.load(Ordering::Relaxed) > 0, "{path}");
            }
        }
    });
}
