//! Tests through the sockets of each adapter.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use compression_codecs::brotli::params::EncoderParams;
use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{
    BrotliDecoder, BrotliEncoder, DecodeV2, EncodeV2, GzipDecoder, GzipEncoder, ZstdDecoder, ZstdEncoder,
};

use crate::site::{self, LINK, Site, text};

/// Sends a request; returns the received bytes, split after the first head.
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
            assert!(input.unwritten().is_empty(), "bytes after the end of {coding}");
            return String::from_utf8(decoded).unwrap();
        }
    }
}

fn encode(coding: &str, content: &[u8]) -> Vec<u8> {
    let mut encoder: Box<dyn EncodeV2> = match coding {
        "gzip" => Box::new(GzipEncoder::new(Level::Default.into())),
        "br" => Box::new(BrotliEncoder::new(EncoderParams::default().quality(Level::Precise(5)))),
        _ => Box::new(ZstdEncoder::new(3)),
    };
    let mut room = vec![0; content.len() + 1000];
    let mut output = WriteBuffer::new_initialized(&mut room);
    let mut input = PartialBuffer::new(content);
    while !input.unwritten().is_empty() {
        encoder.encode(&mut input, &mut output).unwrap();
    }
    assert!(encoder.finish(&mut output).unwrap());
    output.written().to_vec()
}

/// Sends a coded body; returns the status and the text after it.
fn post(site: &Site, coding: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(site.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    let head = format!(
        "POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut received = String::new();
    stream.read_to_string(&mut received).unwrap();
    (received[9..12].parse().unwrap(), received[12..].to_owned())
}

#[test]
fn coded_requests_are_decoded_or_refused_on_each_runtime() {
    let bomb = vec![0; 12 << 20];
    for site in site::all() {
        for coding in ["gzip", "br", "zstd"] {
            let coded = encode(coding, text().as_bytes());
            let (status, rest) = post(&site, coding, &coded);
            assert_eq!(status, 200, "{}: {coding}", site.name);
            assert!(rest.ends_with(&format!("\r\n\r\n{}", text().len())), "{}: {rest}", site.name);
            assert_eq!(post(&site, coding, &coded[..coded.len() - 1]).0, 400, "{}: {coding}", site.name);
            assert_eq!(post(&site, coding, &encode(coding, &bomb)).0, 413, "{}: {coding}", site.name);
        }
        let (status, rest) = post(&site, "deflate", b"hello");
        assert!(status == 415 && rest.contains("\r\nAccept-Encoding: zstd, br, gzip\r\n"), "{}: {rest}", site.name);
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
fn interim_responses_are_sent_first_on_each_runtime() {
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
