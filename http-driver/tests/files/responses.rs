//! Tests of responses with files.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use httpants_driver::XSendfile;
use httpants_testkit::memory::Memory;

use crate::site::{LENGTH, Site, ask, ask_with, data, request, responses, windows};

fn world() -> (Site, Memory) {
    let site = Site::new();
    let memory = Memory::new();
    site.start(&memory);
    (site, memory)
}

#[test]
fn file_is_sent_with_its_metadata() {
    let (site, memory) = world();
    let file = fs::File::options().write(true).open(site.root.join("hello.txt")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
    let response = ask(&memory, "/f/hello.txt");
    assert_eq!((response.status, response.text()), (200, "hello, world\n"));
    for (name, value) in [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", "13"),
        ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Accept-Ranges", "bytes"),
        ("Cache-Control", "max-age=604800"),
        ("Date", "Sun, 22 Nov 2026 13:00:00 GMT"),
        ("Expires", "Sun, 29 Nov 2026 13:00:00 GMT"),
    ] {
        assert_eq!(response.field(name), Some(value), "{name}");
    }
    assert!(response.field("ETag").unwrap().starts_with('"'), "a strong tag");
    for absent in ["Content-Disposition", "Vary", "Content-Encoding", "Content-Range"] {
        assert_eq!(response.field(absent), None);
    }
    assert_eq!(ask(&memory, "/f/data.bin").content, data());
    let empty = ask(&memory, "/f/empty.txt");
    assert_eq!((empty.status, empty.content.len(), empty.field("Content-Length")), (200, 0, Some("0")));
}

#[test]
fn head_matches_get_and_other_methods_are_405() {
    let (_site, memory) = world();
    let (get, head) = (ask(&memory, "/f/data.bin"), ask_with(&memory, "HEAD", "/f/data.bin", ""));
    for name in ["Content-Length", "Content-Type", "ETag", "Last-Modified"] {
        assert_eq!(head.field(name), get.field(name), "{name}");
    }
    assert_eq!((head.status, head.field("Content-Length")), (200, Some("300000")));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "X"] {
        let response = ask_with(&memory, method, "/f/data.bin", "");
        assert_eq!((response.status, response.field("Allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!(ask_with(&memory, "HEAD", "/f/nothing", "").status, 404);
}

#[test]
fn conditions_use_the_entity_tag() {
    let (site, memory) = world();
    let response = ask(&memory, "/f/hello.txt");
    let (tag, date) = (response.field("ETag").unwrap(), response.field("Last-Modified").unwrap());
    for (fields, status) in [
        (format!("If-None-Match: {tag}\r\n"), 304),
        (format!("If-None-Match: \"x\", W/{tag}\r\n"), 304),
        ("If-None-Match: \"x\"\r\n".into(), 200),
        (format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {date}\r\n"), 200),
        (format!("If-Modified-Since: {date}\r\n"), 304),
        (format!("If-Match: {tag}\r\n"), 200),
        ("If-Match: \"x\"\r\n".into(), 412),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".into(), 412),
        (format!("Range: bytes=0-4\r\nIf-Range: {tag}\r\n"), 206),
        ("Range: bytes=0-4\r\nIf-Range: \"x\"\r\n".into(), 200),
    ] {
        for method in ["GET", "HEAD"] {
            let response = ask_with(&memory, method, "/f/hello.txt", &fields);
            let ranged = status == 206 && method == "HEAD";
            assert_eq!(response.status, if ranged { 200 } else { status }, "{method} {fields}");
            assert!(status != 304 || response.field("ETag") == Some(tag) && response.field("Content-Length").is_none());
        }
    }
    fs::write(site.root.join("hello.txt"), "hello again\n").unwrap();
    assert_eq!(ask_with(&memory, "GET", "/f/hello.txt", &format!("If-None-Match: {tag}\r\n")).status, 200);
}

#[test]
fn one_several_and_unsatisfiable_ranges() {
    let (_site, memory) = world();
    let data = data();
    let ask = |range: &str| ask_with(&memory, "GET", "/f/data.bin", &format!("Range: bytes={range}\r\n"));
    for (range, first, end) in [("0-0", 0, 1), ("100000-199999", 100_000, 200_000), ("299999-", 299_999, LENGTH)] {
        let response = ask(range);
        assert_eq!((response.status, &response.content[..]), (206, &data[first..end]), "{range}");
        let expected = format!("bytes {first}-{}/{LENGTH}", end - 1);
        assert_eq!(response.field("Content-Range"), Some(&*expected));
    }
    assert_eq!(ask("-5").content, &data[LENGTH - 5..]);

    let response = ask("0-99999,200000-299999");
    let boundary = response.field("Content-Type").unwrap().strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |first: usize, last: usize| {
        let head = format!(
            "--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {first}-{last}/{LENGTH}\r\n\r\n"
        );
        [head.as_bytes(), &data[first..=last], b"\r\n"].concat()
    };
    let expected = [part(0, 99_999), part(200_000, 299_999), format!("--{boundary}--\r\n").into_bytes()].concat();
    assert_eq!(response.status, 206);
    assert!(response.content == expected);
    assert_ne!(boundary, "0".repeat(32), "a boundary is random");
    assert_ne!(Some(boundary), ask("0-0,2-2").field("Content-Type").unwrap().split('=').nth(1), "each time");

    let response = ask("300000-");
    assert_eq!((response.status, response.field("Content-Range")), (416, Some("bytes */300000")));
    let empty = ask_with(&memory, "GET", "/f/empty.txt", "Range: bytes=-5\r\n");
    assert_eq!((empty.status, empty.field("Content-Range")), (200, None), "ranges of an empty file are ignored");
}

#[test]
fn application_sets_the_presentation_of_a_file() {
    let (_site, memory) = world();
    let disposition = r#"attachment; filename="na_ve \"x\".txt"; filename*=UTF-8''na%C3%AFve%20%22x%22.txt"#;
    assert_eq!(ask(&memory, "/attachment").field("Content-Disposition"), Some(disposition));
    assert_eq!(ask(&memory, "/untyped").field("Content-Type"), Some("application/octet-stream"));

    let own = ask(&memory, "/own");
    assert_eq!((own.field("Cache-Control"), own.field("Expires")), (Some("no-store"), None));
    assert_eq!((own.field("X-Own"), own.field("Connection")), (Some("1"), Some("close")));
    assert_eq!((own.field("Content-Length"), own.field("ETag")), (Some("13"), Some("\"mine\"")));
    assert_eq!(ask_with(&memory, "GET", "/own", "If-None-Match: \"mine\"\r\n").status, 304);

    for (method, fields) in [("GET", ""), ("POST", ""), ("GET", "Range: bytes=0-0\r\nIf-None-Match: *\r\n")] {
        let page = ask_with(&memory, method, "/error-page", fields);
        assert_eq!((page.status, page.text()), (404, "hello, world\n"), "{method} {fields}");
        assert_eq!((page.field("Cache-Control"), page.field("Expires")), (Some("no-cache"), None));
    }
    let head = ask_with(&memory, "HEAD", "/error-page", "");
    assert_eq!((head.status, head.field("Content-Length")), (404, Some("13")));
}

#[test]
fn application_fields_are_on_every_file_response() {
    let site = Site::new();
    for in_front in [false, true] {
        let memory = Memory::new();
        site.start_with(&memory, |server| match in_front {
            true => server.x_sendfile(XSendfile::new("X-Accel-Redirect", &site.root).unwrap()),
            false => server,
        });
        for (status, method, path, fields) in [
            (200, "GET", "/framed/hello.txt", ""),
            (206, "GET", "/framed/hello.txt", "Range: bytes=0-0\r\n"),
            (301, "GET", "/framed/docs", ""),
            (304, "GET", "/framed/hello.txt", "If-None-Match: *\r\n"),
            (404, "GET", "/framed/nothing", ""),
            (404, "HEAD", "/framed/bare/", ""),
            (404, "GET", "/framed-folder", ""),
            (405, "POST", "/framed/hello.txt", ""),
            (412, "GET", "/framed/hello.txt", "If-Match: \"x\"\r\n"),
            (416, "GET", "/framed/hello.txt", "Range: bytes=13-\r\n"),
        ] {
            let status = if in_front && matches!(status, 206 | 304 | 412 | 416) { 200 } else { status };
            let response = ask_with(&memory, method, path, fields);
            let is_file = matches!(response.status, 200 | 206 | 304);
            assert_eq!(response.status, status, "{method} {path} {fields}");
            assert_eq!(response.field("X-Frame-Options"), Some("DENY"), "{status}");
            assert_eq!(response.field("Cache-Control"), is_file.then_some("max-age=60"), "{status}");
            let language = (is_file && status != 304).then_some("en");
            assert_eq!(response.field("Content-Language"), language, "{status}");
            let redirect = response.field("X-Accel-Redirect");
            assert_eq!(redirect == Some("/internal/secret"), !in_front, "{status}");
            assert_eq!(redirect.is_some(), !in_front || is_file, "{status}");
        }
    }
}

/// If such files were kept open, the eighth response would be the last on its connection.
#[test]
fn bodiless_status_keeps_no_file_open() {
    let (site, memory) = world();
    for path in ["/nothing/204", "/nothing/205"] {
        let client = memory.connect();
        client.send(&request("GET", path, "").repeat(20));
        memory.run();
        let responses = responses(&client.take_received(), &["GET"; 20]);
        assert_eq!(responses.len(), 20, "{path}");
        assert!(responses.iter().all(|response| response.content.is_empty()));
        assert_eq!(site.open_files(), 0);
    }
}

#[test]
fn send_file_behaves_as_in_pants() {
    let (_site, memory) = world();
    let response = ask(&memory, "/seed");
    assert_eq!((response.status, response.text()), (200, "hello, world\n"));
    assert_eq!((response.field("X-Seed"), response.field("Content-Type")), (Some("1"), Some("text/x-own")));
    assert_eq!(response.field("Content-Disposition"), Some("attachment; filename=\"a.txt\""));
    assert_eq!(ask(&memory, "/seed-plain").field("Content-Type"), Some("application/octet-stream"));
    assert_eq!(ask(&memory, "/seed-bad-header").field("A"), Some("b"));
    assert_eq!(ask(&memory, "/seed-twice").status, 200);
    assert_eq!(ask(&memory, "/seed-late").status, 500, "a status was sent already");
}

#[test]
fn precompressed_siblings_are_negotiated() {
    let (_site, memory) = world();
    let mut tags = Vec::new();
    for (accept, coding, content) in [
        ("", None, "identity"),
        ("Accept-Encoding: gzip, br\r\n", Some("br"), "brotli"),
        ("Accept-Encoding: gzip\r\n", Some("gzip"), "gzip"),
        ("Accept-Encoding: br;q=0\r\n", None, "identity"),
    ] {
        for path in ["/packed/app.js", "/packed"] {
            let response = ask_with(&memory, "GET", path, accept);
            assert_eq!((response.field("Content-Encoding"), response.text()), (coding, content), "{accept}");
            assert_eq!(response.field("Vary"), Some("accept-encoding"));
            assert_eq!(response.field("Content-Type"), Some("text/javascript; charset=utf-8"));
            tags.push(response.field("ETag").unwrap().to_owned());
        }
    }
    tags.dedup();
    assert_eq!(tags.len(), 4, "a tag for each coding: {tags:?}");
    let tagged = format!("Accept-Encoding: br\r\nIf-None-Match: {}\r\n", tags[1]);
    assert_eq!(ask_with(&memory, "GET", "/packed/app.js", &tagged).status, 304);
    let ranged = ask_with(&memory, "GET", "/packed/app.js", "Accept-Encoding: br\r\nRange: bytes=1-2\r\n");
    assert_eq!((ranged.status, ranged.text()), (206, "ro"));

    let plain = ask_with(&memory, "GET", "/f/app.js", "Accept-Encoding: br\r\n");
    assert_eq!((plain.text(), plain.field("Vary")), ("identity", None), "only where it is asked for");
    let folder = ask_with(&memory, "GET", "/packed/packed.js", "Accept-Encoding: gzip\r\n");
    assert_eq!(folder.text(), "identity", "a directory is no sibling");
}

#[test]
fn x_sendfile_names_the_file() {
    let site = Site::new();
    let root = site.root.to_str().unwrap();
    for (prefix, header, before) in [(None, "X-Sendfile", root), (Some("/internal/"), "X-Accel-Redirect", "/internal")]
    {
        let memory = Memory::new();
        let mut policy = XSendfile::new(header, &site.root).unwrap();
        if let Some(prefix) = prefix {
            policy = policy.prefix(prefix).unwrap();
        }
        site.start_with(&memory, |server| server.x_sendfile(policy));
        for (path, name) in [
            ("/f/hello.txt", "/hello.txt"),
            ("/f/docs/", "/docs/index.html"),
            ("/f/docs/a%20b%C3%A9.txt", "/docs/a%20b%C3%A9.txt"),
            ("/packed/app.js", "/app.js"),
            ("/server-root", "/hello.txt"),
            ("/seed", "/hello.txt"),
        ] {
            for method in ["GET", "HEAD"] {
                let response =
                    ask_with(&memory, method, path, "Accept-Encoding: br\r\nRange: bytes=1-2\r\nIf-None-Match: *\r\n");
                assert_eq!((response.status, response.field("Content-Length")), (200, Some("0")), "{method} {path}");
                assert_eq!(response.field(header), Some(&*format!("{before}{name}")), "{method} {path}");
            }
        }
        for path in ["/f/nothing", "/f/leak", "/f/bare/", "/outside", "/server-root-up"] {
            let response = ask_with(&memory, "GET", path, &format!("{header}: /etc/passwd\r\n"));
            assert_eq!((response.status, response.field(header)), (404, None), "{path}");
        }
        assert_eq!(ask_with(&memory, "POST", "/f/hello.txt", "").status, 405);
        assert_eq!(ask(&memory, "/opened").text(), "secret", "a file opened by the application is sent by this server");
        assert_eq!(site.open_files(), 0);
    }
    // The proxy serves only a part of this root.
    let memory = Memory::new();
    let policy = XSendfile::new("X-Sendfile", site.root.join("docs")).unwrap();
    site.start_with(&memory, |server| server.x_sendfile(policy));
    assert_eq!(ask(&memory, "/f/hello.txt").status, 404);
    assert_eq!(ask(&memory, "/f/docs/").status, 200);
}

#[test]
fn x_sendfile_needs_the_server_setting() {
    let (_site, memory) = world();
    let response = ask_with(&memory, "GET", "/f/hello.txt", "X-Sendfile: on\r\nX-Sendfile-Type: X-Sendfile\r\n");
    assert_eq!(response.text(), "hello, world\n");
    assert_eq!(windows(&response.content, b"root").count(), 0);
}
