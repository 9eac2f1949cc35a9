//! The command line.

mod values;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use httpants_tokio::protocol::Config;
use httpants_tokio::protocol::proxy::XHeaders;
use httpants_tokio::{ClientCertificates, FileRoot, Sendfile, Tls};
use lexopt::{Arg, Parser};

pub(crate) use values::{Address, Proxies, ProxyFields, RuntimeName, Secret, Workers};
use values::{ByteCount, BytesPerSecond, FieldName, Prefix, Seconds};

pub(crate) const HELP: &str = "\
The demo of httpants: an HTTP/1.1 server that shows what it received.

Usage: demo [OPTIONS]

      --runtime NAME           tokio, smol or async-std [default: tokio]
      --listen ADDR            PORT, HOST:PORT or unix:PATH; may be given several times
                               [default: 127.0.0.1:8080]
      --listen-fds             the sockets that systemd or the like passes (LISTEN_FDS); where no
                               --listen is given nothing else is listened on
      --tls-cert FILE          speaks TLS with this certificate, and those between it and its
                               authority, in PEM; SIGHUP reads the files again
      --tls-key FILE           its private key, in PEM
      --client-ca FILE         lets in only clients with a certificate of these authorities
      --file-root DIR          what /file/ serves [default: $FILE_ROOT, or else a folder of samples]
      --sendfile HEADER        leaves the sending of files to a server in front, which reads this
                               field: X-Accel-Redirect for nginx, X-Sendfile for others
      --sendfile-prefix PATH   what stands for the root there
      --cookie-secret TEXT     signs cookies; of several the first signs and all verify
                               [default: a random one]
      --xheaders all|CIDR      trust forwarded fields from these proxies: all, or a network or
                               address; may be given more than once
      --xheaders-from NAME     the fields that these proxies write: x-forwarded
                               (X-Forwarded-For and -Proto), x-real-ip or forwarded
                               [default: x-forwarded; with --xheaders all each of them]
      --proxy-protocol         each connection begins with a PROXY protocol header; one that sends
                               something else is closed, with a line on standard error
      --max-request BYTES      the largest request content
      --handshake-timeout SECONDS
                               from accepting a connection to the end of its TLS handshake
      --accept-timeout SECONDS from accepting a connection, or the end of its handshake, to its
                               first byte [default: --head-timeout where it is given]
      --head-timeout SECONDS   from the first byte of a request's head to its end; also from
                               accepting the connection unless --accept-timeout says otherwise
      --idle-timeout SECONDS   between two requests on a connection
      --body-timeout SECONDS   without a byte of a request's content
      --body-rate BYTES        the slowest request content, in bytes per second; 0 is no limit
      --write-timeout SECONDS  without progress in sending an answer
      --half-closed-timeout SECONDS
                               without progress in an answer to a client that has ended its
                               stream, or left; then the connection is dropped
      --linger-timeout SECONDS from the last response of a connection to its close, where the
                               client does not end its stream: after a refusal, or a response
                               that cuts the request's content off [default: 30]; after other
                               responses the same, but at most 2 seconds
      --workers N              threads that serve, up to 1024; 0 is one for each core [default: 0]
      --access-log             write a line for each request to standard error, in the Combined
                               Log Format
  -h, --help                   print this help
  -V, --version                print the version

SECONDS may have a fraction; 0 switches that timeout off. The first SIGINT or SIGTERM
finishes the requests that are running and closes WebSockets, the second ends at once.

Routes:
  /                        with text/html in Accept: a page to try things out
  /plaintext               Hello, World!
  /echo /echo-len          POST: the content back, and its length
  /upload                  POST a multipart form: how many parts and bytes
  /file/NAME               a file below the root
  /stream?chunks=N&size=B&delay=MS
  /slow?ms=N
  /cookie/set?NAME=VALUE&...
  /cookie/set-secure?name=N&value=V[&expires=SECONDS]
  /cookie/get-secure?name=N
  /status/NNN  /healthz  /ws  /panic
  anything else            the request as it was received, as JSON
";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Serve(Box<Options>),
    Help,
    Version,
}

/// How to serve. What is `None` was not given and keeps the server's default.
#[derive(Debug, PartialEq, Default)]
pub(crate) struct Options {
    pub(crate) runtime: RuntimeName,
    pub(crate) listen: Vec<Address>,
    pub(crate) listen_fds: bool,
    pub(crate) workers: Workers,
    pub(crate) access_log: bool,
    pub(crate) cookie_secrets: Vec<Secret>,
    pub(crate) xheaders: Vec<Proxies>,
    pub(crate) xheaders_from: Option<ProxyFields>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    client_authorities: Option<PathBuf>,
    file_root: Option<PathBuf>,
    sendfile: Option<FieldName>,
    sendfile_prefix: Option<Prefix>,
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
}

