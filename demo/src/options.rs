//! The command line.

mod connections;
mod values;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use httpants_driver::Server;
use httpants_driver::runtime::Runtime;
use httpants_tokio::protocol::Config;
use httpants_tokio::protocol::proxy::XHeaders;
use httpants_tokio::{
    ClientCertificates, Compression, Decompression, FileRoot, Handler, KeyRing, KeyRingFile, Tls, XSendfile,
};
use lexopt::{Arg, Parser};

use connections::Connections;
pub(crate) use values::{Address, Proxies, ProxyFields, RuntimeName, Secret, Workers};
use values::{ByteCount, BytesPerSecond, FieldName, Prefix, Seconds};

use crate::routes;

pub(crate) const HELP: &str = "\
The demo server of httpants: an HTTP/1.1 server that shows each request as it was parsed.

Usage: demo [OPTIONS]

      --runtime NAME           async runtime: tokio, smol or async-std [default: tokio]
      --listen ADDR            listen on PORT, HOST:PORT or unix:PATH; may be given more than once
                               [default: 127.0.0.1:8080]
      --listen-fds             serve the sockets passed by systemd or a compatible program
                               (LISTEN_FDS); without --listen, no other address is used
      --tls-cert FILE          PEM file with the certificate chain; enables TLS; SIGHUP reloads it
      --tls-key FILE           PEM file with the private key
      --client-ca FILE         PEM file with the authorities of client certificates; clients
                               without a certificate of one of them are refused
      --file-root DIR          directory that /file/ serves
                               [default: $FILE_ROOT, or a directory with sample files]
      --file-fallback FILE     file below the file root that /file/ sends to browsers that navigate
                               to a path without a file, such as index.html
      --file-not-found FILE    file below the file root that /file/ sends with status 404
      --compress               compress responses (zstd, brotli or gzip) if the client accepts that;
                               not files, and not JSON, which may contain cookies (BREACH)
      --decompress-requests    decode request bodies with one of these codings; 415 for others
      --sendfile HEADER        let the proxy send files: respond with this header field, such as
                               X-Accel-Redirect (nginx) or X-Sendfile
      --sendfile-prefix PATH   path prefix that the proxy maps to the file root
      --sendfile-unescaped     do not percent-encode the path, for proxies that do not decode it:
                               Caddy, and Apache with mod_xsendfile before 1.0
      --cookie-secret TEXT     secret that signs cookies; may be given more than once: the first
                               signs, all verify [default: random]
      --cookie-secret-file FILE
                               file with a secret in each line, instead of --cookie-secret
      --xheaders all|CIDR      trust forwarded header fields from these proxies: all, or a network
                               or address; may be given more than once
      --xheaders-from NAME     header fields that these proxies set: x-forwarded
                               (X-Forwarded-For and X-Forwarded-Proto), x-real-ip or forwarded
                               [default: x-forwarded; with --xheaders all: any of them]
      --proxy-protocol         require a PROXY protocol header on each connection; close
                               connections without one and log them to standard error
      --max-request BYTES      maximum size of a request body
      --handshake-timeout SECONDS
                               from accept to the end of the TLS handshake
      --accept-timeout SECONDS from accept, or the end of the TLS handshake, to the first byte of
                               the first request [default: --head-timeout if given]
      --head-timeout SECONDS   from the first byte of a request head to its end; also sets
                               --accept-timeout unless that is given
      --idle-timeout SECONDS   between two requests on a connection
      --body-timeout SECONDS   without progress in receiving a request body
      --body-rate BYTES        minimum rate of a request body in bytes per second; 0 = no limit
      --write-timeout SECONDS  without progress in sending a response
      --half-closed-timeout SECONDS
                               without progress in sending a response to a client that has closed
                               its sending side
      --linger-timeout SECONDS from the last response to closing the connection, while waiting for
                               the client to close: after a refusal or a response sent before the
                               body was received [default: 30]; at most 2 after other responses
      --max-connections N      maximum number of open connections
                               [default: three quarters of the descriptors]
      --when-full wait|refuse  what happens to connections over --max-connections: they wait, or get
                               503 [default: wait]
      --max-connections-per-address N
                               maximum number of open connections of one client address (IPv6: of
                               the first 64 bits); more get 503 [default: no limit]
      --max-connection-age SECONDS
                               close connections of about this age after their current response; up
                               to 10 percent earlier, at random
      --max-requests-per-connection N
                               close connections after this many requests
      --tcp-keepalive SECONDS  probe clients after this time without a byte
      --backlog N              number of connections that may wait to be accepted [default: 1024]
      --socket-mode MODE       octal permissions of unix sockets, such as 660
      --socket-group GID       number of the group of unix sockets
      --workers N              number of threads, up to 1024; 0 = one per core [default: 0]
      --drain-delay SECONDS    from the first SIGTERM to the end of accepting; until then /healthz
                               responds with 503, so that load balancers use other servers
                               [default: 0]
      --access-log             write one line per request to standard error (Combined Log Format)
  -h, --help                   print this help
  -V, --version                print the version

