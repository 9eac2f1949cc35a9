//! The same inputs, given to other servers directly. Needs the Debian packages nginx, nodejs and
//! python3.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use httpants_tests::corpus::{self, Input};
use tempfile::TempDir;

use crate::proxy::PATIENCE;

const NODE: &str = "require('http').createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end('ok'));
}).listen(process.argv[1], '127.0.0.1')";

const PYTHON: &str = "
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def __getattr__(self, name):
        if not name.startswith('do_'):
            raise AttributeError(name)
        return self.answer
    def answer(self):
        self.rfile.read(int(self.headers.get('content-length') or 0))
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'ok' if self.command != 'HEAD' else b'')
ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()";

/// A server that answers everything with 200.
struct Server {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Somebody else could take the port in between; then it does not start, and the test fails.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let configuration = format!(
            "daemon off; master_process off; pid pid; events {{}}
            http {{ access_log off; server {{ listen {address}; location / {{ return 200 ok; }} }} }}"
        );
        fs::write(folder.path().join("configuration"), configuration).unwrap();
        let port = address.port().to_string();
        let arguments = arguments.iter().map(|argument| if *argument == "PORT" { port.as_str() } else { argument });
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
        command.stderr(File::create(folder.path().join("stderr")).unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
        let server = Self { child, address, _folder: folder };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "{program} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// How many requests it answers with success.
    fn accepts(&self, input: &Input) -> usize {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(&input.bytes).and_then(|()| stream.shutdown(Shutdown::Write));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        successes(&answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn successes(answer: &[u8]) -> usize {
    answer.windows(10).filter(|line| line.starts_with(b"HTTP/1.") && line.ends_with(b" 2")).count()
}

#[test]
#[ignore = "needs nginx, Node.js and Python (Debian packages nginx, nodejs, python3)"]
fn what_all_others_refuse_is_refused() {
    let servers = [
        Server::start("node", &["-e", NODE, "PORT"]),
        Server::start("python3", &["-c", PYTHON, "PORT"]),
        Server::start("nginx", &["-p", ".", "-c", "configuration", "-e", "stderr"]),
    ];
    let inputs = &corpus::load().unwrap();
    let ours: Vec<_> = inputs.iter().map(|input| successes(&input.answer)).collect();
    let theirs: Vec<Vec<usize>> = thread::scope(|scope| {
        let run = |server: &Server| inputs.iter().map(|input| server.accepts(input)).collect();
        let threads: Vec<_> = servers.iter().map(|server| scope.spawn(move || run(server))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (name, theirs) in ["Node.js", "Python", "nginx"].iter().zip(&theirs) {
        let more = ours.iter().zip(theirs).filter(|(ours, theirs)| ours < theirs).count();
        let less = ours.iter().zip(theirs).filter(|(ours, theirs)| ours > theirs).count();
        println!("{name} answers more with success {more} times, less {less} times, of {}", inputs.len());
    }
    for (at, input) in inputs.iter().enumerate() {
        let others: Vec<_> = theirs.iter().map(|theirs| theirs[at]).collect();
        if others.iter().any(|others| *others < ours[at]) {
            println!("{}: {} here, {others:?} there", input.name, ours[at]);
        }
        assert!(others.iter().any(|others| *others >= ours[at]), "{}: {}, {others:?}", input.name, ours[at]);
    }
}
