//! The command line.

use std::ffi::OsString;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use httpants_tokio::core::Config;
use lexopt::{Arg, Parser};

pub(crate) const HELP: &str = "\
The demo of httpants: an HTTP/1.1 server that shows what it received.

Usage: demo [OPTIONS]

      --listen ADDR            PORT, HOST:PORT or unix:PATH; may be given several times
                               [default: 127.0.0.1:8080]
      --max-request BYTES      the largest request content
      --head-timeout SECONDS   from the first byte of a request's head to its end
      --idle-timeout SECONDS   between two requests on a connection
      --body-timeout SECONDS   without a byte of a request's content
      --write-timeout SECONDS  without progress in sending an answer
      --workers N              threads that serve; 0 is one for each core [default: 1]
      --access-log             write a line for each request to standard error
  -h, --help                   print this help
  -V, --version                print the version

SECONDS may have a fraction; 0 switches that timeout off. The first SIGINT or SIGTERM
finishes the requests that are running, the second ends at once.
";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Serve(Options),
    Help,
    Version,
}

/// How to serve. What is `None` was not given and keeps the server's default.
#[derive(Debug, PartialEq, Default)]
pub(crate) struct Options {
    pub(crate) listen: Vec<String>,
    pub(crate) workers: usize,
    pub(crate) access_log: bool,
    max_request: Option<u64>,
    head_timeout: Option<Seconds>,
    idle_timeout: Option<Seconds>,
    body_timeout: Option<Seconds>,
    write_timeout: Option<Seconds>,
}

/// A timeout as `config.rs` of the core has it: `None` is off.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seconds(Option<Duration>);

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = text.parse().map_err(|_| "a number of seconds is due")?;
        let duration = Duration::try_from_secs_f64(seconds).map_err(|_| "not a possible number of seconds")?;
        Ok(Self((!duration.is_zero()).then_some(duration)))
    }
}

impl Command {
    /// Reads the arguments behind the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut options = Options { workers: 1, ..Options::default() };
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("listen") => options.listen.push(value(&mut parser, "--listen")?),
                Arg::Long("workers") => options.workers = value(&mut parser, "--workers")?,
                Arg::Long("access-log") => options.access_log = true,
                Arg::Long("max-request") => options.max_request = Some(value(&mut parser, "--max-request")?),
                Arg::Long("head-timeout") => options.head_timeout = Some(value(&mut parser, "--head-timeout")?),
                Arg::Long("idle-timeout") => options.idle_timeout = Some(value(&mut parser, "--idle-timeout")?),
                Arg::Long("body-timeout") => options.body_timeout = Some(value(&mut parser, "--body-timeout")?),
                Arg::Long("write-timeout") => options.write_timeout = Some(value(&mut parser, "--write-timeout")?),
                Arg::Long("help") | Arg::Short('h') => return Ok(Self::Help),
                Arg::Long("version") | Arg::Short('V') => return Ok(Self::Version),
                other => return Err(other.unexpected()),
            }
        }
        if options.listen.is_empty() {
            options.listen.push("127.0.0.1:8080".into());
        }
        Ok(Self::Serve(options))
    }
}

impl Options {
    /// Sets what was given.
    pub(crate) fn apply(&self, config: &mut Config) {
        set(&mut config.limits.max_request, self.max_request);
        let timeouts = &mut config.timeouts;
        set(&mut timeouts.head, self.head_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.idle, self.idle_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.body, self.body_timeout.map(|seconds| seconds.0));
        set(&mut timeouts.write, self.write_timeout.map(|seconds| seconds.0));
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
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    fn options(line: &str) -> Options {
        match parse(line) {
            Ok(Command::Serve(options)) => options,
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
            "--listen 80 --listen=unix:/s --workers 0 --access-log --max-request 5 --head-timeout 1 \
             --idle-timeout 2.5 --body-timeout 3 --write-timeout 0",
        );
        let mut config = Config::default();
        options.apply(&mut config);
        assert_eq!(options.listen, ["80", "unix:/s"]);
        assert_eq!((options.workers, options.access_log), (0, true));
        let (limits, timeouts) = (config.limits, config.timeouts);
        assert_eq!(limits.max_request, 5);
        assert_eq!(timeouts.head, Some(Duration::from_secs(1)));
        assert_eq!(timeouts.idle, Some(Duration::from_millis(2500)));
        assert_eq!(timeouts.body, Some(Duration::from_secs(3)));
        assert_eq!(timeouts.write, None);
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
            ("--workers many", "--workers \"many\": invalid digit found in string"),
            ("--max-request -1", "--max-request \"-1\": invalid digit found in string"),
            ("--idle-timeout soon", "--idle-timeout \"soon\": a number of seconds is due"),
            ("--idle-timeout -1", "--idle-timeout \"-1\": not a possible number of seconds"),
            ("--idle-timeout NaN", "--idle-timeout \"NaN\": not a possible number of seconds"),
        ] {
            assert_eq!(parse(line), Err(said.into()), "{line}");
        }
    }
}
