//! Tests of the same inputs, sent directly to other servers. Needs the Debian packages nginx,
//! nodejs and python3.

use std::fs;
use std::thread;

use httpants_tests::corpus;

use crate::program::{self, NGINX, Program};

const NODE: &str = "require('http').createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end('ok'));
}).listen('socket')";

const PYTHON: &str = "
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def __getattr__(self, name):
        if not name.startswith('do_'):
            raise AttributeError(name)
        return self.response
    def address_string(self):
        return 'unix'
    def response(self):
        self.rfile.read(int(self.headers.get('content-length') or 0))
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'ok' if self.command != 'HEAD' else b'')
class Server(ThreadingUnixStreamServer):
    request_queue_size = 100
Server('socket', Handler).serve_forever()";

/// Starts a server that responds to everything with 200.
fn start(name: &'static str, arguments: &[&str]) -> Program {
    let (folder, socket) = Program::prepare();
    let configuration = program::nginx(&socket, "access_log off;", "location / { return 200 ok; }");
    fs::write(folder.path().join("configuration"), configuration).unwrap();
    Program::start(name, arguments, folder)
}

fn successes(response: &[u8]) -> usize {
    response.windows(10).filter(|line| line.starts_with(b"HTTP/1.") && line.ends_with(b" 2")).count()
}

#[test]
#[ignore = "needs nginx, Node.js and Python (Debian packages nginx, nodejs, python3)"]
fn inputs_refused_by_all_others_are_refused() {
    let servers = [start("node", &["-e", NODE]), start("python3", &["-c", PYTHON]), start("nginx", NGINX)];
    let inputs = &corpus::load().unwrap();
    let ours: Vec<_> = inputs.iter().map(|input| successes(&input.response)).collect();
    let theirs: Vec<Vec<usize>> = thread::scope(|scope| {
        let run = |server: &Program| {
            let responses = inputs.iter().map(|input| server.exchange(&input.bytes, true));
            responses.map(|response| successes(&response)).collect()
        };
        let threads: Vec<_> = servers.iter().map(|server| scope.spawn(move || run(server))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (name, theirs) in ["Node.js", "Python", "nginx"].iter().zip(&theirs) {
        let more = ours.iter().zip(theirs).filter(|(ours, theirs)| ours < theirs).count();
        let less = ours.iter().zip(theirs).filter(|(ours, theirs)| ours > theirs).count();
        println!("{name} accepts more in {more} inputs, less in {less}, of {}", inputs.len());
    }
    for (at, input) in inputs.iter().enumerate() {
        let others: Vec<_> = theirs.iter().map(|theirs| theirs[at]).collect();
        if others.iter().any(|others| *others < ours[at]) {
            println!("{}: {} here, {others:?} there", input.name, ours[at]);
        }
        assert!(others.iter().any(|others| *others >= ours[at]), "{}: {}, {others:?}", input.name, ours[at]);
    }
}
