//! Files through real sockets, sent by the kernel.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::fs::{self, File};
use std::future::ready;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use httpants_tokio::{FileRoot, Handle, ListenAddress, Request, Server};
use tempfile::TempDir;

/// More than any socket buffer holds.
const LENGTH: usize = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A server on both kinds of sockets that serves a folder.
struct Site {
    folder: TempDir,
    handle: Handle,
    tcp: String,
    running: Option<JoinHandle<std::io::Result<()>>>,
}

impl Site {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::write(folder.path().join("root/data.bin"), data()).unwrap();
        fs::write(folder.path().join("root/small.txt"), "small").unwrap();
        let files = FileRoot::open(folder.path().join("root")).unwrap();
        let server = Server::new(move |request: Request| ready(files.serve(&request)))
            .listen("127.0.0.1:0")
            .listen(ListenAddress::Unix(folder.path().join("socket")))
            .bind()
            .unwrap();
        let tcp = server.local_addresses()[0].to_string();
        let handle = server.handle();
        Self { folder, handle, tcp, running: Some(thread::spawn(|| server.run())) }
    }

    fn tcp(&self) -> Box<dyn Stream> {
        let stream = TcpStream::connect(&self.tcp).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Box::new(stream)
    }

    fn unix(&self) -> Box<dyn Stream> {
        let stream = UnixStream::connect(self.folder.path().join("socket")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Box::new(stream)
    }

    fn root(&self) -> std::path::PathBuf {
        fs::canonicalize(self.folder.path().join("root")).unwrap()
    }

    /// Waits until no file below the root is open.
    fn assert_closed(&self) {
        let root = self.root();
        let below = |path: &Path| path.starts_with(&root) && path != root;
        let open = || {
            let mut descriptors = fs::read_dir("/proc/self/fd").unwrap();
            descriptors.any(|entry| fs::read_link(entry.unwrap().path()).is_ok_and(|path| below(&path)))
        };
        let end = Instant::now() + PATIENCE;
        while open() {
            assert!(Instant::now() < end, "a file is left open");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.handle.close();
        let ended = self.running.take().unwrap().join();
        assert!(thread::panicking() || ended.unwrap().is_ok());
    }
}

fn data() -> Vec<u8> {
    (0..LENGTH as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 21) as u8).collect()
}

fn get(path: &str, fields: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
}

/// One whole answer: its head and its content.
fn receive(stream: &mut dyn Stream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
    let mut content = vec![0; length];
    stream.read_exact(&mut content).unwrap();
    (head, content)
}

#[test]
fn files_arrive_whole_and_in_order_over_both_kinds_of_sockets() {
    let site = Site::start();
    let data = data();
    for mut stream in [site.tcp(), site.unix()] {
        let requests = [
            get("/data.bin", ""),
            get("/small.txt", ""),
            get("/data.bin", "Range: bytes=1000000-4999999\r\n"),
            get("/nothing", ""),
            get("/data.bin", "Range: bytes=0-999999,8000000-\r\n"),
            get("/small.txt", "Connection: close\r\n"),
        ];
        stream.write_all(&requests.concat()).unwrap();
        assert!(receive(&mut *stream).1 == data);
        assert_eq!(receive(&mut *stream).1, b"small");
        assert!(receive(&mut *stream).1 == data[1_000_000..5_000_000]);
        assert!(receive(&mut *stream).0.starts_with("HTTP/1.1 404 "));
        let (head, content) = receive(&mut *stream);
        let (_, boundary) = head.split_once("boundary=").unwrap();
        let boundary = boundary.lines().next().unwrap();
        let part = |first: usize, last: usize| {
            let head = format!(
                "--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {first}-{last}/{LENGTH}\r\n\r\n"
            );
            [head.as_bytes(), &data[first..=last], b"\r\n"].concat()
        };
        let end = format!("--{boundary}--\r\n").into_bytes();
        assert!(content == [part(0, 999_999), part(8_000_000, LENGTH - 1), end].concat());
        assert_eq!(receive(&mut *stream).1, b"small");
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        site.assert_closed();
    }
}

#[test]
fn a_reader_that_stops_holds_nobody_up() {
    let site = Site::start();
    let data = data();
    for (mut slow, mut other) in [(site.tcp(), site.tcp()), (site.unix(), site.unix())] {
        slow.write_all(&get("/data.bin", "")).unwrap();
        slow.read_exact(&mut [0; 1000]).unwrap();
        for _ in 0..3 {
            other.write_all(&get("/data.bin", "")).unwrap();
            assert!(receive(&mut *other).1 == data);
        }
        drop(slow);
        site.assert_closed();
    }
}

#[test]
fn a_file_that_becomes_shorter_ends_the_connection() {
    let site = Site::start();
    let data = data();
    for mut stream in [site.tcp(), site.unix()] {
        let path = site.root().join("short.bin");
        fs::write(&path, &data).unwrap();
        stream.write_all(&get("/short.bin", "")).unwrap();
        // The answer has begun, and is more than the buffers hold.
        let mut first = [0; 1000];
        stream.read_exact(&mut first).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(1 << 20).unwrap();
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
        assert!(rest.len() < LENGTH, "cut off, and it shows");
        site.assert_closed();
    }
}
