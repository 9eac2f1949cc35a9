//! Behind nginx, on a unix socket: `cargo run -p httpants-examples --bin proxied -- SOCKET`.
//!
//! ```text
//! location / {
//!     proxy_pass http://unix:/run/hello.sock;
//!     proxy_http_version 1.1;
//!     proxy_set_header Connection "";
//!     proxy_set_header Host $host;
//!     proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
//!     proxy_set_header X-Forwarded-Proto $scheme;
//! }
//! ```

use std::io;

use httpants_tokio::{Request, Response, Server, XHeaders};

async fn hello(request: Request) -> Response {
    match request.remote_ip() {
        Some(client) => Response::text(format!("hello {client}, by {}\n", request.scheme())),
        None => Response::text("the proxy sent no X-Forwarded-For\n").with_status(400),
    }
}

fn main() -> io::Result<()> {
    let socket = std::env::args().nth(1).ok_or_else(|| io::Error::other("usage: proxied SOCKET"))?;
    // Only the last address of X-Forwarded-For is used, which nginx has added.
    let nginx = XHeaders::trusted([]).map_err(io::Error::other)?.unix_peers().proto();
    let server = Server::new(hello).xheaders(nginx).listen(format!("unix:{socket}").as_str()).bind()?;
    for address in server.local_addresses() {
        println!("{address}");
    }
    server.run()
}
