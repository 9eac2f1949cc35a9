//! A running program, and requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Maximum time for which a test waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running program, which is killed on drop.
pub(crate) struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    /// The addresses on which it listens.
    pub(crate) addresses: Vec<String>,
}

impl Program {
    /// Starts it, and reads this number of addresses, one in each line.
    pub(crate) fn start(path: &str, arguments: &[&str], addresses: usize) -> Self {
        let mut command = Command::new(path);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self { child, output, addresses: vec![] };
        for _ in 0..addresses {
            let line = program.line();
            let address = line.strip_prefix("http://").unwrap_or(&line);
            program.addresses.push(address.split_once('/').map_or(address, |(address, _)| address).to_owned());
        }
        program
    }

    /// Returns the next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the program has ended");
        line.trim_end().to_owned()
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.send("GET", path, "", b"")
    }

    /// Sends a request to the first address and returns the response.
    pub(crate) fn send(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> String {
        exchange(&self.addresses[0], method, path, fields, body)
    }

    /// Sends a request to the first address; returns the connection.
    pub(crate) fn begin(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> TcpStream {
        begin(&self.addresses[0], method, path, fields, body)
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Kills it and returns what it wrote to standard error.
    pub(crate) fn stop(&mut self) -> String {
        self.child.kill().unwrap();
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        errors
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The program may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn begin(address: &str, method: &str, path: &str, fields: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // A refusal may come before the end of the body.
    drop(stream.write_all(body));
    stream
}

/// Sends a request on a new connection and returns the response.
pub(crate) fn exchange(address: &str, method: &str, path: &str, fields: &str, body: &[u8]) -> String {
    rest(&mut begin(address, method, path, &format!("Connection: close\r\n{fields}"), body))
}

/// Returns the rest of the stream.
pub(crate) fn rest(stream: &mut impl Read) -> String {
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// Returns whether the head has a line that begins with `line`.
pub(crate) fn has(response: &str, line: &str) -> bool {
    let head = response.split("\r\n\r\n").next().unwrap();
    head.lines().any(|field| field.to_ascii_lowercase().starts_with(&line.to_ascii_lowercase()))
}

/// Returns the bytes after the head.
pub(crate) fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {response}")).1
}
