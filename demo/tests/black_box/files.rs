//! Tests of files below a root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use crate::client::Response;
use crate::demo::{Demo, run};
use crate::programs::curl;

const SECRET: &str = "a secret outside of the root";

/// A root with links, next to files that must not be served.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("docs")).unwrap();
        fs::write(folder.path().join("secret.txt"), SECRET).unwrap();
        fs::write(root.join("a b?#%&\u{fc}.txt"), "spelled").unwrap();
        fs::write(root.join("plain.txt"), "plain").unwrap();
        fs::write(root.join("docs/index.html"), "<p>docs").unwrap();
        symlink("plain.txt", root.join("inside")).unwrap();
        symlink("../secret.txt", root.join("out")).unwrap();
        symlink(folder.path().join("secret.txt"), root.join("out-absolute")).unwrap();
        symlink("..", root.join("out-folder")).unwrap();
        symlink("../root/plain.txt", root.join("out-and-in")).unwrap();
        Self { folder }
    }

    fn root(&self) -> String {
        self.folder.path().join("root").display().to_string()
    }

    fn start(&self, flags: &[&str]) -> Demo {
        Demo::start(&[&["--file-root", &self.root()], flags].concat())
    }
}

fn ask(demo: &Demo, name: &str, fields: &str) -> Response {
    demo.connect().request("GET", &format!("/file/{name}"), fields, "")
}

#[test]
fn sample_files_are_created_and_removed() {
    let mut demo = Demo::start(&[]);
    for (name, content_type, size) in [
        ("16k", "application/octet-stream", 16384),
        ("1m", "application/octet-stream", 1 << 20),
        ("hello.txt", "text/plain", 14),
    ] {
        let response = ask(&demo, name, "");
        assert_eq!((response.status, response.body.len()), (200, size), "{name}");
        assert!(response.header("Content-Type").unwrap().starts_with(content_type), "{name}");
    }
    for name in ["", "index.html"] {
        assert_eq!(ask(&demo, name, "").header("Content-Type"), Some("text/html; charset=utf-8"));
    }
    assert_eq!(fs::read_dir(demo.temporary()).unwrap().count(), 1);
    demo.terminate();
    assert_eq!(demo.exit().code(), Some(0));
    assert_eq!(fs::read_dir(demo.temporary()).unwrap().count(), 0);
}

#[test]
fn file_root_flag_overrides_the_environment() {
    let (site, other) = (Site::new(), tempfile::tempdir().unwrap());
    fs::write(other.path().join("plain.txt"), "other").unwrap();
    let variables = [("FILE_ROOT", other.path().to_str().unwrap())];
    let here = &["127.0.0.1:0"];
    let by_variable = Demo::with_environment(here, &[], &variables);
    let by_flag = Demo::with_environment(here, &["--file-root", &site.root()], &variables);
    let by_neither = Demo::with_environment(here, &[], &[("FILE_ROOT", "")]);
    assert_eq!(ask(&by_variable, "plain.txt", "").text(), "other");
    assert_eq!(ask(&by_flag, "plain.txt", "").text(), "plain");
    assert_eq!(ask(&by_neither, "hello.txt", "").text(), "Hello, World!\n");
}

#[test]
fn invalid_file_root_exits_with_1_and_one_line() {
    let output = run(&["--file-root", "/no/such/folder"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.matches('\n').count()), (Some(1), 1), "{said}");
    assert!(said.starts_with("demo: --file-root: cannot serve files from /no/such/folder: "), "{said}");
}

#[test]
fn missing_file_gets_the_configured_pages() {
    let site = Site::new();
    let demo = site.start(&["--file-fallback", "docs/index.html", "--file-not-found", "plain.txt"]);
    let page = ask(&demo, "orders/7", "Accept: text/html\r\n");
    assert_eq!((page.status, page.text(), page.header("Cache-Control")), (200, "<p>docs", Some("no-cache")));
    let missing = ask(&demo, "orders/7", "Accept: */*\r\n");
    assert_eq!((missing.status, missing.text()), (404, "plain"));
    for (flag, page, expected) in [
        ("--file-fallback", "../secret.txt", "expected a relative path that stays below the directory"),
        ("--file-not-found", "nothing.html", "no such file under the root"),
        ("--file-not-found", "out", "no such file under the root"),
    ] {
        let output = run(&["--file-root", &site.root(), flag, page]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.matches('\n').count()), (Some(1), 1), "{said}");
        assert!(said.starts_with(&format!("demo: {flag}: ")) && said.contains(expected), "{said}");
    }
}

