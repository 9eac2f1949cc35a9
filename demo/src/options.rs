//! The command line.

mod values;

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use httpants_tokio::core::Config;
use httpants_tokio::core::proxy::XHeaders;
use httpants_tokio::{ClientCertificates, Misuse, Sendfile, Tls, TlsError};
use lexopt::{Arg, Parser};

use values::{BytesPerSecond, Seconds};
pub(crate) use values::{Proxies, ProxyFields, RuntimeName, Secret};

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
      --proxy-protocol         each connection begins with a PROXY protocol header
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
      --linger-timeout SECONDS how long the end of the client's stream is awaited after the last
                               answer
      --workers N              threads that serve; 0 is one for each core [default: 1]
      --access-log             write a line for each request to standard error, in the Combined
                               Log Format
  -h, --help                   print this help
  -V, --version                print the version

SECONDS may have a fraction; 0 switches that timeout off. The first SIGINT or SIGTERM
finishes the requests that are running, the second ends at once.

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
    pub(crate) listen: Vec<String>,
    pub(crate) listen_fds: bool,
    pub(crate) workers: usize,
    pub(crate) access_log: bool,
    pub(crate) cookie_secrets: Vec<Secret>,
    pub(crate) xheaders: Vec<Proxies>,
    pub(crate) xheaders_from: Option<ProxyFields>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    client_authorities: Option<PathBuf>,
    file_root: Option<PathBuf>,
    sendfile: Option<String>,
    sendfile_prefix: Option<String>,
    proxy_protocol: bool,
    max_request: Option<u64>,
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
        let mut options = Options { workers: 1, ..Options::default() };
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("runtime") => options.runtime = value(&mut parser, "--runtime")?,
                Arg::Long("listen") => options.listen.push(value(&mut parser, "--listen")?),
                Arg::Long("listen-fds") => options.listen_fds = true,
                Arg::Long("workers") => options.workers = value(&mut parser, "--workers")?,
                Arg::Long("access-log") => options.access_log = true,
                Arg::Long("tls-cert") => options.tls_certificate = Some(parser.value()?.into()),
                Arg::Long("tls-key") => options.tls_key = Some(parser.value()?.into()),
                Arg::Long("client-ca") => options.client_authorities = Some(parser.value()?.into()),
                Arg::Long("file-root") => options.file_root = Some(parser.value()?.into()),
                Arg::Long("sendfile") => options.sendfile = Some(value(&mut parser, "--sendfile")?),
                Arg::Long("sendfile-prefix") => {
                    options.sendfile_prefix = Some(value(&mut parser, "--sendfile-prefix")?);
                }
                Arg::Long("cookie-secret") => options.cookie_secrets.push(value(&mut parser, "--cookie-secret")?),
                Arg::Long("xheaders") => options.xheaders.push(value(&mut parser, "--xheaders")?),
                Arg::Long("xheaders-from") => options.xheaders_from = Some(value(&mut parser, "--xheaders-from")?),
                Arg::Long("proxy-protocol") => options.proxy_protocol = true,
                Arg::Long("max-request") => options.max_request = Some(value(&mut parser, "--max-request")?),
                Arg::Long("handshake-timeout") => {
                    options.handshake_timeout = Some(value(&mut parser, "--handshake-timeout")?);
                }
                Arg::Long("accept-timeout") => options.accept_timeout = Some(value(&mut parser, "--accept-timeout")?),
                Arg::Long("head-timeout") => options.head_timeout = Some(value(&mut parser, "--head-timeout")?),
                Arg::Long("idle-timeout") => options.idle_timeout = Some(value(&mut parser, "--idle-timeout")?),
                Arg::Long("body-timeout") => options.body_timeout = Some(value(&mut parser, "--body-timeout")?),
                Arg::Long("body-rate") => options.body_rate = Some(value(&mut parser, "--body-rate")?),
                Arg::Long("linger-timeout") => options.linger_timeout = Some(value(&mut parser, "--linger-timeout")?),
                Arg::Long("write-timeout") => options.write_timeout = Some(value(&mut parser, "--write-timeout")?),
                Arg::Long("half-closed-timeout") => {
                    options.half_closed_timeout = Some(value(&mut parser, "--half-closed-timeout")?);
                }
                Arg::Long("help") | Arg::Short('h') => return Ok(Self::Help),
                Arg::Long("version") | Arg::Short('V') => return Ok(Self::Version),
                other => return Err(other.unexpected()),
            }
        }
        if options.sendfile.is_none() && options.sendfile_prefix.is_some() {
            return Err("--sendfile-prefix says nothing without --sendfile".into());
        }
        if options.xheaders.is_empty() && options.xheaders_from.is_some() {
            return Err("--xheaders-from requires --xheaders".into());
        }
        if options.tls_certificate.is_some() != options.tls_key.is_some() {
            return Err("--tls-cert and --tls-key go together".into());
        }
        if options.client_authorities.is_some() && options.tls_key.is_none() {
            return Err("--client-ca says nothing without --tls-cert".into());
        }
        if options.listen.is_empty() && !options.listen_fds {
            options.listen.push("127.0.0.1:8080".into());
        }
        Ok(Self::Serve(Box::new(options)))
    }
}

