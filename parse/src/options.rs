//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use httpants_core::HalfClose;
use httpants_parse::{Application, Settings, StreamEnd};
use lexopt::{Arg, Parser, ValueExt};

pub(crate) const HELP: &str = "\
Parses bytes as HTTP/1.1 requests, exactly as the server httpants does, and prints each part of them
and the verdict as lines of JSON.

Usage: httpants-parse [OPTIONS] [FILE]...

Reads standard input if no file is given, and for the file name -. Each file is the input of one
connection. Each request gets a response, so that the next one is parsed.

      --hex                    the input is hexadecimal digits, with any white space between bytes
      --cuts all               also parse the input split at each position, and byte by byte, and
                               report what differs: nothing ever may
      --cuts N,N,...           parse the input split at these offsets
  -q, --quiet                  print the verdict only
      --rules                  print all rules with their status, section and advisories

Server:
      --respond read|early|upgrade
                               read the body, then respond; respond early without reading it; or
                               read it and accept each upgrade and CONNECT [default: read]
      --half-close serve|drop  serve requests of clients that end their stream at once, or drop them
                               [default: serve]
      --open                   the client does not end its stream after the input
      --tls                    the listener expects TLS, but receives the input without TLS
      --proxy-protocol         a PROXY protocol header comes first
      --no-keep-alive          close the connection after the first response
      --max-requests N         close the connection after this many requests
      --strict-target          allow only the characters of RFC 3986 in targets
      --non-ascii-target       percent-encode bytes above 0x7F in targets

Limits:
      --max-head BYTES         maximum size of a head [default: 32768]
      --max-target BYTES       maximum size of a request target [default: 8192]
      --max-method BYTES       maximum size of a method [default: 64]
      --max-fields N           maximum number of field lines of a head, or of trailers
                               [default: 100]
      --max-empty-lines N      maximum number of empty lines before a request line [default: 4]
      --max-body BYTES         maximum size of a body [default: 10485760]
      --chunk-overhead BYTES   maximum size of chunk framing beyond the free allowance, and of
                               trailers [default: 16384]
      --drain BYTES            maximum size of an unread body that is read and dropped after a
                               response [default: 65536]

  -h, --help                   print this help
  -V, --version                print the version

Output: one object in each line. Those of a connection have the key event: proxy-header, request,
continue, data, end, upgraded, refused, and difference for --cuts all. The last object of each input
has the key verdict: accepted, refused or incomplete. Offsets and ranges are bytes from the start of
the input; a range ends before its second number. Bytes are a string if they are UTF-8, otherwise an
object like {\"hex\": \"61ff\"}. Advisories are those on other servers that accept inputs which
break the same rule.

Exit status: 0 all inputs accepted, 1 one refused, 2 none refused but one incomplete, 64 wrong
usage, 66 unreadable input, 70 a difference for --cuts all, 74 unwritable output.
";

/// The command given by the arguments.
#[derive(Debug)]
pub(crate) enum Command {
    Parse(Box<Options>),
    Rules,
    Help,
    Version,
}

/// The way in which inputs are split.
#[derive(Debug, PartialEq)]
pub(crate) enum Cuts {
    At(Vec<usize>),
    All,
}

/// The arguments.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) hex: bool,
    pub(crate) cuts: Cuts,
    pub(crate) quiet: bool,
    pub(crate) settings: Settings,
}

impl Command {
    /// Parses the arguments after the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut parser = Parser::from_args(arguments);
        let (cuts, settings) = (Cuts::At(Vec::new()), Settings::default());
        let mut options = Options { files: Vec::new(), hex: false, cuts, quiet: false, settings };
        while let Some(argument) = parser.next()? {
            let name = match argument {
                Arg::Long("help") | Arg::Short('h') => return Ok(Self::Help),
                Arg::Long("version") | Arg::Short('V') => return Ok(Self::Version),
                Arg::Long("rules") => return Ok(Self::Rules),
                Arg::Short('q') => "quiet".to_owned(),
                Arg::Long(name) => name.to_owned(),
                Arg::Value(file) => {
                    options.files.push(file.into());
                    continue;
                }
                other => return Err(other.unexpected()),
            };
            if !options.read(&name, &mut parser)? && !options.read_limit(&name, &mut parser)? {
                return Err(Arg::Long(&name).unexpected());
            }
        }
        if options.files.is_empty() {
            options.files.push("-".into());
        }
        Ok(Self::Parse(Box::new(options)))
    }
}

