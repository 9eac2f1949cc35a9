//! A server, as it is made.

mod accept;
mod attach;
mod bound;
mod handle;
mod listen;
mod listen_socket;
mod socket_file;
mod start;
mod stateful;
mod uploads;

use std::fmt;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use httpants_core::cookies::{KeyError, KeyRing};
use httpants_core::files::Sendfile;
use httpants_core::proxy::{ProxyPolicy, XHeaders};
use httpants_core::{Config, RequestHead};

pub use self::bound::BoundServer;
use self::bound::Listening;
pub use self::handle::Handle;
pub use self::listen::ListenAddress;
pub use self::listen_socket::ListenSocket;
use self::socket_file::SocketFiles;
pub use self::stateful::StatefulHandler;
use crate::connection::{Service, ServiceParts};
use crate::descriptors::default_connections;
use crate::handler::{BodyPolicy, Handler};
use crate::observe::access_log::AccessLog;
use crate::request::collect::Settings;
use crate::response::files::{FilePolicy, FileRoot};
use crate::runtime::Runtime;
use crate::tls::Tls;

/// An HTTP server on a runtime (`HTTPServer` in Pants).
///
/// Adapters name it with their runtime filled in, so that an application says
/// `Server::new(handler)`.
///
/// # Observability
///
/// [`Handle::counters`] has the numbers. Spans and events go through `tracing`, where whatever
/// came from the network is escaped, and cost next to nothing where no subscriber asks for them:
///
/// | target | level | what, and its fields |
/// |---|---|---|
/// | `httpants::connection` | INFO | a span for each connection: `id` in the server, `peer` |
/// | `httpants::connection` | INFO | an event for a peer that sent something, but no complete and valid PROXY header where one is required: `peer`, `reason` |
/// | `httpants::request` | INFO | a span in that of the connection for each request, under which its handler runs: `number` on the connection, `method`, `path` |
/// | `httpants::access` | INFO | an event for each response, once it has left or never will: `remote_ip`, `method`, `target`, `protocol`, `status`, `bytes` of content, `complete`, `duration_us` from the head's last byte to the response's; `refused`, where the request or its body was, and why |
/// | `httpants_driver` and its modules | ERROR | failures of the application and its panics, of files, of accepting and of the TLS configuration |
/// | `httpants_driver` and its modules | WARN | the first CONNECT that got a 501, because the handler opens no tunnel; a certificate of the server that has expired or is not valid yet |
/// | `httpants_driver` and its modules | DEBUG | responses that a peer broke off; TLS handshakes that failed; further CONNECT requests like that |
///
/// An application's own events carry the spans, where its subscriber enables them. Lines for
/// readers of access logs come from [`access_log`](Self::access_log). Where no subscriber was ever
/// set, the first ERROR of each place in the code is written to standard error; panics are not,
/// because the panic hook has written them.
pub struct Server<R, H> {
    runtime: R,
    parts: ServiceParts<H>,
    /// Each with what it speaks TLS with, where that is its own.
    addresses: Vec<(ListenAddress, Option<Tls>)>,
    sockets: Vec<ListenSocket>,
    /// What all others speak TLS with; there may be only one.
    tls: Vec<Tls>,
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
        let parts = ServiceParts {
            handler,
            config: Config::default(),
            proxies: ProxyPolicy::default(),
            cookie_keys: None,
            choose_intake: None,
            files: FilePolicy::default(),
            settings: Settings::new(runtime.blocking_pool()),
            access_log: None,
            upgrade_grace: Duration::from_secs(5),
        };
        Self {
            runtime,
            parts,
            addresses: Vec::new(),
            sockets: Vec::new(),
            tls: Vec::new(),
            backlog: 1024,
            max_connections: default_connections(),
            workers: 1,
        }
    }

    /// Listens on this address; may be said several times. Without it, and without a
    /// [`listener`](Self::listener): port 80, or 443 where all speak TLS. The file of a unix
    /// socket is removed when the server stops listening, unless another one has taken its
    /// place.
    #[must_use]
    pub fn listen(mut self, address: impl Into<ListenAddress>) -> Self {
        self.addresses.push((address.into(), None));
        self
    }

    /// Listens on this address for HTTPS, whatever the others speak; may be said several times,
    /// with certificates of its own each time.
    ///
    /// ```no_run
    /// use httpants_driver::{Request, Server, Tls};
    /// use httpants_testkit::memory::Memory;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let tls = Tls::from_pem_files("cert.pem", "key.pem")?;
    /// let handler = async |request: Request| format!("over {}", request.scheme());
    /// let server = Server::with_runtime(Memory::new(), handler).listen(80).listen_tls(443, tls);
    /// # drop(server); Ok(()) }
    /// ```
    #[cfg(feature = "_tls")]
    #[must_use]
    pub fn listen_tls(mut self, address: impl Into<ListenAddress>, tls: Tls) -> Self {
        self.addresses.push((address.into(), Some(tls)));
        self
    }

    /// Speaks TLS on every address of [`listen`](Self::listen) (`startSSL` in Pants):
    /// requests there have the scheme `https`, and what comes without TLS is refused. Said
    /// twice, it is an error of [`bind`](Self::bind).
    #[cfg(feature = "_tls")]
    #[must_use]
    #[doc(alias = "start_tls", alias = "startSSL")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls.push(tls);
        self
    }

    /// Serves this listening socket, too; may be said several times. With it, nothing else is
    /// listened on unless that is said.
    ///
    /// ```
    /// use httpants_driver::{Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let address = socket.local_addr()?;
    /// let bound = Server::with_runtime(Memory::new(), async |_: Request| "ok").listener(socket).bind()?;
    /// assert_eq!(bound.local_addresses(), [address.into()]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn listener(mut self, socket: impl Into<ListenSocket>) -> Self {
        self.sockets.push(socket.into());
        self
    }

    /// Serves the sockets that the process was started with, by systemd's socket activation or
    /// whatever does the same ([`ListenSocket::inherited`]). They outlive the server: a new one
    /// can be started on them before the old one is told to stop, and no connection is refused
    /// meanwhile. Call it before other threads are started.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there are none, so that a server that was to be
    /// activated does not listen elsewhere; others as [`ListenSocket::inherited`].
    #[cfg(unix)]
    pub fn listen_fds(mut self) -> io::Result<Self> {
        let sockets = ListenSocket::inherited()?;
        if sockets.is_empty() {
            let text = "no socket was passed: LISTEN_FDS is not set, or LISTEN_PID names another process";
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        self.sockets.extend(sockets);
        Ok(self)
    }

    /// Writes a line for each response, in one of Apache's formats. Default: none; the events
    /// of `tracing` are sent all the same.
    #[must_use]
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.parts.access_log = Some(log);
        self
    }

    /// Changes limits, timeouts and policies.
    ///
    /// ```
    /// use std::time::Duration;
    /// use httpants_driver::{Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let server = Server::with_runtime(Memory::new(), async |_: Request| "ok").config(|config| {
    ///     config.timeouts.idle = Some(Duration::from_secs(5));
    ///     config.timeouts.handler = Some(Duration::from_secs(60));
    ///     config.limits.fields = 50;
    ///     config.server = None;
    /// });
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.parts.config);
        self
    }

    /// The largest content of a request, in bytes (`max_request` in Pants, default 10 MiB);
    /// what is larger is answered with 413.
    #[must_use]
    pub fn max_body_size(self, bytes: u64) -> Self {
        self.config(|config| config.limits.max_body_size = bytes)
    }

    /// How long upgraded streams, such as WebSockets, may go on behind
    /// [`Handle::shutdown`], where its grace is not shorter. Default 5 s: they seldom end by
    /// themselves, and [`Upgraded::draining`](crate::Upgraded::draining) tells them to.
    #[must_use]
    pub fn upgrade_grace(mut self, grace: Duration) -> Self {
        self.parts.upgrade_grace = grace;
        self
    }

    /// Whether connections persist (`keep_alive` in Pants, default true).
    #[must_use]
    pub fn keep_alive(self, keep_alive: bool) -> Self {
        self.config(|config| config.keep_alive = keep_alive)
    }

    /// The secret that signs cookies and verifies them (`cookie_secret` in Pants); several
    /// are a ring, of which the first signs and all verify, so that secrets can be replaced.
    /// Default: a random one, so that signed cookies end with the process.
    ///
    /// # Errors
    /// [`KeyError`] for no secret, or an empty one.
    pub fn cookie_secrets<S: AsRef<[u8]>>(self, secrets: impl IntoIterator<Item = S>) -> Result<Self, KeyError> {
        let keys = KeyRing::new(secrets)?;
        Ok(self.cookie_keys(keys))
    }

    /// [`cookie_secrets`](Self::cookie_secrets) as a ring of keys, which several servers can share.
    #[must_use]
    pub fn cookie_keys(mut self, keys: KeyRing) -> Self {
        self.parts.cookie_keys = Some(keys);
        self
    }

    /// Sets which proxies are trusted about the client's address, scheme and host, and which
    /// fields they write (`xheaders` in Pants). Default: none, so that `remote_ip` is the peer.
    ///
    /// **Name only fields that your proxy sets or appends to on every request.** A proxy passes on
    /// the fields that it does not know, so a client writes those itself:
    /// [`XHeaders::trusted`] reads `X-Forwarded-For` alone, and `x_real_ip()` behind a proxy that
    /// sets no `X-Real-IP`, or `proto()` behind HAProxy's `option forwardfor`, believes the
    /// client. [`XHeaders::TrustAll`] reads `X-Real-IP`, `X-Forwarded-For` and
    /// `X-Forwarded-Proto`, or `Forwarded` where none of them is there, from every peer, as in
    /// Pants: only for a server that nobody but a proxy can reach, and a proxy that replaces all of
    /// them.
    #[must_use]
    pub fn xheaders(mut self, xheaders: XHeaders) -> Self {
        self.parts.proxies.xheaders = xheaders;
        self
    }

    /// Decides by the head what becomes of a request's content, in place of
    /// [`Handler::intake`]: without either everything is buffered. Not asked for requests
    /// without content.
    ///
    /// ```
    /// use httpants_driver::protocol::forms::Limits;
    /// use httpants_driver::{BodyPolicy, Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let mut photos = Limits::default();
    /// photos.max_body_size = 5 << 20;
    /// let handler = async |request: Request| request.files().len().to_string();
    /// let server = Server::with_runtime(Memory::new(), handler).max_body_size(64 << 10).intake(move |request| {
    ///     match request.path() {
    ///         "/photos" => BodyPolicy::BufferWith(Box::new(photos.clone())),
    ///         "/backup" => BodyPolicy::StreamUpTo(1 << 40),
    ///         _ => BodyPolicy::Buffer,
    ///     }
    /// });
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn intake(mut self, choose: impl Fn(&RequestHead) -> BodyPolicy + Send + Sync + 'static) -> Self {
        self.parts.choose_intake = Some(Box::new(choose));
        self
    }

    /// The directory that [`Responder::send_file`](crate::Responder::send_file) and
    /// [`NamedFile::new`](crate::NamedFile::new) start from, and out of which they never
    /// lead (`file_root` in Pants). Default: the current directory, when the first file is
    /// sent.
    #[must_use]
    pub fn file_root(mut self, root: FileRoot) -> Self {
        self.parts.files.set_root(root);
        self
    }

    /// Leaves the sending of files to a server in front, which reads this field
    /// (`sendfile` in Pants and `sendfile_prefix`): answers with a file have the field and no content.
    /// The file is looked up all the same, so what is absent, may not be read or lies outside
    /// is never named. Default: files are sent from here.
    ///
    /// ```
    /// use httpants_driver::{Misuse, Request, Response, Sendfile, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// # fn main() -> Result<(), Misuse> {
    /// // nginx: location /protected/ { internal; alias /srv/www/; }
    /// let nginx = Sendfile::new("X-Accel-Redirect", "/srv/www")?.prefix("/protected")?;
    /// let handler = async |_: Request| Response::file("report.pdf");
    /// let server = Server::with_runtime(Memory::new(), handler).x_sendfile(nginx);
    /// # drop(server); Ok(()) }
    /// ```
    #[must_use]
    #[doc(alias = "sendfile")]
    pub fn x_sendfile(mut self, policy: Sendfile) -> Self {
        self.parts.files.sendfile = Some(policy);
        self
    }

    /// How many connections may wait to be accepted (1024, as in Pants).
    #[must_use]
    pub fn backlog(mut self, connections: i32) -> Self {
        self.backlog = connections.max(1);
        self
    }

    /// How many connections may be open at once, on all workers together; more wait to be accepted.
    /// Where all places are taken, a connection that only lingers behind its last response, as after
    /// a refusal, gives its own up. Default: three quarters of the descriptors that the process may have (`RLIMIT_NOFILE`), so
    /// that some are left for files; without a limit three quarters of 65,536.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// How many threads [`BoundServer::run`] serves with, each with a runtime and listening sockets
    /// of its own; 0 is one a processor. Default 1.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Binds all addresses. Errors of addresses and of the configuration come from here; those of
    /// starting threads and runtimes from [`BoundServer::run`].
    ///
    /// # Errors
    /// Those of the platform, for an address that cannot be had with the address in front;
    /// `tls` called twice; no random secret for signed cookies where none
    /// was set.
    pub fn bind(self) -> io::Result<BoundServer<R, H>> {
        let workers = match self.workers {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            workers => workers,
        };
        if self.tls.len() > 1 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "tls was called twice"));
        }
        let common = self.tls.first();
        let mut addresses = self.addresses;
        if addresses.is_empty() && self.sockets.is_empty() {
            addresses.push((ListenAddress::Port(if common.is_none() { 80 } else { 443 }), None));
        }
        let mut sockets: Vec<Vec<Listening>> = (0..workers).map(|_| Vec::new()).collect();
        let mut local_addresses = Vec::new();
        #[cfg_attr(not(unix), expect(unused_mut, reason = "only unix has socket files"))]
        let mut files = SocketFiles::default();
        let mut groups = Vec::new();
        for (address, tls) in &addresses {
            let bound = listen::bind(address, self.backlog, workers)?;
            groups.extend(bound.into_iter().map(|shared| (shared, tls.as_ref().or(common))));
            #[cfg(unix)]
            if let ListenAddress::Unix(path) = address {
                files.made(path)?;
            }
        }
        for socket in self.sockets {
            groups.push((socket.share(workers)?, common));
        }
        for (shared, tls) in groups {
            local_addresses.extend(shared.first().map(listen::BoundSocket::address).transpose()?);
            for (worker, socket) in sockets.iter_mut().zip(shared) {
                worker.push((socket, tls.cloned()));
            }
        }
        let handle = Handle::new(Arc::clone(&self.parts.settings.disk.metrics));
        let service = Service::new(self.parts, self.runtime.clock())?;
        Ok(BoundServer {
            runtime: self.runtime,
            service,
            sockets,
            files,
            local_addresses,
            max_connections: self.max_connections,
            handle,
        })
    }
}

impl<R, H> fmt::Debug for Server<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .field("config", &self.parts.config)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}