impl Options {
    /// Sets what was given.
    pub(crate) fn apply(&self, config: &mut Config) {
        config.proxies.xheaders = self.xheaders();
        config.proxy_protocol = self.proxy_protocol;
        set(&mut config.limits.max_request, self.max_request);
        let timeouts = &mut config.timeouts;
        set(&mut timeouts.handshake, self.handshake_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.accept, self.accept_timeout.or(self.head_timeout).map(|seconds| seconds.0));
        set(&mut timeouts.head, self.head_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.idle, self.idle_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.body, self.body_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.body_rate, self.body_rate.map(|rate| rate.0));
        set(&mut timeouts.write, self.write_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.half_closed, self.half_closed_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.linger, self.linger_timeout.map(|seconds| seconds.0));
    }

    /// Which proxies are trusted, and which fields of theirs are read.
    fn xheaders(&self) -> XHeaders {
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
    pub(crate) fn tls(&self) -> Result<Option<Tls>, TlsError> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else { return Ok(None) };
        let tls = Tls::from_pem_files(certificate, key)?;
        Ok(Some(match &self.client_authorities {
            Some(authorities) => tls.client_ca_file(authorities, ClientCertificates::Required)?,
            None => tls,
        }))
    }

    /// What is to be served, where that is said.
    pub(crate) fn file_root(&self) -> Option<PathBuf> {
        let from_environment = || env::var_os("FILE_ROOT").filter(|root| !root.is_empty()).map(PathBuf::from);
        self.file_root.clone().or_else(from_environment)
    }

    /// Who is to send the files below this root, if not the demo.
    pub(crate) fn sendfile(&self, root: &Path) -> io::Result<Option<Sendfile>> {
        let Some(header) = &self.sendfile else { return Ok(None) };
        let impossible = |flag, misuse: Misuse| io::Error::other(format!("{flag}: {misuse}"));
        let policy = Sendfile::new(header, root).map_err(|misuse| impossible("--sendfile", misuse))?;
        Ok(Some(match &self.sendfile_prefix {
            Some(prefix) => policy.prefix(prefix).map_err(|misuse| impossible("--sendfile-prefix", misuse))?,
            None => policy,
        }))
    }
}

fn set<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

