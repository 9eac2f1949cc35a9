//! Files, sent by the kernel if the transport supports it, otherwise read by the driver.

use std::fs::{self, File};
use std::future::ready;
use std::path::{Path, PathBuf};

use httpants_driver::{FileRoot, ListenAddress, Request, Response, XSendfile};
use tempfile::TempDir;

use crate::conformance::caller::Caller;
use crate::conformance::running::{Running, assert_same, get, get_with, noise, start, start_with};
use crate::conformance::stage::{Platform, Stage, StageClient};

/// Length of a file in bytes: more than any socket buffer holds.
const LENGTH: usize = 16 << 20;

/// A server for a folder.
struct Site<S: Stage> {
    server: Running<S>,
    root: PathBuf,
    data: Vec<u8>,
    /// Removed after the server has ended.
    folder: TempDir,
}

impl<S: Stage> Site<S> {
    fn start(unix: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(folder.path()).expect("a folder").join("root");
        let data = noise(LENGTH);
        fs::create_dir(&root).expect("a folder");
        fs::write(root.join("data.bin"), &data).expect("a file");
        fs::write(root.join("small.txt"), "small").expect("a file");
        let files = FileRoot::open(&root).expect("a folder");
        let socket = ListenAddress::Unix(folder.path().join("socket"));
        let server = start_with(
            move |request: Request| ready(files.serve(&request)),
            |server| if unix { server.listen(socket) } else { server },
        );
        Self { server, root, data, folder }
    }

    /// Waits until no file of the folder is open.
    fn expect_closed(&self) {
        let root = &self.root;
        self.server.wait("all files are closed", || !is_any_open(root));
    }

    /// Requests whole files, ranges and missing files on one connection, and checks the responses.
    fn expect_all(&self, client: &mut Caller<impl StageClient>) {
        let requests = [
            get("/data.bin"),
            get("/small.txt"),
            get_with("/data.bin", "Range: bytes=1000000-4999999\r\n"),
            get("/nothing"),
            get_with("/data.bin", "Range: bytes=0-999999,8000000-\r\n"),
            get_with("/small.txt", "Connection: close\r\n"),
        ];
        client.send(requests.concat());
        assert_same(&client.response().content, &self.data);
        assert_eq!(client.response().text(), "small");
        let range = client.response();
        assert_eq!(range.status, 206);
        assert_same(&range.content, &self.data[1_000_000..5_000_000]);
        assert_eq!(client.response().status, 404);
        let parts = client.response();
        let (_, boundary) = parts.head.split_once("boundary=").expect("parts");
        let boundary = boundary.lines().next().unwrap_or_default();
        let part = |first: usize, last: usize| {
            let head = format!(
                "--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {first}-{last}/{LENGTH}\r\n\r\n"
            );
            [head.as_bytes(), &self.data[first..=last], b"\r\n"].concat()
        };
        let end = format!("--{boundary}--\r\n").into_bytes();
        assert_same(&parts.content, &[part(0, 999_999), part(8_000_000, LENGTH - 1), end].concat());
        assert_eq!(client.response().text(), "small");
        client.expect_end();
        self.expect_closed();
    }
}

/// Returns true if this process has a file below the folder open; false if the platform does not
/// list open files.
fn is_any_open(root: &Path) -> bool {
    let Ok(open) = fs::read_dir("/proc/self/fd") else { return false };
    let below = |path: &Path| path.starts_with(root) && path != root;
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).any(|path| below(&path))
}

/// Files, single ranges and several ranges are received completely and in the order of their
/// requests; the files are closed afterwards.
pub fn files_and_ranges_are_received_whole_and_in_order<S: Stage>() {
    let site = Site::<S>::start(false);
    site.expect_all(&mut site.server.connect());
}

/// The same requests over a unix socket.
#[cfg(unix)]
pub fn files_are_received_over_unix_sockets<S: Platform>() {
    let site = Site::<S>::start(true);
    let address = ListenAddress::Unix(site.folder.path().join("socket"));
    site.expect_all(&mut site.server.connect_to(&address));
}

