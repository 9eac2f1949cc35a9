//! Tests of the command line and the output of the program.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::process::Output;

use crate::demo::{Demo, run};

fn line(output: &Output) -> &str {
    assert!(output.stdout.is_empty());
    let text = std::str::from_utf8(&output.stderr).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
    text.trim_end()
}

#[test]
fn help_lists_every_flag() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    let flags = ["listen", "max-request", "head-timeout", "idle-timeout", "body-timeout", "write-timeout"];
    let others = [
        "half-closed-timeout",
        "workers",
        "access-log",
        "cookie-secret",
        "cookie-secret-file",
        "xheaders",
        "xheaders-from",
        "proxy-protocol",
        "help",
        "version",
    ];
    let files = [
        "file-root",
        "file-fallback",
        "file-not-found",
        "sendfile",
        "sendfile-prefix",
        "listen-fds",
        "tls-cert",
        "tls-key",
        "client-ca",
    ];
    let times = ["handshake-timeout", "accept-timeout", "linger-timeout", "body-rate"];
    let limits = ["max-connections", "max-connections-per-address", "when-full", "max-connection-age"];
    let sockets = ["max-requests-per-connection", "tcp-keepalive", "backlog", "socket-mode", "socket-group"];
    let codings = ["compress", "decompress-requests"];
    for flag in flags.into_iter().chain(others).chain(codings).chain(files).chain(times).chain(limits).chain(sockets) {
        assert!(help.contains(&format!("--{flag}")), "{flag}");
    }
}

#[test]
fn version_is_the_package_version() {
    let output = run(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("demo {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn unknown_flag_exits_with_2_and_one_line() {
    for (arguments, said) in [
        (&["--nonsense"][..], "demo: invalid option '--nonsense'; see --help"),
        (&["--non\nsense"], "demo: invalid option '--non\\nsense'; see --help"),
        (&["--tls-cert", "c.pem"], "demo: --tls-cert and --tls-key require each other; see --help"),
        (&["--client-ca", "c.pem"], "demo: --client-ca requires --tls-cert; see --help"),
        (&["--sendfile-prefix", "/p"], "demo: --sendfile-prefix requires --sendfile; see --help"),
    ] {
        let output = run(arguments);
        assert_eq!((output.status.code(), line(&output)), (Some(2), said));
    }
}

#[test]
fn invalid_value_error_names_flag_value_and_expectation() {
    const ADDRESS: &str = "expected PORT, HOST:PORT or unix:PATH, with a port up to 65535";
    const FIELD: &str = "expected a field name such as X-Accel-Redirect";
    const BYTES: &str = "expected a number of bytes without a unit";
    const SECONDS: &str = "expected a number of seconds";
    const WORKERS: &str = "expected a number of threads up to 1024, or 0 for one per core";
    for (flag, given, expected) in [
        ("--listen", "99999", ADDRESS),
        ("--listen", "nonsense", ADDRESS),
        ("--listen", "a\nb:80", ADDRESS),
        ("--listen", "", ADDRESS),
        ("--workers", "many", WORKERS),
        ("--workers", "1025", WORKERS),
        ("--workers", "99999999", WORKERS),
        ("--max-request", "10M", BYTES),
        ("--max-request", "99999999999999999999", BYTES),
        ("--body-rate", "-1", "expected a number of bytes per second, at most 4294967295"),
        ("--accept-timeout", "soon", SECONDS),
        ("--linger-timeout", "1s", SECONDS),
        ("--sendfile", "", FIELD),
        ("--sendfile", "not a name", FIELD),
        ("--sendfile", "Content-Length", "expected a field that does not frame messages"),
        ("--sendfile-prefix", "a b", "expected a path of visible ASCII characters"),
        ("--xheaders", "10.0.0.0/33", "expected all, a network such as 10.0.0.0/8, or an address"),
        ("--xheaders-from", "via", "expected x-forwarded, x-real-ip or forwarded"),
        ("--cookie-secret", "", "expected a non-empty secret"),
        ("--file-root", "", "expected a path"),
        ("--file-fallback", "", "expected a path"),
        ("--tls-key", "", "expected a path"),
    ] {
        let output = run(&[flag, given]);
        let said = format!("demo: invalid value {given:?} for {flag}: {expected}; see --help");
        assert_eq!((output.status.code(), line(&output)), (Some(2), &*said));
    }
    let output = run(&[OsStr::new("--max-request"), OsStr::from_bytes(b"\xff")]);
    assert_eq!(line(&output), r#"demo: invalid value "\xFF" for --max-request: expected text in UTF-8; see --help"#);
}

#[test]
fn unavailable_address_exits_with_1_and_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (address, shown) in [
        (&*address, &*address),
        ("unix:/no/such/folder/socket", "unix:/no/such/folder/socket"),
        ("unix:/no/such\n/socket", "unix:/no/such\\n/socket"),
    ] {
        let output = run(&["--listen", address]);
        assert_eq!(output.status.code(), Some(1));
        assert!(line(&output).starts_with(&format!("demo: cannot listen on {shown}: ")), "{}", line(&output));
    }
}

#[test]
fn access_log_is_written_only_with_the_flag() {
    let (mut logs, mut is_quiet) = (Demo::start(&["--access-log"]), Demo::start(&[]));
    for demo in [&mut logs, &mut is_quiet] {
        assert_eq!(demo.get("/status/404").status, 404);
        assert_eq!(demo.get("/stream?chunks=1").status, 200);
        assert_eq!(demo.connect().post("/echo", "x").status, 200);
        let mut client = demo.connect();
        client.send("nonsense\r\n\r\n");
        assert_eq!(client.response().status, 400);
        // A line is written when its response was sent.
        demo.terminate();
        assert_eq!(demo.exit().code(), Some(0));
    }
    assert_eq!(is_quiet.stderr(), "");
    let log = logs.stderr();
    let parts = [
        r#""GET /status/404 HTTP/1.1" 404 - "-" "-""#,
        r#""GET /stream?chunks=1 HTTP/1.1" 200 "#,
        r#""POST /echo HTTP/1.1" 200 1 "-" "-""#,
        r#""nonsense" 400 "#,
    ];
    assert_eq!(log.lines().count(), parts.len(), "{log}");
    // Each request has its own connection, so with several threads their order is not defined.
    for part in parts {
        let lines = log.lines().filter(|line| line.starts_with("127.0.0.1 - - [") && line.contains(part));
        assert_eq!(lines.count(), 1, "{part}: {log}");
    }
}
