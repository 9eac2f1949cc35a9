//! The demo server of httpants, and an example of an application.

mod cookies;
mod events;
mod inspect;
mod metrics;
mod mistake;
mod options;
mod page;
mod routes;
mod samples;
mod session;
mod signals;
mod websocket;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use httpants_driver::runtime::{Runtime, Spawn};
use httpants_driver::{BoundServer, Serve, Server};
use httpants_tokio::{AccessLog, FileRoot, Handler, ListenAddress};
use options::{Command, Options, RuntimeName};
use routes::Service;
use signals::Controls;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

fn main() -> ExitCode {
    match Command::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => print(options::HELP),
        Ok(Command::Version) => print(concat!("demo ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Serve(options)) => match start(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        },
        Err(error) => fail(&format_args!("{error}; see --help"), 2),
    }
}

/// Starts the server on the chosen runtime. The rest of the program is generic over it.
fn start(options: &Options) -> io::Result<()> {
    log();
    match options.runtime {
        RuntimeName::Tokio => {
            let run = if options.workers.0 == 1 { run_on_tokio } else { run };
            serve(options, httpants_tokio::Runtime::default(), routes::handler, run)
        }
        RuntimeName::Smol => serve(options, httpants_smol::Runtime::default(), routes::handler, run),
        RuntimeName::AsyncStd => serve(options, httpants_async_std::Runtime::default(), routes::handler, run),
    }
}

/// A function that serves until a signal stops the server. It prints the lines when signals are
/// handled.
type Run<R, H> = fn(server: BoundServer<R, H>, controls: Controls, lines: &str) -> io::Result<()>;

fn serve<R, H>(options: &Options, runtime: R, handler: fn(Arc<Service<R>>) -> H, run: Run<R, H>) -> io::Result<()>
where
    R: Runtime<Transport: Send> + Spawn<Serve<R, H>>,
    H: Handler,
{
    let samples;
    let files = match options.file_root()? {
        Some(root) => root,
        None => {
            samples = samples::make()?;
            FileRoot::open(samples.path())?
        }
    };
    let files = options.pages(files)?.mount("/file");
    let service = Arc::new(Service { runtime: runtime.clone(), files });
    let mut server = Server::with_runtime(runtime, handler(Arc::clone(&service)))
        .body_policy(routes::body_policy)
        .config(|config| options.apply(config))
        .xheaders(options.xheaders())
        // The inspector shows the raw body of forms, too.
        .forms(|limits| limits.keep_body = true)
        .workers(options.workers.0);
    server = options.codings(options.limit(server));
    if let Some(policy) = options.sendfile(service.files.path())? {
        server = server.x_sendfile(policy);
    }
    if let Some(keys) = options.cookie_keys()? {
        server = server.cookie_keys(keys);
    }
    for address in &options.listen {
        server = server.listen(address);
    }
    if options.listen_fds {
        server = server.listen_fds()?;
    }
    if options.access_log {
        server = server.access_log(AccessLog::combined(access));
    }
    let tls = options.tls()?;
    if let Some(tls) = &tls {
        server = server.tls(tls.clone());
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let bound = server.bind()?;
    let line = |address: &ListenAddress| match address {
        ListenAddress::Unix(_) => format!("httpants listens on {address}\n"),
        _ => format!("httpants listens on {scheme}://{address}/\n"),
    };
    let lines: String = bound.local_addresses().iter().map(line).collect();
    let controls = Controls { handle: bound.handle(), delay: options.drain_delay(), tls };
    run(bound, controls, &lines)
}

fn run<R, H>(server: BoundServer<R, H>, controls: Controls, lines: &str) -> io::Result<()>
where
    R: Runtime + Send,
    H: Handler + Send + Sync,
{
    controls.handle_on_thread()?;
    print(lines);
    server.run()
}

/// Runs one worker of tokio without another thread.
fn run_on_tokio<H: Handler>(
    server: BoundServer<httpants_tokio::Runtime, H>,
    controls: Controls,
    lines: &str,
) -> io::Result<()> {
    httpants_tokio::Runtime::default().block_on(async {
        controls.handle_on_tokio()?;
        print(lines);
        server.serve().await
    })?
}

/// Logs warnings, and peers without a valid PROXY header, to standard error.
fn log() {
    // The target also has a span for each connection, which is not logged here.
    let is_shown = |metadata: &Metadata<'_>| {
        let is_notice = *metadata.level() == Level::INFO && metadata.target() == "httpants::connection";
        *metadata.level() <= Level::WARN || (is_notice && metadata.is_event())
    };
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(io::stderr);
    let shown = filter_fn(is_shown).with_max_level_hint(LevelFilter::INFO);
    tracing_subscriber::registry().with(lines.with_filter(shown)).init();
}

/// Writes a line of the access log; ignores a closed standard error.
fn access(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Writes to standard output; ignores a closed standard output.
fn print(text: &str) -> ExitCode {
    let mut output = io::stdout();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    ExitCode::SUCCESS
}

/// Writes one line to standard error: control characters, such as line ends in a path, are escaped.
fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    let text = error.to_string();
    let text = text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() });
    let _ = writeln!(io::stderr(), "demo: {}", text.collect::<String>());
    ExitCode::from(code)
}