SECONDS may have a fraction; 0 disables the timeout. The first SIGINT or SIGTERM stops accepting,
finishes running requests and closes WebSockets; the second closes all connections. With
--drain-delay the first SIGTERM does that after the delay; a signal during the delay does it at once.

Routes:
  /                        with text/html in Accept: a page to try the server
  /plaintext               Hello, World!
  /echo                    POST: returns the body while it is received; a refused body aborts it
  /echo-len                POST: returns the length of the body
  /upload                  POST a multipart form: returns the number of parts and bytes
  /file/NAME               a file below the file root
  /stream?chunks=N&size=B&delay=MS
  /events?count=N&delay=MS&retry=MS&heartbeat=MS
                           server-sent events; continues after Last-Event-ID
  /lines?size=B            text that --compress compresses
  /slow?ms=N
  /cookie/set?NAME=VALUE&...
  /cookie/set-secure?name=N&value=V[&expires=SECONDS]
  /cookie/get-secure?name=N
  /cookie/login /cookie/logout
                           POST of the page: a signed cookie, and a message that is shown once
  /status/NNN  /healthz  /metrics  /ws  /panic
  anything else            the request as received, as JSON
";

/// The command given by the arguments.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Serve(Box<Options>),
    Help,
    Version,
}

/// The settings of the server. A setting that is `None` leaves the server's default.
#[derive(Debug, PartialEq, Default)]
pub(crate) struct Options {
    pub(crate) runtime: RuntimeName,
    pub(crate) listen: Vec<Address>,
    pub(crate) listen_fds: bool,
    pub(crate) workers: Workers,
    pub(crate) access_log: bool,
    drain_delay: Option<Seconds>,
    pub(crate) cookie_secrets: Vec<Secret>,
    cookie_secret_file: Option<PathBuf>,
    pub(crate) xheaders: Vec<Proxies>,
    pub(crate) xheaders_from: Option<ProxyFields>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    client_authorities: Option<PathBuf>,
    file_root: Option<PathBuf>,
    file_fallback: Option<PathBuf>,
    file_not_found: Option<PathBuf>,
    compress: bool,
    decompress_requests: bool,
    sendfile: Option<FieldName>,
    sendfile_prefix: Option<Prefix>,
    sendfile_unescaped: bool,
    proxy_protocol: bool,
    max_body_size: Option<ByteCount>,
    handshake_timeout: Option<Seconds>,
    accept_timeout: Option<Seconds>,
    head_timeout: Option<Seconds>,
    idle_timeout: Option<Seconds>,
    body_timeout: Option<Seconds>,
    body_rate: Option<BytesPerSecond>,
    write_timeout: Option<Seconds>,
    half_closed_timeout: Option<Seconds>,
    linger_timeout: Option<Seconds>,
    connections: Connections,
}

impl Command {
    /// Parses the arguments after the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut options = Options::default();
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            let name = match argument {
                Arg::Long("help") | Arg::Short('h') => return Ok(Self::Help),
                Arg::Long("version") | Arg::Short('V') => return Ok(Self::Version),
                Arg::Long(name) => name.to_owned(),
                other => return Err(other.unexpected()),
            };
            options.read(Flag { name: &name, parser: &mut parser })?;
        }
        options.check()?;
        if options.listen.is_empty() && !options.listen_fds {
            options.listen.push(Address::default());
        }
        Ok(Self::Serve(Box::new(options)))
    }
}