/// HEAD has the fields of GET; a file that the client already has is a 304, and a failed condition
/// a 412.
pub fn file_has_metadata_and_conditions_are_evaluated<S: Stage>() {
    let site = Site::<S>::start(false);
    let mut client = site.server.connect();
    client.send("HEAD /small.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.field("Content-Length"), head.field("Accept-Ranges")), (Some("5"), Some("bytes")));
    let tag = head.field("ETag").expect("a tag");
    let not_modified = client.ask(get_with("/small.txt", &format!("If-None-Match: {tag}\r\n")));
    assert_eq!((not_modified.status, not_modified.content.len()), (304, 0));
    assert_eq!(client.ask(get_with("/small.txt", "If-Match: \"other\"\r\n")).status, 412);
    assert_eq!(client.ask(get_with("/small.txt", "Range: bytes=9-\r\n")).status, 416);
    site.expect_closed();
}

/// A client that stops reading in the middle of a file does not block others; when it disconnects,
/// its file is closed.
pub fn stalled_reader_of_a_file_does_not_block_others<S: Stage>() {
    let site = Site::<S>::start(false);
    let (mut slow, mut other) = (site.server.connect(), site.server.connect());
    slow.send(get("/data.bin"));
    slow.take(1000);
    for _ in 0..3 {
        assert_same(&other.ask(get("/data.bin")).content, &site.data);
    }
    drop(slow);
    site.expect_closed();
}

/// A file that is truncated while it is sent cannot be sent completely: the connection ends, and
/// the response does not look complete.
pub fn truncated_file_ends_the_connection<S: Stage>() {
    let site = Site::<S>::start(false);
    let path = site.root.join("short.bin");
    fs::write(&path, &site.data).expect("a file");
    let mut client = site.server.connect();
    client.send(get("/short.bin"));
    // The response has begun, and is larger than the buffers.
    client.take(1000);
    let shortened = File::options().write(true).open(&path).and_then(|file| file.set_len(1 << 20));
    shortened.expect("a shorter file");
    assert!(client.rest().0.len() < LENGTH, "it looks whole");
    site.expect_closed();
}

/// A file can be sent by a call of the responder, with a name in any script and with fields of the
/// application.
pub fn file_is_sent_with_a_unicode_filename<S: Stage>() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.txt"), "content").expect("a file");
    let root = FileRoot::open(folder.path()).expect("a folder");
    let server = start_with::<S, _, _>(
        async |request: Request| {
            request.responder().send_file("a.txt", Some("Gr\u{f6}\u{df}e.txt"), true, [("X-One", "1")])
        },
        |server| server.file_root(root),
    );
    let response = server.connect().ask(get("/"));
    assert_eq!((response.status, response.text(), response.field("X-One")), (200, "content", Some("1")));
    let disposition = response.field("Content-Disposition").expect("a name");
    assert!(disposition.starts_with("attachment; filename"), "{disposition}");
    assert!(disposition.contains("filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt"), "{disposition}");
}

/// With `x_sendfile`, a header field names the file, and its content is not sent.
pub fn x_sendfile_leaves_the_file_to_the_proxy<S: Stage>() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = fs::canonicalize(folder.path()).expect("a folder");
    fs::write(path.join("a.txt"), "content").expect("a file");
    let root = FileRoot::open(&path).expect("a folder");
    let front = XSendfile::new("X-Accel-Redirect", &path).and_then(|front| front.prefix("/protected"));
    let server = start_with::<S, _, _>(
        async |_: Request| Response::file("a.txt"),
        |server| server.file_root(root).x_sendfile(front.expect("a good field")),
    );
    let response = server.connect().ask(get("/"));
    assert_eq!((response.field("X-Accel-Redirect"), response.content.len()), (Some("/protected/a.txt"), 0));
}

/// An application may open a file itself.
pub fn opened_file_is_sent<S: Stage>() {
    let server = start::<S, _, _>(async |_: Request| -> Result<Response, u16> {
        let mut file = tempfile::tempfile().map_err(|_| 500_u16)?;
        std::io::Write::write_all(&mut file, b"opened").map_err(|_| 500_u16)?;
        Ok(Response::file(httpants_driver::NamedFile::opened(file, "x.html")))
    });
    let response = server.connect().ask(get("/"));
    assert_eq!((response.text(), response.field("Content-Type")), ("opened", Some("text/html; charset=utf-8")));
}
