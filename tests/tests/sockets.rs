//! Tests of the published inputs through the sockets of each adapter: the response bytes must be
//! those of the core in the harness.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use httpants_tests::corpus::{self, Input};
use httpants_tests::{settings, text};

/// One test per adapter: all have the same API.
macro_rules! through_the_sockets_of {
    ($($adapter:ident),*) => {
        $(#[test] fn $adapter() {
            use $adapter::{BodyPolicy, ListenAddress, Request, Response, Server};
            let inputs = corpus::load().unwrap();
            for reads in [true, false] {
                let response = async |request: Request| Response::text(format!("{} {}", request.method(), request.target()));
                let bound = Server::new(response)
                    .config(|config| config.server = Some(settings::SERVER))
                    .body_policy(move |_| if reads { BodyPolicy::Buffer } else { BodyPolicy::Stream })
                    .listen("127.0.0.1:0").bind().unwrap();
                let ListenAddress::Socket(address) = bound.local_addresses()[0] else { panic!("no socket") };
                let handle = bound.handle();
                let server = thread::spawn(|| bound.run());
                let failures: Vec<_> =
                    inputs.iter().filter(|input| input.reads == reads).filter_map(|input| exchange(address, input).err()).collect();
                handle.close();
                server.join().unwrap().unwrap();
                assert!(failures.is_empty(), "{} fail\n{}", failures.len(), failures.join("\n"));
            }
        })*
    };
}

through_the_sockets_of! { httpants_tokio, httpants_smol, httpants_async_std }

/// Sends the input, and compares everything received except the date.
fn exchange(address: SocketAddr, input: &Input) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A server that refuses may close before everything was sent.
    let _ = stream.write_all(&input.bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut response = Vec::new();
    match stream.read_to_end(&mut response) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => response.extend(b"reset"),
        Err(error) => return Err(format!("{}: {error}", input.name)),
    }
    let (expected, actual) = (text::display(&input.response), text::display(&response));
    let dateless = |text: &str| text.lines().filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>().join("\n");
    if dateless(&expected) == dateless(&actual) {
        return Ok(());
    }
    Err(format!("{}\n--- expected\n{expected}\n--- actual\n{actual}", input.name))
}