impl Options {
    /// Parses the value of this flag.
    fn read(&mut self, flag: Flag<'_>) -> Result<(), lexopt::Error> {
        let Some(flag) = self.connections.read(flag)? else { return Ok(()) };
        match flag.name {
            "runtime" => self.runtime = flag.value()?,
            "listen" => self.listen.push(flag.value()?),
            "listen-fds" => self.listen_fds = true,
            "workers" => self.workers = flag.value()?,
            "access-log" => self.access_log = true,
            "drain-delay" => self.drain_delay = Some(flag.value()?),
            "tls-cert" => self.tls_certificate = Some(flag.path()?),
            "tls-key" => self.tls_key = Some(flag.path()?),
            "client-ca" => self.client_authorities = Some(flag.path()?),
            "file-root" => self.file_root = Some(flag.path()?),
            "file-fallback" => self.file_fallback = Some(flag.path()?),
            "file-not-found" => self.file_not_found = Some(flag.path()?),
            "compress" => self.compress = true,
            "decompress-requests" => self.decompress_requests = true,
            "sendfile" => self.sendfile = Some(flag.value()?),
            "sendfile-prefix" => self.sendfile_prefix = Some(flag.value()?),
            "sendfile-unescaped" => self.sendfile_unescaped = true,
            "cookie-secret" => self.cookie_secrets.push(flag.secret()?),
            "cookie-secret-file" => self.cookie_secret_file = Some(flag.path()?),
            "xheaders" => self.xheaders.push(flag.value()?),
            "xheaders-from" => self.xheaders_from = Some(flag.value()?),
            "proxy-protocol" => self.proxy_protocol = true,
            "max-request" => self.max_body_size = Some(flag.value()?),
            "handshake-timeout" => self.handshake_timeout = Some(flag.value()?),
            "accept-timeout" => self.accept_timeout = Some(flag.value()?),
            "head-timeout" => self.head_timeout = Some(flag.value()?),
            "idle-timeout" => self.idle_timeout = Some(flag.value()?),
            "body-timeout" => self.body_timeout = Some(flag.value()?),
            "body-rate" => self.body_rate = Some(flag.value()?),
            "linger-timeout" => self.linger_timeout = Some(flag.value()?),
            "write-timeout" => self.write_timeout = Some(flag.value()?),
            "half-closed-timeout" => self.half_closed_timeout = Some(flag.value()?),
            name => return Err(Arg::Long(name).unexpected()),
        }
        Ok(())
    }

