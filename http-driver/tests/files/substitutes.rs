//! Tests of the `fallback` and `not_found` files of a root.

use std::fs;
use std::io::ErrorKind;

use httpants_driver::{FileRoot, Request, Response, Server, XSendfile};
use httpants_testkit::memory::Memory;

use crate::site::{Site, ask, ask_with};

const HTML: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";

fn start(memory: &Memory, files: FileRoot) {
    let handler = move |request: Request| std::future::ready(respond(&files, &request));
    memory.start(Server::with_runtime(memory.clone(), handler));
}

/// Responds with a file; for one path, with fields of the application.
fn respond(files: &FileRoot, request: &Request) -> Response {
    let response = files.serve(request);
    if !request.path().ends_with("/own") {
        return response;
    }
    response
        .with_header("X-Frame-Options", "DENY")
        .with_header("Cache-Control", "no-store")
        .with_header("ETag", "\"mine\"")
        .with_header("Content-Type", "text/x-own")
        .with_header("X-Accel-Redirect", "/internal/secret")
}

#[test]
fn fallback_is_for_navigation_only() {
    let site = Site::new();
    let memory = Memory::new();
    start(&memory, site.files().mount("/f").fallback("index.html").unwrap());
    for (method, path, accept, status) in [
        ("GET", "/f/orders/7", HTML, 200),
        ("HEAD", "/f/orders/7", HTML, 200),
        ("GET", "/f/orders/7", "Accept: text/*\r\n", 200),
        ("GET", "/f/a%2Fb", HTML, 200),
        ("GET", "/f/../secret.txt", HTML, 200),
        ("GET", "/f/.env", HTML, 200),
        ("GET", "/f/hello.txt/", HTML, 200),
        ("GET", "/f/orders/7", "Accept: */*\r\n", 404),
        ("GET", "/f/orders/7", "", 404),
        ("GET", "/f/app.123.js", "Accept: text/html;q=0\r\n", 404),
        ("POST", "/f/orders/7", HTML, 404),
        ("OPTIONS", "/f/orders/7", HTML, 404),
        ("GET", "/elsewhere", HTML, 404),
        ("POST", "/f/index.html", HTML, 405),
    ] {
        let response = ask_with(&memory, method, path, accept);
        assert_eq!(response.status, status, "{method} {path} {accept}");
        if status == 200 {
            assert_eq!(response.text(), if method == "HEAD" { "" } else { "<h1>home" });
            assert_eq!(response.field("Content-Length"), Some("8"));
            assert_eq!((response.field("Cache-Control"), response.field("Expires")), (Some("no-cache"), None));
        }
        let may_be_page = matches!(method, "GET" | "HEAD") && path != "/elsewhere";
        assert_eq!(response.field("Vary"), may_be_page.then_some("accept"), "{method} {path} {accept}");
    }
    assert_eq!(site.open_files(), 0);
}

#[test]
fn fallback_is_revalidated_under_every_path() {
    let site = Site::new();
    let memory = Memory::new();
    let files = site.files().cache_control("max-age=31536000, immutable").unwrap().fallback("index.html").unwrap();
    start(&memory, files.precompressed(true));
    let tag = ask_with(&memory, "GET", "/deep", HTML).field("ETag").unwrap().to_owned();
    for path in ["/deep", "/", "/index.html"] {
        let ask = |fields: &str| ask_with(&memory, "GET", path, &[HTML, fields].concat());
        let whole = ask("");
        assert_eq!((whole.status, whole.field("Cache-Control")), (200, Some("no-cache")), "{path}");
        assert_eq!(whole.field("ETag"), Some(&*tag), "one file has one tag");
        let known = ask(&format!("If-None-Match: {tag}\r\n"));
        assert_eq!((known.status, known.field("Cache-Control")), (304, Some("no-cache")), "{path}");
        let range = ask("Range: bytes=4-\r\n");
        assert_eq!((range.status, range.text()), (206, "home"), "{path}");
        assert_eq!(ask("If-Match: \"x\"\r\n").status, 412);
    }
    assert_eq!(ask(&memory, "/app.js").field("Cache-Control"), Some("max-age=31536000, immutable"));
    let own = ask_with(&memory, "GET", "/own", HTML);
    assert_eq!((own.field("Cache-Control"), own.field("ETag")), (Some("no-store"), Some("\"mine\"")));
}

