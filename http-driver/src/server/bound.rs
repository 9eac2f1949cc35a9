//! A bound server.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::accept::Accepting;
use super::connect::Connect;
use super::connection_limits::ConnectionLimits;
use super::listen::{self, ListenAddress};
use super::socket_file::SocketFiles;
use super::socket_options::SocketOptions;
use super::start::Start;
use crate::connection::Service;
use crate::lifecycle::Handle;
use crate::runtime::Runtime;
use crate::tls::Tls;

/// A listening socket, with its TLS settings.
pub(crate) type Listening = (listen::BoundSocket, Option<Tls>);

/// A server with listening sockets. Connections wait in their backlog until it runs.
pub struct BoundServer<R: Runtime, H> {
    pub(crate) runtime: R,
    pub(super) connect: Connect<R, H>,
    pub(crate) service: Arc<Service<H>>,
    /// Declared before the sockets, because it must be dropped before them.
    pub(crate) files: SocketFiles,
    pub(super) sockets: Vec<Listening>,
    pub(crate) local_addresses: Vec<ListenAddress>,
    pub(super) workers: usize,
    pub(super) options: SocketOptions,
    pub(super) limits: ConnectionLimits,
    pub(crate) handle: Handle,
}

impl<R: Runtime, H> BoundServer<R, H> {
    /// Returns the addresses it listens on, with the assigned port if port 0 was requested.
    #[must_use]
    pub fn local_addresses(&self) -> &[ListenAddress] {
        &self.local_addresses
    }

    /// Returns a handle to stop the server, usable from any thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves on the current runtime until the server is shut down: all sockets in one task,
    /// whatever the setting [`Server::workers`](crate::Server::workers) is.
    ///
    /// # Errors
    /// Returns the errors of registering the sockets with the runtime.
    pub async fn serve(self) -> io::Result<()> {
        let start = Start::of(1).pop();
        let Self { runtime, connect, service, sockets, files, limits, handle, .. } = self;
        serve_sockets((runtime, connect, service), (sockets, files), limits, handle, start).await
    }

    /// Serves with the configured number of workers, on this thread and others, until the server is
    /// shut down.
    ///
    /// # Errors
    /// Returns the errors of starting a runtime or a thread, of binding the sockets of further
    /// workers and of registering all of them. No connection was accepted if it fails.
    pub fn run(self) -> io::Result<()>
    where
        R: Send,
        H: Send + Sync + 'static,
    {
        let Self { runtime, connect, service, sockets, files, workers, options, limits, handle, .. } = self;
        let mut sockets = spread(sockets, workers, &options)?;
        let mut starts = Start::of(workers);
        let mut work = |sockets: Vec<Listening>| {
            let (runtime, service, handle) = (runtime.clone(), Arc::clone(&service), handle.clone());
            let (sockets, limits, start) = ((sockets, files.clone()), limits.clone(), starts.pop());
            let service = (runtime.clone(), connect, service);
            move || runtime.block_on(serve_sockets(service, sockets, limits, handle, start))?
        };
        let first = work(sockets.pop().unwrap_or_default());
        let mut threads = Vec::new();
        let mut result = Ok(());
        for (number, sockets) in sockets.into_iter().enumerate() {
            let thread = std::thread::Builder::new().name(format!("httpants-{}", number + 1));
            match thread.spawn(work(sockets)) {
                Ok(thread) => threads.push(thread),
                Err(error) => result = Err(error),
            }
        }
        drop(files);
        result = result.and(first());
        for thread in threads {
            let other = thread.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")));
            result = result.and(other);
        }
        result
    }
}

impl<R: Runtime, H> fmt::Debug for BoundServer<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundServer").field("local_addresses", &self.local_addresses).finish_non_exhaustive()
    }
}

/// Returns the sockets of each worker.
fn spread(sockets: Vec<Listening>, workers: usize, options: &SocketOptions) -> io::Result<Vec<Vec<Listening>>> {
    let mut all: Vec<Vec<Listening>> = (0..workers).map(|_| Vec::new()).collect();
    for (socket, tls) in sockets {
        for (worker, socket) in all.iter_mut().zip(socket.spread(workers, options)?) {
            worker.push((socket, tls.clone()));
        }
    }
    Ok(all)
}

async fn serve_sockets<R: Runtime, H>(
    (runtime, connect, service): (R, Connect<R, H>, Arc<Service<H>>),
    (sockets, files): (Vec<Listening>, SocketFiles),
    limits: ConnectionLimits,
    handle: Handle,
    start: Option<Start>,
) -> io::Result<()> {
    let mut listeners = Vec::with_capacity(sockets.len());
    for (socket, tls) in sockets {
        let listener = match socket {
            listen::BoundSocket::Tcp { listener, .. } => runtime.listen_tcp(listener)?,
            #[cfg(unix)]
            listen::BoundSocket::Unix(listener) => runtime.listen_unix(listener)?,
        };
        listeners.push((listener, tls));
    }
    let has_started = match start {
        Some(start) => start.ready().await,
        None => true,
    };
    if has_started {
        Accepting::new((runtime, connect, service), listeners, limits, handle).with_files(files).await;
    }
    Ok(())
}
