//! Limits and timeouts of servers at 0, at 1 and at their maximum, through the sockets of each
//! adapter: each is an error of `bind`, or has its documented effect.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::future::{Ready, ready};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use httpants_driver::protocol::forms::FormLimits;
use httpants_driver::runtime::{Runtime, Spawn};
use httpants_driver::{Config, ListenAddress, Request, Serve};

type Handler = fn(Request) -> Ready<String>;
type Server<R> = httpants_driver::Server<R, Handler>;
type Set<R> = fn(Server<R>) -> Server<R>;
/// A setting at 0, at 1 and at its maximum, and the error at 0.
type Setting<R> = (Set<R>, Set<R>, Set<R>, &'static str);
/// A limit of forms, and the responses at 0, at 1 and at the maximum.
type FormLimit = (fn(&mut FormLimits, u64), [&'static str; 3]);

const PATIENCE: Duration = Duration::from_secs(60);

fn respond(request: Request) -> Ready<String> {
    ready(format!("{} {}", request.post().len(), request.files().len()))
}

/// Serves one request; returns its status and body, or the error of `bind`.
fn outcome<R>(set: impl FnOnce(Server<R>) -> Server<R>, request: &[u8]) -> Result<String, String>
where
    R: Runtime<Transport: Send> + Spawn<Serve<R, Handler>> + Default + Send,
{
    let bound = set(Server::<R>::new(respond as Handler).workers(1).listen("127.0.0.1:0")).bind().map_err(|error| {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        error.to_string()
    })?;
    let [ListenAddress::Socket(address)] = *bound.local_addresses() else { panic!("no socket") };
    let handle = bound.handle();
    let server = thread::spawn(|| bound.run());
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    handle.close();
    server.join().unwrap().unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    Ok(format!("{} {}", head.get(9..12).unwrap(), body.lines().next().unwrap_or_default()))
}

/// Returns the settings that must not be 0.
fn settings<R: Runtime>() -> [Setting<R>; 6] {
    [
        (
            |server| server.max_connections(0),
            |server| server.max_connections(1),
            |server| server.max_connections(usize::MAX),
            "max_connections: expected at least 1",
        ),
        (
            |server| server.max_connections_per_address(0),
            |server| server.max_connections_per_address(1),
            |server| server.max_connections_per_address(usize::MAX),
            "max_connections_per_address: expected at least 1",
        ),
        (
            |server| server.max_requests_per_connection(0),
            |server| server.max_requests_per_connection(1),
            |server| server.max_requests_per_connection(u64::MAX),
            "invalid requests_per_connection: expected at least 1, or `None` for no limit",
        ),
        (
            |server| server.max_connection_age(Duration::ZERO),
            |server| server.max_connection_age(PATIENCE),
            |server| server.max_connection_age(Duration::MAX),
            "max_connection_age: expected more than 0",
        ),
        (
            |server| server.backlog(0),
            |server| server.backlog(1),
            |server| server.backlog(i32::MAX),
            "backlog: expected at least 1",
        ),
        (
            |server| server.config(|config| config.timeouts.idle = Some(Duration::ZERO)),
            |server| server.config(|config| config.timeouts.idle = Some(PATIENCE)),
            |server| server.config(|config| config.timeouts.idle = Some(Duration::MAX)),
            "invalid timeouts.idle: expected more than 0, or `None` for no limit",
        ),
    ]
}

/// The settings that may be 0: a request without a body is served.
const ALLOWED: [fn(&mut Config, u64); 9] = [
    |config, n| config.limits.empty_lines = n as usize,
    |config, n| config.limits.max_body_size = n,
    |config, n| config.limits.chunk_overhead = n as usize,
    |config, n| config.limits.drain = n,
    |config, n| config.limits.linger = n,
    |config, n| config.limits.refusal_linger = n,
    |config, n| config.limits.send_backlog = n as usize,
    |config, n| config.limits.recv_buffer = n as usize,
    |config, n| config.limits.body_buffer = n as usize,
];

/// The limits, for a form with a text field and a file of one byte each.
const FORMS: [FormLimit; 10] = [
    (|forms, n| forms.max_body_size = n, ["413", "413", "200 1 1"]),
    (|forms, n| forms.parts = n as usize, ["413", "413", "200 1 1"]),
    (|forms, n| forms.files = Some(n as usize), ["413", "200 1 1", "200 1 1"]),
    (|forms, n| forms.part_header = n as usize, ["413", "413", "200 1 1"]),
    (|forms, n| forms.part_fields = n as usize, ["413", "200 1 1", "200 1 1"]),
    (|forms, n| forms.text_field = n, ["413", "200 1 1", "200 1 1"]),
    (|forms, n| forms.file = Some(n), ["413", "200 1 1", "200 1 1"]),
    (|forms, n| forms.preamble = n, ["200 1 1", "200 1 1", "200 1 1"]),
    (|forms, n| forms.memory = n, ["200 1 1", "200 1 1", "200 1 1"]),
    (|forms, n| forms.total_memory = n, ["413", "200 1 1", "200 1 1"]),
];

fn check<R>()
where
    R: Runtime<Transport: Send> + Spawn<Serve<R, Handler>> + Default + Send,
{
    let get = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let served = Ok("200 0 0".to_owned());
    for (zero, one, most, error) in settings::<R>() {
        assert_eq!(outcome(zero, get), Err(error.to_owned()));
        assert_eq!(outcome(one, get), served, "{error}");
        assert_eq!(outcome(most, get), served, "{error}");
    }
    for (number, set) in ALLOWED.into_iter().enumerate() {
        for value in [0, 1, u64::MAX] {
            let outcome = outcome::<R>(|server| server.config(|config| set(config, value)), get);
            assert_eq!(outcome, served, "setting {number}: {value}");
        }
    }
    let part = |parameters: &str| format!("--b\r\nContent-Disposition: form-data; {parameters}\r\n\r\nx\r\n");
    let form = [part("name=t"), part("name=f; filename=y"), "--b--\r\n".into()].concat();
    let fields = "Content-Type: multipart/form-data; boundary=b\r\nConnection: close\r\n";
    let post = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {}\r\n\r\n{form}", form.len());
    for (number, (set, expected)) in FORMS.into_iter().enumerate() {
        for (value, expected) in [0, 1, u64::MAX].into_iter().zip(expected) {
            let outcome = outcome::<R>(|server| server.forms(|forms| set(forms, value)), post.as_bytes()).unwrap();
            assert!(outcome.starts_with(expected), "form limit {number}: {value}: {outcome}");
        }
    }
}

#[test]
fn limits_at_0_1_and_maximum_on_tokio() {
    check::<httpants_tokio::Runtime>();
}

#[test]
fn limits_at_0_1_and_maximum_on_smol() {
    check::<httpants_smol::Runtime>();
}

#[test]
fn limits_at_0_1_and_maximum_on_async_std() {
    check::<httpants_async_std::Runtime>();
}
