//! The application of the TLS tests.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Mutex;

use futures_io::{AsyncRead, AsyncWrite};
use httpants_driver::{BodyPolicy, FileRoot, Handle, Misuse, Request, Response, Server, Tls, Upgraded};
use httpants_testkit::memory::Memory;

/// The results of upgraded streams: the error with which each ended, if any.
pub(crate) static ENDS: Mutex<Vec<Option<ErrorKind>>> = Mutex::new(Vec::new());

pub(crate) const LARGE: usize = 3_000_000;

pub(crate) fn large() -> Vec<u8> {
    (0..LARGE).map(|at| (at % 251) as u8).collect()
}

async fn application(mut request: Request) -> Result<Response, Misuse> {
    Ok(match request.path() {
        "/tls" => {
            let Some(tls) = request.tls() else { return Ok("plain".into()) };
            let alpn = tls.alpn().map(|name| String::from_utf8_lossy(name).into_owned());
            let (version, suite, resumed) = (tls.protocol_version(), tls.cipher_suite(), tls.is_resumed());
            let (name, certificates) = (tls.server_name().unwrap_or("-"), tls.peer_certificates().len());
            let (url, secure, from) = (request.full_url(), request.is_secure(), request.remote_ip().unwrap());
            format!("{url} {secure} {from} {version} {suite} {name} {alpn:?} {resumed} {certificates}").into()
        }
        "/certificate" => request.tls().unwrap().peer_certificates()[0].to_vec().into(),
        "/large" => large().into(),
        "/file" => Response::file("large"),
        "/length" => {
            let mut length = 0;
            while let Some(piece) = request.body_mut().next().await {
                match piece {
                    Ok(piece) => length += piece.len(),
                    Err(error) => return Ok(error.into()),
                }
            }
            length.to_string().into()
        }
        "/half" => {
            let mut responder = request.responder();
            responder.send_status(200)?;
            responder.send("half").await?;
            return Ok(Response::from(()));
        }
        "/upgrade" => Response::upgrade("echo", echo),
        path => Response::text(path.to_owned()),
    })
}

async fn echo(mut stream: Upgraded) {
    let mut buffer = [0; 1000];
    loop {
        match poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await {
            Ok(0) => break ENDS.lock().unwrap().push(None),
            Err(error) => break ENDS.lock().unwrap().push(Some(error.kind())),
            Ok(count) => {
                let mut rest = &buffer[..count];
                while !rest.is_empty() {
                    let sent = poll_fn(|context| Pin::new(&mut stream).poll_write(context, rest)).await.unwrap();
                    rest = &rest[sent..];
                }
                poll_fn(|context| Pin::new(&mut stream).poll_flush(context)).await.unwrap();
            }
        }
    }
    poll_fn(|context| Pin::new(&mut stream).poll_close(context)).await.unwrap();
}

pub(crate) fn serve(memory: &Memory, tls: Tls) -> Handle {
    serve_with(memory, tls, |server| server)
}

/// Serves with a modified server.
pub(crate) fn serve_with<H: httpants_driver::Handler>(
    memory: &Memory,
    tls: Tls,
    change: impl FnOnce(Server<Memory, fn(Request) -> ResponseFuture>) -> Server<Memory, H>,
) -> Handle {
    let handler: fn(Request) -> ResponseFuture = |request| Box::pin(application(request));
    let server = Server::with_runtime(memory.clone(), handler).tls(tls).body_policy(|_| BodyPolicy::Stream);
    memory.start(change(server))
}

type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response, Misuse>> + Send>>;

/// Returns a directory that contains `large`.
pub(crate) fn folder() -> (tempfile::TempDir, FileRoot) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large"), large()).unwrap();
    let root = FileRoot::open(folder.path()).unwrap();
    (folder, root)
}
