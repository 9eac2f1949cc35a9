//! Tests of handshakes: results, refusals and timeouts.

use std::sync::Arc;
use std::time::Duration;

use httpants_driver::{ClientCertificates, Tls};
use httpants_testkit::memory::{Faults, Memory};
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{AlertDescription, Error, ServerConfig};

use crate::application::{serve, serve_with};
use crate::authority::{Authority, TRUSTED, tls};
use crate::client::{Client, VERSIONS, config};

#[test]
fn request_has_the_tls_session() {
    for (version, session) in VERSIONS.into_iter().zip(["TLSv1.2 TLS_ECDHE_ECDSA_", "TLSv1.3 TLS13_AES_"]) {
        let memory = Memory::new();
        serve(&memory, tls());
        let mut client = Client::with(&memory, &Arc::new(config(version, None)), "a.test").complete_handshake();
        let content = client.content("/tls");
        assert!(content.starts_with(&format!("https://a.test/tls true 192.0.2.1 {session}")), "{content}");
        assert!(content.ends_with(" a.test None false 0"), "{content}");
    }
}

/// The state of an idle connection is reused by the next busy one.
#[test]
fn connections_keep_their_own_session_between_requests() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut clients =
        VERSIONS.map(|version| Client::with(&memory, &Arc::new(config(version, None)), "a.test").complete_handshake());
    for _ in 0..3 {
        let [first, second] = &mut clients;
        assert!(first.content("/tls").contains(" TLSv1.2 "));
        assert!(second.content("/tls").contains(" TLSv1.3 "));
    }
}

#[test]
fn handshake_flights_may_be_cut_anywhere() {
    for version in VERSIONS {
        let config = Arc::new(config(version, None));
        // Every split of the first flight, then of the last one, then both in single bytes.
        for number in 0..=1 {
            for cut in 1.. {
                let memory = Memory::new();
                serve(&memory, tls());
                let mut client = Client::with(&memory, &config, "a.test");
                let (mut flights, mut past_the_end) = (0, false);
                client.pump_by(|memory, wire, flight| {
                    if flights == number && cut < flight.len() {
                        wire.send(&flight[..cut]);
                        memory.run();
                        wire.send(&flight[cut..]);
                    } else {
                        past_the_end |= flights == number;
                        wire.send(flight);
                    }
                    flights += 1;
                });
                assert_eq!(client.content("/cut"), "/cut");
                if past_the_end {
                    break;
                }
            }
        }
        let memory = Memory::new();
        serve(&memory, tls());
        let mut client = Client::with(&memory, &config, "a.test");
        client.pump_by(|memory, wire, flight| {
            for byte in flight {
                wire.send(&[*byte]);
                memory.run();
            }
        });
        assert_eq!(client.content("/bytewise"), "/bytewise");
    }
}

#[test]
fn handshake_survives_network_faults() {
    for seed in 0..60 {
        let memory = Memory::with_faults(seed, Faults::all());
        serve(&memory, tls());
        let version = VERSIONS[usize::from(seed % 2 == 0)];
        let mut client = Client::with(&memory, &Arc::new(config(version, None)), "a.test").complete_handshake();
        assert_eq!(client.content("/one"), "/one");
        assert_eq!(client.content("/two"), "/two");
    }
}

#[test]
fn stalled_handshake_is_dropped_without_delaying_others() {
    for sent in [0, 1, 5, 100] {
        let memory = Memory::new();
        let handle = serve(&memory, tls());
        let mut stalled = Client::new(&memory);
        let flight = stalled.flight();
        stalled.wire.send(&flight[..sent]);
        memory.run();
        assert_eq!(Client::new(&memory).complete_handshake().content("/other"), "/other");
        memory.advance(Duration::from_millis(9_999));
        assert_eq!((handle.connections(), stalled.wire.is_closed()), (1, false));
        memory.advance(Duration::from_millis(1));
        assert_eq!((handle.connections(), stalled.wire.is_closed()), (0, true));
        assert_eq!(stalled.wire.take_received(), b"");
    }
}