impl Command {
    /// Reads the arguments behind the program's name.
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
    /// Reads what follows this flag.
    fn read(&mut self, flag: Flag<'_>) -> Result<(), lexopt::Error> {
        match flag.name {
            "runtime" => self.runtime = flag.value()?,
            "listen" => self.listen.push(flag.value()?),
            "listen-fds" => self.listen_fds = true,
            "workers" => self.workers = flag.value()?,
            "access-log" => self.access_log = true,
            "tls-cert" => self.tls_certificate = Some(flag.path()?),
            "tls-key" => self.tls_key = Some(flag.path()?),
            "client-ca" => self.client_authorities = Some(flag.path()?),
            "file-root" => self.file_root = Some(flag.path()?),
            "sendfile" => self.sendfile = Some(flag.value()?),
            "sendfile-prefix" => self.sendfile_prefix = Some(flag.value()?),
            "cookie-secret" => self.cookie_secrets.push(flag.secret()?),
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

    /// Checks that what goes together was given together.
    fn check(&self) -> Result<(), &'static str> {
        if self.sendfile.is_none() && self.sendfile_prefix.is_some() {
            return Err("--sendfile-prefix requires --sendfile");
        }
        if self.xheaders.is_empty() && self.xheaders_from.is_some() {
            return Err("--xheaders-from requires --xheaders");
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return Err("--tls-cert and --tls-key go together");
        }
        if self.client_authorities.is_some() && self.tls_key.is_none() {
            return Err("--client-ca requires --tls-cert");
        }
        Ok(())
    }

    /// Sets what was given.
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
            // An ordinary end waits for no upload: to wait longer there holds connections for nothing.
            timeouts.linger = whole.and_then(|whole| timeouts.linger.map(|default| default.min(whole)));
        }
    }

    /// Which proxies are trusted, and which fields of theirs are read.
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
        // Each was parsed when it was read.
        let proxies = XHeaders::trusted(networks).unwrap_or_default();
        let proxies = if everybody { proxies.unix_peers() } else { proxies };
        match self.xheaders_from.unwrap_or_default() {
            ProxyFields::XForwarded => proxies.proto(),
            ProxyFields::XRealIp => proxies.x_real_ip(),
            ProxyFields::Forwarded => proxies.forwarded(),
        }
    }

    /// What to speak TLS with, where that is said.
    pub(crate) fn tls(&self) -> io::Result<Option<Tls>> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else { return Ok(None) };
        let tls = Tls::from_pem_files(certificate, key).map_err(|error| named("--tls-cert and --tls-key", &error))?;
        let Some(authorities) = &self.client_authorities else { return Ok(Some(tls)) };
        let tls = tls.client_ca_file(authorities, ClientCertificates::Required);
        tls.map(Some).map_err(|error| named("--client-ca", &error))
    }

    /// What is to be served, where that is said.
    pub(crate) fn file_root(&self) -> io::Result<Option<FileRoot>> {
        let by_flag = self.file_root.clone().map(|root| ("--file-root", root));
        let from_environment = || env::var_os("FILE_ROOT").filter(|root| !root.is_empty());
        let given = by_flag.or_else(|| Some(("FILE_ROOT", from_environment()?.into())));
        given.map(|(flag, root)| FileRoot::open(root).map_err(|error| named(flag, &error))).transpose()
    }

    /// Who is to send the files below this root, if not the demo.
    pub(crate) fn sendfile(&self, root: &Path) -> io::Result<Option<Sendfile>> {
        let Some(header) = &self.sendfile else { return Ok(None) };
        // Both were tried when they were read.
        let policy = Sendfile::new(&header.0, root).map_err(io::Error::other)?;
        Ok(Some(match &self.sendfile_prefix {
            Some(prefix) => policy.prefix(&prefix.0).map_err(io::Error::other)?,
            None => policy,
        }))
    }
}

/// An error of the values of these flags that shows only when they are used.
fn named(flags: &str, error: &dyn Display) -> io::Error {
    io::Error::other(format!("{flags}: {error}"))
}

fn set<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

/// A flag that was just read, with its value before it.
struct Flag<'a> {
    /// Without its hyphens.
    name: &'a str,
    parser: &'a mut Parser,
}

impl Flag<'_> {
    /// Parses the value; the error names the flag, what was given and what is expected.
    fn value<T: FromStr<Err = &'static str>>(self) -> Result<T, lexopt::Error> {
        let given = self.parser.value()?;
        let parsed = given.to_str().ok_or("expected text in UTF-8").and_then(str::parse);
        parsed.map_err(|expected| self.error(&given, expected))
    }

    fn path(self) -> Result<PathBuf, lexopt::Error> {
        self.not_empty("expected a path").map(PathBuf::from)
    }

    fn secret(self) -> Result<Secret, lexopt::Error> {
        self.not_empty("expected a secret that is not empty").map(Secret)
    }

    fn not_empty(self, expected: &str) -> Result<OsString, lexopt::Error> {
        let given = self.parser.value()?;
        if given.is_empty() { Err(self.error(&given, expected)) } else { Ok(given) }
    }

    fn error(&self, given: &OsStr, expected: &str) -> lexopt::Error {
        format!("--{} {given:?}: {expected}", self.name).into()
    }
}

#[cfg(test)]
mod tests;
