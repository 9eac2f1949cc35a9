//! A server: made, bound, run, shut down.

use std::fmt;
use std::future::Future;
use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use httpants_core::cookies::{BadKeys, KeyRing};
use httpants_core::files::Sendfile;
use httpants_core::forms::{self, urlencoded};
use httpants_core::proxy::XHeaders;
use httpants_core::{Config, Request};

use crate::accept::Accepting;
use crate::connection::Serve;
use crate::files::{FilePolicy, FileRoot};
use crate::handler::{Handler, Intake};
use crate::intake::Settings;
use crate::listen::{self, ListenAddress};
use crate::memory::{Memory, MemoryListener};
use crate::registry::{Order, Registry};
use crate::runtime::{Runtime, Spawn};
use crate::service::{ChooseIntake, Service};

/// An HTTP server on a runtime (the seed's `HTTPServer`).
///
/// Adapters name it with their runtime filled in, so that an application says
/// `Server::new(handler)`.
///
/// What happens is told through `tracing`: failures of the application and of accepting as
/// errors, and under the target `httpants::access`, at INFO, each answer with its request: a
/// subscriber that shows that target writes the access log.
pub struct Server<R, H> {
    runtime: R,
    handler: H,
    config: Config,
    addresses: Vec<ListenAddress>,
    choose_intake: Option<ChooseIntake>,
    files: FilePolicy,
    settings: Settings,
    backlog: i32,
    max_connections: usize,
    workers: usize,
}

impl<R: Runtime + Default, H: Handler> Server<R, H> {
    /// A server that answers with this handler, on the runtime's default.
    #[must_use]
    pub fn new(handler: H) -> Self {
        Self::with_runtime(R::default(), handler)
    }
}

impl<R: Runtime, H: Handler> Server<R, H> {
    /// A server on this runtime.
    #[must_use]
    pub fn with_runtime(runtime: R, handler: H) -> Self {
        Self {
            settings: Settings::new(runtime.blocking_pool()),
            runtime,
            handler,
            config: Config::default(),
            addresses: Vec::new(),
            choose_intake: None,
            files: FilePolicy::default(),
            backlog: 1024,
            max_connections: usize::MAX,
            workers: 1,
        }
    }

