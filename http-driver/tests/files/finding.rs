//! Tests of `FileRoot::find`.

use std::fs;

use httpants_driver::{FileRoot, Request, Response, Server, StatefulHandler, XSendfile};
use httpants_testkit::memory::Memory;

use crate::site::{Site, ask, ask_with};

/// Starts an application that sends files and has other routes. It calls `meanwhile` between
/// finding a file and responding.
fn start(memory: &Memory, files: FileRoot, meanwhile: impl Fn() + Clone + 'static) {
    let handler = async |(files, meanwhile): (FileRoot, _), request: Request| -> Response {
        let found = files.find(&request).await;
        call(&meanwhile);
        match found {
            Some(file) => file.with_header("X-Found", "1"),
            None => Response::text(format!("route of {}", request.method())),
        }
    };
    let handler = StatefulHandler::new((files, meanwhile), handler);
    memory.start(Server::with_runtime(memory.clone(), handler));
}

fn call(meanwhile: &impl Fn()) {
    meanwhile();
}

#[test]
fn application_continues_if_there_is_no_file() {
    let site = Site::new();
    let memory = Memory::new();
    let files = site.files().mount("/f").not_found("docs/index.html").unwrap().fallback("index.html").unwrap();
    start(&memory, files, || {});
    for (method, path, fields, status) in [
        ("GET", "/f/hello.txt", "", 200),
        ("HEAD", "/f/hello.txt", "", 200),
        ("GET", "/f/", "", 200),
        ("GET", "/f/hello.txt", "If-None-Match: *\r\n", 304),
        ("GET", "/f/hello.txt", "If-Match: \"x\"\r\n", 412),
        ("GET", "/f/hello.txt", "Range: bytes=1-2\r\n", 206),
        ("GET", "/f/hello.txt", "Range: bytes=99-\r\n", 416),
        ("GET", "/f/docs", "", 301),
        ("POST", "/f/hello.txt", "", 405),
        ("DELETE", "/f/docs", "", 405),
    ] {
        let response = ask_with(&memory, method, path, fields);
        assert_eq!((response.status, response.field("X-Found")), (status, Some("1")), "{method} {path} {fields}");
        assert_eq!(response.field("Allow"), (status == 405).then_some("GET, HEAD"));
    }
    let long = format!("/f/{}", "x".repeat(300));
    for path in [
        "/f/nothing",
        "/f/hello.txt/",
        "/f/bare/",
        "/f/.env",
        "/f/..",
        "/f/../secret.txt",
        "/f/a%2Fb",
        "/f/%",
        "/f/hello.txt%00",
        "/f/leak",
        "/f/out-and-in",
        "/f/loop",
        "/fhello.txt",
        "/hello.txt",
        &long,
    ] {
        for method in ["GET", "POST"] {
            let response = ask_with(&memory, method, path, "Accept: text/html\r\n");
            assert_eq!((response.status, response.text()), (200, &*format!("route of {method}")), "{path}");
        }
    }
    assert_eq!(site.open_files(), 0);
}

#[test]
fn found_file_is_sent_even_if_it_is_replaced() {
    let site = Site::new();
    for (fields, content) in [("", "identity"), ("Accept-Encoding: br\r\n", "brotli")] {
        let memory = Memory::new();
        let root = site.root.clone();
        start(&memory, site.files().precompressed(true), move || {
            for name in ["app.js", "app.js.br"] {
                fs::rename(root.join(name), root.join("old")).unwrap();
                fs::write(root.join(name), "a new and longer content").unwrap();
            }
        });
        let response = ask_with(&memory, "GET", "/app.js", fields);
        assert_eq!((response.text(), response.field("Vary")), (content, Some("accept-encoding")));
        assert!(ask_with(&memory, "GET", "/app.js", fields).text().starts_with("a new"));
        fs::write(site.root.join("app.js.br"), "brotli").unwrap();
    }
}

#[test]
fn found_response_that_is_not_sent_closes_its_file() {
    let site = Site::new();
    let memory = Memory::new();
    let handler = async |files: FileRoot, request: Request| -> Response {
        assert!(files.find(&request).await.is_some());
        Response::text("own")
    };
    memory.start(Server::with_runtime(memory.clone(), StatefulHandler::new(site.files(), handler)));
    assert_eq!((ask(&memory, "/hello.txt").text(), site.open_files()), ("own", 0));
}

#[test]
fn found_file_is_sent_by_a_proxy() {
    let site = Site::new();
    let memory = Memory::new();
    let handler =
        async |files: FileRoot, request: Request| files.find(&request).await.unwrap_or_else(|| Response::new(404));
    let handler = StatefulHandler::new(site.files().precompressed(true), handler);
    let front = XSendfile::new("X-Accel-Redirect", &site.root).unwrap().prefix("/internal").unwrap();
    memory.start(Server::with_runtime(memory.clone(), handler).x_sendfile(front));
    let response = ask_with(&memory, "GET", "/app.js", "Accept-Encoding: br\r\n");
    assert_eq!((response.status, response.field("X-Accel-Redirect")), (200, Some("/internal/app.js")));
    assert_eq!((response.content.len(), response.field("Content-Encoding"), site.open_files()), (0, None, 0));
}
