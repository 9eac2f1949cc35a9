//! Tests of the program as a process.

// A failing test panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_httpants-parse"));
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // If the program refuses its arguments, it may have ended before it reads.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// Returns the exit status and the output lines of a run that writes no error.
fn lines(arguments: &[&str], input: &[u8]) -> (i32, Vec<Value>) {
    let output = run(arguments, input);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Returns the exit status and the verdict, which is the last line.
fn verdict(arguments: &[&str], input: &[u8]) -> (i32, Value) {
    let (status, lines) = lines(arguments, input);
    (status, lines.last().unwrap().clone())
}

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn each_event_has_its_byte_range() {
    let input = b"\r\nPOST /\xc3\xa4 HTTP/1.1\r\nHost: a\r\nX:  \xff \r\nTransfer-Encoding: chunked\r\n\r\n\
        3;x\r\nabc\r\n1\r\nd\r\n0\r\nT: u\r\n\r\nGET / HTTP/1.0\r\n\r\n";
    let (status, lines) = lines(&["--non-ascii-target", "--cuts", "all"], input);
    assert_eq!(status, 0);
    let at = |range: &Value| {
        let offset = |at: usize| usize::try_from(range[at].as_u64().unwrap()).unwrap();
        &input[offset(0)..offset(1)]
    };
    let [request, first, second, end, next, verdict] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(
        (&request["method"], &request["target"], &request["version"]),
        (&json!("POST"), &json!("/ä"), &json!("HTTP/1.1"))
    );
    assert!(at(&request["range"]).starts_with(b"POST ") && at(&request["range"]).ends_with(b"\r\n\r\n"));
    let field = &request["fields"][1];
    assert_eq!((&field["name"], &field["value"]), (&json!("X"), &json!({ "hex": "ff" })));
    assert_eq!((at(&field["name_range"]), at(&field["value_range"])), (&b"X"[..], &b"\xff"[..]));
    assert_eq!((&request["framing"], &request["length"]), (&json!("chunked"), &Value::Null));
    assert_eq!((at(&first["range"]), at(&second["range"])), (&b"abc"[..], &b"d"[..]));
    assert_eq!((&first["data"], &second["data"]), (&json!("abc"), &json!("d")));
    assert_eq!(at(&end["trailers"][0]["value_range"]), b"u");
    assert_eq!((&end["offset"], &next["range"][0]), (&json!(input.len() - 18), &json!(input.len() - 18)));
    assert_eq!((&next["protocol"], &next["host"]), (&json!("HTTP/1.0"), &json!("")));
    assert_eq!((&verdict["verdict"], &verdict["responses"]), (&json!("accepted"), &json!([200, 200])));
    assert_eq!((&verdict["offset"], &verdict["length"]), (&json!(input.len()), &json!(input.len())));
}

#[test]
fn exit_status_is_that_of_the_verdict() {
    let (status, accepted) = verdict(&[], GET);
    assert_eq!((status, &accepted["verdict"], &accepted["rule"]), (0, &json!("accepted"), &Value::Null));
    let twice = [GET, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc"].concat();
    let (status, refused) = verdict(&["--cuts", "all"], &twice);
    assert_eq!(
        (status, &refused["verdict"], &refused["rule"], &refused["status"]),
        (1, &json!("refused"), &json!("content-length"), &json!(400))
    );
    assert_eq!((&refused["rfc"], &refused["offset"]), (&json!(["RFC 9110 8.6"]), &json!(GET.len())));
    assert_eq!((&refused["requests"], &refused["responses"]), (&json!(1), &json!([200, 400])));
    assert!(refused["advisories"].as_array().unwrap().contains(&json!("CVE-2021-32715")));
    for input in [&b""[..], b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab"] {
        let (status, incomplete) = verdict(&["--cuts", "all"], input);
        assert_eq!((status, &incomplete["verdict"]), (2, &json!("incomplete")), "{input:?}");
        assert_eq!(verdict(&["--open"], input).0, 2);
    }
    assert_eq!(
        verdict(&["--open"], GET),
        (0, {
            let mut open = accepted.clone();
            open["reason"] = json!("the next request is awaited");
            open
        })
    );
}

#[test]
fn settings_reach_the_parser() {
    let body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let chunks = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n0\r\n\r\n";
    let proxied = [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", GET].concat();
    for (arguments, input, rule) in [
        (&["--max-head", "20"][..], GET, "head-too-long"),
        (&["--max-target", "1"], GET, "target-too-long"),
        (&["--max-method", "2"], GET, "method-too-long"),
        (&["--max-fields", "0"], GET, "too-many-fields"),
        (&["--max-empty-lines", "0"], b"\r\nGET", "empty-lines"),
        (&["--max-body=2"], body, "body-too-large"),
        (&["--chunk-overhead", "4"], chunks, "chunk-overhead"),
        (&["--strict-target"], b"GET /| HTTP/1.1\r\nHost: a\r\n\r\n", "target-byte"),
        (&["--proxy-protocol"], GET, "proxy-header"),
        (&["--tls"], GET, "plain-request"),
        (&["--tls", "--proxy-protocol"], &proxied, "plain-request"),
    ] {
        let (status, lines) = lines(&[arguments, &["--cuts", "all"]].concat(), input);
        let verdict = lines.last().unwrap();
        assert_eq!((status, &verdict["rule"]), (1, &json!(rule)), "{arguments:?}");
    }
    let (_, lines) = lines(&["--proxy-protocol"], &proxied);
    assert_eq!((&lines[0]["source"], &lines[0]["range"]), (&json!("192.0.2.1:1"), &json!([0, 36])));
    assert_eq!(lines[1]["range"][0], json!(36));
    let twice = [GET, GET].concat();
    for (arguments, requests) in [(&[][..], 2), (&["--no-keep-alive"], 1), (&["--max-requests", "1"], 1)] {
        let (status, verdict) = verdict(arguments, &twice);
        assert_eq!(
            (status, &verdict["requests"], &verdict["offset"]),
            (0, &json!(requests), &json!(GET.len() * requests))
        );
    }
    assert_eq!(verdict(&["--tls"], &[22, 3, 1]).0, 2);
    let (status, dropped) = verdict(&["--half-close", "drop"], GET);
    assert_eq!((status, &dropped["requests"], &dropped["responses"]), (2, &json!(1), &json!([])));
}

#[test]
fn application_setting_determines_what_is_read() {
    let unread = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let names = |arguments: &[&str], input: &[u8]| {
        let (_, lines) = lines(arguments, input);
        lines.iter().filter_map(|line| line["event"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(names(&[], unread), ["request", "data", "end"]);
    assert_eq!(names(&["--respond", "early"], unread), ["request"]);
    let expects = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(names(&["--respond", "read"], expects), ["request", "continue", "data", "end"]);
    let offer = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nrest";
    assert_eq!(names(&["--respond", "upgrade", "--cuts", "all"], offer), ["request", "upgraded"]);
    let (status, tunnel) = verdict(&["--respond", "upgrade"], b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nrest");
    assert_eq!((status, &tunnel["offset"]), (0, &json!(35)));
    assert_eq!(verdict(&[], b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").1["responses"], json!([405]));
}

#[test]
fn files_and_hexadecimal_input_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let (good, bad) = (write("good", GET), write("bad", b"GET / HTTP/1.1\n"));
    let (status, lines) = lines(&["-q", &good, &bad, "-"], b"GET");
    let verdicts: Vec<_> = lines.iter().map(|line| (line["verdict"].as_str(), line["input"].as_str())).collect();
    let expected = [("accepted", good.as_str()), ("refused", &bad), ("incomplete", "-")];
    assert_eq!(verdicts, expected.map(|(verdict, input)| (Some(verdict), Some(input))));
    assert_eq!(status, 1);
    let hex: String = GET.iter().map(|byte| format!("{byte:02X}\n")).collect();
    assert_eq!(verdict(&["--hex", "--cuts", "3,17"], hex.as_bytes()), verdict(&[], GET));
}

#[test]
fn usage_errors_are_explained() {
    for (arguments, input, status, text) in [
        (&["--nonsense"][..], GET, 64, "invalid option '--nonsense'; see --help"),
        (&["-x"], GET, 64, "invalid option '-x'; see --help"),
        (&["--cuts"], GET, 64, "missing argument for option '--cuts'; see --help"),
        (
            &["--cuts", "3,3"],
            GET,
            64,
            "invalid value \"3,3\" for --cuts: expected all, or offsets over 0 such as 3,17, in ascending order; see --help",
        ),
        (&["--cuts", "99"], GET, 64, "invalid value for --cuts: 99 is not inside -, which has 28 bytes"),
        (
            &["--respond", "x"],
            GET,
            64,
            "invalid value \"x\" for --respond: expected read, early or upgrade; see --help",
        ),
        (&["--half-close", "x"], GET, 64, "invalid value \"x\" for --half-close: expected serve or drop; see --help"),
        (&["--max-head", "-1"], GET, 64, "invalid value \"-1\" for --max-head: expected a whole number; see --help"),
        (
            &["--hex"],
            b"4g",
            64,
            "invalid input for --hex in - at offset 1: expected two hexadecimal digits for each byte",
        ),
        (
            &["--hex"],
            b"4 1",
            64,
            "invalid input for --hex in - at offset 1: expected two hexadecimal digits for each byte",
        ),
        (&["--hex"], b"47 4", 64, "invalid input for --hex in - at offset 4: the last byte has only one digit"),
    ] {
        let output = run(arguments, input);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), format!("httpants-parse: {text}\n"));
    }
    let missing = run(&["/does/not/exist"], b"");
    assert_eq!(missing.status.code(), Some(66));
    assert!(missing.stderr.starts_with(b"httpants-parse: cannot read /does/not/exist: "));
}

#[test]
fn help_lists_every_option() {
    let output = run(&["--help"], b"");
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    // Options are arms of a match.
    let source = include_str!("../src/options.rs");
    let arms =
        source.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => ").map(|(name, _)| name));
    let options: Vec<_> = arms.filter(|name| !["read", "early", "upgrade", "serve", "drop"].contains(name)).collect();
    assert!(options.len() > 15, "{options:?}");
    for option in options.into_iter().chain(["drain", "help", "version", "rules"]) {
        assert!(help.contains(&format!("--{option} ")) || help.contains(&format!("--{option}\n")), "{option}");
    }
    assert_eq!(run(&["-V"], b"").stdout, format!("httpants-parse {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
}

#[test]
fn rules_are_listed_with_their_rfc_sections() {
    let (status, rules) = lines(&["--rules"], b"");
    assert_eq!((status, rules.len()), (0, httpants_core::ProtocolError::ALL.len()));
    let rule = rules.iter().find(|rule| rule["rule"] == "chunk-size").unwrap();
    assert_eq!((&rule["status"], &rule["rfc"]), (&json!(400), &json!("RFC 9112 7.1")));
    assert!(rule["advisories"].as_array().unwrap().contains(&json!("CVE-2021-32714")));
}

/// `/dev/full` fails each write.
#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_httpants-parse"));
    let output = command.arg("--rules").stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(output.stderr.starts_with(b"httpants-parse: cannot write to standard output: "));
}
