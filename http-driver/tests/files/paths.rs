//! Tests of the mapping of paths to files.

use std::fs::{self, File, Permissions};
use std::future::ready;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use httpants_driver::{FileRoot, Request, Response, Server, StatefulHandler};
use httpants_testkit::memory::Memory;

use crate::site::{Site, ask, ask_with};

#[test]
fn each_file_has_one_valid_path() {
    let site = Site::new();
    let memory = Memory::new();
    site.start(&memory);
    for (path, content) in [
        ("/f/hello.txt", "hello, world\n"),
        ("/f/hell%6F.txt", "hello, world\n"),
        ("/f/hello.txt?a=../..", "hello, world\n"),
        ("/f/inside", "hello, world\n"),
        ("/f/inside-absolute", "hello, world\n"),
        ("/f/docs/a%20b%C3%A9.txt", "spaced"),
        ("/f/docs/", "<h1>docs"),
        ("/f/docs/index.html", "<h1>docs"),
        ("/f/", "<h1>home"),
        ("/absolute", "hello, world\n"),
        ("/server-root", "hello, world\n"),
        ("/opened", "secret"),
    ] {
        let response = ask(&memory, path);
        assert_eq!((response.status, response.text()), (200, content), "{path}");
    }
    let outside = site.outside.to_str().unwrap().to_owned();
    for path in [
        "/f/nothing",
        "/f/hello.txt/",
        "/f/hello.txt/x",
        "/f/bare",
        "/f/bare/",
        "/f/../secret.txt",
        "/f/..",
        "/f/.",
        "/f/docs/..",
        "/f/docs/../hello.txt",
        "/f/./hello.txt",
        "/f/%2e%2e/secret.txt",
        "/f/%2E./secret.txt",
        "/f/..%2fsecret.txt",
        "/f/docs%2f..%2f..%2fsecret.txt",
        "/f/docs%2Findex.html",
        "/f/%252e%252e/secret.txt",
        "/f/..%5csecret.txt",
        "/f/docs\\..\\..\\secret.txt",
        "/f/%c0%ae%c0%ae/secret.txt",
        "/f/%ff",
        "/f/%",
        "/f/%zz",
        "/f/hello.txt%00",
        "/f/hello.txt%00.html",
        "/f//hello.txt",
        "/f//",
        "/f//etc/passwd",
        "/f/%2fetc/passwd",
        "/f/C:/secret.txt",
        "/f/leak",
        "/f/leak-absolute",
        "/f/leak-folder/secret.txt",
        "/f/leak-folder/root/hello.txt/../../secret.txt",
        "/f/leak-folder/root/hello.txt",
        "/f/out-and-in",
        "/f/loop",
        "/f/proc/self/environ",
        "/fhello.txt",
        "/hello.txt",
        "/F/hello.txt",
        "/outside",
        "/server-root-up",
        "/opened-folder",
        &format!("/f/{outside}/secret.txt"),
        &format!("/f{outside}/secret.txt"),
        &format!("/f/{}", "x".repeat(300)),
        &format!("/f/{}", "x/".repeat(3000)),
    ] {
        let response = ask(&memory, path);
        assert_eq!((response.status, response.text()), (404, "404 Not Found\n"), "{path}");
    }
    assert_eq!(site.open_files(), 0);
}

/// Relative links in an index.html depend on the browser's URL.
#[test]
fn directory_without_slash_is_redirected() {
    let site = Site::new();
    let memory = Memory::new();
    fs::create_dir(site.root.join("ab: c")).unwrap();
    fs::write(site.root.join("ab: c/index.html"), "").unwrap();
    site.start(&memory);
    for (target, location) in [
        ("/f/docs", "/f/docs/"),
        ("/f/docs?a=1&b=%2F?", "/f/docs/?a=1&b=%2F?"),
        ("/f/docs?", "/f/docs/"),
        ("/f", "/f/"),
        ("http://a/f/docs?a", "/f/docs/?a"),
        ("/f/ab:%20c", "/f/ab:%20c/"),
        ("/packed/docs", "/packed/docs/"),
    ] {
        for method in ["GET", "HEAD"] {
            let fields = "If-None-Match: *\r\nRange: bytes=0-0\r\n";
            let response = ask_with(&memory, method, target, fields);
            assert_eq!((response.status, response.field("Location")), (301, Some(location)), "{method} {target}");
            assert_eq!(ask_with(&memory, method, location, "").status, 200);
        }
    }
    assert_eq!(ask_with(&memory, "POST", "/f/docs", "").status, 405);
    // No Location may be interpreted as the name of another server.
    for target in ["//docs", "//docs/..", "/\\docs", "/%2Fdocs", "//a/docs", "/f//docs", "/f/bare", "/f/hello.txt?/"] {
        let response = ask(&memory, target);
        assert_eq!(response.field("Location"), None, "{target}");
    }
    assert_eq!(site.open_files(), 0);
}

