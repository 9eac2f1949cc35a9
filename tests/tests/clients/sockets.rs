//! Tests through the sockets of each adapter.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};

use crate::site::{self, LINK, Site, text};

/// Sends a request, and returns head and body of all that comes.
fn ask(site: &Site, path: &str, version: &str, fields: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(site.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = format!("GET {path} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    let at = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(received[..at + 2].to_vec()).unwrap(), received[at + 4..].to_vec())
}

fn decode(coding: &str, bytes: &[u8]) -> String {
    let mut decoder: Box<dyn DecodeV2> = match coding {
        "gzip" => Box::new(GzipDecoder::new()),
        "br" => Box::new(BrotliDecoder::new()),
        _ => Box::new(ZstdDecoder::new()),
    };
    let (mut input, mut decoded) = (PartialBuffer::new(bytes), Vec::new());
    loop {
        let mut room = vec![0; 64 << 10];
        let mut output = WriteBuffer::new_initialized(&mut room);
        let ended = decoder.decode(&mut input, &mut output).unwrap();
        decoded.extend_from_slice(output.written());
        if ended {
            assert!(input.unwritten().is_empty(), "bytes behind the end of {coding}");
            return String::from_utf8(decoded).unwrap();
        }
    }
}

#[test]
fn compressed_responses_arrive_whole_on_each_runtime() {
    for site in site::all() {
        for path in ["/text", "/stream"] {
            for coding in ["gzip", "br", "zstd"] {
                let (head, body) = ask(&site, path, "1.0", &format!("Accept-Encoding: {coding}\r\n"));
                assert!(head.contains(&format!("\r\nContent-Encoding: {coding}\r\n")), "{}: {head}", site.name);
                assert!(head.contains("\r\nVary: Accept-Encoding\r\n"), "{}: {head}", site.name);
                assert!(decode(coding, &body) == text(), "{}: {path} by {coding}", site.name);
            }
            let (head, body) = ask(&site, path, "1.0", "");
            assert!(!head.contains("Content-Encoding"), "{}: {head}", site.name);
            assert!(body == text().as_bytes(), "{}: {path}", site.name);
        }
    }
}

#[test]
fn compressed_events_arrive_on_each_runtime() {
    for site in site::all() {
        for coding in ["gzip", "br", "zstd"] {
            let fields = format!("Accept-Encoding: {coding}\r\nLast-Event-ID: 1\r\n");
            let (_, body) = ask(&site, "/events", "1.0", &fields);
            let events = "id: 2\ndata:  \u{20ac}: three\n\nevent: end\nid: \ndata: \n\n";
            assert_eq!(decode(coding, &body), events, "{}: {coding}", site.name);
        }
    }
}

#[test]
fn interim_responses_come_first_on_each_runtime() {
    for site in site::all() {
        let (head, rest) = ask(&site, "/hints", "1.1", "");
        assert_eq!(head, format!("HTTP/1.1 103 Early Hints\r\nLink: {LINK}\r\n"), "{}", site.name);
        assert!(
            rest.starts_with(b"HTTP/1.1 102 Processing\r\nX-Progress: 1\r\n\r\nHTTP/1.1 200 OK\r\n"),
            "{}",
            site.name
        );
        let (head, _) = ask(&site, "/hints", "1.0", "");
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{}: {head}", site.name);
    }
}
