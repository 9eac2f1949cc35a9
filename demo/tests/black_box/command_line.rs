//! What the program says before it serves.

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
fn help_names_every_flag() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    let flags = ["listen", "max-request", "head-timeout", "idle-timeout", "body-timeout", "write-timeout"];
    let others = [
        "half-closed-timeout",
        "workers",
        "access-log",
        "cookie-secret",
        "xheaders",
        "xheaders-from",
        "proxy-protocol",
        "help",
        "version",
    ];
    let files = ["file-root", "sendfile", "sendfile-prefix", "listen-fds", "tls-cert", "tls-key", "client-ca"];
    let times = ["handshake-timeout", "accept-timeout", "linger-timeout", "body-rate"];
    for flag in flags.into_iter().chain(others).chain(files).chain(times) {
        assert!(help.contains(&format!("--{flag}")), "{flag}");
    }
}

#[test]
fn version_is_that_of_the_package() {
    let output = run(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("demo {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_bad_flag_is_one_line_and_code_2() {
    for (arguments, said) in [
        (&["--nonsense"][..], "demo: invalid option '--nonsense'; see --help"),
        (&["--non\nsense"], "demo: invalid option '--non\\nsense'; see --help"),
        (&["--tls-cert", "c.pem"], "demo: --tls-cert and --tls-key go together; see --help"),
        (&["--client-ca", "c.pem"], "demo: --client-ca requires --tls-cert; see --help"),
        (&["--sendfile-prefix", "/p"], "demo: --sendfile-prefix requires --sendfile; see --help"),
    ] {
        let output = run(arguments);
        assert_eq!((output.status.code(), line(&output)), (Some(2), said));
    }
}

#[test]
fn a_bad_value_is_named_with_its_flag_and_what_is_expected() {
    const ADDRESS: &str = "expected PORT, HOST:PORT or unix:PATH, with a port up to 65535";
    const FIELD: &str = "expected the name of a field, such as X-Accel-Redirect";
    const BYTES: &str = "expected a number of bytes, without a unit";
    const SECONDS: &str = "expected a number of seconds";
    const WORKERS: &str = "expected a number of threads up to 1024, or 0 for one for each core";
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
        ("--sendfile", "Content-Length", "expected the name of a field that does not frame messages"),
        ("--sendfile-prefix", "a b", "expected a path of visible ASCII characters"),
        ("--xheaders", "10.0.0.0/33", "expected all, a network such as 10.0.0.0/8, or an address"),
        ("--xheaders-from", "via", "expected x-forwarded, x-real-ip or forwarded"),
        ("--cookie-secret", "", "expected a secret that is not empty"),
        ("--file-root", "", "expected a path"),
        ("--tls-key", "", "expected a path"),
    ] {
        let output = run(&[flag, given]);
        let said = format!("demo: {flag} {given:?}: {expected}; see --help");
        assert_eq!((output.status.code(), line(&output)), (Some(2), &*said));
    }
    let output = run(&[OsStr::new("--max-request"), OsStr::from_bytes(b"\xff")]);
    assert_eq!(line(&output), r#"demo: --max-request "\xFF": expected text in UTF-8; see --help"#);
}

#[test]
fn an_address_that_cannot_be_had_is_one_line_and_code_1() {
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
fn the_access_log_has_a_line_for_each_answer_and_only_where_it_is_asked_for() {
    let (mut logs, mut is_quiet) = (Demo::start(&["--access-log"]), Demo::start(&[]));
    for demo in [&mut logs, &mut is_quiet] {
        assert_eq!(demo.get("/status/404").status, 404);
        assert_eq!(demo.get("/stream?chunks=1").status, 200);
        assert_eq!(demo.connect().post("/echo", "x").status, 200);
        let mut client = demo.connect();
        client.send("nonsense\r\n\r\n");
        assert_eq!(client.response().status, 400);
        // A line is written when its answer has left.
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
    // Each is of a connection of its own, so they have no order where threads share the work.
    for part in parts {
        let lines = log.lines().filter(|line| line.starts_with("127.0.0.1 - - [") && line.contains(part));
        assert_eq!(lines.count(), 1, "{part}: {log}");
    }
}
