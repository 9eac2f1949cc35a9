//! The smallest server: `cargo run -p httpants-examples --bin hello -- [ADDRESS]`.

use httpants_tokio::{Request, Response, Server};

async fn hello(request: Request) -> Response {
    Response::text(format!("hello, you asked for {}\n", request.path()))
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::new(hello).listen(address).bind()?;
    for address in server.local_addresses() {
        println!("http://{address}/");
    }
    server.run()
}
