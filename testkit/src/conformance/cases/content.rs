//! Request bodies: buffered, streamed, refused, and uploads.

use std::fs;
use std::path::Path;

use httpants_driver::protocol::RequestHead;
use httpants_driver::{BodyError, BodyPolicy, ParseFormError, Request, Response};

use crate::conformance::handler::Gate;
use crate::conformance::running::{Running, assert_same, get, noise, post, post_chunked, start, start_with};
use crate::conformance::stage::Stage;

/// Returns the body of the request after it was received completely.
async fn echo(mut request: Request) -> Result<Vec<u8>, BodyError> {
    Ok(request.body_mut().bytes().await?.to_vec())
}

/// A body with Content-Length and a chunked body, with trailers, are the same to a handler.
pub fn body_with_length_and_chunked_body_are_the_same<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| {
        let content = String::from_utf8_lossy(request.body().expect("it is in memory")).into_owned();
        let sum = request.trailers().get("x-sum").map(|value| String::from_utf8_lossy(value).into_owned());
        format!("{content} {}", sum.unwrap_or_default())
    });
    let mut client = server.connect();
    assert_eq!(client.ask(post("/", "", b"content")).text(), "content ");
    for size in [1, 3, 100] {
        assert_eq!(client.ask(post_chunked("/", b"content", size, "X-Sum: 7\r\n")).text(), "content 7");
    }
    assert_eq!(client.ask(post("/", "", b"")).text(), " ");
}

/// A body that is larger than the memory limit is stored in a temporary file and returned byte for
/// byte.
pub fn large_body_is_echoed_byte_for_byte<S: Stage>() {
    let content = noise(8 << 20);
    let server = start::<S, _, _>(echo);
    let mut client = server.connect();
    client.send_meanwhile(post("/", "", &content));
    assert_same(&client.response().content, &content);
    client.send_meanwhile(post_chunked("/", &content, 60_000, ""));
    assert_same(&client.response().content, &content);
}

/// The whole body can be read more than once, from memory, from a temporary file and from the
/// connection; one that is too large gets 413.
pub fn whole_body_can_be_read_from_any_storage<S: Stage>() {
    for policy in [|_: &RequestHead| BodyPolicy::Buffer, |_: &RequestHead| BodyPolicy::Stream] {
        let server = start_with::<S, _, _>(
            async |mut request: Request| {
                let (text, bytes) = (request.text().await?, request.bytes().await?);
                assert_eq!(text.as_bytes(), bytes);
                Ok::<_, BodyError>(text)
            },
            |server| server.body_policy(policy).max_body_size(400_000),
        );
        let mut client = server.connect();
        for size in [0, 1, 286_720, 400_000] {
            let text = "x".repeat(size);
            client.send_meanwhile(post("/", "Content-Type: text/plain\r\n", text.as_bytes()));
            assert_same(&client.response().content, text.as_bytes());
            client.send_meanwhile(post_chunked("/", text.as_bytes(), 10_000, ""));
            assert_same(&client.response().content, text.as_bytes());
        }
        assert_eq!(client.ask(post("/", "", b"\xff")).status, 400);
        assert_eq!(client.ask(post("/", "Content-Encoding: gzip\r\n", b"x")).status, 415);
        assert_eq!(client.ask(post_chunked("/", &noise(400_001), 100_000, "")).status, 413);
    }
}

/// A streamed body is echoed while it is received, in both directions at once; each direction waits
/// for the other if that is slow.
pub fn body_is_streamed_in_both_directions_at_once<S: Stage>() {
    let content = noise(8 << 20);
    let server = start_with::<S, _, _>(
        async |request: Request| Response::stream(request.into_body()),
        |server| server.body_policy(|_| BodyPolicy::Stream),
    );
    let mut client = server.connect();
    for request in [post("/", "", &content), post_chunked("/", &content, 50_000, "")] {
        client.send_meanwhile(request);
        let response = client.response();
        assert_eq!(response.field("Transfer-Encoding"), Some("chunked"));
        assert_same(&response.content, &content);
    }
}

/// If a handler does not read, the client has to wait; nothing is lost when it reads.
pub fn slow_handler_makes_the_client_wait<S: Stage>() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = start_with::<S, _, _>(
        move |mut request: Request| {
            let gate = waiting.clone();
            async move {
                if request.path() == "/slow" {
                    gate.pass().await;
                }
                let mut sum = 0_u64;
                let mut length = 0;
                while let Some(Ok(piece)) = request.body_mut().next().await {
                    length += piece.len();
                    sum = piece.iter().fold(sum, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
                }
                format!("{length} {sum}")
            }
        },
        |server| server.max_body_size(64 << 20).body_policy(|_| BodyPolicy::Stream),
    );
    let content = noise(20 << 20);
    let mut client = server.connect();
    client.send_meanwhile(post("/slow", "", &content));
    server.wait("the handler runs", || gate.arrived() == 1);
    assert_eq!(server.connect().ask(get("/other")).text(), "0 0");
    gate.open();
    let sum = content.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
    assert_eq!(client.response().text(), format!("{} {sum}", content.len()));
}

