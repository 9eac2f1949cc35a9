//! `ntex PORT`

use futures_util::TryStreamExt;
use ntex::web::{self, App, HttpResponse, HttpServer};
use ntex_files::NamedFile;
use ntex_multipart::Multipart;

async fn plaintext() -> HttpResponse {
    HttpResponse::Ok().header("Server", "ntex").content_type("text/plain").body("Hello, World!")
}

async fn length(body: ntex::util::Bytes) -> String {
    body.len().to_string()
}

async fn file(name: web::types::Path<String>) -> std::io::Result<NamedFile> {
    let name = if name.as_str() == "1m" { "1m" } else { "16k" };
    NamedFile::open(format!("{}/{name}", std::env::var("FILE_ROOT").unwrap_or_default()))
}

async fn upload(mut form: Multipart) -> Result<String, web::Error> {
    let (mut parts, mut bytes) = (0, 0);
    while let Some(mut field) = form.try_next().await? {
        parts += 1;
        while let Some(piece) = field.try_next().await? {
            bytes += piece.len();
        }
    }
    Ok(format!("{parts} {bytes}"))
}

#[ntex::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("expected a port")?.parse()?;
    let application = async || {
        App::new()
            .state(web::types::PayloadConfig::new(64 << 20))
            .route("/plaintext", web::get().to(plaintext))
            .route("/echo-len", web::post().to(length))
            .route("/file/{name}", web::get().to(file))
            .route("/upload", web::post().to(upload))
    };
    Ok(HttpServer::new(application).workers(1).backlog(4096).bind(("127.0.0.1", port))?.run().await?)
}