#[test]
fn dotfiles_are_hidden_and_not_linked() {
    let site = Site::new();
    for name in [".env", ".well-known"] {
        fs::create_dir_all(site.folder.path().join("root").join(name)).unwrap();
        fs::write(site.folder.path().join("root").join(name).join("x"), "content").unwrap();
    }
    fs::write(site.folder.path().join("root/.hidden"), "").unwrap();
    let demo = site.start(&[]);
    for (name, status) in [(".env/x", 404), (".hidden", 404), ("%2ehidden", 404), (".well-known/x", 200)] {
        assert_eq!(ask(&demo, name, "").status, status, "{name}");
    }
    let page = demo.connect().request("GET", "/", "Accept: text/html\r\n", "");
    assert!(page.text().contains("plain.txt") && !page.text().contains("hidden"));
}

#[test]
fn file_response_has_metadata_and_head_has_same_fields() {
    let site = Site::new();
    let demo = site.start(&[]);
    let get = ask(&demo, "plain.txt", "");
    let head = demo.connect().request("HEAD", "/file/plain.txt", "", "");
    assert_eq!((get.text(), head.body.len()), ("plain", 0));
    for name in ["Content-Length", "Content-Type", "Last-Modified", "ETag", "Accept-Ranges", "Cache-Control", "Expires"]
    {
        assert!(get.header(name).is_some(), "{name}");
        if name != "Expires" {
            assert_eq!(get.header(name), head.header(name));
        }
    }
    assert_eq!(get.header("Accept-Ranges"), Some("bytes"));
    assert!(get.header("Cache-Control").unwrap().contains("max-age=604800"));
    assert!(get.header("ETag").unwrap().starts_with('"'), "a strong one");
}

#[test]
fn conditional_requests_are_evaluated_against_the_file() {
    let site = Site::new();
    let demo = site.start(&[]);
    let whole = ask(&demo, "plain.txt", "");
    let (tag, date) = (whole.header("ETag").unwrap(), whole.header("Last-Modified").unwrap());
    let long_ago = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (fields, status) in [
        (format!("If-None-Match: {tag}"), 304),
        (format!("If-None-Match: \"x\", W/{tag}"), 304),
        ("If-None-Match: *".into(), 304),
        ("If-None-Match: \"x\"".into(), 200),
        (format!("If-Modified-Since: {date}"), 304),
        (format!("If-Modified-Since: {long_ago}"), 200),
        ("If-Modified-Since: nonsense".into(), 200),
        (format!("If-Match: {tag}"), 200),
        ("If-Match: \"x\"".into(), 412),
        (format!("If-Unmodified-Since: {date}"), 200),
        (format!("If-Unmodified-Since: {long_ago}"), 412),
        (format!("If-Range: {tag}\r\nRange: bytes=1-2"), 206),
        ("If-Range: \"x\"\r\nRange: bytes=1-2".into(), 200),
        (format!("If-Range: W/{tag}\r\nRange: bytes=1-2"), 200),
    ] {
        let response = ask(&demo, "plain.txt", &format!("{fields}\r\n"));
        assert_eq!(response.status, status, "{fields}");
        if status == 304 {
            assert_eq!((response.body.len(), response.header("ETag")), (0, Some(tag)));
        }
    }
}

#[test]
fn range_requests_return_the_requested_bytes() {
    let demo = Demo::start(&[]);
    let whole = ask(&demo, "1m", "").body;
    for (range, from, to) in [
        ("0-0", 0, 0),
        ("0-", 0, 1_048_575),
        ("1000-1999", 1000, 1999),
        ("1048575-", 1_048_575, 1_048_575),
        ("1048000-9999999", 1_048_000, 1_048_575),
        ("-10", 1_048_566, 1_048_575),
        ("-9999999", 0, 1_048_575),
    ] {
        let response = ask(&demo, "1m", &format!("Range: bytes={range}\r\n"));
        assert_eq!(response.status, 206, "{range}");
        assert_eq!(response.header("Content-Range"), Some(&*format!("bytes {from}-{to}/1048576")));
        assert!(response.body == whole[from..=to], "{range}");
    }
    for range in ["1048576-", "9999999-", "-0"] {
        let response = ask(&demo, "1m", &format!("Range: bytes={range}\r\n"));
        assert_eq!((response.status, response.header("Content-Range")), (416, Some("bytes */1048576")), "{range}");
    }
    for range in ["bytes=2-1", "bytes=x", "lines=1-2", "bytes="] {
        let response = ask(&demo, "1m", &format!("Range: {range}\r\n"));
        assert_eq!((response.status, response.body.len()), (200, 1 << 20), "{range}");
    }
}

