//! Tests of forms and large bodies, in memory and with a real directory.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[cfg(target_os = "linux")]
mod abort;
mod bodies;
mod disk;
mod forms;
#[cfg(target_os = "linux")]
mod kept;
mod parts;
#[cfg(target_os = "linux")]
mod persist;
mod refused;

use std::cell::Cell;
use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use httpants_driver::protocol::Framing;
use httpants_driver::{
    Body, BodyReader, Handle, Handler, MultipartStream, Pieces, Request, Server, StreamedPart, UploadedFile,
};
use httpants_testkit::memory::{Client, Faults, Memory};
use tempfile::TempDir;

/// A server with its own directory for temporary files.
struct World {
    memory: Memory,
    directory: TempDir,
    handle: Handle,
}

impl World {
    fn new<H: Handler>(
        memory: Memory,
        handler: H,
        change: impl FnOnce(Server<Memory, H>) -> Server<Memory, H>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::with_runtime(memory.clone(), handler).upload_directory(directory.path());
        let handle = memory.start(change(server));
        Self { memory, directory, handle }
    }

    /// Starts a server that responds with a description of the request, and counts the calls of its
    /// handler.
    fn describing(
        memory: Memory,
        change: impl FnOnce(Server<Memory, Describing>) -> Server<Memory, Describing>,
    ) -> (Self, Rc<Cell<usize>>) {
        let calls = Rc::new(Cell::new(0));
        let handler = Describing { calls: Rc::clone(&calls) };
        (Self::new(memory, handler, change), calls)
    }

    fn send(&self, bytes: &[u8]) -> Client {
        let client = self.memory.connect();
        client.send(bytes);
        self.memory.run();
        client
    }

    /// Returns the response to one request.
    fn response(&self, bytes: &[u8]) -> String {
        String::from_utf8(self.send(bytes).take_received()).unwrap()
    }

    /// Returns the body of the response to one request, which must be a success.
    fn content(&self, bytes: &[u8]) -> String {
        let response = self.response(bytes);
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        response.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Returns the number of files that this process has open in the directory. They have no names
    /// there.
    #[track_caller]
    fn open_files(&self) -> usize {
        assert_eq!(self.directory.path().read_dir().unwrap().count(), 0, "a killed process would leave this");
        descriptors(self.directory.path())
    }

    #[track_caller]
    fn assert_nothing_left(&self) {
        assert_eq!(self.open_files(), 0, "files left open");
    }
}

/// Returns the number of this process's descriptors that are files in the directory, removed or
/// not.
fn descriptors(directory: &Path) -> usize {
    let Ok(open) = Path::new("/proc/self/fd").read_dir() else {
        return 0;
    };
    open.filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.path().read_link().is_ok_and(|to| to.starts_with(directory)))
    })
    .count()
}

/// The future of a handler that borrows any of these must be `Send`.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Request>();
    is_shared::<Body>();
    is_shared::<UploadedFile>();
    is_shared::<Pieces>();
    is_shared::<BodyReader>();
    is_shared::<MultipartStream>();
    is_shared::<StreamedPart<'_>>();
};

/// Returns a runtime without faults, and one with all faults for each of `seeds` seeds.
fn worlds(seeds: u64) -> impl Iterator<Item = (u64, Memory)> {
    (0..=seeds).map(|seed| {
        let faults = if seed == 0 { Faults::default() } else { Faults::all() };
        (seed, Memory::with_faults(seed, faults))
    })
}

struct Describing {
    calls: Rc<Cell<usize>>,
}

impl Handler for Describing {
    type Output = String;
    type Future = std::pin::Pin<Box<dyn Future<Output = String>>>;

    fn call(&self, request: Request) -> Self::Future {
        self.calls.set(self.calls.get() + 1);
        Box::pin(async move { describe(&request) })
    }
}

/// Returns a description of the parsed body of a request, one line for each item.
fn describe(request: &Request) -> String {
    let mut text = String::new();
    for (name, value) in request.post() {
        writeln!(text, "post {name}={value}").unwrap();
    }
    for file in request.files().iter() {
        let place = if file.as_file().is_some() { "disk" } else { "memory" };
        assert_eq!(file.as_bytes().is_some(), file.as_file().is_none());
        let sum = sum(file.reader());
        writeln!(
            text,
            "file {} {:?} {:?} {place} {} {sum:x}",
            file.name(),
            file.filename(),
            file.content_type(),
            file.len()
        )
        .unwrap();
    }
    let on_disk = request.framing() != Framing::None && request.body().is_none();
    match request.body_reader() {
        Some(reader) => writeln!(text, "body {} {:x}", if on_disk { "disk" } else { "memory" }, sum(reader)).unwrap(),
        None => writeln!(text, "body not kept").unwrap(),
    }
    text
}

/// Returns the length and a checksum (FNV-1a).
fn sum(mut content: impl Read) -> u64 {
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes).unwrap();
    bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ bytes.len() as u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Returns bytes that sometimes look like delimiters.
fn noise(length: usize) -> Vec<u8> {
    let mut state = length as u32 | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match state >> 24 {
            0 => bytes.extend_from_slice(b"\r\n--b"),
            1 => bytes.extend_from_slice(b"\r\n"),
            byte => bytes.push(byte as u8),
        }
    }
    bytes.truncate(length);
    bytes
}

/// Returns one part with these Content-Disposition parameters after `form-data`, and this content.
fn part(parameters: &str, content: &[u8]) -> Vec<u8> {
    [b"--bound\r\nContent-Disposition: form-data; ", parameters.as_bytes(), b"\r\n\r\n", content, b"\r\n"].concat()
}

/// Returns these parts with the closing delimiter.
fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), b"--bound--\r\n".to_vec()].concat()
}

const MULTIPART: &str = "multipart/form-data; boundary=bound";
const URLENCODED: &str = "application/x-www-form-urlencoded";

fn request(method: &str, content_type: &str, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head =
        format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), content].concat()
}

/// Returns the same request in chunks of growing sizes.
fn chunked(method: &str, content_type: &str, content: &[u8]) -> Vec<u8> {
    let head =
        format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut bytes = head.into_bytes();
    let (mut rest, mut size) = (content, 1);
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        (rest, size) = (after, size * 3 / 2 + 1);
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}