    /// Listens on this address; may be said several times. Without it: port 80.
    #[must_use]
    pub fn listen(mut self, address: impl Into<ListenAddress>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Changes limits, timeouts and policies.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// The largest content of a request, in bytes (the seed's `max_request`, default 10 MiB);
    /// what is larger is answered with 413.
    #[must_use]
    pub fn max_request(self, bytes: u64) -> Self {
        self.config(|config| config.limits.max_request = bytes)
    }

    /// Whether connections persist (the seed's `keep_alive`, default true).
    #[must_use]
    pub fn keep_alive(self, keep_alive: bool) -> Self {
        self.config(|config| config.keep_alive = keep_alive)
    }

    /// The secret that signs cookies and verifies them (the seed's `cookie_secret`); several
    /// are a ring, of which the first signs and all verify, so that secrets can be replaced.
    /// Default: a random one, so that signed cookies end with the process.
    ///
    /// # Errors
    /// [`BadKeys`] for no secret, or an empty one.
    pub fn cookie_secrets<S: AsRef<[u8]>>(self, secrets: impl IntoIterator<Item = S>) -> Result<Self, BadKeys> {
        let keys = KeyRing::new(secrets)?;
        Ok(self.config(|config| config.cookie_keys = Some(keys)))
    }

    /// Whom to believe about the client's address and scheme (the seed's `xheaders`). The seed
    /// believes anyone who is asked to; that is `XHeaders::TrustAll`, to be said.
    #[must_use]
    pub fn xheaders(self, xheaders: XHeaders) -> Self {
        self.config(|config| config.proxies.xheaders = xheaders)
    }

    /// Decides by the head what becomes of a request's content, in place of
    /// [`Handler::intake`]: without either everything is buffered. Not asked for requests
    /// without content.
    #[must_use]
    pub fn intake(mut self, choose: impl Fn(&Request) -> Intake + Send + Sync + 'static) -> Self {
        self.choose_intake = Some(Box::new(choose));
        self
    }

    /// The directory that [`Responder::send_file`](crate::Responder::send_file) and
    /// [`FileToSend::new`](crate::FileToSend::new) start from, and out of which they never
    /// lead (the seed's `file_root`). Default: the current directory, when the first file is
    /// sent.
    #[must_use]
    pub fn file_root(mut self, root: FileRoot) -> Self {
        self.files.set_root(root);
        self
    }

    /// Leaves the sending of files to a server in front, which reads this field (the seed's
    /// `sendfile` and `sendfile_prefix`): answers with a file have the field and no content.
    /// The file is looked up all the same, so what is absent, may not be read or lies outside
    /// is never named. Default: files are sent from here.
    ///
    /// ```
    /// use httpants_driver::memory::Memory;
    /// use httpants_driver::{Misuse, Request, Response, Sendfile, Server};
    ///
    /// # fn main() -> Result<(), Misuse> {
    /// // nginx: location /protected/ { internal; alias /srv/www/; }
    /// let nginx = Sendfile::new("X-Accel-Redirect", "/srv/www")?.prefix("/protected")?;
    /// let handler = async |_: Request| Response::file("report.pdf");
    /// let server = Server::with_runtime(Memory::new(), handler).sendfile(nginx);
    /// # drop(server); Ok(()) }
    /// ```
    #[must_use]
    pub fn sendfile(mut self, policy: Sendfile) -> Self {
        self.files.sendfile = Some(policy);
        self
    }

    /// What a buffered request may hold, and how much of it stays in memory.
    ///
    /// Each file that leaves memory takes a file descriptor while its request is handled:
    /// where `max_request` is raised for many large uploads, bound
    /// [`files`](forms::Limits::files), too. `max_request` itself is that of
    /// [`max_request`](Self::max_request), set here or there, and counts for every request.
    ///
    /// ```
    /// use httpants_driver::memory::Memory;
    /// use httpants_driver::{Request, Server};
    ///
    /// let server = Server::with_runtime(Memory::new(), async |_: Request| "ok").forms(|limits| {
    ///     limits.max_request = 2 << 30;
    ///     limits.files = Some(20);
    /// });
    /// ```
    #[must_use]
    pub fn forms(mut self, change: impl FnOnce(&mut forms::Limits)) -> Self {
        let limits = &mut self.settings.limits;
        limits.max_request = self.config.limits.max_request;
        change(limits);
        self.config.limits.max_request = limits.max_request;
        self
    }

    /// How the variables of forms are read: whether blank ones are kept, and how many there
    /// may be. The count is that of urlencoded ones; each text field of a multipart form is a
    /// part, of which [`forms::Limits::parts`] may be there.
    #[must_use]
    pub fn variables(mut self, change: impl FnOnce(&mut urlencoded::Options)) -> Self {
        change(&mut self.settings.variables);
        self
    }

    /// Whether forms are read on PATCH, too. Default false: on POST and PUT only, as the
    /// seed does for security.
    #[must_use]
    pub fn forms_on_patch(mut self, patch: bool) -> Self {
        self.settings.patch = patch;
        self
    }

    /// Where the temporary files of large content are made. Default
    /// [`std::env::temp_dir`]. On the file system where uploads are kept,
    /// [`UploadedFile::persist`](crate::UploadedFile::persist) costs no copy; where it is in
    /// memory, such as `/tmp` on some systems, large uploads are, too.
    ///
    /// The files have no names there and only the server's user may read them. They are gone
    /// with their requests, and with the process, however it ends.
    #[must_use]
    pub fn upload_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.settings.disk.directory = directory.into();
        self
    }

    /// How many connections may wait to be accepted (the seed's default, 1024).
    #[must_use]
    pub fn backlog(mut self, connections: i32) -> Self {
        self.backlog = connections.max(1);
        self
    }

    /// How many connections may be open at once; more wait to be accepted. Default: no bound.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// How many threads [`Bound::run`] serves with, each with a runtime and listening sockets
    /// of its own; 0 is one a processor. Default 1.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Binds all addresses: every error of starting up comes from here.
    ///
    /// # Errors
    /// What the platform says, and the address that it is about.
    pub fn bind(self) -> io::Result<Bound<R, H>> {
        let workers = match self.workers {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            workers => workers,
        };
        let addresses = if self.addresses.is_empty() { vec![ListenAddress::Port(80)] } else { self.addresses };
        let mut sockets: Vec<Vec<listen::Bound>> = (0..workers).map(|_| Vec::new()).collect();
        let mut local_addresses = Vec::new();
        for address in &addresses {
            for shared in listen::bind(address, self.backlog, workers)? {
                local_addresses.extend(shared.first().map(listen::Bound::address).transpose()?);
                for (worker, socket) in sockets.iter_mut().zip(shared) {
                    worker.push(socket);
                }
            }
        }
        let mut config = self.config;
        if config.cookie_keys.is_none() {
            config.cookie_keys = Some(random_key()?);
        }
        Ok(Bound {
            runtime: self.runtime,
            service: Service::new(self.handler, config, self.choose_intake, self.files, self.settings),
            sockets,
            local_addresses,
            max_connections: self.max_connections,
            handle: Handle::default(),
        })
    }
}