#[test]
fn several_ranges_are_multipart_byteranges() {
    let demo = Demo::start(&[]);
    let response = ask(&demo, "16k", "Range: bytes=0-15,160-175,-16\r\n");
    assert_eq!(response.status, 206);
    let boundary = response.header("Content-Type").unwrap().strip_prefix("multipart/byteranges; boundary=").unwrap();
    let delimiter = format!("--{boundary}");
    let parts: Vec<_> = response.text().split(&*delimiter).collect();
    assert_eq!((parts.len(), parts[4].trim_end()), (5, "--"));
    for (part, (range, content)) in parts[1..].iter().zip([
        ("0-15", "000000000000000\n"),
        ("160-175", "000000000000160\n"),
        ("16368-16383", "000000000016368\n"),
    ]) {
        assert!(part.contains(&format!("Content-Range: bytes {range}/16384\r\n")), "{part}");
        assert!(part.ends_with(&format!("\r\n\r\n{content}\r\n")), "{part}");
    }
    // Many small ranges that cost more than the file are ignored.
    let response = ask(&demo, "16k", &format!("Range: bytes={}\r\n", vec!["0-"; 1000].join(",")));
    assert!(response.body.len() < 100_000);
}

#[test]
fn no_path_leads_out_of_the_root() {
    let site = Site::new();
    let demo = site.start(&[]);
    let absolute = site.folder.path().join("secret.txt").display().to_string();
    for name in [
        "../secret.txt",
        "./../secret.txt",
        "docs/../../secret.txt",
        "%2e%2e/secret.txt",
        "%2E%2e%2Fsecret.txt",
        "..%2fsecret.txt",
        "%252e%252e/secret.txt",
        "..%5csecret.txt",
        "..\\secret.txt",
        "....//secret.txt",
        "..;/secret.txt",
        "%c0%ae%c0%ae/secret.txt",
        "..%00/secret.txt",
        "/../secret.txt",
        "out",
        "out-absolute",
        "out-folder/secret.txt",
        "out-folder/root/plain.txt",
        "out-and-in",
        &absolute,
        &format!("/{absolute}"),
        &absolute.replace('/', "%2f"),
        "plain.txt/",
        "plain.txt%00",
        "nothing",
    ] {
        let mut client = demo.connect();
        client.send(format!("GET /file/{name} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response();
        assert_eq!(response.status, 404, "{name}");
        assert!(!response.text().contains(SECRET), "{name}");
    }
    // The client normalizes the path before it is a name below /file/.
    let mut client = demo.connect();
    client.send("GET /file/../secret.txt HTTP/1.1\r\nHost: a\r\n\r\nGET /file/inside HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((client.response().status, client.response().text()), (404, "plain"));
}

#[test]
fn unreadable_file_is_403() {
    let site = Site::new();
    let root = site.folder.path().join("root");
    fs::set_permissions(site.folder.path(), Permissions::from_mode(0o755)).unwrap();
    for (name, mode) in [("plain.txt", 0o0), ("docs", 0o0), ("a b?#%&\u{fc}.txt", 0o444)] {
        fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
    }
    let demo = Demo::unprivileged(&["--file-root", &site.root()]);
    for name in ["plain.txt", "inside", "docs/", "docs", "docs/index.html"] {
        for method in ["GET", "HEAD"] {
            let response = demo.connect().request(method, &format!("/file/{name}"), "Range: bytes=0-0\r\n", "");
            assert_eq!((response.status, response.header("ETag")), (403, None), "{method} {name}");
            assert_eq!(response.text(), if method == "GET" { "403 Forbidden\n" } else { "" });
        }
    }
    assert_eq!(ask(&demo, "a%20b%3F%23%25&%C3%BC.txt", "").text(), "spelled");
    assert_eq!(ask(&demo, "nothing", "").status, 404);
    fs::set_permissions(root.join("docs"), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn directory_without_slash_redirects_to_slash() {
    let site = Site::new();
    let demo = site.start(&[]);
    for (name, location) in [("docs", "/file/docs/"), ("docs?a=//b", "/file/docs/?a=//b")] {
        let response = ask(&demo, name, "");
        assert_eq!((response.status, response.header("Location")), (301, Some(location)));
    }
    assert_eq!(ask(&demo, "docs/", "").text(), "<p>docs");
    for name in ["/docs", "/evil.example/docs", "%2fdocs", "docs/index.html"] {
        assert_eq!(ask(&demo, name, "").header("Location"), None, "{name}");
    }
}

#[test]
fn page_links_to_files_with_any_name() {
    let site = Site::new();
    fs::write(site.folder.path().join("root/<script>\"'&.txt"), "sharp").unwrap();
    let demo = site.start(&[]);
    let page = demo.connect().request("GET", "/", "Accept: text/html\r\n", "");
    let list = page.text().split("<ul id=\"files\">").nth(1).unwrap().split("</ul>").next().unwrap();
    assert!(!list.contains("<script>") && !list.contains(SECRET), "{list}");
    let links: Vec<_> = list.split("href=\"").skip(1).map(|link| link.split('"').next().unwrap()).collect();
    let contents: Vec<_> = links.iter().map(|link| demo.get(link).text().to_owned()).collect();
    assert_eq!(contents, ["sharp", "spelled", "plain"], "{links:?}");
}

#[test]
fn sendfile_header_names_the_file_without_a_body() {
    let site = Site::new();
    let root = fs::canonicalize(site.root()).unwrap().display().to_string();
    let plain = site.start(&["--sendfile", "X-Sendfile"]);
    let nginx = site.start(&["--sendfile", "X-Accel-Redirect", "--sendfile-prefix", "/protected/"]);
    let spelled = "a%20b%3F%23%25%26%C3%BC.txt";
    for (demo, field, before) in [(&plain, "X-Sendfile", &*root), (&nginx, "X-Accel-Redirect", "/protected")] {
        for name in ["plain.txt", spelled] {
            let response = ask(demo, name, "Range: bytes=0-1\r\n");
            assert_eq!((response.status, response.body.len()), (200, 0));
            assert_eq!(response.header(field), Some(&*format!("{before}/{name}")));
        }
        for name in ["nothing", "out", "..%2fsecret.txt"] {
            let response = ask(demo, name, "");
            assert_eq!((response.status, response.header(field)), (404, None), "{name}");
        }
    }
}

#[test]
fn client_cannot_enable_sendfile() {
    let site = Site::new();
    let demo = site.start(&[]);
    let fields = "X-Sendfile-Type: X-Accel-Redirect\r\nX-Accel-Mapping: /=/\r\nX-Sendfile: /etc/passwd\r\n";
    let response = ask(&demo, "plain.txt", fields);
    assert_eq!(response.text(), "plain");
    for field in ["X-Sendfile", "X-Accel-Redirect"] {
        assert_eq!(response.header(field), None);
    }
}

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_resumes_and_revalidates() {
    let (demo, folder) = (Demo::start(&[]), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (file, tags, url) = (path("1m"), path("tags"), demo.url("/file/1m"));
    assert_eq!(curl(&["--range", "16-31", &url], b""), "000000000000016\n");
    assert!(curl(&["--range", "0-1,32-33", &url], b"").contains("Content-Range: bytes 32-33/1048576\r\n"));
    curl(&["--range", "0-99999", "--output", &file, &url], b"");
    assert_eq!(fs::metadata(&file).unwrap().len(), 100_000);
    let code = ["--write-out", "%{http_code}"];
    assert_eq!(curl(&[&code[..], &["--continue-at", "-", "--output", &file, &url]].concat(), b""), "206");
    assert!(fs::read(&file).unwrap() == ask(&demo, "1m", "").body);
    let again = [&code[..], &["--etag-save", &tags, "--etag-compare", &tags, "--output", "/dev/null", &url]].concat();
    assert_eq!((curl(&again, b""), curl(&again, b"")), ("200".into(), "304".into()));
    let newer = [&code[..], &["--time-cond", &file, "--output", "/dev/null", &url]].concat();
    assert_eq!(curl(&newer, b""), "304");
    assert_eq!(curl(&[&code[..], &["--range", "2000000-", "--output", "/dev/null", &url]].concat(), b""), "416");
    assert_eq!(
        curl(
            &[&code[..], &["--path-as-is", "--output", "/dev/null", &demo.url("/file/../../etc/passwd")]].concat(),
            b""
        ),
        "404"
    );
    assert!(curl(&["--head", &url], b"").contains("Content-Length: 1048576\r\n"));
}
