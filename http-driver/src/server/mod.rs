//! The builder of a server.

mod accept;
mod attach;
mod bound;
mod connect;
mod connection_limits;
mod connection_settings;
#[cfg(feature = "cookies")]
mod cookie_settings;
#[cfg(feature = "files")]
mod file_settings;
#[cfg(feature = "forms")]
mod form_settings;
mod listen;
mod listen_socket;
mod on_error;
mod request_settings;
mod socket_file;
mod socket_options;
mod socket_settings;
mod start;
mod stateful;
mod upload_settings;

use std::fmt;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use httpants_core::proxy::{ProxyPolicy, XHeaders};
use httpants_core::{Config, RequestHead};

pub use self::bound::BoundServer;
use self::bound::Listening;
use self::connect::{Connect, connect};
use self::connection_limits::ConnectionLimits;
pub use self::connection_limits::WhenFull;
pub use self::listen::ListenAddress;
pub use self::listen_socket::ListenSocket;
use self::socket_file::SocketFiles;
use self::socket_options::SocketOptions;
pub use self::socket_options::TcpKeepalive;
pub use self::stateful::StatefulHandler;
use crate::connection::{Serve, Service, ServiceParts};
use crate::handler::{BodyPolicy, Handler};
use crate::lifecycle::Handle;
use crate::observe::access_log::AccessLog;
use crate::request::collect::Settings;
use crate::response::ResponsePolicy;
use crate::runtime::{Runtime, Spawn};
use crate::tls::Tls;

/// An HTTP server on a runtime (`HTTPServer` in Pants).
///
/// Adapters export it with their runtime filled in, so that applications write
/// `Server::new(handler)`.
///
/// # Observability
///
/// [`Handle::counters`] returns counters. Spans and events go through `tracing`, with network input
/// escaped; they cost almost nothing without a subscriber that enables them:
///
/// | target | level | span or event, with its fields |
/// |---|---|---|
/// | `httpants::connection` | INFO | a span for each connection: `id` in the server, `peer` |
/// | `httpants::connection` | INFO | an event for a peer that sent something, but not the required PROXY header: `peer`, `reason` |
/// | `httpants::request` | INFO | a span inside that of the connection for each request, in which its handler runs: `number` on the connection, `method`, `path` |
/// | `httpants::access` | INFO | an event for each response when it was sent or aborted: `remote_ip`, `method`, `target`, `protocol`, `status`, `bytes` of the body, `complete`, `duration_us` from the head's last byte to the response's; `refused` with the cause, if the request or its body was refused |
/// | `httpants_driver` and its modules | ERROR | panics and failures of the application, and failures of files, of accepting and of the TLS configuration |
/// | `httpants_driver` and its modules | WARN | the first CONNECT that got a 501 because the handler opened no tunnel; an expired or not yet valid certificate of the server |
/// | `httpants_driver` and its modules | DEBUG | responses aborted by a peer; failed TLS handshakes; further CONNECT requests as above |
///
/// Events of the application are inside these spans if its subscriber enables them.
/// [`access_log`](Self::access_log) writes lines for access log tools. If no subscriber was ever
/// set, each call site writes up to 16 different ERRORs to standard error, each once, except panics,
/// which the panic hook writes.
pub struct Server<R: Runtime, H> {
    runtime: R,
    connect: Connect<R, H>,
    parts: ServiceParts<H>,
    /// The addresses, with their own TLS settings if there are any.
    addresses: Vec<(ListenAddress, Option<Tls>)>,
    sockets: Vec<ListenSocket>,
    /// The TLS settings of all other addresses; more than one is an error.
    tls: Vec<Tls>,
    options: SocketOptions,
    limits: ConnectionLimits,
    workers: usize,
}

impl<R: Runtime, H> Server<R, H> {
    /// Creates a server with this handler on the default runtime.
    #[must_use]
    pub fn new(handler: H) -> Self
    where
        R: Default + Spawn<Serve<R, H>>,
        R::Transport: Send,
        H: Handler,
    {
        Self::with_runtime(R::default(), handler)
    }

    /// Creates a server on this runtime.
    #[must_use]
    pub fn with_runtime(runtime: R, handler: H) -> Self
    where
        R: Spawn<Serve<R, H>>,
        R::Transport: Send,
        H: Handler,
    {
        let parts = ServiceParts {
            handler,
            config: Config::default(),
            proxies: ProxyPolicy::default(),
            cookie_keys: None,
            choose_body_policy: None,
            choose_limits: None,
            responses: ResponsePolicy::default(),
            decompression: None,
            settings: Settings::new(runtime.blocking_pool()),
            access_log: None,
            upgrade_grace: Duration::from_secs(5),
        };
        Self {
            runtime,
            connect,
            parts,
            addresses: Vec::new(),
            sockets: Vec::new(),
            tls: Vec::new(),
            options: SocketOptions::default(),
            limits: ConnectionLimits::default(),
            workers: 0,
        }
    }