#[test]
fn handshake_without_its_last_flight_is_dropped() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory);
    let flight = client.flight();
    client.wire.send(&flight);
    memory.advance(Duration::from_secs(5));
    assert!(!client.wire.take_received().is_empty());
    memory.advance(Duration::from_millis(4_999));
    assert!(!client.wire.is_closed());
    memory.advance(Duration::from_millis(1));
    assert!(client.wire.is_closed());
}

#[test]
fn accept_timeout_starts_after_the_handshake() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    memory.advance(Duration::from_millis(14_999));
    assert!(!client.wire.is_closed());
    memory.advance(Duration::from_millis(1));
    client.take();
    assert!(client.wire.is_ended() && client.is_closed && client.received.is_empty());
}

#[test]
fn shutdown_drops_handshakes_and_finishes_the_rest() {
    let memory = Memory::new();
    let handle = serve(&memory, tls());
    let mut idle = Client::new(&memory).complete_handshake();
    let mut stalled = Client::new(&memory);
    let flight = stalled.flight();
    stalled.wire.send(&flight[..50]);
    memory.run();
    assert_eq!(handle.connections(), 2);
    handle.shutdown(Duration::from_secs(30));
    memory.run();
    idle.take();
    assert!(stalled.wire.is_closed() && idle.is_closed && idle.wire.is_ended());
    idle.wire.end();
    memory.run();
    assert_eq!((handle.connections(), memory.tasks()), (0, 0));
}

#[test]
fn plain_request_gets_a_plain_400() {
    for cut in 1..8 {
        let memory = Memory::new();
        let handle = serve(&memory, tls());
        let client = memory.connect();
        let request = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
        client.send(&request[..cut]);
        memory.run();
        client.send(&request[cut..]);
        memory.run();
        let response = String::from_utf8(client.take_received()).unwrap();
        assert!(response.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{response}");
        assert!(response.contains("\r\nConnection: close\r\n"), "{response}");
        assert!(response.ends_with("a plain HTTP request was sent to a port that speaks TLS (RFC 9110 4.2.2)\n"));
        assert!(client.is_ended() && !client.is_closed(), "the client has time to read it");
        client.end();
        memory.run();
        assert!(client.is_closed() && !client.is_reset());
        assert_eq!(handle.connections(), 0);
    }
}

#[test]
fn bytes_neither_tls_nor_http_get_an_alert() {
    let others: [&[u8]; 4] =
        [b"\0\0\0\0\0\0\0\0", b"\x16\x03\x01\x00\x05\x01\0\0\x01\x05", b"\r\n\r\n\0\r\nQUIT\n", &[0xFF; 600]];
    for bytes in others {
        let memory = Memory::new();
        serve(&memory, tls());
        let client = memory.connect();
        client.send(bytes);
        memory.run();
        let response = client.take_received();
        assert_eq!((response[0], response.len()), (21, 7), "an alert (RFC 8446 section 6): {response:?}");
        assert!(client.is_ended() && !client.is_closed());
        memory.advance(Duration::from_secs(2));
        assert!(client.is_closed());
    }
}

#[test]
fn alpn_is_http_1_or_none() {
    type Offer = &'static [&'static [u8]];
    let offers: [(Offer, Result<&str, AlertDescription>); 5] = [
        (&[], Ok("None")),
        (&[b"http/1.1"], Ok("Some(\"http/1.1\")")),
        (&[b"http/1.0"], Ok("Some(\"http/1.0\")")),
        (&[b"h2", b"http/1.1"], Ok("Some(\"http/1.1\")")),
        (&[b"h2"], Err(AlertDescription::NoApplicationProtocol)),
    ];
    for version in VERSIONS {
        for (offer, outcome) in offers {
            let memory = Memory::new();
            serve(&memory, tls());
            let mut config = config(version, None);
            config.alpn_protocols = offer.iter().map(|name| name.to_vec()).collect();
            let mut client = Client::with(&memory, &Arc::new(config), "a.test");
            client.pump();
            match outcome {
                Ok(name) => assert!(client.content("/tls").contains(&format!(" a.test {name} "))),
                Err(alert) => assert_eq!(client.error, Some(Error::AlertReceived(alert))),
            }
        }
    }
}