/// `100 Continue` is sent when the handler reads the body, and not if the request is refused.
pub fn expect_100_gets_100_or_the_refusal<S: Stage>() {
    let server = start_with::<S, _, _>(echo, |server| {
        server
            .max_body_size(100)
            .body_policy(|head| if head.path() == "/stream" { BodyPolicy::Stream } else { BodyPolicy::Buffer })
    });
    let head = |path: &str, length: usize| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    for path in ["/buffer", "/stream"] {
        let mut client = server.connect();
        assert_eq!(client.ask(head(path, 5)).status, 100);
        assert_eq!(client.ask("hello").text(), "hello");
        assert_eq!(server.connect().ask(head(path, 101)).status, 413, "{path}");
    }
}

/// A body over the limit is refused by its announced length before it is sent, and in chunks as
/// soon as it exceeds the limit; the client receives the 413 even while it is still sending.
pub fn too_large_body_is_refused_early<S: Stage>() {
    let server = start_with::<S, _, _>(echo, |server| server.max_body_size(1000));
    let mut client = server.connect();
    let refusal = client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    assert_eq!((refusal.status, refusal.field("Connection")), (413, Some("close")));
    client.expect_end();
    for request in [post("/", "", &noise(150_000)), post_chunked("/", &noise(150_000), 100, "")] {
        let mut client = server.connect();
        client.send_meanwhile(request);
        assert_eq!(client.response().status, 413);
        client.expect_end();
    }
    let mut client = server.connect();
    assert_eq!(client.ask(post("/", "", &noise(1000))).content.len(), 1000);
}

/// The body policy can raise or lower the limit for one request, chosen by its head.
pub fn request_can_have_its_own_body_limit<S: Stage>() {
    let server = start_with::<S, _, _>(echo, |server| {
        server.max_body_size(10).body_policy(|head| match head.path() {
            "/more" => BodyPolicy::StreamUpTo(100),
            "/no" => BodyPolicy::Refuse(Box::new(Response::new(403))),
            _ => BodyPolicy::Stream,
        })
    });
    let cases = [("/", 10, 200), ("/", 11, 413), ("/more", 100, 200), ("/more", 101, 413), ("/no", 1, 403)];
    for (path, length, status) in cases {
        let mut client = server.connect();
        client.send(post(path, "", &vec![b'x'; length]));
        assert_eq!(client.response().status, status, "{length} bytes to {path}");
    }
}

const MULTIPART: &str = "Content-Type: multipart/form-data; boundary=b\r\n";

/// Returns a form with a text field and one file with this content.
fn form(file: &[u8]) -> Vec<u8> {
    let text = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\ntext\r\n";
    let part =
        "--b\r\nContent-Disposition: form-data; name=f; filename=\"C:\\\\x.bin\"\r\nContent-Type: image/png\r\n\r\n";
    [text.as_bytes(), part.as_bytes(), file, b"\r\n--b--\r\n"].concat()
}

/// The fields and files of both kinds of forms, in memory and on disk.
pub fn forms_have_variables_and_files<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| -> Result<Response, u16> {
        if request.files().is_empty() {
            return Ok(Response::text(request.post().all("a").collect::<Vec<_>>().join(",")));
        }
        let file = request.files().get("f").ok_or(404_u16)?;
        let content = file.bytes().await.map_err(|_| 500_u16)?;
        let (text, name) = (request.post().get("a").unwrap_or_default(), file.filename().unwrap_or_default());
        let described = format!("{text} {name} {}", file.len());
        Ok(Response::bytes(file.content_type().unwrap_or_default(), content).with_header("X-File", described))
    });
    let mut client = server.connect();
    let urlencoded = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(client.ask(post("/", urlencoded, b"a=1&b=x&a=%32+2")).text(), "1,2 2");
    for size in [10, 2_000_000] {
        let content = noise(size);
        client.send_meanwhile(post("/", MULTIPART, &form(&content)));
        let response = client.response();
        assert_eq!(response.field("X-File"), Some(&*format!("text x.bin {size}")));
        assert_eq!(response.field("Content-Type"), Some("image/png"));
        assert_same(&response.content, &content);
    }
}

