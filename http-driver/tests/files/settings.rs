//! Tests of the settings of a root.

use std::fs;
use std::io::ErrorKind;

use httpants_driver::{EtagRecipe, FileRoot, Request, Response, Server};
use httpants_testkit::memory::Memory;

use crate::site::{Site, ask, ask_with};

fn serve(files: FileRoot) -> Memory {
    let memory = Memory::new();
    let handler = move |request: Request| std::future::ready(files.serve(&request));
    memory.start(Server::with_runtime(memory.clone(), handler));
    memory
}

#[test]
fn dotfiles_are_hidden_unless_enabled() {
    let site = Site::new();
    for folder in [".git", ".well-known", "docs/.well-known"] {
        fs::create_dir(site.root.join(folder)).unwrap();
    }
    let files = [".env", ".git/config", ".well-known/.key", "docs/.htpasswd", "docs/.well-known/x"];
    for name in files.into_iter().chain([".well-known/security.txt", ".git/index.html"]) {
        fs::write(site.root.join(name), "content").unwrap();
    }
    let (hiding, showing) = (serve(site.files()), serve(site.files().dotfiles(true)));
    for name in files.into_iter().chain(["%2Eenv", "%2egit/config", ".git", ".git/"]) {
        let response = ask(&hiding, &format!("/{name}"));
        assert_eq!((response.status, response.text()), (404, "404 Not Found\n"), "{name}");
        let status = if name == ".git" { 301 } else { 200 };
        assert_eq!(ask(&showing, &format!("/{name}")).status, status, "{name}");
    }
    for memory in [hiding, showing] {
        assert_eq!(ask(&memory, "/.well-known/security.txt").text(), "content");
    }
    let memory = Memory::new();
    let files = site.files();
    let handler = move |_: Request| std::future::ready(Response::file(files.file(".env")));
    memory.start(Server::with_runtime(memory.clone(), handler));
    assert_eq!(ask(&memory, "/").text(), "content", "the application names it");
}

