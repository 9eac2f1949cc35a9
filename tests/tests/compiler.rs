//! Test that a wrong handler is one compiler error, at the call that passes it to the server; later
//! calls add no errors.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The items, the expression of the server, and the text of the error; `None` for a valid handler.
const CASES: &[(&str, &str, Option<&str>)] = &[
    ("async fn hello(_: Request) -> Response { Response::new(204) }", "Server::new(hello)", None),
    ("async fn hello(_: Arc<u8>, _: Request) -> u16 { 204 }", "Server::with_state(Arc::new(1), hello)", None),
    ("", "Server::new(|request: u32| async { 5 })", Some("`fn(u32) -> _`")),
    ("", "Server::new(|_: Request| \"hello\")", Some("`&str` is not a future")),
    ("fn hello(_: Request) -> Response { Response::new(204) }", "Server::new(hello)", Some("is not a future")),
    ("async fn hello(_: &Request) -> Response { Response::new(204) }", "Server::new(hello)", Some("mismatch")),
    ("async fn hello() -> Response { Response::new(204) }", "Server::new(hello)", Some("takes 0 arguments")),
    ("async fn hello(_: Request) -> u32 { 5 }", "Server::new(hello)", Some("Response: From<u32>`")),
    ("", "Server::new(async |_: Request| std::fs::read(\"a\"))", Some("Response: From<std::io::Error>`")),
    (
        "async fn hello(_: Request) { let kept = std::rc::Rc::new(5); std::future::ready(()).await; drop(kept); }",
        "Server::new(hello)",
        Some("future cannot be sent between threads safely"),
    ),
    ("async fn hello(_: Arc<u8>, _: Request) -> u16 { 204 }", "Server::new(hello)", Some("takes 2 arguments")),
    (
        "async fn hello(_: Request, _: Arc<u8>) -> u16 { 204 }",
        "Server::with_state(Arc::new(1), hello)",
        Some("mismatch"),
    ),
    (
        "struct State; async fn hello(_: State, _: Request) -> u16 { 204 }",
        "Server::with_state(State, hello)",
        Some("`State: Clone` is not satisfied"),
    ),
    ("", "Server::new(\"hello\")", Some("`&str` is not a handler")),
];

/// The programs in which the server is tested: with settings, and with both ways to run it.
const ENDS: [&str; 2] = [
    "fn main() -> std::io::Result<()> { SERVER.max_body_size(5).listen(\"127.0.0.1:0\").bind()?.run() }",
    "async fn serve() -> std::io::Result<()> { SERVER.listen(80).bind()?.serve().await }
     fn main() { fn send(_: impl Future + Send) {} send(serve()) }",
];

/// Returns the most recent build of the adapter in the folder of this test.
fn library(folder: &Path, adapter: &str) -> PathBuf {
    let builds = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(&format!("lib{adapter}-")) && name.ends_with(".rlib")
    });
    builds.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).unwrap()
}

fn check(adapter: &str, ends: &[&str]) {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    let work = tempfile::tempdir().unwrap();
    let (source, library) = (work.path().join("main.rs"), library(folder, adapter));
    for (items, server, expected) in CASES {
        for end in ends {
            let code = format!(
                "#![allow(unused)] use std::sync::Arc; use {adapter}::{{Request, Response, Server}};\n{items}\n{}",
                end.replace("SERVER", server)
            );
            fs::write(&source, &code).unwrap();
            let mut rustc = Command::new("rustc");
            rustc.args(["--edition=2024", "--emit=metadata"]).arg(&source).current_dir(work.path());
            rustc.arg("--extern").arg(format!("{adapter}={}", library.display()));
            let result = rustc.arg("-L").arg(format!("dependency={}", folder.display())).output().unwrap();
            let text = String::from_utf8_lossy(&result.stderr);
            let errors: Vec<_> = text.lines().filter(|line| line.starts_with("error")).collect();
            match expected {
                None => assert!(result.status.success(), "{code}\n{text}"),
                Some(expected) => {
                    let [_, aborting] = &errors[..] else { panic!("{code}\n{text}") };
                    assert!(text.contains(expected), "{code}\n{text}");
                    assert!(aborting.starts_with("error: aborting due to 1 previous error"), "{code}\n{text}");
                }
            }
        }
    }
}

#[test]
#[ignore = "runs rustc"]
fn wrong_handler_is_one_error_on_tokio() {
    check("httpants_tokio", &ENDS);
}

#[test]
#[ignore = "runs rustc"]
fn wrong_handler_is_one_error_on_smol() {
    check("httpants_smol", &ENDS[..1]);
}

#[test]
#[ignore = "runs rustc"]
fn wrong_handler_is_one_error_on_async_std() {
    check("httpants_async_std", &ENDS[..1]);
}
