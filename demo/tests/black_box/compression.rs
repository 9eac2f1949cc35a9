//! Tests of content codings, which are off by default.

use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliDecoder, DecodeV2, EncodeV2, GzipDecoder, GzipEncoder, ZstdDecoder};

use crate::client::Client;
use crate::demo::Demo;
use crate::runtimes::RUNTIMES;

fn decode(coding: &str, content: &[u8]) -> String {
    let mut decoder: Box<dyn DecodeV2> = match coding {
        "gzip" => Box::new(GzipDecoder::new()),
        "br" => Box::new(BrotliDecoder::new()),
        _ => Box::new(ZstdDecoder::new()),
    };
    let mut room = vec![0; 1 << 20];
    let (mut input, mut output) = (PartialBuffer::new(content), WriteBuffer::new_initialized(&mut room));
    assert!(decoder.decode(&mut input, &mut output).unwrap(), "{coding} is cut off");
    assert!(input.unwritten().is_empty(), "bytes after the end of {coding}");
    String::from_utf8(output.written().to_vec()).unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Level::Default.into());
    let mut room = vec![0; content.len() + 100];
    let (mut input, mut output) = (PartialBuffer::new(content), WriteBuffer::new_initialized(&mut room));
    encoder.encode(&mut input, &mut output).unwrap();
    assert!(encoder.finish(&mut output).unwrap());
    output.written().to_vec()
}

/// Returns the coding and the length of the body of this resource.
fn coding(client: &mut Client, path: &str, fields: &str) -> (Option<String>, usize) {
    let response = client.request("GET", path, fields, "");
    (response.header("Content-Encoding").map(str::to_owned), response.body.len())
}

#[test]
fn nothing_is_coded_by_default() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let plain = client.request("GET", "/lines?size=5000", "Accept-Encoding: gzip, br, zstd\r\n", "");
    assert_eq!((plain.header("Content-Encoding"), plain.header("Vary"), plain.body.len()), (None, None, 5000));
    let coded = gzip(b"hello");
    assert!(client.request("POST", "/echo", "Content-Encoding: gzip\r\n", &coded).body == coded);
}

#[test]
fn text_is_compressed_on_each_runtime() {
    for runtime in RUNTIMES {
        let demo = Demo::start(&["--runtime", runtime, "--compress"]);
        let mut client = demo.connect();
        let plain = client.get("/lines?size=5000").text().to_owned();
        assert!(plain.starts_with("000000000000000\n000000000000016\n") && plain.len() == 5000);
        for coding in ["gzip", "br", "zstd"] {
            let fields = format!("Accept-Encoding: {coding}\r\n");
            let response = client.request("GET", "/lines?size=5000", &fields, "");
            assert_eq!(response.header("Content-Encoding"), Some(coding), "{runtime}");
            assert_eq!(response.header("Vary"), Some("Accept-Encoding"));
            assert!(response.body.len() < 2500 && decode(coding, &response.body) == plain, "{runtime}: {coding}");
            let events = client.request("GET", "/events?count=2&delay=1", &fields, "");
            assert_eq!(events.header("Content-Encoding"), Some(coding), "{runtime}");
            let events = decode(coding, &events.body);
            assert!(events.starts_with("id: 1\n") && events.contains("\n\nid: 2\n"), "{runtime}: {events}");
            let page = client.request("GET", "/", &format!("{fields}Accept: text/html\r\n"), "");
            assert!(decode(coding, &page.body).starts_with("<!doctype html>"), "{runtime}: {coding}");
        }
    }
}

/// JSON contains cookies and text that others may have chosen.
#[test]
fn files_and_json_are_not_compressed() {
    let demo = Demo::start(&["--compress"]);
    let mut client = demo.connect();
    let fields = format!("Accept-Encoding: gzip\r\nX-Long: {}\r\n", "x".repeat(5000));
    assert_eq!(coding(&mut client, "/file/16k", &fields), (None, 16_384));
    let (name, length) = coding(&mut client, "/inspect", &fields);
    assert!(name.is_none() && length > 5000, "{name:?} {length}");
    assert_eq!(coding(&mut client, "/lines?size=100", &fields), (None, 100));
    assert_eq!(client.get("/lines?size=16777217").status, 400);
}

#[test]
fn coded_requests_are_decoded_on_each_runtime() {
    for runtime in RUNTIMES {
        let demo = Demo::start(&["--runtime", runtime, "--decompress-requests"]);
        let mut client = demo.connect();
        let text = "line \u{20ac}\n".repeat(10_000);
        let coded = gzip(text.as_bytes());
        let fields = "Content-Encoding: gzip\r\n";
        assert_eq!(client.request("POST", "/echo-len", fields, &coded).text(), text.len().to_string(), "{runtime}");
        assert_eq!(client.request("POST", "/echo", fields, &coded).text(), text, "{runtime}");
        let form = format!("{fields}Content-Type: application/x-www-form-urlencoded\r\n");
        assert_eq!(client.request("POST", "/x", &form, gzip(b"a=1&b=%C3%A4")).json()["post"]["b"][0], "\u{e4}");
        let mut other = demo.connect();
        let refused = other.request("POST", "/x", "Content-Encoding: deflate\r\n", "x");
        assert_eq!((refused.status, refused.header("Accept-Encoding")), (415, Some("zstd, br, gzip")), "{runtime}");
        let cut = demo.connect().request("POST", "/x", fields, &coded[..coded.len() - 1]);
        assert_eq!(cut.status, 400, "{runtime}");
    }
}