    /// Checks flags that require other flags.
    fn check(&self) -> Result<(), &'static str> {
        if self.sendfile.is_none() && self.sendfile_prefix.is_some() {
            return Err("--sendfile-prefix requires --sendfile");
        }
        if self.sendfile.is_none() && self.sendfile_unescaped {
            return Err("--sendfile-unescaped requires --sendfile");
        }
        if self.cookie_secret_file.is_some() && !self.cookie_secrets.is_empty() {
            return Err("--cookie-secret-file cannot be combined with --cookie-secret");
        }
        if self.xheaders.is_empty() && self.xheaders_from.is_some() {
            return Err("--xheaders-from requires --xheaders");
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return Err("--tls-cert and --tls-key require each other");
        }
        if self.client_authorities.is_some() && self.tls_key.is_none() {
            return Err("--client-ca requires --tls-cert");
        }
        self.connections.check()
    }

    /// Applies the given settings.
    pub(crate) fn apply(&self, config: &mut Config) {
        config.proxy_protocol = self.proxy_protocol;
        set(&mut config.limits.max_body_size, self.max_body_size.map(|bytes| bytes.0));
        let timeouts = &mut config.timeouts;
        set(&mut timeouts.handshake, self.handshake_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.accept, self.accept_timeout.or(self.head_timeout).map(|seconds| seconds.0));
        set(&mut timeouts.head, self.head_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.idle, self.idle_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.body, self.body_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.body_rate, self.body_rate.map(|rate| rate.0));
        set(&mut timeouts.write, self.write_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.half_closed, self.half_closed_timeout.map(|seconds| seconds.0));
        if let Some(Seconds(whole)) = self.linger_timeout {
            timeouts.refusal_linger = whole;
            // After other responses no upload is in transit, so a longer linger would only occupy
            // connections.
            timeouts.linger = whole.and_then(|whole| timeouts.linger.map(|default| default.min(whole)));
        }
    }

    /// Applies the settings for connections and listening sockets.
    pub(crate) fn limit<R: Runtime, H: Handler>(&self, server: Server<R, H>) -> Server<R, H> {
        self.connections.apply(server)
    }

    /// Enables the content codings.
    pub(crate) fn codings<R: Runtime, H: Handler>(&self, mut server: Server<R, H>) -> Server<R, H> {
        if self.compress {
            server = server.compression(Compression::default().filter(routes::is_compressed));
        }
        if self.decompress_requests {
            server = server.decompress_requests(Decompression::default());
        }
        server
    }

    /// Returns the trusted proxies and the trusted fields.
    pub(crate) fn xheaders(&self) -> XHeaders {
        let everybody = self.xheaders.contains(&Proxies::All);
        if self.xheaders.is_empty() {
            return XHeaders::Off;
        }
        if everybody && self.xheaders_from.is_none() {
            return XHeaders::TrustAll;
        }
        let networks = self.xheaders.iter().flat_map(|proxies| match proxies {
            Proxies::All => vec!["0.0.0.0/0", "::/0"],
            Proxies::Network(network) => vec![network.as_str()],
        });
        // Each network was already parsed.
        let proxies = XHeaders::trusted(networks).unwrap_or_default();
        let proxies = if everybody { proxies.unix_peers() } else { proxies };
        match self.xheaders_from.unwrap_or_default() {
            ProxyFields::XForwarded => proxies.proto(),
            ProxyFields::XRealIp => proxies.x_real_ip(),
            ProxyFields::Forwarded => proxies.forwarded(),
        }
    }

    /// Returns the time for which the server still accepts connections after SIGTERM.
    pub(crate) fn drain_delay(&self) -> Duration {
        self.drain_delay.and_then(|Seconds(delay)| delay).unwrap_or_default()
    }

    /// Returns the secrets of cookies, if given.
    pub(crate) fn cookie_keys(&self) -> io::Result<Option<KeyRing>> {
        match &self.cookie_secret_file {
            Some(file) => KeyRing::from_file(file).map(Some).map_err(|error| named("--cookie-secret-file", &error)),
            None if self.cookie_secrets.is_empty() => Ok(None),
            None => KeyRing::new(&self.cookie_secrets).map(Some).map_err(io::Error::other),
        }
    }

    /// Returns the TLS settings, if given.
    pub(crate) fn tls(&self) -> io::Result<Option<Tls>> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else { return Ok(None) };
        let tls = Tls::from_pem_files(certificate, key).map_err(|error| named("--tls-cert and --tls-key", &error))?;
        let Some(authorities) = &self.client_authorities else { return Ok(Some(tls)) };
        let tls = tls.client_ca_file(authorities, ClientCertificates::Required);
        tls.map(Some).map_err(|error| named("--client-ca", &error))
    }

    /// Returns the directory to serve, if given.
    pub(crate) fn file_root(&self) -> io::Result<Option<FileRoot>> {
        let by_flag = self.file_root.clone().map(|root| ("--file-root", root));
        let from_environment = || env::var_os("FILE_ROOT").filter(|root| !root.is_empty());
        let given = by_flag.or_else(|| Some(("FILE_ROOT", from_environment()?.into())));
        given.map(|(flag, root)| FileRoot::open(root).map_err(|error| named(flag, &error))).transpose()
    }

    /// Sets the `fallback` and `not_found` files, if given.
    pub(crate) fn pages(&self, mut files: FileRoot) -> io::Result<FileRoot> {
        if let Some(page) = &self.file_fallback {
            files = files.fallback(page).map_err(|error| named("--file-fallback", &error))?;
        }
        if let Some(page) = &self.file_not_found {
            files = files.not_found(page).map_err(|error| named("--file-not-found", &error))?;
        }
        Ok(files)
    }

    /// Returns the settings for files sent by a proxy, if given.
    pub(crate) fn sendfile(&self, root: &Path) -> io::Result<Option<XSendfile>> {
        let Some(header) = &self.sendfile else { return Ok(None) };
        // The header name and the prefix were already validated.
        let policy = XSendfile::new(&header.0, root).map_err(io::Error::other)?;
        let policy = if self.sendfile_unescaped { policy.unescaped() } else { policy };
        Ok(Some(match &self.sendfile_prefix {
            Some(prefix) => policy.prefix(&prefix.0).map_err(io::Error::other)?,
            None => policy,
        }))
    }
}

/// Creates an error for flags whose values turned out to be invalid when they were used.
fn named(flags: &str, error: &dyn Display) -> io::Error {
    io::Error::other(format!("{flags}: {error}"))
}

fn set<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

/// A parsed flag; the parser is at its value.
struct Flag<'a> {
    /// The name without hyphens.
    name: &'a str,
    parser: &'a mut Parser,
}

impl Flag<'_> {
    /// Parses the value; an error names the flag, the value and what was expected.
    fn value<T: FromStr<Err = &'static str>>(self) -> Result<T, lexopt::Error> {
        let given = self.parser.value()?;
        let parsed = given.to_str().ok_or("expected text in UTF-8").and_then(str::parse);
        parsed.map_err(|expected| self.error(&given, expected))
    }

    fn path(self) -> Result<PathBuf, lexopt::Error> {
        self.not_empty("expected a path").map(PathBuf::from)
    }

    fn secret(self) -> Result<Secret, lexopt::Error> {
        self.not_empty("expected a non-empty secret").map(Secret)
    }

    fn not_empty(self, expected: &str) -> Result<OsString, lexopt::Error> {
        let given = self.parser.value()?;
        if given.is_empty() { Err(self.error(&given, expected)) } else { Ok(given) }
    }

    fn error(&self, given: &OsStr, expected: &str) -> lexopt::Error {
        format!("invalid value {given:?} for --{}: {expected}", self.name).into()
    }
}

#[cfg(test)]
mod tests;