#[test]
fn absolute_form_and_root_mount_find_the_same_files() {
    let site = Site::new();
    let memory = Memory::new();
    fs::create_dir(site.root.join("root")).unwrap();
    fs::write(site.root.join("root/file"), "deep").unwrap();
    site.start(&memory);
    assert_eq!(ask(&memory, "/root/file").text(), "deep");
    assert_eq!(ask(&memory, "http://a/f/hello.txt").text(), "hello, world\n");
    assert_eq!(ask(&memory, "http://a/f/../secret.txt").status, 404);
}

#[test]
fn default_file_root_is_the_current_directory() {
    let memory = Memory::new();
    let handler = |request: Request| ready(Response::file(request.path().trim_start_matches('/')));
    memory.start(Server::with_runtime(memory.clone(), handler));
    assert_eq!(ask(&memory, "/Cargo.toml").content, fs::read("Cargo.toml").unwrap());
    assert_eq!(ask(&memory, "/../Cargo.toml").status, 404);
}

#[test]
fn precompressed_setting_of_the_server_root_applies() {
    let site = Site::new();
    let memory = Memory::new();
    let handler = |_: Request| ready(Response::file("app.js"));
    let root = site.files().precompressed(true).mount("elsewhere");
    memory.start(Server::with_runtime(memory.clone(), handler).file_root(root));
    assert_eq!(ask_with(&memory, "GET", "/", "Accept-Encoding: br\r\n").text(), "brotli");
}

#[test]
fn mount_prefix_is_removed_in_any_spelling() {
    let site = Site::new();
    for (mount, path) in [("a", "/a/"), ("/a/", "/a/"), ("/a/b", "/a/b/"), ("/", "/"), ("", "/")] {
        let memory = Memory::new();
        let files = site.files().mount(mount);
        let handler = move |request: Request| ready(files.serve(&request));
        memory.start(Server::with_runtime(memory.clone(), handler));
        assert_eq!(ask(&memory, &format!("{path}hello.txt")).status, 200, "{mount}");
        assert_eq!(ask(&memory, &format!("/x{path}hello.txt")).status, 404, "{mount}");
    }
}

/// Root may read everything, so as root the test runs again as another user.
#[test]
fn unreadable_file_is_forbidden() {
    let site = Site::new();
    let file = site.root.join("hello.txt");
    fs::set_permissions(&file, Permissions::from_mode(0o0)).unwrap();
    if File::open(&file).is_ok() {
        const OTHER_USER: u32 = 65_534;
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "paths::unreadable_file_is_forbidden"]).uid(OTHER_USER).gid(OTHER_USER);
        // Another user may not have the permission to run the test program.
        if let Ok(output) = again.output() {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        return;
    }
    let memory = Memory::new();
    site.start(&memory);
    let response = ask(&memory, "/f/hello.txt");
    assert_eq!((response.status, response.text()), (403, "403 Forbidden\n"));
    let finding = Memory::new();
    let handler =
        async |files: FileRoot, request: Request| files.find(&request).await.expect("not only a missing file");
    let files = site.files().fallback("index.html").unwrap();
    finding.start(Server::with_runtime(finding.clone(), StatefulHandler::new(files, handler)));
    assert_eq!(ask_with(&finding, "GET", "/hello.txt", "Accept: text/html\r\n").status, 403);
    let unreadable = site.files().not_found("hello.txt").unwrap_err();
    assert_eq!(unreadable.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(unreadable.to_string().ends_with(": the file may not be read"), "{unreadable}");
    fs::set_permissions(site.root.join("docs"), Permissions::from_mode(0o0)).unwrap();
    assert_eq!(ask(&memory, "/f/docs/").status, 403);
    fs::set_permissions(site.root.join("docs"), Permissions::from_mode(0o700)).unwrap();
}
