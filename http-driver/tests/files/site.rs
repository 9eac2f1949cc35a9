//! The site of these tests, and the parsing of its responses.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use httpants_driver::{FileRoot, Handle, Misuse, NamedFile, Request, Response, Server};
use httpants_testkit::memory::{Client, Faults, Memory};
use tempfile::TempDir;

/// Length of `data.bin` in bytes: several pieces.
pub(crate) const LENGTH: usize = 300_000;

/// A server for a directory with files, next to which is a directory with a secret.
pub(crate) struct Site {
    _folder: TempDir,
    pub(crate) outside: PathBuf,
    pub(crate) root: PathBuf,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outside = fs::canonicalize(folder.path()).unwrap();
        let root = outside.join("root");
        for name in ["docs", "bare", "packed.js.gz"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        for (name, content) in [
            ("../secret.txt", b"secret".to_vec()),
            ("hello.txt", b"hello, world\n".to_vec()),
            ("data.bin", data()),
            ("empty.txt", vec![]),
            ("index.html", b"<h1>home".to_vec()),
            ("docs/index.html", b"<h1>docs".to_vec()),
            ("docs/a b\u{e9}.txt", b"spaced".to_vec()),
            ("app.js", b"identity".to_vec()),
            ("app.js.br", b"brotli".to_vec()),
            ("app.js.gz", b"gzip".to_vec()),
            ("packed.js", b"identity".to_vec()),
        ] {
            fs::write(root.join(name), content).unwrap();
        }
        for (name, target) in [
            ("inside", "hello.txt".into()),
            ("leak", "../secret.txt".into()),
            ("leak-absolute", outside.join("secret.txt")),
            ("leak-folder", "..".into()),
            ("out-and-in", "../root/hello.txt".into()),
            ("inside-absolute", root.join("hello.txt")),
            ("loop", "loop".into()),
        ] {
            symlink(target, root.join(name)).unwrap();
        }
        Self { _folder: folder, outside, root }
    }

    pub(crate) fn files(&self) -> FileRoot {
        FileRoot::open(&self.root).unwrap()
    }

    pub(crate) fn start(&self, memory: &Memory) -> Handle {
        self.start_with(memory, |server| server)
    }

    pub(crate) fn start_with(&self, memory: &Memory, change: impl FnOnce(App) -> App) -> Handle {
        let (files, outside) = (self.files(), self.outside.clone());
        let handler: Box<Handler> = Box::new(move |request| {
            let (files, outside) = (files.clone(), outside.clone());
            Box::pin(async move { application(&files, &outside, &request) })
        });
        let server = Server::with_runtime(memory.clone(), handler).file_root(self.files());
        memory.start(change(server))
    }

    /// Returns the number of open files below the root.
    pub(crate) fn open_files(&self) -> usize {
        let below = |path: &Path| path.starts_with(&self.root) && path != self.root;
        let descriptors = fs::read_dir("/proc/self/fd").unwrap();
        descriptors.filter(|entry| fs::read_link(entry.as_ref().unwrap().path()).is_ok_and(|path| below(&path))).count()
    }
}

pub(crate) type App = Server<Memory, Box<Handler>>;
pub(crate) type Handler = dyn Fn(Request) -> std::pin::Pin<Box<dyn Future<Output = Result<Response, Misuse>>>>;

/// The application under test.
fn application(files: &FileRoot, outside: &Path, request: &Request) -> Result<Response, Misuse> {
    let hello = files.file("hello.txt");
    Ok(match request.path() {
        "/text" => "text".into(),
        "/attachment" => Response::file(hello.filename("naïve \"x\".txt")),
        "/untyped" => hello.guess_mime(false).into(),
        "/own" => Response::file(hello)
            .with_header("Cache-Control", "no-store")
            .with_header("ETag", "\"mine\"")
            .with_header("X-Own", "1")
            .with_header("Content-Length", "7")
            .with_header("Connection", "close"),
        path if path.starts_with("/framed/") => with_policy(files.clone().mount("/framed").serve(request)),
        "/framed-folder" => with_policy(NamedFile::opened(File::open(outside).unwrap(), "x.css").into()),
        "/nothing/204" => Response::file(hello).with_status(204),
        "/nothing/205" => Response::file(hello).with_status(205),
        "/error-page" => Response::file(hello).with_status(404),
        "/absolute" => files.file(outside.join("root/hello.txt")).into(),
        "/outside" => files.file(outside.join("secret.txt")).into(),
        "/server-root" => Response::file("hello.txt"),
        "/server-root-up" => Response::file("../secret.txt"),
        "/opened" => NamedFile::opened(File::open(outside.join("secret.txt")).unwrap(), "x.css").into(),
        "/opened-folder" => NamedFile::opened(File::open(outside).unwrap(), "x.css").into(),
        "/packed" => files.file("app.js").precompressed(true).into(),
        "/seed" => {
            let headers = [("X-Seed", "1"), ("Content-Type", "text/x-own")];
            return request.responder().send_file("hello.txt", Some("a.txt"), true, headers);
        }
        "/seed-plain" => {
            return request.responder().send_file("hello.txt", None, false, [("", ""); 0]);
        }
        "/seed-bad-header" => {
            let response = request.responder().send_file("hello.txt", None, true, [("A", "b\r\nc: d")]);
            assert_eq!(response.err(), Some(Misuse::FieldValue));
            return request.responder().send_file("hello.txt", None, true, [("A", "b")]);
        }
        "/seed-twice" => {
            let response = request.responder().send_file("hello.txt", None, true, [("", ""); 0])?;
            assert_eq!(request.responder().send_status(200), Err(Misuse::HeadSent));
            response
        }
        "/seed-late" => {
            request.responder().send_status(200)?;
            return request.responder().send_file("hello.txt", None, true, [("", ""); 0]);
        }
        path if path.starts_with("/packed/") => files.clone().mount("/packed").precompressed(true).serve(request),
        path if path.starts_with("/root/") => files.serve(request),
        _ => files.clone().mount("/f").serve(request),
    })
}

