//! Comparison of nginx and the demo for the same file: conditions and ranges.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use crate::client::{Client, Response};
use crate::demo::Demo;
use crate::nginx::Nginx;
use crate::uploads::noise;

const LENGTH: usize = 1000;
/// Tue, 14 Nov 2023 22:13:20 GMT.
const MODIFIED: u64 = 1_700_000_000;
const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

/// Requests and the result of both servers: the status, and for 206 the ranges sent. `{tag}` is the
/// server's entity tag, `{date}` the modification time of the file, `{old}` and `{new}` a second
/// before and after that.
const SAME: &[(&str, &str, &str)] = &[
    // One range (RFC 9110 section 14.1.2).
    ("GET", "", "200"),
    ("HEAD", "", "200"),
    ("GET", "Range: bytes=0-0", "206 0-0"),
    ("GET", "Range: bytes=0-99", "206 0-99"),
    ("GET", "Range: bytes=100-199", "206 100-199"),
    ("GET", "Range: bytes=999-999", "206 999-999"),
    ("GET", "Range: bytes=0-999", "206 0-999"),
    ("GET", "Range: bytes=0-", "206 0-999"),
    ("GET", "Range: bytes=500-", "206 500-999"),
    ("GET", "Range: bytes=999-", "206 999-999"),
    ("GET", "Range: bytes=900-5000", "206 900-999"),
    ("GET", "Range: bytes=0-1000", "206 0-999"),
    ("GET", "Range: bytes=007-009", "206 7-9"),
    ("GET", "Range: BYTES=1-2", "206 1-2"),
    ("GET", "Range: bytes=-1", "206 999-999"),
    ("GET", "Range: bytes=-100", "206 900-999"),
    ("GET", "Range: bytes=-1000", "206 0-999"),
    ("GET", "Range: bytes=-5000", "206 0-999"),
    // Unsatisfiable.
    ("GET", "Range: bytes=1000-", "416"),
    ("GET", "Range: bytes=1000-1000", "416"),
    ("GET", "Range: bytes=5000-6000", "416"),
    ("GET", "Range: bytes=-0", "416"),
    ("GET", "Range: bytes=1000-,2000-3000", "416"),
    // Other units.
    ("GET", "Range: items=0-9", "200"),
    ("GET", "Range: byte=0-9", "200"),
    ("GET", "Range: 0-9", "200"),
    ("GET", "Range: bytes=", "200"),
    // Requests for several ranges.
    ("GET", "Range: bytes=0-9,20-29", "206 0-9,20-29"),
    ("GET", "Range: bytes=20-29,0-9", "206 20-29,0-9"),
    ("GET", "Range: bytes=0-9, 20-29", "206 0-9,20-29"),
    ("GET", "Range: bytes=0-9 ,20-29", "206 0-9,20-29"),
    ("GET", "Range: bytes=0-0,-1", "206 0-0,999-999"),
    ("GET", "Range: bytes=0-9,10-19", "206 0-9,10-19"),
    ("GET", "Range: bytes=0-9,20-29,40-49,60-69", "206 0-9,20-29,40-49,60-69"),
    ("GET", "Range: bytes=0-9,5000-", "206 0-9"),
    ("GET", "Range: bytes=5000-,5-6,-0", "206 5-6"),
    // If-Range.
    ("GET", "Range: bytes=0-9\r\nIf-Range: {tag}", "206 0-9"),
    ("GET", "Range: bytes=0-9\r\nIf-Range: W/{tag}", "200"),
    ("GET", "Range: bytes=0-9\r\nIf-Range: \"x\"", "200"),
    ("GET", "Range: bytes=0-9\r\nIf-Range: {date}", "206 0-9"),
    ("GET", "Range: bytes=0-9\r\nIf-Range: {old}", "200"),
    ("GET", "Range: bytes=0-9\r\nIf-Range: {new}", "200"),
    ("GET", "Range: bytes=0-9\r\nIf-Range: nonsense", "200"),
    ("GET", "Range: bytes=1000-\r\nIf-Range: {tag}", "416"),
    ("GET", "Range: bytes=1000-\r\nIf-Range: \"x\"", "200"),
    ("GET", "If-Range: {tag}", "200"),
    // Preconditions (section 13.2.2).
    ("GET", "If-Match: {tag}", "200"),
    ("GET", "If-Match: *", "200"),
    ("GET", "If-Match: \"x\"", "412"),
    ("GET", "If-Match: W/{tag}", "412"),
    ("GET", "If-Match: \"x\", {tag}", "200"),
    ("GET", "If-None-Match: {tag}", "304"),
    ("GET", "If-None-Match: W/{tag}", "304"),
    ("GET", "If-None-Match: *", "304"),
    ("GET", "If-None-Match: \"x\"", "200"),
    ("GET", "If-None-Match: \"x\", {tag}", "304"),
    ("HEAD", "If-None-Match: {tag}", "304"),
    ("HEAD", "If-Match: \"x\"", "412"),
    ("GET", "If-Modified-Since: {date}", "304"),
    ("GET", "If-Modified-Since: {old}", "200"),
    ("GET", "If-Modified-Since: {new}", "304"),
    ("GET", "If-Modified-Since: nonsense", "200"),
    ("GET", "If-Modified-Since: Tuesday, 14-Nov-23 22:13:20 GMT", "304"),
    ("GET", "If-Modified-Since: Tue Nov 14 22:13:20 2023", "304"),
    ("HEAD", "If-Modified-Since: {date}", "304"),
    ("GET", "If-Unmodified-Since: {date}", "200"),
    ("GET", "If-Unmodified-Since: {old}", "412"),
    ("GET", "If-Unmodified-Since: {new}", "200"),
    // Several preconditions.
    ("GET", "If-Match: {tag}\r\nIf-None-Match: {tag}", "304"),
    ("GET", "If-Match: \"x\"\r\nIf-None-Match: {tag}", "412"),
    ("GET", "If-None-Match: \"x\"\r\nIf-Modified-Since: {date}", "200"),
    ("GET", "If-None-Match: {tag}\r\nIf-Modified-Since: {date}", "304"),
    ("GET", "If-Match: {tag}\r\nIf-Unmodified-Since: {date}", "200"),
    ("GET", "If-Unmodified-Since: {old}\r\nIf-None-Match: {tag}", "412"),
    ("GET", "If-Unmodified-Since: {date}\r\nIf-Modified-Since: {date}", "304"),
    ("GET", "If-Match: {tag}\r\nRange: bytes=0-9", "206 0-9"),
    ("GET", "If-Match: \"x\"\r\nRange: bytes=0-9", "412"),
    ("GET", "If-None-Match: {tag}\r\nRange: bytes=0-9", "304"),
    ("GET", "If-None-Match: \"x\"\r\nRange: bytes=0-9", "206 0-9"),
    ("GET", "If-None-Match: {tag}\r\nRange: bytes=1000-", "304"),
    ("GET", "If-Unmodified-Since: {old}\r\nRange: bytes=0-9", "412"),
];