/// The value of the flag that was just read; the error names the flag.
fn value<T: FromStr<Err: Display>>(parser: &mut Parser, flag: &str) -> Result<T, lexopt::Error> {
    let text = parser.value()?.into_string().map_err(lexopt::Error::NonUnicodeValue)?;
    text.parse().map_err(|error| format!("{flag} {text:?}: {error}").into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    fn options(line: &str) -> Options {
        match parse(line) {
            Ok(Command::Serve(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn without_arguments_it_serves_on_8080_for_this_machine_with_the_servers_defaults() {
        let (mut config, options) = (Config::default(), options(""));
        options.apply(&mut config);
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
        assert_eq!((options.listen, options.workers, options.access_log), (vec!["127.0.0.1:8080".into()], 1, false));
    }

    #[test]
    fn every_flag_sets_its_own() {
        let options = options(
            "--listen 80 --listen=unix:/s --listen-fds --workers 0 --access-log --max-request 5 --head-timeout 1 \
             --idle-timeout 2.5 --body-timeout 3 --write-timeout 0 --half-closed-timeout 8 --proxy-protocol --cookie-secret a \
             --cookie-secret b --xheaders 10.0.0.0/8 --xheaders ::1 --handshake-timeout 4 --accept-timeout 5 \
             --linger-timeout 6 --body-rate 7",
        );
        let mut config = Config::default();
        options.apply(&mut config);
        assert_eq!(options.listen, ["80", "unix:/s"]);
        assert_eq!((options.workers, options.access_log, options.listen_fds), (0, true, true));
        assert_eq!(options.cookie_secrets, [Secret("a".into()), Secret("b".into())]);
        assert_eq!(config.proxies.xheaders, XHeaders::trusted(["10.0.0.0/8", "::1"]).unwrap().proto());
        assert!(config.proxy_protocol);
        let (limits, timeouts) = (config.limits, config.timeouts);
        assert_eq!(limits.max_request, 5);
        assert_eq!(timeouts.head, Some(Duration::from_secs(1)));
        assert_eq!(timeouts.idle, Some(Duration::from_millis(2500)));
        assert_eq!(timeouts.body, Some(Duration::from_secs(3)));
        assert_eq!(timeouts.write, None);
        assert_eq!(timeouts.half_closed, Some(Duration::from_secs(8)));
        assert_eq!(timeouts.handshake, Some(Duration::from_secs(4)));
        assert_eq!(timeouts.accept, Some(Duration::from_secs(5)));
        assert_eq!((timeouts.linger, timeouts.body_rate), (Some(Duration::from_secs(6)), 7));
    }

    #[test]
    fn head_timeout_counts_from_accept_unless_accept_timeout_is_given() {
        let (default, seconds) = (Config::default().timeouts.accept, |n| Some(Duration::from_secs(n)));
        for (line, accept) in [
            ("", default),
            ("--head-timeout 3", seconds(3)),
            ("--head-timeout 60", seconds(60)),
            ("--head-timeout 0", None),
            ("--head-timeout 3 --accept-timeout 4", seconds(4)),
            ("--accept-timeout 0 --head-timeout 3", None),
            ("--accept-timeout 4", seconds(4)),
        ] {
            let mut config = Config::default();
            options(line).apply(&mut config);
            assert_eq!(config.timeouts.accept, accept, "{line}");
        }
    }

    #[test]
    fn runtimes_go_by_the_names_of_their_crates() {
        for (line, runtime) in [
            ("", RuntimeName::Tokio),
            ("--runtime tokio", RuntimeName::Tokio),
            ("--runtime smol", RuntimeName::Smol),
            ("--runtime async-std", RuntimeName::AsyncStd),
        ] {
            assert_eq!(options(line).runtime, runtime, "{line}");
        }
    }

    #[test]
    fn all_proxies_are_all_whatever_else_is_named() {
        for line in ["--xheaders all", "--xheaders all --xheaders ::1", "--xheaders ::1 --xheaders all"] {
            assert_eq!(options(line).xheaders(), XHeaders::TrustAll, "{line}");
        }
    }

    #[test]
    fn the_fields_of_trusted_proxies_are_chosen_by_name() {
        let trusted = || XHeaders::trusted(["::1"]).unwrap();
        for (line, xheaders) in [
            ("--xheaders ::1", trusted().proto()),
            ("--xheaders ::1 --xheaders-from x-forwarded", trusted().proto()),
            ("--xheaders-from x-real-ip --xheaders ::1", trusted().x_real_ip()),
            ("--xheaders ::1 --xheaders-from forwarded", trusted().forwarded()),
            (
                "--xheaders all --xheaders-from forwarded",
                XHeaders::trusted(["0.0.0.0/0", "::/0"]).unwrap().unix_peers().forwarded(),
            ),
        ] {
            assert_eq!(options(line).xheaders(), xheaders, "{line}");
        }
    }

    #[test]
    fn the_server_in_front_is_named_once_the_root_is_known() {
        let root = Path::new("/srv");
        assert_eq!(options("").sendfile(root).unwrap(), None);
        let nginx = options("--sendfile X-Accel-Redirect --sendfile-prefix /p").sendfile(root).unwrap();
        assert_eq!(nginx, Some(Sendfile::new("X-Accel-Redirect", root).unwrap().prefix("/p").unwrap()));
        for (line, flag) in
            [("--sendfile a:b", "--sendfile: "), ("--sendfile x --sendfile-prefix \u{e9}", "--sendfile-prefix: ")]
        {
            let error = options(line).sendfile(root).unwrap_err().to_string();
            assert!(error.starts_with(flag), "{error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let options = options("--cookie-secret hunter2");
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn help_and_version_win_over_what_follows() {
        assert_eq!(parse("--help --nonsense"), Ok(Command::Help));
        assert_eq!(parse("-V"), Ok(Command::Version));
    }

    #[test]
    fn each_mistake_is_one_line_that_names_the_flag() {
        for (line, said) in [
            ("--nonsense", "invalid option '--nonsense'"),
            ("-x", "invalid option '-x'"),
            ("stray", "unexpected argument \"stray\""),
            ("--listen", "missing argument for option '--listen'"),
            ("--access-log=yes", "unexpected argument for option '--access-log': \"yes\""),
            ("--cookie-secret=", "--cookie-secret \"\": expected a secret that is not empty"),
            (
                "--xheaders 10.0.0.0/33",
                "--xheaders \"10.0.0.0/33\": a trusted proxy must be a network like 10.0.0.0/8, or one address, and \
                 `10.0.0.0/33` is neither",
            ),
            (
                "--xheaders-from x-forwarded-for",
                "--xheaders-from \"x-forwarded-for\": expected x-forwarded, x-real-ip or forwarded",
            ),
            ("--xheaders-from forwarded", "--xheaders-from requires --xheaders"),
            ("--sendfile-prefix /p", "--sendfile-prefix says nothing without --sendfile"),
            ("--runtime glommio", "--runtime \"glommio\": expected tokio, smol or async-std"),
            ("--workers many", "--workers \"many\": invalid digit found in string"),
            ("--max-request -1", "--max-request \"-1\": invalid digit found in string"),
            ("--idle-timeout soon", "--idle-timeout \"soon\": expected a number of seconds"),
            ("--idle-timeout -1", "--idle-timeout \"-1\": expected a number of seconds"),
            ("--handshake-timeout NaN", "--handshake-timeout \"NaN\": expected a number of seconds"),
            ("--accept-timeout 1s", "--accept-timeout \"1s\": expected a number of seconds"),
            ("--linger-timeout 1e99", "--linger-timeout \"1e99\": expected a number of seconds"),
            ("--linger-timeout", "missing argument for option '--linger-timeout'"),
            ("--body-rate 1.5", "--body-rate \"1.5\": expected a number of bytes per second, at most 4294967295"),
            (
                "--body-rate 4294967296",
                "--body-rate \"4294967296\": expected a number of bytes per second, at most 4294967295",
            ),
        ] {
            assert_eq!(parse(line), Err(said.into()), "{line}");
        }
    }
}