#[test]
fn sessions_are_resumed_by_ticket_and_by_cache() {
    for version in VERSIONS {
        let memory = Memory::new();
        serve(&memory, tls());
        let config = Arc::new(config(version, None));
        for resumed in [false, true, true] {
            let mut client = Client::with(&memory, &config, "a.test").complete_handshake();
            assert!(client.content("/tls").ends_with(&format!(" {resumed} 0")));
            client.send_close_notify();
        }
    }
}

#[test]
fn client_certificate_is_required() {
    use ClientCertificates::{Optional, Required};
    let (staff, stranger) = (Authority::new(), Authority::new());
    let (known, unknown) = (staff.identity(&["client.test"]), stranger.identity(&["client.test"]));
    for version in VERSIONS {
        for (identity, asked, count) in [
            (Some(&known), Required, Some(1)),
            (Some(&known), Optional, Some(1)),
            (None, Required, None),
            (None, Optional, Some(0)),
            (Some(&unknown), Required, None),
            (Some(&unknown), Optional, None),
        ] {
            let memory = Memory::new();
            let handle = serve(&memory, tls().client_ca(staff.pem().as_bytes(), asked).unwrap());
            let mut config = config(version, identity);
            // The client sends the certificate even if the server names other authorities.
            config.client_auth_cert_resolver = match identity {
                Some(identity) => always(identity),
                None => config.client_auth_cert_resolver,
            };
            let mut client = Client::with(&memory, &Arc::new(config), "a.test");
            client.pump();
            match count {
                Some(count) => {
                    assert!(client.content("/tls").ends_with(&format!(" {count}")));
                    if count > 0 {
                        client.write(b"GET /certificate HTTP/1.1\r\nHost: a.test\r\n\r\n");
                        assert!(client.received.ends_with(&known.der()));
                    }
                }
                None => {
                    client.pump();
                    assert!(matches!(client.error, Some(Error::AlertReceived(_))), "{:?}", client.error);
                    client.wire.end();
                    memory.run();
                    assert_eq!(handle.connections(), 0);
                }
            }
        }
    }
}

fn always(identity: &crate::authority::Identity) -> Arc<dyn rustls::client::ResolvesClientCert> {
    let provider = rustls::crypto::ring::default_provider();
    let key = rustls::sign::CertifiedKey::from_der(vec![identity.der()], identity.key_der(), &provider).unwrap();
    Arc::new(rustls::sign::SingleCertAndKey::from(key))
}

/// rustls does not verify the certificate of a resumed session, which may have expired meanwhile.
#[test]
fn client_certificates_disable_resumption() {
    use ClientCertificates::{Optional, Required};
    let (authority, client) = (TRUSTED.pem(), TRUSTED.identity(&["client.test"]));
    let asking = |asked| tls().client_ca(authority.as_bytes(), asked).unwrap();
    let replaced = tls();
    replaced.replace_config(own_config(true)).unwrap();
    let own = Tls::from_config(own_config(true)).unwrap();
    for tls in [asking(Required), asking(Optional), own, replaced] {
        for version in VERSIONS {
            let memory = Memory::new();
            serve(&memory, tls.clone());
            let config = Arc::new(config(version, Some(&client)));
            for _ in 0..3 {
                let mut client = Client::with(&memory, &config, "a.test").complete_handshake();
                assert!(client.content("/tls").ends_with(" false 1"));
                client.send_close_notify();
            }
        }
    }
}

