//! A site: `FileRoot::find`, and the `fallback` and `not_found` files.

use std::fs;
use std::future::ready;
use std::path::Path;

use httpants_driver::{EtagRecipe, FileRoot, Request, Response};
use tempfile::TempDir;

use crate::conformance::running::{Running, assert_same, get, get_with, noise, post, start};
use crate::conformance::stage::Stage;

const HTML: &str = "Accept: text/html,*/*;q=0.8\r\n";

/// Creates a folder with an application that routes in the browser.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in [
        ("index.html", "<h1>home"),
        ("404.html", "<h1>lost"),
        ("app.js", "plain"),
        ("app.js.zst", "zstd"),
        (".env", "secret"),
    ] {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    folder
}

/// Starts a server for the folder, with the additional route `/api`.
fn site<S: Stage>(folder: &Path) -> Running<S> {
    let files = FileRoot::open(folder).and_then(|files| files.fallback("index.html"));
    let files = files.and_then(|files| files.not_found("404.html")).expect("a folder with both pages");
    let files = files.precompressed(true);
    start::<S, _, _>(move |request: Request| {
        let files = files.clone();
        async move {
            match files.find(&request).await {
                Some(file) => file.with_header("X-Found", "1"),
                None if request.path() == "/api" => Response::text(format!("{} of the application", request.method())),
                None => files.serve(&request),
            }
        }
    })
}

/// If there is no file, an application can use its own routes; a browser that navigates gets the
/// fallback, with conditions and ranges, and everything else gets the page for 404.
pub fn site_has_routes_a_fallback_and_a_404_page<S: Stage>() {
    let folder = folder();
    let server = site::<S>(folder.path());
    let mut client = server.connect();
    let file = client.ask(get_with("/app.js", "Accept-Encoding: gzip, zstd\r\n"));
    assert_eq!((file.text(), file.field("Content-Encoding"), file.field("X-Found")), ("zstd", Some("zstd"), Some("1")));
    let refused = client.ask(post("/app.js", "", b""));
    assert_eq!((refused.status, refused.field("Allow")), (405, Some("GET, HEAD")));
    for method in ["GET", "POST"] {
        let request = format!("{method} /api HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{HTML}\r\n");
        assert_eq!(client.ask(request).text(), format!("{method} of the application"));
    }
    for path in ["/orders/7", "/.env", "/a%2Fb"] {
        let page = client.ask(get_with(path, HTML));
        assert_eq!((page.status, page.text(), page.field("X-Found")), (200, "<h1>home", None), "{path}");
        assert_eq!((page.field("Cache-Control"), page.field("Expires")), (Some("no-cache"), None));
        let tag = page.field("ETag").expect("a tag").to_owned();
        assert_eq!(client.ask(get_with(path, &format!("{HTML}If-None-Match: {tag}\r\n"))).status, 304);
        let range = client.ask(get_with(path, &format!("{HTML}Range: bytes=4-\r\n")));
        assert_eq!((range.status, range.text()), (206, "home"));
        let lost = client.ask(get_with(path, "Accept: */*\r\nRange: bytes=4-\r\n"));
        assert_eq!((lost.status, lost.text(), lost.field("Cache-Control")), (404, "<h1>lost", Some("no-cache")));
    }
    client.send("HEAD /orders/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status, head.field("Content-Length")), (404, Some("8")));
    assert_eq!(client.ask(post("/orders/7", HTML, b"")).text(), "<h1>lost");
}

/// The file that was found is sent, even if it is replaced meanwhile.
pub fn found_file_is_sent_even_if_replaced<S: Stage>() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.bin");
    let data = noise(4 << 20);
    fs::write(&path, &data).expect("a file");
    let files = FileRoot::open(folder.path()).expect("a folder");
    let replaced = path.clone();
    let server = start::<S, _, _>(move |request: Request| {
        let (files, path) = (files.clone(), replaced.clone());
        async move {
            let found = files.find(&request).await;
            fs::remove_file(&path).and_then(|()| fs::write(&path, "new")).expect("another file");
            found.unwrap_or_else(|| Response::new(404))
        }
    });
    let mut client = server.connect();
    assert_same(&client.ask(get("/data.bin")).content, &data);
    assert_eq!(client.ask(get("/data.bin")).text(), "new");
}

/// Index names, types, tags and caching are settings of a root, and a file that is displayed can
/// have a name, too.
pub fn root_has_settings_and_inline_files_have_names<S: Stage>() {
    let folder = folder();
    fs::write(folder.path().join("home.md"), "# home").expect("a file");
    let files = FileRoot::open(folder.path()).and_then(|files| files.index_names(["nothing", "home.md"]));
    let files = files.and_then(|files| files.media_type("md", "text/markdown; charset=utf-8"));
    let files = files.and_then(|files| files.cache_control("max-age=60")).expect("a folder and good settings");
    let files = files.etag(EtagRecipe::Off).dotfiles(true);
    let server = start::<S, _, _>(move |request: Request| {
        ready(match request.path() {
            "/shown" => Response::file(files.file("404.html").inline("Lost \u{e9}.html")),
            _ => files.serve(&request),
        })
    });
    let mut client = server.connect();
    let index = client.ask(get("/"));
    assert_eq!((index.text(), index.field("Content-Type")), ("# home", Some("text/markdown; charset=utf-8")));
    assert_eq!((index.field("Cache-Control"), index.field("Expires")), (Some("max-age=60"), None));
    assert_eq!((index.field("ETag"), index.field("Last-Modified").is_some()), (None, true));
    assert_eq!(client.ask(get("/.env")).text(), "secret");
    let shown = client.ask(get("/shown"));
    let disposition = "inline; filename=\"Lost _.html\"; filename*=UTF-8''Lost%20%C3%A9.html";
    assert_eq!(shown.field("Content-Disposition"), Some(disposition));
}