/// A secret that nobody knows, not even the next process.
fn random_key() -> io::Result<KeyRing> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| io::Error::other(format!("cannot make a random cookie secret: {error}")))?;
    KeyRing::new([secret]).map_err(io::Error::other)
}

impl<H: Handler> Server<Memory, H> {
    /// Serves the connections made in memory; with the means to stop it, and no sockets.
    #[must_use = "run it, with Memory::serve"]
    pub fn attach(self) -> (Handle, impl Future<Output = ()> + 'static) {
        let handle = Handle::default();
        let listeners = vec![MemoryListener::new(self.runtime.clone())];
        let service = Service::new(self.handler, self.config, self.choose_intake, self.files, self.settings);
        let accepting = Accepting::new(self.runtime, service, listeners, self.max_connections, handle.clone());
        (handle, accepting)
    }
}

impl<R, H> fmt::Debug for Server<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .field("config", &self.config)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// A server whose sockets listen; connections wait until it runs.
pub struct Bound<R, H> {
    runtime: R,
    service: Arc<Service<H>>,
    /// One set of sockets a worker.
    sockets: Vec<Vec<listen::Bound>>,
    local_addresses: Vec<ListenAddress>,
    max_connections: usize,
    handle: Handle,
}

impl<R: Runtime, H: Handler> Bound<R, H>
where
    R::Transport: Send,
{
    /// Where it listens, with the port that was found where 0 was asked for.
    #[must_use]
    pub fn local_addresses(&self) -> &[ListenAddress] {
        &self.local_addresses
    }

    /// The means to stop it, from anywhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves in the current runtime until it is shut down.
    ///
    /// # Errors
    /// Those of registering the sockets with the runtime.
    pub async fn serve(self) -> io::Result<()>
    where
        R: Spawn<Serve<R, H>>,
    {
        let sockets = self.sockets.into_iter().flatten().collect();
        serve_sockets(self.runtime, self.service, sockets, self.max_connections, self.handle).await
    }

    /// Serves with the workers asked for, on this thread and others, until it is shut down.
    ///
    /// # Errors
    /// Those of starting a runtime or a thread, and of registering the sockets.
    pub fn run(mut self) -> io::Result<()>
    where
        R: Spawn<Serve<R, H>> + Send,
        H: Send + Sync,
    {
        let first = if self.sockets.is_empty() { Vec::new() } else { self.sockets.remove(0) };
        let Self { runtime, service, sockets, max_connections, handle, .. } = self;
        let work = |sockets: Vec<listen::Bound>| {
            let (runtime, service, handle) = (runtime.clone(), Arc::clone(&service), handle.clone());
            move || runtime.clone().block_on(serve_sockets(runtime, service, sockets, max_connections, handle))?
        };
        let mut threads = Vec::new();
        for (number, sockets) in sockets.into_iter().enumerate() {
            let thread = std::thread::Builder::new().name(format!("httpants-{}", number + 1));
            threads.push(thread.spawn(work(sockets))?);
        }
        let mut result = work(first)();
        for thread in threads {
            let other = thread.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")));
            result = result.and(other);
        }
        result
    }
}

impl<R, H> fmt::Debug for Bound<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("local_addresses", &self.local_addresses).finish_non_exhaustive()
    }
}

async fn serve_sockets<R, H>(
    runtime: R,
    service: Arc<Service<H>>,
    sockets: Vec<listen::Bound>,
    max_connections: usize,
    handle: Handle,
) -> io::Result<()>
where
    R: Runtime + Spawn<Serve<R, H>>,
    R::Transport: Send,
    H: Handler,
{
    let mut listeners = Vec::with_capacity(sockets.len());
    for socket in sockets {
        listeners.push(match socket {
            listen::Bound::Tcp(listener) => runtime.listen_tcp(listener)?,
            #[cfg(unix)]
            listen::Bound::Unix(listener) => runtime.listen_unix(listener)?,
        });
    }
    Accepting::new(runtime, service, listeners, max_connections, handle).await;
    Ok(())
}

/// Stops a server; clones are as good as the first.
#[derive(Clone, Debug, Default)]
pub struct Handle {
    pub(crate) registry: Arc<Registry>,
    /// How long connections may take to finish, in milliseconds.
    grace: Arc<AtomicU64>,
}

impl Handle {
    /// Stops listening and lets running requests finish: idle connections close at once,
    /// answers say `Connection: close`, and what runs longer than `grace` is dropped.
    pub fn shutdown(&self, grace: Duration) {
        self.grace.store(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
        self.registry.give(Order::Drain);
    }

    /// Stops listening and drops all connections (the seed's `close`).
    pub fn close(&self) {
        self.registry.give(Order::Close);
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.registry.order() != Order::Go
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.count()
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace.load(Ordering::Acquire))
    }
}
