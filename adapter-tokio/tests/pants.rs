//! What the seed promises and the demo has no route or flag for, through real sockets; see
//! `docs/pants.md`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use httpants_tokio::core::cookies::Cookie;
use httpants_tokio::{FileRoot, Handle, Handler, Intake, ListenAddress, Request, Response, Server};
use tokio::time::sleep;

/// A server of this handler; it ends when this is dropped.
struct Running {
    address: String,
    handle: Handle,
    thread: Option<std::thread::JoinHandle<std::io::Result<()>>>,
}

impl Running {
    fn start<H: Handler + Send + Sync>(server: Server<H>) -> Self
    where
        H::Future: Send,
        H::Output: Send,
    {
        let bound = server.listen("127.0.0.1:0").bind().unwrap();
        let ListenAddress::Socket(address) = bound.local_addresses()[0].clone() else { panic!("no socket") };
        let handle = bound.handle();
        Self { address: address.to_string(), handle, thread: Some(std::thread::spawn(|| bound.run())) }
    }

    /// All that comes back, to the end of the connection.
    fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request.as_ref()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

#[test]
fn without_keep_alive_each_answer_closes() {
    let server = Running::start(Server::new(async |_: Request| "ok").keep_alive(false));
    let answer = server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 1, "{answer}");
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
}

#[test]
fn only_the_cookies_that_are_named_leave() {
    let server = Running::start(Server::new(async |request: Request| {
        for name in ["a", "b", "c"] {
            request.set_cookie(Cookie::new(name, "1"))?;
        }
        let mut responder = request.responder();
        responder.send_status(200)?;
        let names = ["b"];
        responder.send_cookies((request.path() == "/one").then_some(&names[..]), true)?;
        responder.finish().await
    }));
    let cookies = |path| server.get(path).matches("\r\nSet-Cookie: ").count();
    assert_eq!((cookies("/all"), cookies("/one")), (3, 1));
    assert!(server.get("/one").contains("\r\nSet-Cookie: b=1\r\n"));
}

#[test]
fn an_answer_is_given_call_by_call() {
    let server = Running::start(Server::new(async |request: Request| {
        request.set_cookie(Cookie::new("a", "1"))?;
        let mut responder = request.responder();
        responder.send_status(201)?;
        responder.send_headers([("X-One", "1")], false)?;
        responder.send_headers([("X-Two", "2")], true)?;
        responder.send("one").await?;
        responder.send("two").await?;
        responder.finish().await
    }));
    let answer = server.get("/");
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    for field in ["X-One: 1", "X-Two: 2", "Set-Cookie: a=1", "Transfer-Encoding: chunked"] {
        assert!(answer.contains(&format!("\r\n{field}\r\n")), "{answer}");
    }
    assert!(answer.contains("\r\nDate: ") && answer.contains("\r\nServer: "), "{answer}");
    assert!(answer.ends_with("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"), "{answer}");
    // The older version has no chunks: the end of the connection is the end of the content.
    let answer = server.exchange("GET / HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 201 ") || answer.starts_with("HTTP/1.0 201 "), "{answer}");
    assert!(!answer.contains("chunked") && answer.ends_with("\r\n\r\nonetwo"), "{answer}");
}

#[test]
fn an_answer_is_given_in_one_call() {
    let server = Running::start(Server::new(async |request: Request| {
        request.responder().send_response("whole", 202, "text/x-whole")
    }));
    let answer = server.get("/");
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n") && answer.ends_with("\r\n\r\nwhole"), "{answer}");
    assert!(answer.contains("\r\nContent-Type: text/x-whole\r\n") && answer.contains("\r\nContent-Length: 5\r\n"));
}

#[test]
fn calls_in_a_wrong_order_are_told_which_was_due() {
    let server = Running::start(Server::new(async |request: Request| {
        let mut responder = request.responder();
        responder.send_status(200)?;
        let twice = responder.send_status(200).map_or_else(|misuse| misuse.to_string(), |()| "accepted".into());
        responder.send_headers([("X-Twice", &*twice)], true)?;
        responder.finish().await
    }));
    let answer = server.get("/");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.contains("X-Twice: accepted"), "{answer}");
    assert!(answer.contains("\r\nX-Twice: "), "{answer}");
}

#[test]
fn a_handler_that_fails_within_its_answer_drops_the_connection() {
    let server = Running::start(Server::new(async |request: Request| -> Result<Response, httpants_tokio::Misuse> {
        let mut responder = request.responder();
        responder.send_status(200)?;
        responder.send_headers([("X-One", "1")], true)?;
        responder.send("one").await?;
        panic!("as it should");
    }));
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The end or a reset, and no last chunk either way.
    let _ = stream.read_to_end(&mut answer);
    assert!(!String::from_utf8(answer).unwrap().contains("0\r\n\r\n"));
}

#[test]
fn time_counts_from_the_request() {
    let server = Running::start(Server::new(async |request: Request| {
        let before = request.time();
        sleep(Duration::from_millis(100)).await;
        format!("{} {}", before.as_millis() < 100, request.time().as_millis() >= 100)
    }));
    assert!(server.get("/").ends_with("\r\n\r\ntrue true"));
}

#[test]
fn close_drops_what_is_open() {
    let server = Running::start(Server::new(async |_: Request| "ok"));
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
    server.handle.close();
    assert_eq!(stream.read(&mut [0; 1000]).unwrap_or(0), 0);
}

/// A form with one file, of this many bytes.
fn form(size: usize) -> Vec<u8> {
    let part = "--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n";
    let content = [part.as_bytes(), &vec![b'x'; size], b"\r\n--b--\r\n"].concat();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\n\r\n",
        content.len()
    );
    [head.as_bytes(), &content].concat()
}

#[test]
fn an_uploaded_file_is_kept_where_the_application_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept");
    let kept = path.clone();
    let server = Running::start(Server::new(move |request: Request| {
        let path = kept.clone();
        async move {
            let file = request.files().get("f").unwrap();
            file.persist(path).await.map_or_else(|error| error.to_string(), |()| format!("kept {}", file.len()))
        }
    }));
    for size in [10, 1_000_000] {
        assert!(server.exchange(form(size)).ends_with(&format!("\r\n\r\nkept {size}")));
        assert_eq!(fs::read(&path).unwrap(), vec![b'x'; size]);
    }
}

#[test]
fn a_request_can_have_a_limit_of_its_own() {
    let server = Server::new(async |mut request: Request| {
        request.body_mut().bytes().await.map(|content| content.len().to_string())
    });
    let server = Running::start(server.max_request(10).intake(|head| match head.path() {
        "/more" => Intake::StreamUpTo(100),
        _ => Intake::Stream,
    }));
    for (path, length, status) in [("/", 10, 200), ("/", 11, 413), ("/more", 100, 200), ("/more", 101, 413)] {
        let content = "x".repeat(length);
        let answer = server.exchange(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{content}"
        ));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {length}: {answer}");
    }
}

#[test]
fn a_file_is_sent_by_a_call_under_a_name_in_any_script() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "content").unwrap();
    let root = FileRoot::open(folder.path()).unwrap();
    let server = Running::start(
        Server::new(async |request: Request| {
            request.responder().send_file("a.txt", Some("Gr\u{f6}\u{df}e.txt"), true, [("X-One", "1")])
        })
        .file_root(root),
    );
    let answer = server.get("/");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\ncontent"), "{answer}");
    assert!(answer.contains("\r\nContent-Disposition: attachment; filename"), "{answer}");
    assert!(answer.contains("filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt") && answer.contains("\r\nX-One: 1\r\n"), "{answer}");
}