impl Options {
    /// Parses a flag; returns false if the option is not one.
    fn read(&mut self, name: &str, parser: &mut Parser) -> Result<bool, lexopt::Error> {
        let config = &mut self.settings.config;
        match name {
            "hex" => self.hex = true,
            "quiet" => self.quiet = true,
            "open" => self.settings.end = StreamEnd::Open,
            "tls" => self.settings.tls = true,
            "proxy-protocol" => config.proxy_protocol = true,
            "no-keep-alive" => config.keep_alive = false,
            "strict-target" => config.strict_target = true,
            "non-ascii-target" => config.non_ascii_target = true,
            "cuts" => {
                let text = text(name, parser)?;
                self.cuts = cuts(&text).ok_or_else(|| {
                    invalid(name, &text, "expected all, or offsets over 0 such as 3,17, in ascending order")
                })?;
            }
            "respond" => {
                self.settings.application = match text(name, parser)?.as_str() {
                    "read" => Application::Reads,
                    "early" => Application::RespondsEarly,
                    "upgrade" => Application::Upgrades,
                    other => return Err(invalid(name, other, "expected read, early or upgrade")),
                }
            }
            "half-close" => {
                (config.half_close, self.settings.end) = match text(name, parser)?.as_str() {
                    "serve" => (HalfClose::Serve, self.settings.end),
                    "drop" => (HalfClose::Drop, StreamEnd::BeforeResponses),
                    other => return Err(invalid(name, other, "expected serve or drop")),
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Parses a limit; returns false if the option is not one.
    fn read_limit(&mut self, name: &str, parser: &mut Parser) -> Result<bool, lexopt::Error> {
        let config = &mut self.settings.config;
        let limits = &mut config.limits;
        match name {
            "max-requests" => config.requests_per_connection = Some(number(name, parser)?),
            "max-head" => limits.head = number(name, parser)?,
            "max-target" => limits.target = number(name, parser)?,
            "max-method" => limits.method = number(name, parser)?,
            "max-fields" => limits.fields = number(name, parser)?,
            "max-empty-lines" => limits.empty_lines = number(name, parser)?,
            "max-body" => limits.max_body_size = number(name, parser)?,
            "chunk-overhead" => limits.chunk_overhead = number(name, parser)?,
            "drain" => limits.drain = number(name, parser)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Parses `all`, or ascending offsets.
fn cuts(text: &str) -> Option<Cuts> {
    if text == "all" {
        return Some(Cuts::All);
    }
    let offsets = text.split(',').map(|offset| offset.parse().ok()).collect::<Option<Vec<usize>>>()?;
    let ascends = offsets.is_sorted_by(|a, b| a < b) && !offsets.contains(&0);
    ascends.then_some(Cuts::At(offsets))
}

fn text(name: &str, parser: &mut Parser) -> Result<String, lexopt::Error> {
    let value = parser.value()?;
    value.string().map_err(|_| format!("invalid value for --{name}: expected text in UTF-8").into())
}

fn number<T: FromStr>(name: &str, parser: &mut Parser) -> Result<T, lexopt::Error> {
    let text = text(name, parser)?;
    text.parse().map_err(|_| invalid(name, &text, "expected a whole number"))
}

fn invalid(name: &str, value: &str, expected: &str) -> lexopt::Error {
    format!("invalid value {value:?} for --{name}: {expected}").into()
}