#[test]
fn first_index_name_that_exists_is_sent() {
    let site = Site::new();
    fs::write(site.root.join("docs/home.htm"), "home").unwrap();
    fs::create_dir(site.root.join("docs/first")).unwrap();
    let memory = serve(site.files().index_names(["first", "home.htm", "index.html"]).unwrap());
    assert_eq!(ask(&memory, "/docs/").text(), "home");
    assert_eq!(ask(&memory, "/").text(), "<h1>home");
    assert_eq!(ask(&memory, "/docs").field("Location"), Some("/docs/"));
    let memory = serve(site.files().index_names([""; 0]).unwrap());
    for path in ["/", "/docs/", "/docs"] {
        assert_eq!(ask(&memory, path).status, 404, "{path}");
    }
    assert_eq!(ask(&memory, "/docs/index.html").text(), "<h1>docs");
    for name in ["", "..", "a/b", "/index.html", "a\0"] {
        let error = site.files().index_names([name]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let expected = format!("invalid index name {name:?}: expected the name of a file, such as \"index.html\"");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn media_types_and_charset_are_set_per_root() {
    let site = Site::new();
    fs::write(site.root.join("a.md"), "").unwrap();
    let files = site.files().media_type(".md", "text/markdown").unwrap().media_type("JS", "text/x-own").unwrap();
    let memory = serve(files.clone().precompressed(true).charset("iso-8859-1").unwrap());
    assert_eq!(ask(&memory, "/a.md").field("Content-Type"), Some("text/markdown"));
    assert_eq!(ask(&memory, "/hello.txt").field("Content-Type"), Some("text/plain; charset=iso-8859-1"));
    let sibling = ask_with(&memory, "GET", "/app.js", "Accept-Encoding: br\r\n");
    assert_eq!((sibling.text(), sibling.field("Content-Type")), ("brotli", Some("text/x-own")));
    assert_eq!(ask(&serve(files.charset(None).unwrap()), "/hello.txt").field("Content-Type"), Some("text/plain"));
    for (error, expected) in [
        (
            site.files().media_type("md", "markdown"),
            "invalid media type \"markdown\": expected type/subtype, such as \"text/plain\"",
        ),
        (
            site.files().media_type("a/md", "a/b"),
            "invalid extension \"a/md\": expected the end of a file name, such as \"md\"",
        ),
        (site.files().charset("utf 8"), "invalid charset \"utf 8\": expected a name, such as \"utf-8\""),
        (
            site.files().cache_control("a\r\nb: c"),
            "invalid Cache-Control \"a\\r\\nb: c\": expected directives, such as \"max-age=60\"",
        ),
        (site.files().cache_control(" "), "invalid Cache-Control \" \": expected directives, such as \"max-age=60\""),
    ] {
        let error = error.unwrap_err();
        assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::InvalidInput, expected));
    }
}

#[test]
fn cache_control_is_set_per_root() {
    let site = Site::new();
    let memory = serve(site.files().cache_control("max-age=60, immutable").unwrap());
    for (fields, status) in [("", 200), ("If-None-Match: *\r\n", 304), ("Range: bytes=0-0\r\n", 206)] {
        let response = ask_with(&memory, "GET", "/hello.txt", fields);
        assert_eq!((response.status, response.field("Cache-Control")), (status, Some("max-age=60, immutable")));
        assert_eq!(response.field("Expires"), None);
    }
    for (method, path, status) in [("GET", "/nothing", 404), ("POST", "/hello.txt", 405), ("GET", "/docs", 301)] {
        let response = ask_with(&memory, method, path, "");
        assert_eq!((response.status, response.field("Cache-Control")), (status, None));
    }
    for (name, value) in [("Cache-Control", "no-store"), ("Expires", "0")] {
        let files = site.files().cache_control("max-age=60").unwrap();
        let memory = Memory::new();
        let handler = move |request: Request| std::future::ready(files.serve(&request).with_header(name, value));
        memory.start(Server::with_runtime(memory.clone(), handler));
        let response = ask(&memory, "/hello.txt");
        assert_eq!(response.field(name), Some(value));
        let other = if name == "Expires" { "Cache-Control" } else { "Expires" };
        assert_eq!(response.field(other), None);
    }
}

#[test]
fn entity_tag_without_inode_is_the_same_for_a_copy() {
    let (one, other) = (Site::new(), Site::new());
    for site in [&one, &other] {
        let file = fs::File::options().write(true).open(site.root.join("hello.txt")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(784_111_777, 5)).unwrap();
    }
    let tag = |site: &Site, recipe| {
        let response = ask(&serve(site.files().etag(recipe)), "/hello.txt");
        response.field("ETag").map(str::to_owned)
    };
    assert_ne!(tag(&one, EtagRecipe::WithInode), tag(&other, EtagRecipe::WithInode));
    let without = tag(&one, EtagRecipe::WithoutInode);
    assert_eq!(without.as_deref(), Some("\"d-2ebc98a1.5\""));
    assert_eq!(tag(&other, EtagRecipe::WithoutInode), without);
    assert_eq!(tag(&one, EtagRecipe::Off), None);
    let memory = serve(one.files().etag(EtagRecipe::WithoutInode));
    let known = format!("If-None-Match: {}\r\n", without.unwrap());
    assert_eq!(ask_with(&memory, "GET", "/hello.txt", &known).status, 304);
}

#[test]
fn inline_file_has_a_name() {
    let site = Site::new();
    let memory = Memory::new();
    let files = site.files();
    let handler = move |_: Request| std::future::ready(Response::file(files.file("hello.txt").inline("h\u{e9}.txt")));
    memory.start(Server::with_runtime(memory.clone(), handler));
    let disposition = "inline; filename=\"h_.txt\"; filename*=UTF-8''h%C3%A9.txt";
    assert_eq!(ask(&memory, "/").field("Content-Disposition"), Some(disposition));
}

#[test]
fn zstd_sibling_is_sent_to_clients_that_accept_it() {
    let site = Site::new();
    fs::write(site.root.join("app.js.zst"), "zstd").unwrap();
    let memory = serve(site.files().precompressed(true));
    for (accept, content, coding) in [
        ("gzip, deflate, br, zstd", "brotli", Some("br")),
        ("gzip, zstd", "zstd", Some("zstd")),
        ("gzip", "gzip", Some("gzip")),
        ("zstd;q=0", "identity", None),
    ] {
        let response = ask_with(&memory, "GET", "/app.js", &format!("Accept-Encoding: {accept}\r\n"));
        assert_eq!((response.text(), response.field("Content-Encoding")), (content, coding), "{accept}");
        assert_eq!(response.field("Content-Type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(response.field("Vary"), Some("accept-encoding"));
    }
    assert_eq!(ask(&memory, "/app.js.zst").field("Content-Type"), Some("application/zstd"));
}
