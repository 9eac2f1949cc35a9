//! Which paths lead to a file.

use std::fs::{self, File, Permissions};
use std::future::ready;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use httpants_driver::{Request, Response, Server};
use httpants_testkit::memory::Memory;

use crate::site::{Site, ask, ask_with};

#[test]
fn every_file_has_one_spelling() {
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
        let answer = ask(&memory, path);
        assert_eq!((answer.status, answer.text()), (200, content), "{path}");
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
        let answer = ask(&memory, path);
        assert_eq!((answer.status, answer.text()), (404, "404 Not Found\n"), "{path}");
    }
    assert_eq!(site.open_files(), 0);
}

/// Links in an index.html count from where the browser thinks it is.
#[test]
fn a_directory_without_its_slash_is_moved_to_the_one_with_it() {
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
            let answer = ask_with(&memory, method, target, fields);
            assert_eq!((answer.status, answer.field("Location")), (301, Some(location)), "{method} {target}");
            assert_eq!(ask_with(&memory, method, location, "").status, 200);
        }
    }
    assert_eq!(ask_with(&memory, "POST", "/f/docs", "").status, 405);
    // Nothing that could be read as the name of another server.
    for target in ["//docs", "//docs/..", "/\\docs", "/%2Fdocs", "//a/docs", "/f//docs", "/f/bare", "/f/hello.txt?/"] {
        let answer = ask(&memory, target);
        assert_eq!(answer.field("Location"), None, "{target}");
    }
    assert_eq!(site.open_files(), 0);
}

#[test]
fn an_absolute_target_and_a_root_mount_name_the_same_files() {
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
fn without_a_root_paths_start_in_the_current_directory() {
    let memory = Memory::new();
    let handler = |request: Request| ready(Response::file(request.path().trim_start_matches('/')));
    memory.start(Server::with_runtime(memory.clone(), handler));
    assert_eq!(ask(&memory, "/Cargo.toml").content, fs::read("Cargo.toml").unwrap());
    assert_eq!(ask(&memory, "/../Cargo.toml").status, 404);
}

#[test]
fn what_the_servers_root_says_of_siblings_holds() {
    let site = Site::new();
    let memory = Memory::new();
    let handler = |_: Request| ready(Response::file("app.js"));
    let root = site.files().precompressed(true).mount("elsewhere");
    memory.start(Server::with_runtime(memory.clone(), handler).file_root(root));
    assert_eq!(ask_with(&memory, "GET", "/", "Accept-Encoding: br\r\n").text(), "brotli");
}

#[test]
fn a_mount_is_taken_off_however_it_is_written() {
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

/// Root may read everything, so for it this runs once more, as somebody else.
#[test]
fn what_may_not_be_read_is_forbidden() {
    let site = Site::new();
    let file = site.root.join("hello.txt");
    fs::set_permissions(&file, Permissions::from_mode(0o0)).unwrap();
    if File::open(&file).is_ok() {
        const NOBODY: u32 = 65_534;
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "paths::what_may_not_be_read_is_forbidden"]).uid(NOBODY).gid(NOBODY);
        // Somebody else may not reach the program at all.
        if let Ok(output) = again.output() {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        return;
    }
    let memory = Memory::new();
    site.start(&memory);
    let answer = ask(&memory, "/f/hello.txt");
    assert_eq!((answer.status, answer.text()), (403, "403 Forbidden\n"));
    fs::set_permissions(site.root.join("docs"), Permissions::from_mode(0o0)).unwrap();
    assert_eq!(ask(&memory, "/f/docs/").status, 403);
    fs::set_permissions(site.root.join("docs"), Permissions::from_mode(0o700)).unwrap();
}