/// Requests, the result of the demo, the result of nginx, and the reason of the difference.
const DIFFERENT: &[(&str, &str, &str, &str, &str)] = &[
    ("HEAD", "Range: bytes=0-9", "200", "206", "Range is for GET alone (RFC 9110 section 14.2)"),
    ("HEAD", "Range: bytes=1000-", "200", "416", "Range is for GET alone (RFC 9110 section 14.2)"),
    ("GET", "Range: bytes=2-1", "200", "416", "a range that is not valid is ignored (section 14.1.1)"),
    ("GET", "Range: bytes=x-y", "200", "416", "a range that is not valid is ignored (section 14.2)"),
    ("GET", "Range: bytes=-", "200", "416", "a range that is not valid is ignored (section 14.2)"),
    ("GET", "Range: bytes=0-9,x", "200", "416", "a range that is not valid is ignored (section 14.2)"),
    ("GET", "Range: bytes= 0-9", "200", "206 0-9", "a range contains no space (section 14.1.1)"),
    ("GET", "Range: bytes=0 - 9", "200", "206 0-9", "a range contains no space (section 14.1.1)"),
    ("GET", "Range: bytes=0-9,5-14", "206 0-14", "206 0-9,5-14", "overlapping ranges are merged (section 15.3.7.2)"),
    ("GET", "Range: bytes=0-9,0-9", "206 0-9", "206 0-9,0-9", "overlapping ranges are merged (section 15.3.7.2)"),
    ("GET", "Range: bytes=0-,0-", "206 0-999", "200", "overlapping ranges are merged; nginx counts their bytes"),
    ("GET", "Range: bytes=0-99999999999999999999", "206 0-999", "416", "no number overflows"),
    (
        "GET",
        "If-None-Match: {tag}\r\nIf-Modified-Since: {old}",
        "304",
        "200",
        "If-None-Match switches If-Modified-Since off (section 13.1.3)",
    ),
    (
        "GET",
        "If-Match: {tag}\r\nIf-Unmodified-Since: {old}",
        "200",
        "412",
        "If-Match switches If-Unmodified-Since off (section 13.1.4)",
    ),
    ("GET", "If-Unmodified-Since: nonsense", "200", "412", "a date that is not valid is ignored (section 13.1.4)"),
];

/// One of the two servers.
struct Server {
    address: SocketAddr,
    path: &'static str,
    tag: String,
    content: Vec<u8>,
}

impl Server {
    fn new(address: SocketAddr, path: &'static str, content: &[u8]) -> Self {
        let tag = Client::connect(address).get(path).header("ETag").unwrap().to_owned();
        Self { address, path, tag, content: content.to_vec() }
    }

