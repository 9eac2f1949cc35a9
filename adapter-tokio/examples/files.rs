//! Serves a directory: `cargo run --example files -- [DIRECTORY [ADDRESS]]`.
//!
//! Try `curl -i -r 0-9 http://127.0.0.1:8080/README.md` in the root of this workspace.

use httpants_tokio::{FileRoot, Request, Server};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".".into());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());

    let files = FileRoot::open(folder)?.precompressed(true);
    let handler = move |request: Request| std::future::ready(files.serve(&request));
    let server = Server::new(handler).listen(address).bind()?;
    for address in server.local_addresses() {
        println!("http://{address}/");
    }
    server.run()
}
