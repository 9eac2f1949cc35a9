//! Serves an application that routes in the browser: `cargo run -p httpants-examples --bin site -- DIRECTORY
//! [ADDRESS]`.
//!
//! The directory has an `index.html`, which is sent if a browser navigates to a path without a
//! file, and a `404.html` for all other missing files. Files in `assets` have a hash in their names
//! and are cached forever; all files may have siblings `.br`, `.zst` and `.gz`.

use httpants_tokio::{FileRoot, Request, Response, Server};

#[derive(Clone)]
struct Site {
    assets: FileRoot,
    pages: FileRoot,
}

async fn handler(site: Site, request: Request) -> Response {
    match request.path() {
        "/api/version" => Response::text(concat!(env!("CARGO_PKG_VERSION"), "\n")),
        path if path.starts_with("/api/") => Response::text("no such call\n").with_status(404),
        path if path.starts_with("/assets/") => match site.assets.find(&request).await {
            Some(asset) => asset,
            None => site.pages.serve(&request),
        },
        _ => site.pages.serve(&request),
    }
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or_else(|| std::io::Error::other("usage: site DIRECTORY [ADDRESS]"))?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());

    let files = FileRoot::open(folder)?.precompressed(true);
    let site = Site {
        assets: files.clone().cache_control("max-age=31536000, immutable")?,
        pages: files.cache_control("no-cache")?.fallback("index.html")?.not_found("404.html")?,
    };
    let server = Server::with_state(site, handler).listen(address).bind()?;
    for address in server.local_addresses() {
        println!("http://{address}/");
    }
    server.run()
}
