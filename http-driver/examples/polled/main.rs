//! A server on a runtime of one's own, in 200 lines of the standard library and socket2; see
//! `docs/custom-runtime.md`, which explains [`runtime`], and `tests/polled.rs`, where it passes
//! the suite.

mod runtime;

use httpants_driver::{Request, Server};

use crate::runtime::Polled;

fn main() -> std::io::Result<()> {
    let hello = async |request: Request| format!("hello, you asked for {}\n", request.path());
    Server::with_runtime(Polled::default(), hello).listen("127.0.0.1:8080").bind()?.run()
}
