//! `handshakes PORT CERTIFICATE CONNECTIONS SECONDS`: connections with a full handshake of TLS 1.3
//! and one request each, CONNECTIONS at a time.
//!
//! Sessions are not resumed, the suite is AES-128-GCM, and each response is checked. Prints one line
//! of JSON; latencies are in microseconds, from connect to the end of the stream.

use std::cell::RefCell;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;

type Failure = Box<dyn Error + Send + Sync>;

const REQUEST: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn client(certificate: &str) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in httpants_peers::certificates(certificate)? {
        roots.add(certificate)?;
    }
    let suites = vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let provider = CryptoProvider { cipher_suites: suites, ..ring::default_provider() };
    let builder =
        ClientConfig::builder_with_provider(provider.into()).with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn connect(port: u16, client: &TlsConnector) -> Result<(), Failure> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    socket.set_nodelay(true)?;
    let mut stream = client.connect(ServerName::try_from("localhost")?, socket).await?;
    stream.write_all(REQUEST).await?;
    stream.flush().await?;
    let mut response = Vec::with_capacity(512);
    stream.read_to_end(&mut response).await?;
    let session = stream.get_ref().1;
    let is_full = session.handshake_kind() == Some(HandshakeKind::Full);
    if !is_full || session.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Err("not a full handshake of TLS 1.3".into());
    }
    match response.starts_with(b"HTTP/1.1 200 ") && response.ends_with(b"\r\n\r\nHello, World!") {
        true => Ok(()),
        false => Err("not the expected response".into()),
    }
}

async fn run(
    port: u16,
    client: &TlsConnector,
    deadline: Instant,
    times: &RefCell<Histogram<u64>>,
) -> Result<u64, Failure> {
    let mut errors = 0;
    while Instant::now() < deadline {
        let start = Instant::now();
        match connect(port, client).await {
            Ok(()) => times.borrow_mut().record(u64::try_from(start.elapsed().as_micros())?)?,
            Err(error) => {
                errors += 1;
                eprintln!("{error}");
            }
        }
    }
    Ok(errors)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let [_, port, certificate, connections, seconds] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("expected a port, a certificate, a number of connections and of seconds".into());
    };
    let (port, client) = (port.parse()?, client(certificate)?);
    let start = Instant::now();
    let deadline = start + Duration::from_secs(seconds.parse()?);
    let times = std::rc::Rc::new(RefCell::new(Histogram::<u64>::new(3)?));
    let local = LocalSet::new();
    let tasks: Vec<_> = (0..connections.parse()?)
        .map(|_| {
            let (client, times) = (client.clone(), times.clone());
            local.spawn_local(async move { run(port, &client, deadline, &times).await })
        })
        .collect();
    local.await;
    let mut errors = 0;
    for task in tasks {
        errors += task.await??;
    }
    let (times, microseconds) = (times.borrow(), start.elapsed().as_micros());
    let (requests, p50, p99) = (times.len(), times.value_at_quantile(0.5), times.value_at_quantile(0.99));
    println!(
        "JSON {{\"requests\":{requests},\"microseconds\":{microseconds},\"errors\":{errors},\"p50\":{p50},\"p99\":{p99}}}"
    );
    Ok(())
}
