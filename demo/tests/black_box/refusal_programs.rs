//! Tests of too large uploads with other programs: each receives the 413, although it reads the
//! response only after sending everything.

use crate::demo::Demo;
use crate::programs::{curl, output};
use crate::tls::Certified;

/// Sizes of the uploads in bytes; the demo accepts 10 MiB.
const SIZES: [usize; 3] = [12_000_000, 20_000_000, 50_000_000];

/// Runs a program that uploads to the demo, without TLS and with TLS. Its arguments are the URL,
/// the file with the authority of the demo's certificate, and the sizes.
fn refused(program: &str, arguments: &[&str]) {
    let certified = Certified::new();
    let authority = certified.text("ca.pem");
    let sizes = SIZES.map(|size| size.to_string());
    for demo in [Demo::start(&[]), certified.start(&[])] {
        let url = demo.url("/echo-len");
        let given = [url.as_str(), &authority].into_iter().chain(sizes.iter().map(String::as_str));
        let arguments: Vec<&str> = arguments.iter().copied().chain(given).collect();
        assert_eq!(output(program, &arguments, b""), "done\n", "{url}");
    }
}

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_receives_the_413_of_its_upload() {
    let certified = Certified::new();
    let authority = certified.text("ca.pem");
    for demo in [Demo::start(&[]), certified.start(&[])] {
        for size in SIZES {
            for header in ["Expect:", "Transfer-Encoding: chunked"] {
                let arguments =
                    ["--cacert", &authority, "--header", "Expect:", "--header", header, "--output", "/dev/null"];
                let sent = ["--write-out", "%{http_code}", "--data-binary", "@-", &demo.url("/echo-len")];
                assert_eq!(curl(&[&arguments[..], &sent].concat(), &vec![b'x'; size]), "413", "{header} {size}");
            }
        }
    }
}

#[test]
#[ignore = "needs python3 (Debian: python3)"]
fn urllib_receives_the_413_of_its_upload() {
    let program = "
import ssl, sys, urllib.error, urllib.request
url, authority, *sizes = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
for size in map(int, sizes):
    for data in b'x' * size, (b'x' * 100000 for _ in range(size // 100000)):
        for _ in range(3):
            try:
                urllib.request.urlopen(urllib.request.Request(url, data=data), context=context, timeout=30)
                raise SystemExit('accepted')
            except urllib.error.HTTPError as error:
                assert error.code == 413 and b'larger than allowed' in error.read(), error
            if not isinstance(data, bytes):
                break
print('done')
";
    refused("python3", &["-c", program]);
}

/// The client sends slowly and reads only after it has sent everything.
#[test]
#[ignore = "needs python3 (Debian: python3)"]
fn slow_python_socket_receives_the_413_of_its_upload() {
    let program = "
import socket, ssl, sys, time
from urllib.parse import urlsplit
url, authority, *sizes = sys.argv[1:]
size, url = int(sizes[0]), urlsplit(url)
stream = socket.create_connection((url.hostname, url.port), timeout=30)
if url.scheme == 'https':
    stream = ssl.create_default_context(cafile=authority).wrap_socket(stream, server_hostname=url.hostname)
stream.sendall(f'POST {url.path} HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: {size}\\r\\n\\r\\n'.encode())
for _ in range(8):
    time.sleep(1)
    stream.sendall(b'x' * (size // 8))
assert stream.recv(100).startswith(b'HTTP/1.1 413 ')
print('done')
";
    refused("python3", &["-c", program]);
}

#[test]
#[ignore = "needs python3 with demo/tests/requirements.txt (pip)"]
fn requests_receives_the_413_of_its_upload() {
    let program = "
import requests, sys
url, authority, *sizes = sys.argv[1:]
for size in map(int, sizes):
    for data in b'x' * size, (b'x' * 100000 for _ in range(size // 100000)):
        with requests.Session() as session:
            session.trust_env = False
            assert session.post(url, data=data, verify=authority, timeout=30).status_code == 413
print('done')
";
    refused("python3", &["-c", program]);
}

#[test]
#[ignore = "needs node 20 or later (Debian: nodejs)"]
fn node_fetch_and_http_receive_the_413_of_their_upload() {
    let program = "
const assert = require('assert'), fs = require('fs');
const [url, authority, ...sizes] = process.argv.slice(1);
const { request } = require(url.startsWith('https') ? 'https' : 'http');
// fetch does not accept an authority.
process.removeAllListeners('warning');
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
const post = (size, piece) => new Promise((resolve, reject) => {
  const headers = piece ? {} : { 'Content-Length': size };
  const options = { method: 'POST', agent: false, ca: fs.readFileSync(authority), headers };
  const sending = request(url, options, response => response.resume().on('end', () => resolve(response.statusCode)));
  sending.on('error', reject);
  if (!piece) return sending.end(Buffer.alloc(size));
  for (let sent = 0; sent < size; sent += piece) sending.write(Buffer.alloc(piece));
  sending.end();
});
(async () => {
  for (const size of sizes.map(Number)) {
    for (const piece of [0, 100000]) assert.equal(await post(size, piece), 413, `http ${size} ${piece}`);
    const response = await fetch(url, { method: 'POST', body: Buffer.alloc(size) });
    assert.equal(response.status, 413, `fetch ${size}`);
    assert.match(await response.text(), /larger than allowed/);
  }
  console.log('done');
})();
";
    refused("node", &["-e", program]);
}