    /// Returns the result of the server after checking its response.
    fn says(&self, method: &str, fields: &str) -> String {
        let mut fields = fields
            .replace("{tag}", &self.tag)
            .replace("{date}", DATE)
            .replace("{old}", "Tue, 14 Nov 2023 22:13:19 GMT")
            .replace("{new}", "Tue, 14 Nov 2023 22:13:21 GMT");
        if !fields.is_empty() {
            fields += "\r\n";
        }
        let response = Client::connect(self.address).request(method, self.path, &fields, "");
        let status = response.status;
        if matches!(status, 200 | 206 | 304) {
            assert_eq!(response.header("ETag"), Some(&*self.tag));
        }
        if matches!(status, 200 | 206) {
            assert_eq!(response.header("Last-Modified"), Some(DATE));
        }
        match status {
            200 => {
                let length = response.header("Content-Length").map(|length| length.parse().unwrap());
                assert_eq!((length, response.header("Content-Range")), (Some(LENGTH), None));
                assert_eq!(response.header("Accept-Ranges"), Some("bytes"));
                assert_eq!(response.header("Content-Type"), Some("application/octet-stream"));
                assert!(response.body == if method == "HEAD" { &[][..] } else { &self.content });
            }
            206 if method == "HEAD" => {}
            206 => return format!("206 {}", self.ranges(&response)),
            304 => assert_eq!((response.header("Content-Range"), response.body.len()), (None, 0)),
            416 => assert_eq!(response.header("Content-Range"), Some("bytes */1000")),
            _ => {}
        }
        status.to_string()
    }

    fn ranges(&self, response: &Response) -> String {
        let content_type = response.header("Content-Type").unwrap();
        let Some(boundary) = content_type.strip_prefix("multipart/byteranges; boundary=") else {
            assert_eq!(content_type, "application/octet-stream");
            return self.range(response.header("Content-Range").unwrap(), &response.body);
        };
        assert_eq!(response.header("Content-Range"), None);
        // nginx sends an empty line before the first part.
        let body = [b"\r\n", response.body.strip_prefix(b"\r\n").unwrap_or(&response.body)].concat();
        let delimiter = format!("\r\n--{boundary}");
        let mut rest = body.strip_prefix(delimiter.as_bytes()).unwrap();
        let mut ranges = Vec::new();
        while rest != b"--\r\n" {
            let at = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part).unwrap();
            let (head, after) = rest.split_at(at(rest, b"\r\n\r\n"));
            let (part, next) = after[4..].split_at(at(&after[4..], delimiter.as_bytes()));
            let head = std::str::from_utf8(head).unwrap();
            assert!(head.contains("Content-Type: application/octet-stream"), "{head}");
            let range = head.lines().find_map(|line| line.strip_prefix("Content-Range: ")).unwrap();
            ranges.push(self.range(range, part));
            rest = &next[delimiter.len()..];
        }
        assert!(ranges.len() > 1);
        ranges.join(",")
    }

    /// Returns the range of a Content-Range; checks its bytes.
    fn range(&self, content_range: &str, bytes: &[u8]) -> String {
        let range = content_range.strip_prefix("bytes ").and_then(|range| range.strip_suffix("/1000")).unwrap();
        let (first, last) = range.split_once('-').unwrap();
        assert!(bytes == &self.content[first.parse().unwrap()..=last.parse::<usize>().unwrap()], "{content_range}");
        range.to_owned()
    }
}

#[test]
#[ignore = "needs nginx (Debian: nginx)"]
fn conditions_and_ranges_match_nginx_or_have_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(folder.path()).unwrap();
    let content = noise(u32::try_from(LENGTH).unwrap());
    fs::write(root.join("data.bin"), &content).unwrap();
    let file = File::options().write(true).open(root.join("data.bin")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(MODIFIED)).unwrap();

    let demo = Demo::start(&["--file-root", root.to_str().unwrap()]);
    // nginx requires the exact date by default.
    let location = format!(
        "location /plain/ {{
            alias {}/; default_type application/octet-stream; if_modified_since before;
        }}",
        root.display()
    );
    let nginx = Nginx::start(&demo, &location);
    let ours = Server::new(demo.address(), "/file/data.bin", &content);
    let theirs = Server::new(nginx.address(), "/plain/data.bin", &content);
    let mut wrong = Vec::new();
    let rows = SAME.iter().map(|&(method, fields, both)| (method, fields, both, both, "both"));
    for (method, fields, expected, of_nginx, why) in rows.chain(DIFFERENT.iter().copied()) {
        let said = (ours.says(method, fields), theirs.says(method, fields));
        if (&*said.0, &*said.1) != (expected, of_nginx) {
            wrong.push(format!("{method} {fields:?}: {said:?}, not {:?} ({why})", (expected, of_nginx)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
