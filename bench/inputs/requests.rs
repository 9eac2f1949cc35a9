//! The requests of the cases, the same for httpants and for the other servers, and the fields of a
//! response.

use crate::form;

const MIN: &str = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";
const WRK: &str = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\r\n";
const BROWSER: &str = concat!(
    "GET /plaintext HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n",
    "sec-ch-ua: \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\n",
    "sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 ",
    "Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n",
    "Cookie: session=4f1c9a7be2d84c0fa1b2c3d4e5f60718; theme=dark; csrftoken=Zm9vYmFyYmF6cXV4\r\n\r\n",
);
const MIB: usize = 1 << 20;

/// Fields of a page's response whose values are constants.
pub const CONSTANT_FIELDS: [(&str, &str); 7] = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "private, max-age=0, must-revalidate"),
    ("Vary", "Accept-Encoding, Cookie"),
    ("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),
    ("X-Content-Type-Options", "nosniff"),
];
/// Fields of the same response whose values differ between responses.
pub const VARYING_FIELDS: [(&str, &str); 3] = [
    ("ETag", "\"6553f100-13d\""),
    ("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"),
    ("Set-Cookie", "session=4f1c9a7be2d84c0fa1b2c3d4e5f60718; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000"),
];

/// Returns the bytes that the client sends in one iteration.
pub fn input(case: &str) -> Option<Vec<u8>> {
    Some(match case {
        "min" | "encoding" => MIN.into(),
        "wrk" => WRK.into(),
        "browser" => BROWSER.into(),
        "wrk-x16" => WRK.repeat(16).into(),
        "browser-x16" => BROWSER.repeat(16).into(),
        "content-length-1m" => upload(&format!("Content-Length: {MIB}"), vec![b'x'; MIB]),
        "chunked-4k-1m" => {
            let chunk = [b"1000\r\n".to_vec(), vec![b'x'; 4096], b"\r\n".to_vec()].concat();
            upload("Transfer-Encoding: chunked", [chunk.repeat(MIB / 4096), b"0\r\n\r\n".to_vec()].concat())
        }
        "multipart" => {
            let content = form::content();
            let fields = format!("Content-Type: {}\r\nContent-Length: {}", form::CONTENT_TYPE, content.len());
            upload(&fields, content)
        }
        _ => return None,
    })
}

fn upload(fields: &str, content: Vec<u8>) -> Vec<u8> {
    let head = format!("POST /upload HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1.0\r\n{fields}\r\n\r\n");
    [head.into_bytes(), content].concat()
}