#[test]
fn fallback_has_precompressed_siblings() {
    let site = Site::new();
    let memory = Memory::new();
    fs::write(site.root.join("index.html.zst"), "zstd").unwrap();
    fs::write(site.root.join("docs/index.html.gz"), "gzip").unwrap();
    let files = site.files().precompressed(true);
    start(&memory, files.fallback("index.html").unwrap().not_found("docs/index.html").unwrap());
    let page = ask_with(&memory, "GET", "/deep", &[HTML, "Accept-Encoding: gzip, br, zstd\r\n"].concat());
    assert_eq!((page.status, page.text(), page.field("Content-Encoding")), (200, "zstd", Some("zstd")));
    assert_eq!(page.field("Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.fields("Vary"), ["accept-encoding", "accept"]);
    let missing = ask_with(&memory, "GET", "/deep", "Accept-Encoding: gzip, br, zstd\r\n");
    assert_eq!((missing.status, missing.text(), missing.field("Content-Encoding")), (404, "gzip", Some("gzip")));
    assert_eq!(missing.fields("Vary"), ["accept-encoding", "accept"]);
}

#[test]
fn not_found_page_is_whole_with_status_404() {
    let site = Site::new();
    let memory = Memory::new();
    fs::create_dir(site.root.join(".pages")).unwrap();
    fs::write(site.root.join(".pages/404.html"), "<h1>lost").unwrap();
    start(&memory, site.files().mount("/f").not_found(".pages/404.html").unwrap());
    let tag = ask(&memory, "/f/nothing").field("ETag").unwrap().to_owned();
    for (method, path, fields) in [
        ("GET", "/f/nothing", ""),
        ("GET", "/f/nothing", HTML),
        ("GET", "/f/nothing", "Range: bytes=0-1\r\n"),
        ("GET", "/f/nothing", &format!("If-None-Match: {tag}\r\n")),
        ("GET", "/f/nothing", "If-Match: \"x\"\r\n"),
        ("POST", "/f/nothing", ""),
        ("GET", "/f/../secret.txt", ""),
        ("GET", "/f/.pages/404.html", ""),
        ("GET", "/f/leak", ""),
        ("GET", "/elsewhere", ""),
        ("HEAD", "/f/nothing", ""),
    ] {
        let page = ask_with(&memory, method, path, fields);
        let content = if method == "HEAD" { "" } else { "<h1>lost" };
        assert_eq!((page.status, page.text()), (404, content), "{method} {path} {fields}");
        assert_eq!(page.field("Content-Type"), Some("text/html; charset=utf-8"));
        assert_eq!((page.field("Content-Length"), page.field("Vary")), (Some("8"), None));
        assert_eq!((page.field("Cache-Control"), page.field("Expires")), (Some("no-cache"), None));
    }
    let own = ask(&memory, "/f/own");
    assert_eq!((own.status, own.field("X-Frame-Options")), (404, Some("DENY")));
    assert_eq!((own.field("Cache-Control"), own.field("ETag")), (Some("no-cache"), Some(&*tag)));
    assert_eq!(own.field("Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(site.open_files(), 0);
}

#[test]
fn page_that_went_missing_is_a_plain_404() {
    let site = Site::new();
    let memory = Memory::new();
    start(&memory, site.files().fallback("index.html").unwrap().not_found("docs/index.html").unwrap());
    fs::remove_file(site.root.join("index.html")).unwrap();
    let page = ask_with(&memory, "GET", "/deep", HTML);
    assert_eq!((page.status, page.text()), (404, "<h1>docs"));
    fs::remove_file(site.root.join("docs/index.html")).unwrap();
    let plain = ask_with(&memory, "GET", "/deep", HTML);
    assert_eq!((plain.status, plain.text()), (404, "404 Not Found\n"));
}

#[test]
fn proxy_sends_only_the_fallback() {
    let site = Site::new();
    let memory = Memory::new();
    let files = site.files().precompressed(true).fallback("index.html").unwrap().not_found("docs/index.html").unwrap();
    let handler = move |request: Request| std::future::ready(respond(&files, &request));
    let front = XSendfile::new("X-Accel-Redirect", &site.root).unwrap();
    memory.start(Server::with_runtime(memory.clone(), handler).x_sendfile(front));
    let page = ask_with(&memory, "GET", "/deep", HTML);
    let expected = site.root.join("index.html").to_str().unwrap().to_owned();
    assert_eq!((page.status, page.field("X-Accel-Redirect")), (200, Some(&*expected)));
    assert_eq!(page.field("Cache-Control"), Some("no-cache"));
    for path in ["/deep", "/own"] {
        let missing = ask(&memory, path);
        assert_eq!((missing.status, missing.text(), missing.field("X-Accel-Redirect")), (404, "<h1>docs", None));
    }
}

#[test]
fn bad_pages_are_refused() {
    let site = Site::new();
    let outside = site.outside.join("secret.txt");
    let absolute = site.root.join("index.html");
    for path in ["../secret.txt", "/index.html", "a/../index.html", "a//b", "a\0", outside.to_str().unwrap()]
        .into_iter()
        .chain([absolute.to_str().unwrap()])
    {
        for (setting, error) in
            [("fallback", site.files().fallback(path).err()), ("not_found", site.files().not_found(path).err())]
        {
            let error = error.unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path}");
            let expected = format!(
                "invalid {setting} file {path:?}: expected a relative path that stays below the directory, such as \
                 \"index.html\""
            );
            assert_eq!(error.to_string(), expected);
        }
    }
    for path in ["nothing.html", "docs", "", "leak", "hello.txt/"] {
        let error = site.files().fallback(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{path}");
        let root = site.root.display();
        assert_eq!(error.to_string(), format!("fallback file {path:?} in {root}: no such file under the root"));
    }
}
