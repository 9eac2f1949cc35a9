//! Tests with other programs. Each is ignored by default, because it needs a program that may not
//! be installed; CI installs them and runs all of these.

use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::demo::Demo;

/// Runs a program; returns its output. It must succeed.
pub(crate) fn output(program: &str, arguments: &[&str], input: &[u8]) -> String {
    let mut command = Command::new(program);
    let input_file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut &input_file, input).unwrap();
    std::io::Seek::rewind(&mut &input_file).unwrap();
    let output = command.args(arguments).stdin(Stdio::from(input_file)).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}: {text} {}", String::from_utf8_lossy(&output.stderr));
    text
}

pub(crate) fn curl(arguments: &[&str], input: &[u8]) -> String {
    output("curl", &[&["--silent", "--show-error", "--max-time", "30"], arguments].concat(), input)
}

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_gets_posts_and_reuses_its_connection() {
    let demo = Demo::start(&[]);
    assert_eq!(curl(&[&demo.url("/plaintext")], b""), "Hello, World!");
    assert_eq!(curl(&["--data", "a=b&c=d", &demo.url("/echo")], b""), "a=b&c=d");
    assert_eq!(curl(&["--http1.0", &demo.url("/plaintext")], b""), "Hello, World!");
    let (one, two) = (demo.url("/status/200"), demo.url("/status/204"));
    let connections = curl(&["--write-out", "%{http_code} %{num_connects}\n", &one, &two], b"");
    assert_eq!(connections, "200 1\n204 0\n");
}

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_sends_head() {
    let demo = Demo::start(&[]);
    let head = curl(&["--head", &demo.url("/plaintext")], b"");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Length: 13\r\n"), "{head}");
}

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_uploads_2_mb_with_100_continue_and_chunked() {
    let demo = Demo::start(&[]);
    let content = vec![b'x'; 2_000_000];
    // curl would wait a minute for `100 Continue` before it continues without it.
    let patient = ["--expect100-timeout", "60", "--header", "Expect: 100-continue", "--data-binary", "@-"];
    assert_eq!(curl(&[&patient[..], &[&demo.url("/echo-len")]].concat(), &content), "2000000");
    let trace = ["--verbose", "--stderr", "-", "--output", "/dev/null"];
    let trace = curl(&[&patient[..], &trace, &[&demo.url("/any")]].concat(), &content);
    assert!(trace.contains("< HTTP/1.1 100 Continue"), "{trace}");
    assert_eq!(curl(&["--upload-file", "-", "--request", "POST", &demo.url("/echo-len")], &content), "2000000");
    let echo = curl(&["--data-binary", "@-", &demo.url("/echo")], &content);
    assert!(echo.as_bytes() == content);
}

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_reaches_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.sock").display().to_string();
    let _demo = Demo::listening(&[&format!("unix:{path}")], &[]);
    assert_eq!(curl(&["--unix-socket", &path, "http://any.test/plaintext"], b""), "Hello, World!");
}

#[test]
#[ignore = "needs nc (Debian: netcat-openbsd)"]
fn netcat_pipelines_requests() {
    let demo = Demo::start(&[]);
    let request = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /stream?chunks=2&size=3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let port = demo.address().port().to_string();
    let responses = output("nc", &["-w", "20", "127.0.0.1", &port], format!("{}{last}", request.repeat(20)).as_bytes());
    assert_eq!(responses.matches("HTTP/1.1 200 OK\r\n").count(), 21, "{responses}");
    assert_eq!(responses.matches("Hello, World!").count(), 20);
    assert!(responses.ends_with("3\r\nxxx\r\n3\r\nxxx\r\n0\r\n\r\n"), "{responses}");
}

#[test]
#[ignore = "needs python3 (Debian: python3)"]
fn python_http_client_keeps_alive() {
    let demo = Demo::start(&[]);
    let program = "
import http.client, json, sys
connection = http.client.HTTPConnection(sys.argv[1], timeout=30)
connection.connect()
port = connection.sock.getsockname()
for number in range(50):
    connection.request('GET', f'/n/{number}?q=%C3%A4', headers={'X-Number': str(number)})
    report = json.load(connection.getresponse())
    assert report['path'] == f'/n/{number}' and report['get'] == {'q': ['\\u00e4']}, report
    assert ['X-Number', str(number)] in report['headers'], report
connection.request('POST', '/echo', body=(b'piece' for _ in range(1000)), encode_chunked=True, headers={'Transfer-Encoding': 'chunked'})
assert connection.getresponse().read() == b'piece' * 1000
connection.request('HEAD', '/plaintext')
response = connection.getresponse()
assert (response.status, response.getheader('Content-Length'), response.read()) == (200, '13', b'')
assert connection.sock.getsockname() == port
print('done')
";
    assert_eq!(output("python3", &["-c", program, &demo.address().to_string()], b""), "done\n");
}

#[test]
#[ignore = "needs node 18 or later (Debian: nodejs)"]
fn node_fetch_gets_posts_and_streams() {
    let demo = Demo::start(&[]);
    let program = "
const assert = require('assert');
(async () => {
  const base = process.argv[1];
  assert.equal(await (await fetch(base + '/plaintext')).text(), 'Hello, World!');
  const content = 'x'.repeat(300000);
  const posts = Array.from({length: 20}, () => fetch(base + '/echo', {method: 'POST', body: content}));
  for (const response of await Promise.all(posts)) assert.equal(await response.text(), content);
  const pieces = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 100; i++) controller.enqueue(new TextEncoder().encode('piece'));
      controller.close();
    }
  });
  const length = await fetch(base + '/echo-len', {method: 'POST', body: pieces, duplex: 'half'});
  assert.equal(await length.text(), '500');
  assert.equal((await (await fetch(base + '/stream?chunks=10&size=1000')).text()).length, 10000);
  assert.equal((await fetch(base + '/status/418')).status, 418);
  console.log('done');
})();
";
    assert_eq!(output("node", &["-e", program, &demo.url("")], b""), "done\n");
}

#[test]
#[ignore = "needs wrk (Debian: wrk)"]
fn wrk_sees_no_error_with_64_and_with_1000_connections() {
    // The connections need descriptors on both sides; child processes inherit the limit.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let demo = Demo::start(&["--workers", "0"]);
    for connections in ["64", "1000"] {
        for path in ["/plaintext", "/stream?chunks=3&size=100"] {
            let report = output(
                "wrk",
                &[
                    "--threads",
                    "2",
                    "--connections",
                    connections,
                    "--duration",
                    "2s",
                    "--timeout",
                    "10s",
                    &demo.url(path),
                ],
                b"",
            );
            assert!(report.contains("Requests/sec:"), "{report}");
            assert!(!report.contains("Socket errors") && !report.contains("Non-2xx"), "{path}: {report}");
        }
    }
}