#[test]
fn configuration_without_client_certificates_resumes() {
    let tls = Tls::from_config(own_config(false)).unwrap();
    for version in VERSIONS {
        let memory = Memory::new();
        serve(&memory, tls.clone());
        let config = Arc::new(config(version, None));
        for resumed in [false, true] {
            let mut client = Client::with(&memory, &config, "a.test").complete_handshake();
            assert!(client.content("/tls").ends_with(&format!(" {resumed} 0")));
            client.send_close_notify();
        }
    }
}

/// Returns a rustls configuration with all kinds of resumption; it requests client certificates if
/// `asks`.
fn own_config(asks: bool) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = if asks {
        let verifier = WebPkiClientVerifier::builder_with_provider(TRUSTED.roots(), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let identity = TRUSTED.identity(&["a.test"]);
    let mut config = builder.with_single_cert(vec![identity.der()], identity.key_der()).unwrap();
    config.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
    config.session_storage = ServerSessionMemoryCache::new(10);
    Arc::new(config)
}

#[test]
fn proxy_header_precedes_the_handshake() {
    for header in [&b"PROXY TCP4 203.0.113.9 10.0.0.1 50000 443\r\n"[..], VERSION_2] {
        let memory = Memory::new();
        serve_with(&memory, tls(), |server| server.config(|config| config.proxy_protocol = true));
        let mut client = Client::new(&memory);
        client.wire.send(header);
        memory.advance(Duration::from_secs(8));
        assert!(client.handshake_and_get().starts_with("https://a.test/tls true 203.0.113.9 "));
        let silent = memory.connect();
        silent.send(&header[..10]);
        memory.advance(Duration::from_millis(14_999));
        assert!(!silent.is_closed());
        memory.advance(Duration::from_millis(1));
        assert!(silent.is_closed());
        let wrong = Client::new(&memory);
        wrong.wire.send(&[22, 3, 1]);
        memory.run();
        assert!(wrong.wire.is_closed() && wrong.wire.take_received().is_empty());
    }
}

#[test]
fn connection_over_a_limit_gets_its_503_over_tls() {
    for header in [&b""[..], b"PROXY TCP4 203.0.113.9 10.0.0.1 50000 443\r\n"] {
        let memory = Memory::new();
        let handle = serve_with(&memory, tls(), |server| {
            server.max_connections_per_address(1).config(|config| config.proxy_protocol = !header.is_empty())
        });
        let mut first = Client::new(&memory);
        first.wire.send(header);
        first.pump();
        let mut second = Client::new(&memory);
        second.wire.send(header);
        second.pump();
        let received = String::from_utf8(std::mem::take(&mut second.received)).unwrap();
        assert!(received.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{received}");
        assert!(second.is_closed && second.error.is_none());
        assert!(first.handshake_and_get().starts_with("https://a.test/tls true "));
        let counters = handle.counters();
        assert_eq!((counters.connections_over_address_limit, counters.closes.overloaded), (1, 1));
    }
}

const VERSION_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xCB\0\x71\x09\x0A\0\0\x01\xC3\x50\x01\xBB";

impl Client {
    fn handshake_and_get(&mut self) -> String {
        self.pump();
        self.content("/tls")
    }
}

#[test]
fn peer_that_disconnects_during_the_handshake_is_dropped() {
    for sent in [0, 5, 100] {
        for resets in [false, true] {
            let memory = Memory::new();
            let handle = serve(&memory, tls());
            let mut client = Client::with(&memory, &Arc::new(config(&TLS13, None)), "a.test");
            let flight = client.flight();
            client.wire.send(&flight[..sent]);
            memory.run();
            if resets {
                client.wire.reset()
            } else {
                client.wire.end()
            }
            memory.run();
            assert_eq!((handle.connections(), client.wire.is_closed()), (0, true), "{sent} {resets}");
        }
    }
}
