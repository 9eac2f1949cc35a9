//! HTTPS, with a redirect from HTTP:
//! `cargo run -p httpants-examples --bin https -- CERTIFICATE KEY 80 443`.
//!
//! SIGHUP reloads the certificates; SIGTERM lets running requests finish.

use std::io;
use std::time::Duration;

use httpants_tokio::{Request, Response, Server, Tls};
use tokio::signal::unix::{SignalKind, signal};

async fn handler(request: Request) -> Response {
    if request.is_secure() {
        return Response::text("hello over TLS\n").with_header("Strict-Transport-Security", "max-age=31536000");
    }
    match request.https_url(443) {
        Some(url) => Response::redirect(&url).with_status(308),
        None => Response::text("which host?\n").with_status(400),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let usage = |_| io::Error::other("usage: https CERTIFICATE KEY HTTP-ADDRESS HTTPS-ADDRESS");
    let [certificate, key, http, https]: [String; 4] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(usage)?;
    let tls = Tls::from_pem_files(certificate, key)?;
    let server = Server::new(handler).listen(http).listen_tls(https, tls.clone()).bind()?;
    server.local_addresses().iter().for_each(|address| println!("{address}"));

    let handle = server.handle();
    let (mut hangup, mut terminate) = (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
    let mut serving = std::pin::pin!(server.serve());
    loop {
        tokio::select! {
            served = &mut serving => return served,
            _ = hangup.recv() => match tls.reload() {
                Ok(()) => println!("reloaded"),
                Err(error) => eprintln!("keeping the certificates: {error}"),
            },
            _ = terminate.recv() => {
                println!("draining");
                handle.shutdown(Duration::from_secs(30));
            }
        }
    }
}
