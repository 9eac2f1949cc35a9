//! A server on a runtime made of the standard library and socket2. `docs/custom-runtime.md`
//! explains [`runtime`]; `tests/polled.rs` runs the behaviour suite on it.

mod runtime;

use httpants_driver::{Request, Server};

use crate::runtime::Polled;

fn main() -> std::io::Result<()> {
    let hello = async |request: Request| format!("hello, you asked for {}\n", request.path());
    Server::with_runtime(Polled::default(), hello).listen("127.0.0.1:8080").bind()?.run()
}
