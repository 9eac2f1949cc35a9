//! `actix PORT`

use std::time::Duration;

use actix_files::NamedFile;
use actix_multipart::Multipart;
use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::TryStreamExt;

async fn plaintext() -> HttpResponse {
    HttpResponse::Ok().insert_header(("Server", "actix")).content_type("text/plain").body("Hello, World!")
}

async fn slow() -> &'static str {
    actix_web::rt::time::sleep(Duration::from_millis(10)).await;
    "slow"
}

async fn file(name: web::Path<String>) -> actix_web::Result<NamedFile> {
    let name = if *name == "1m" { "1m" } else { "16k" };
    Ok(NamedFile::open(format!("{}/{name}", std::env::var("FILE_ROOT").unwrap_or_default()))?)
}

async fn upload(mut form: Multipart) -> actix_web::Result<String> {
    let (mut parts, mut bytes) = (0, 0);
    while let Some(mut field) = form.try_next().await? {
        parts += 1;
        while let Some(piece) = field.try_next().await? {
            bytes += piece.len();
        }
    }
    Ok(format!("{parts} {bytes}"))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("expected a port")?.parse()?;
    let application = || {
        App::new()
            .app_data(web::PayloadConfig::new(64 << 20))
            .route("/plaintext", web::get().to(plaintext))
            .route("/echo-len", web::post().to(async |body: web::Bytes| body.len().to_string()))
            .route("/file/{name}", web::get().to(file))
            .route("/slow", web::get().to(slow))
            .route("/upload", web::post().to(upload))
    };
    Ok(HttpServer::new(application)
        .workers(1)
        .keep_alive(Duration::from_secs(75))
        .backlog(4096)
        .bind(("127.0.0.1", port))?
        .run()
        .await?)
}