    /// Adds an address to listen on; may be called more than once. Without one and without a
    /// [`listener`](Self::listener) the server listens on port 80, or 443 with `Server::tls`.
    /// The file of a unix socket is removed when the server stops listening, unless another file
    /// has replaced it.
    #[must_use]
    pub fn listen(mut self, address: impl Into<ListenAddress>) -> Self {
        self.addresses.push((address.into(), None));
        self
    }

    /// Adds an address with its own TLS settings; may be called more than once.
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
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    #[must_use]
    pub fn listen_tls(mut self, address: impl Into<ListenAddress>, tls: Tls) -> Self {
        self.addresses.push((address.into(), Some(tls)));
        self
    }

    /// Enables TLS on every address of [`listen`](Self::listen) (`startSSL` in Pants). Requests
    /// there have the scheme `https`; plain connections are refused. Calling it twice is an error
    /// of [`bind`](Self::bind).
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    #[must_use]
    #[doc(alias = "start_tls", alias = "startSSL")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls.push(tls);
        self
    }

    /// Adds a listening socket; may be called more than once. With one, the server has no default
    /// address.
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

    /// Adds the sockets passed to the process by systemd's socket activation or a compatible
    /// program ([`ListenSocket::take_inherited`]). They outlive the server, so a new server can
    /// start on them before the old one stops, and no connection is refused. Call it before
    /// starting other threads.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::NotFound`] if there are none, so that such a server does not listen
    /// elsewhere, and the errors of [`ListenSocket::take_inherited`].
    #[cfg(unix)]
    pub fn listen_fds(mut self) -> io::Result<Self> {
        let sockets = ListenSocket::take_inherited()?;
        if sockets.is_empty() {
            let text = "no socket was passed: LISTEN_FDS is not set, or LISTEN_PID names another process";
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        self.sockets.extend(sockets);
        Ok(self)
    }

    /// Sets an access log in one of Apache's formats. Default: none. The events through `tracing`
    /// do not depend on it.
    #[must_use]
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.parts.access_log = Some(log);
        self
    }

    /// Changes limits, timeouts and policies. Settings with which no request could be served are an
    /// error of [`bind`](Self::bind) ([`Config::check`]).
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

    /// Sets the maximum size of a request body in bytes (`max_request` in Pants). Larger bodies get
    /// 413. Default: 10 MiB.
    #[must_use]
    #[doc(alias = "max_request")]
    pub fn max_body_size(self, bytes: u64) -> Self {
        self.config(|config| config.limits.max_body_size = bytes)
    }

    /// Sets how long upgraded streams, such as WebSockets, may continue after [`Handle::shutdown`],
    /// unless its grace is shorter. Default: 5 s, because few end by themselves.
    /// [`Upgraded::draining`](crate::Upgraded::draining) notifies them of the shutdown.
    #[must_use]
    pub fn upgrade_grace(mut self, grace: Duration) -> Self {
        self.parts.upgrade_grace = grace;
        self
    }

    /// Sets whether connections are kept alive (`keep_alive` in Pants). Default: true.
    #[must_use]
    pub fn keep_alive(self, keep_alive: bool) -> Self {
        self.config(|config| config.keep_alive = keep_alive)
    }

    /// Sets the proxies that are trusted to state the client's address, scheme and host, and the
    /// fields they write (`xheaders` in Pants). Default: none, so `remote_ip` is the address of the
    /// peer.
    ///
    /// **Name only fields that your proxy sets or appends to on every request.** A proxy forwards
    /// fields that it does not know, so clients can set those: [`XHeaders::trusted`] reads only
    /// `X-Forwarded-For`; `x_real_ip()` with a proxy that sets no `X-Real-IP`, or `proto()` with
    /// HAProxy's `option forwardfor`, trusts the client. [`XHeaders::TrustAll`] reads `X-Real-IP`,
    /// `X-Forwarded-For` and `X-Forwarded-Proto`, or `Forwarded` without any of these, from every
    /// peer, as in Pants: use it only for a server that is reachable only through a proxy that
    /// replaces all of these fields. Behind nginx on a unix socket use
    /// `XHeaders::trusted([])?.`[`unix_peers()`](XHeaders::unix_peers).
    #[must_use]
    pub fn xheaders(mut self, xheaders: XHeaders) -> Self {
        self.parts.proxies.xheaders = xheaders;
        self
    }

    /// Sets a function that chooses the body policy from the head of a request, instead of
    /// [`Handler::body_policy`]. Without either, every body is buffered. Not called for requests
    /// without a body.
    ///
    /// ```
    /// use httpants_driver::protocol::forms::FormLimits;
    /// use httpants_driver::{BodyPolicy, Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let mut photos = FormLimits::default();
    /// photos.max_body_size = 5 << 20;
    /// let handler = async |request: Request| request.files().len().to_string();
    /// let server = Server::with_runtime(Memory::new(), handler).max_body_size(64 << 10).body_policy(move |request| {
    ///     match request.path() {
    ///         "/photos" => BodyPolicy::BufferWith(Box::new(photos.clone())),
    ///         "/backup" => BodyPolicy::StreamUpTo(1 << 40),
    ///         _ => BodyPolicy::Buffer,
    ///     }
    /// });
    /// # drop(server);
    /// ```
    ///
    /// The head does not depend on trusted proxies and cookie keys: use
    /// [`ProxyPolicy::client`](httpants_core::proxy::ProxyPolicy::client) and
    /// `KeyRing::signed_cookie` to decide by the client's address or a signed cookie.
    #[must_use]
    pub fn body_policy(mut self, choose: impl Fn(&RequestHead) -> BodyPolicy + Send + Sync + 'static) -> Self {
        self.parts.choose_body_policy = Some(Box::new(choose));
        self
    }

    /// Compresses responses for clients that accept it. Default: no compression, because it can
    /// reveal secrets: see [`Compression`](crate::Compression).
    #[cfg(feature = "compression")]
    #[must_use]
    pub fn compression(mut self, compression: crate::Compression) -> Self {
        self.parts.responses.compression = Some(compression);
        self
    }

    /// Decodes request bodies that have a `Content-Encoding`. Default: handlers receive bodies as
    /// they were sent; forms, text and JSON get 415.
    #[cfg(feature = "compression")]
    #[must_use]
    pub fn decompress_requests(mut self, decompression: crate::Decompression) -> Self {
        self.parts.decompression = Some(decompression);
        self
    }

    /// Sets the number of threads of [`BoundServer::run`], each with its own runtime and listening
    /// sockets. Default: 0, one for each processor that the process may use
    /// ([`std::thread::available_parallelism`]). [`BoundServer::serve`] starts no threads.
    ///
    /// A handler that blocks, such as one that reads a file with [`std::fs`], queries a database
    /// with a synchronous client or computes for a long time, blocks all connections of its worker.
    /// More workers only hide that. Run such work on the runtime's threads for blocking work:
    ///
    /// | runtime | call |
    /// |---|---|
    /// | tokio | `tokio::task::spawn_blocking(work).await?` |
    /// | smol | `smol::unblock(work).await` |
    /// | async-std | `async_std::task::spawn_blocking(work).await` |
    /// | any | [`Runtime::unblock`]`(work).await?` |
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Binds all addresses. Returns errors of addresses and of the configuration; those of starting
    /// threads and runtimes are returned by [`BoundServer::run`].
    ///
    /// # Errors
    /// Returns the errors of the platform, prefixed with the address; an error if `tls` was called
    /// twice, if a limit or timeout is 0 that must not be 0 ([`Config::check`]), or if no cookie
    /// secret was set and the system provides no random one.
    pub fn bind(self) -> io::Result<BoundServer<R, H>> {
        let workers = match self.workers {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            workers => workers,
        };
        if self.tls.len() > 1 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "Server::tls was called more than once"));
        }
        self.options.check()?;
        self.check_limits()?;
        let common = self.tls.first();
        let mut addresses = self.addresses;
        if addresses.is_empty() && self.sockets.is_empty() {
            addresses.push((ListenAddress::Port(if common.is_none() { 80 } else { 443 }), None));
        }
        let mut sockets: Vec<Listening> = Vec::new();
        #[cfg_attr(not(unix), expect(unused_mut, reason = "only unix has socket files"))]
        let mut files = SocketFiles::default();
        for (address, tls) in &addresses {
            let bound = listen::bind(address, &self.options, workers)?;
            sockets.extend(bound.into_iter().map(|socket| (socket, tls.as_ref().or(common).cloned())));
            #[cfg(unix)]
            if let ListenAddress::Unix(path) = address {
                files.made(path)?;
            }
        }
        for socket in self.sockets {
            sockets.push((socket.bound(&self.options)?, common.cloned()));
        }
        let local_addresses = sockets.iter().map(|(socket, _)| socket.address()).collect::<io::Result<_>>()?;
        let handle = Handle::new(Arc::clone(&self.parts.settings.disk.metrics));
        let limits = self.limits.complete(&self.parts.config);
        let service = Service::new(self.parts, self.runtime.clock(), handle.clone())?;
        Ok(BoundServer {
            runtime: self.runtime,
            connect: self.connect,
            service,
            sockets,
            files,
            local_addresses,
            workers,
            options: self.options,
            limits,
            handle,
        })
    }

    /// Checks that connections and requests can be served.
    fn check_limits(&self) -> io::Result<()> {
        self.limits.check()?;
        let config = &self.parts.config;
        config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

impl<R: Runtime, H> fmt::Debug for Server<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .field("config", &self.parts.config)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}
