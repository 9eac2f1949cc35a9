//! Stores the photos of a form on disk, at most 8 of 1 MiB each:
//! `cargo run -p httpants-examples --bin upload -- DIRECTORY [ADDRESS]`.
//!
//! Try `curl -F photo=@picture.jpg http://127.0.0.1:8080/`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use httpants_tokio::{Request, Response, Server};

const FORM: &str =
    "<form method=post enctype=multipart/form-data><input type=file name=photo multiple><button>Send</button></form>\n";

async fn handler((folder, number): (PathBuf, Arc<AtomicU64>), request: Request) -> Response {
    match request.method().as_str() {
        "GET" | "HEAD" => return Response::html(FORM),
        "POST" => {}
        _ => return Response::method_not_allowed(["GET", "HEAD", "POST"]),
    }
    let mut report = String::new();
    for photo in request.files().all("photo").filter(|photo| photo.is_chosen()) {
        // The server chooses the name, because the client's could be any path.
        let name = format!("{}.upload", number.fetch_add(1, Ordering::Relaxed));
        if let Err(error) = photo.persist(folder.join(&name)).await {
            eprintln!("{name}: {error}");
            return Response::new(500);
        }
        report += &format!("{} bytes in {name}\n", photo.len());
    }
    if report.is_empty() { Response::text("no photo\n").with_status(400) } else { Response::text(report) }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder: PathBuf = arguments.next().ok_or_else(|| io::Error::other("usage: upload DIRECTORY [ADDRESS]"))?.into();
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let first = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
    let server = Server::with_state((folder.clone(), Arc::new(first.into())), handler).forms(|limits| {
        (limits.file, limits.files, limits.max_body_size) = (Some(1 << 20), Some(8), 9 << 20);
    });
    // Temporary files on the same file system are renamed, not copied.
    let server = server.upload_directory(folder).listen(address).bind()?;
    server.local_addresses().iter().for_each(|address| println!("http://{address}/"));
    server.run()
}