/// An empty text field and the file of an empty input are kept, with the header fields of their
/// parts.
pub fn empty_parts_are_kept_and_have_their_headers<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| {
        let field =
            request.text_fields().get("a").map(|field| (field.bytes().len(), field.charset().map(str::to_owned)));
        let files = request.files();
        let chosen = files.chosen("f").and_then(|file| file.filename());
        format!("{} {field:?} {} {chosen:?}", request.post().len(), files.len())
    });
    let mut client = server.connect();
    let part = |parameters: &str| format!("--b\r\nContent-Disposition: form-data; {parameters}\r\n\r\n\r\n");
    let text = part("name=a\r\nContent-Type: text/plain; charset=koi8-r");
    for (file, expected) in [
        (part("name=f; filename=\"\""), r#"1 Some((0, Some("koi8-r"))) 1 None"#),
        (part("name=f; filename=x"), r#"1 Some((0, Some("koi8-r"))) 1 Some("x")"#),
    ] {
        let response = client.ask(post("/", MULTIPART, format!("{text}{file}--b--\r\n").as_bytes()));
        assert_eq!(response.text(), expected);
    }
    let urlencoded = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(client.ask(post("/", urlencoded, b"a=&b=1")).text(), "1 None 0 None");
}

/// `for` iterates over each collection of a request in the order received.
pub fn request_collections_iterate_in_order<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| -> Result<String, ParseFormError> {
        let mut seen = Vec::new();
        for segment in &request.path_segments() {
            seen.push(segment.to_owned());
        }
        for (name, value) in request.get()? {
            seen.push(format!("{name}={value}"));
        }
        for (name, value) in request.headers() {
            seen.extend((name == "x-a").then(|| format!("{name}: {}", value.escape_ascii())));
        }
        for (name, value) in request.cookies() {
            seen.push(format!("{}={}", name.escape_ascii(), value.escape_ascii()));
        }
        for (name, value) in request.post() {
            seen.push(format!("{name}={value}"));
        }
        for field in request.text_fields() {
            seen.push(format!("{} {}", field.name(), field.bytes().len()));
        }
        for file in request.files() {
            seen.push(format!("{} {}", file.name(), file.len()));
        }
        Ok(seen.join(", "))
    });
    let part = |parameters: &str| format!("--b\r\nContent-Disposition: form-data; {parameters}\r\n\r\nx\r\n");
    let form = [part("name=t"), part("name=u"), part("name=f; filename=y"), "--b--\r\n".into()].concat();
    let fields = format!("{MULTIPART}X-A: 1\r\nCookie: c=1; d=2\r\nx-a: 2\r\n");
    let response = server.connect().ask(post("/p/q?a=1&b=2", &fields, form.as_bytes()));
    assert_eq!(response.text(), "p, q, a=1, b=2, X-A: 1, X-A: 2, c=1, d=2, t=x, u=x, t 1, u 1, f 1");
}

/// An uploaded file is persisted at the path that the application gives, from memory and from disk.
pub fn uploaded_file_is_persisted_at_the_given_path<S: Stage>() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kept");
    let kept = path.clone();
    let server = start::<S, _, _>(move |request: Request| {
        let path = kept.clone();
        async move {
            let file = request.files().get("f").ok_or("no file".to_owned())?;
            file.persist(path).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(format!("kept {}", file.len()))
        }
    });
    let mut client = server.connect();
    for size in [10, 1_000_000] {
        let content = noise(size);
        assert_eq!(client.ask(post("/", MULTIPART, &form(&content))).text(), format!("kept {size}"));
        assert_same(&fs::read(&path).expect("a file"), &content);
    }
}

/// An uploaded file is persisted with the permissions that the application gives.
#[cfg(unix)]
pub fn uploaded_file_is_persisted_with_the_given_mode<S: Stage>() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kept");
    let kept = path.clone();
    let server = start::<S, _, _>(move |request: Request| {
        let path = kept.clone();
        async move {
            let file = request.files().get("f").ok_or("no file".to_owned())?;
            file.persist_with_mode(path, 0o646).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(format!("kept {}", file.len()))
        }
    });
    let mut client = server.connect();
    for size in [10, 1_000_000] {
        let content = noise(size);
        assert_eq!(client.ask(post("/", MULTIPART, &form(&content))).text(), format!("kept {size}"));
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o7777, 0o646);
        assert_same(&fs::read(&path).expect("a file"), &content);
    }
}

/// Returns the number of files of this folder that the process has open, including removed ones; if
/// the system does not list them, the number of files with names.
fn open_files(folder: &Path) -> usize {
    match fs::read_dir("/proc/self/fd") {
        Ok(open) => {
            open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).filter(|to| to.starts_with(folder)).count()
        }
        Err(_) => fs::read_dir(folder).map_or(0, Iterator::count),
    }
}

/// An upload that is aborted at any position leaves no file and no descriptor.
pub fn aborted_upload_leaves_no_file_or_descriptor<S: Stage>() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = fs::canonicalize(folder.path()).expect("a folder");
    let server: Running<S> = start_with(
        async |request: Request| format!("{}", request.files().len()),
        |server| server.upload_directory(&directory),
    );
    let upload = post("/", MULTIPART, &form(&noise(2_000_000)));
    for (length, reset) in [(1_000_000, true), (1_500_000, false), (upload.len() - 5, true), (upload.len() - 5, false)]
    {
        let mut client = server.connect();
        client.send(&upload[..length]);
        server.wait("the upload is written to the disk", || open_files(&directory) == 1);
        if reset {
            client.reset();
        } else {
            client.end();
            client.expect_close();
        }
        server.wait("the file is closed", || open_files(&directory) == 0);
        server.wait_for_connections(0);
    }
    let mut client = server.connect();
    client.send_meanwhile(upload);
    assert_eq!(client.response().text(), "1");
    server.wait("the file is closed", || open_files(&directory) == 0);
    assert_eq!(fs::read_dir(&directory).map_or(0, Iterator::count), 0, "a file is left");
}