/// Sets fields for every response, and fields that are only sent with the file.
fn with_policy(response: Response) -> Response {
    response
        .with_header("X-Frame-Options", "DENY")
        .with_header("X-Accel-Redirect", "/internal/secret")
        .with_header("Content-Language", "en")
        .with_header("Cache-Control", "max-age=60")
}

/// A parsed response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReceivedResponse {
    pub(crate) status: u16,
    head: String,
    pub(crate) content: Vec<u8>,
    /// True if the body has the length given by the head.
    pub(crate) whole: bool,
}

impl ReceivedResponse {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).first().copied()
    }

    /// Returns the values of all lines with this name.
    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.content).unwrap()
    }

    /// Returns the response with a fixed boundary instead of the random one.
    pub(crate) fn with_boundary(mut self, fixed: &str) -> Self {
        let Some(boundary) = self.field("Content-Type").and_then(|value| value.split_once("boundary=")) else {
            return self;
        };
        let boundary = boundary.1.to_owned();
        assert_eq!(boundary.len(), fixed.len());
        let places: Vec<usize> = windows(&self.content, boundary.as_bytes()).collect();
        for place in places {
            self.content[place..place + fixed.len()].copy_from_slice(fixed.as_bytes());
        }
        self.head = self.head.replace(&boundary, fixed);
        self
    }
}

pub(crate) fn windows<'a>(bytes: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> {
    bytes.windows(needle.len()).enumerate().filter(move |(_, window)| *window == needle).map(|(place, _)| place)
}

/// Parses the responses to requests with these methods.
pub(crate) fn responses(mut received: &[u8], methods: &[&str]) -> Vec<ReceivedResponse> {
    let mut all = Vec::new();
    for method in methods {
        let Some(end) = windows(received, b"\r\n\r\n").next() else {
            assert!(received.is_empty(), "{}", received.escape_ascii());
            break;
        };
        let head = String::from_utf8(received[..end].to_vec()).unwrap();
        received = &received[end + 4..];
        let mut response =
            ReceivedResponse { status: head[9..12].parse().unwrap(), head, content: Vec::new(), whole: true };
        if *method != "HEAD" && !matches!(response.status, 204 | 304) {
            let length: usize = response.field("Content-Length").unwrap().parse().unwrap();
            let (content, rest) = received.split_at(length.min(received.len()));
            response.whole = content.len() == length;
            response.content = content.to_vec();
            received = rest;
        }
        all.push(response);
    }
    assert!(received.is_empty(), "unexpected bytes: {}", received.escape_ascii());
    all
}

pub(crate) fn request(method: &str, path: &str, fields: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
}

/// Returns the response to one request on its own connection.
pub(crate) fn ask_with(memory: &Memory, method: &str, path: &str, fields: &str) -> ReceivedResponse {
    let client = memory.connect();
    client.send(&request(method, path, fields));
    memory.run();
    let mut responses = responses(&client.take_received(), &[method]);
    assert_eq!(responses.len(), 1, "{method} {path}");
    responses.remove(0)
}

pub(crate) fn ask(memory: &Memory, path: &str) -> ReceivedResponse {
    ask_with(memory, "GET", path, "")
}

/// Returns a runtime whose sockets can send files, and one whose sockets cannot.
pub(crate) fn worlds(seed: u64, faults: Faults) -> [Memory; 2] {
    [false, true].map(|send_files| {
        let mut faults = faults;
        faults.send_files = send_files;
        Memory::with_faults(seed, faults)
    })
}

/// Returns bytes without repetition.
pub(crate) fn data() -> Vec<u8> {
    (0..LENGTH as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 21) as u8).collect()
}

pub(crate) fn receive_all(memory: &Memory, client: &Client) -> Vec<u8> {
    client.take_only(usize::MAX);
    memory.run();
    client.take_received()
}
