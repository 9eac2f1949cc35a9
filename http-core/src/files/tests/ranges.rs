//! Tests of the parts of a file that are sent, parsed independently (RFC 9110 sections 14 and
//! 15.3.7).

use http::Method;

use super::*;

/// A part of multipart/byteranges: its fields, and its content.
type Part = (Vec<(String, String)>, Vec<u8>);

/// Parses multipart/byteranges by the grammar of RFC 2046 section 5.1.1, independently of how it
/// was created. The end of a part is found by its Content-Range, not by searching for the boundary,
/// and the delimiter must follow.
fn read_parts(content_type: &str, body: &[u8]) -> Vec<Part> {
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    assert!((1..=70).contains(&boundary.len()) && boundary.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let delimiter = format!("--{boundary}");
    let mut rest = body.strip_prefix(delimiter.as_bytes()).unwrap();
    let mut parts = Vec::new();
    while rest != b"--\r\n" {
        rest = rest.strip_prefix(b"\r\n").unwrap();
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = core::str::from_utf8(&rest[..end]).unwrap();
        let fields: Vec<_> = head
            .split("\r\n")
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let range = &fields.iter().find(|(name, _)| name == "content-range").unwrap().1;
        let (first, last, _) = read_range(range);
        let (content, tail) = rest[end + 4..].split_at((last - first + 1) as usize);
        parts.push((fields, content.to_vec()));
        rest = tail.strip_prefix(b"\r\n").unwrap().strip_prefix(delimiter.as_bytes()).unwrap();
    }
    parts
}

/// Parses `bytes FIRST-LAST/LENGTH`.
fn read_range(value: &str) -> (u64, u64, u64) {
    let (range, len) = value.strip_prefix("bytes ").unwrap().split_once('/').unwrap();
    let (first, last) = range.split_once('-').unwrap();
    (first.parse().unwrap(), last.parse().unwrap(), len.parse().unwrap())
}

/// Returns the ranges in a 206, after comparing each with the file.
fn file_ranges(plan: &Plan, file: &[u8]) -> Vec<(u64, u64)> {
    let body = sent(plan, file);
    let parts = match text(plan, "content-range") {
        Some(range) => vec![(vec![("content-range".to_owned(), range.to_owned())], body)],
        None => read_parts(text(plan, "content-type").unwrap(), &body),
    };
    let read = |(fields, content): &Part| {
        let (_, range) = fields.iter().find(|(name, _)| name == "content-range").unwrap();
        let (first, last, len) = read_range(range);
        assert_eq!(len, file.len() as u64);
        assert_eq!(content, &file[first as usize..=last as usize]);
        (first, last)
    };
    parts.iter().map(read).collect()
}

#[test]
fn single_range_is_a_206_with_all_fields() {
    let plan = get("Range: bytes=10-19\r\n");
    assert_eq!(plan.status, 206);
    assert_eq!(text(&plan, "content-range"), Some("bytes 10-19/100"));
    assert_eq!(text(&plan, "content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(plan.content_length, Some(10));
    assert_eq!(plan.segments, [Segment::File { offset: 10, len: 10 }]);
    // All fields that the 200 would have (RFC 9110 section 15.3.7).
    for (name, value) in get("").fields {
        assert_eq!(plan.field(name.as_str()), Some(&value));
    }
}

#[test]
fn several_ranges_are_a_multipart_206() {
    let plan = get("Range: bytes=20-29, 0-4, -1\r\n");
    let expected = "--abababababababababababababababab\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Range: bytes 20-29/100\r\n\r\n\
        [20..29]\r\n--abababababababababababababababab\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Range: bytes 0-4/100\r\n\r\n\
        [0..4]\r\n--abababababababababababababababab\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Range: bytes 99-99/100\r\n\r\n\
        [99..99]\r\n--abababababababababababababababab--\r\n";
    let shown: String = plan
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Segment::File { offset, len } => format!("[{offset}..{}]", offset + len - 1),
        })
        .collect();
    assert_eq!(shown, expected);
    assert_eq!(plan.status, 206);
    assert_eq!(text(&plan, "content-type"), Some("multipart/byteranges; boundary=abababababababababababababababab"));
    assert_eq!(plan.field("content-range"), None);
    assert_eq!(plan.fields.iter().filter(|(name, _)| name == "content-type").count(), 1);
    assert_eq!(file_ranges(&plan, &content(LEN)), [(20, 29), (0, 4), (99, 99)]);
    assert_eq!(file_ranges(&get("Range: bytes=0-9,5-19\r\n"), &content(LEN)), [(0, 19)]);
}

#[test]
fn parts_repeat_the_application_type() {
    let own = [(http::header::CONTENT_TYPE, "application/x-own".parse().unwrap())];
    let mut response = FileResponse::new("a.txt");
    response.headers = &own;
    let plan = plan(&Method::GET, "Range: bytes=0-0,5-5\r\n", &response, metadata(LEN));
    let parts = read_parts(text(&plan, "content-type").unwrap(), &sent(&plan, &content(LEN)));
    for (fields, _) in parts {
        assert_eq!(fields[0], ("content-type".to_owned(), "application/x-own".to_owned()));
    }
}

#[test]
fn unsatisfiable_range_is_a_416() {
    for (len, lines) in [
        (100, "Range: bytes=100-\r\n"),
        (100, "Range: bytes=-0\r\n"),
        (100, "Range: bytes=18446744073709551616-\r\n"),
        (1, "Range: bytes=1-\r\n"),
    ] {
        let plan = plan(&Method::GET, lines, &FileResponse::new("a.txt"), metadata(len));
        assert_eq!(plan.status, 416, "{lines}");
        assert_eq!(text(&plan, "content-range"), Some(format!("bytes */{len}").as_str()));
        assert!(plan.segments.iter().all(|segment| matches!(segment, Segment::Bytes(_))));
    }
}

#[test]
fn empty_file_is_sent_whole() {
    for lines in ["Range: bytes=-5\r\n", "Range: bytes=0-\r\n", "Range: bytes=0-0,5-\r\n"] {
        let plan = plan(&Method::GET, lines, &FileResponse::new("a.txt"), metadata(0));
        assert_eq!((plan.status.as_u16(), plan.content_length), (200, Some(0)), "{lines}");
        assert_eq!((plan.field("content-range"), plan.segments.len()), (None, 0), "{lines}");
        assert!(plan.field("etag").is_some(), "{lines}");
    }
}

#[test]
fn range_is_ignored_with_other_methods_and_fields() {
    let range = "Range: bytes=0-9\r\n";
    let multiple = "Range: bytes=0-9,20-29\r\n";
    let response = FileResponse::new("a.txt");
    assert_eq!(get("Range: bytes=9-0\r\n").status, 200);
    assert_eq!(get("Range: lines=0-9\r\n").status, 200);
    assert_eq!(get(&format!("{range}{range}")).status, 200);
    // HEAD gets the head for the whole file, even if GET would be refused.
    for lines in [range, multiple, "Range: bytes=100-\r\n"] {
        let head = plan(&Method::HEAD, lines, &response, metadata(LEN));
        assert_eq!((head.status.as_u16(), head.content_length), (200, Some(LEN)));
        assert_eq!(head.fields, get("").fields);
    }
    let own = [(http::header::ACCEPT_RANGES, "none".parse().unwrap())];
    let mut without = response;
    without.headers = &own;
    let whole = plan(&Method::GET, range, &without, metadata(LEN));
    assert_eq!((whole.status.as_u16(), text(&whole, "accept-ranges")), (200, Some("none")));
    // A single range of a coded sibling is a range of its bytes; several ranges would need a
    // Content-Encoding in the parts.
    let mut coded = response;
    coded.coding = Some(super::super::Coding::Gzip);
    assert_eq!(plan(&Method::GET, range, &coded, metadata(LEN)).status, 206);
    assert_eq!(plan(&Method::GET, multiple, &coded, metadata(LEN)).status, 200);
}

/// Tests random requests: the framing is valid ([`check`]), and the requested bytes are sent.
#[test]
fn random_ranges_are_slices_of_the_file() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut statuses = [0u32; 3];
    for _ in 0..30_000 {
        let len = numbers.below(300);
        let file = content(len);
        let specs: Vec<_> = (0..numbers.below(18) + 1).map(|_| spec(&mut numbers, len)).collect();
        let lines = format!("Range: bytes={}\r\n", specs.join(numbers.pick(&[",", ", ", " ,"])));
        let plan = plan(&Method::GET, &lines, &FileResponse::new("a.bin"), metadata(len));
        match plan.status.as_u16() {
            200 => {
                assert_eq!(sent(&plan, &file), file);
                assert!(specs.len() > 16 || len == 0, "{lines}");
                statuses[0] += 1;
            }
            206 => {
                let mut carried = file_ranges(&plan, &file);
                carried.sort_unstable();
                let carried: Vec<u64> = carried.into_iter().flat_map(|(first, last)| first..=last).collect();
                let asked = |at: &u64| specs.iter().any(|spec| holds(spec, *at, len));
                assert_eq!(carried, (0..len).filter(asked).collect::<Vec<_>>(), "{lines}");
                statuses[1] += 1;
            }
            416 => {
                assert!((0..len).all(|at| specs.iter().all(|spec| !holds(spec, at, len))), "{lines}");
                statuses[2] += 1;
            }
            other => panic!("{other} for {lines}"),
        }
    }
    assert!(statuses.iter().all(|&count| count > 100), "{statuses:?}");
}

fn spec(numbers: &mut Numbers, len: u64) -> String {
    let first = numbers.below(len * 2 + 2);
    match numbers.below(8) {
        0 => format!("-{}", numbers.below(len + 10)),
        1 => format!("{first}-"),
        2 => format!("{first}-18446744073709551616"),
        _ => format!("{first}-{}", first + numbers.below(20)),
    }
}

/// Returns true if a range contains this position, by the simplest interpretation.
fn holds(spec: &str, at: u64, len: u64) -> bool {
    match spec.split_once('-').unwrap() {
        ("", suffix) => u128::from(at) + suffix.parse::<u128>().unwrap() >= u128::from(len),
        (first, "") => at >= first.parse().unwrap(),
        (first, last) => at >= first.parse().unwrap() && u128::from(at) <= last.parse().unwrap(),
    }
}

/// Tests damaged and mixed fields of all kinds: no panic, and the framing is valid ([`check`]).
#[test]
fn random_requests_have_valid_framing() {
    const VALUES: [&str; 14] = [
        "*",
        "\"2a-64-2ebc98a1.5\"",
        "W/\"x\"",
        DATE,
        LATER,
        EARLIER,
        "bytes=0-9",
        "bytes=0-9,20-",
        "bytes=-5,-6",
        "bytes=500-",
        "gzip;q=0.5",
        "",
        "bytes=18446744073709551615-18446744073709551616",
        "\u{e9},\"",
    ];
    const NAMES: [&str; 7] =
        ["Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "X"];
    let mut numbers = Numbers(0xdead_beef_cafe_f00d);
    for _ in 0..30_000 {
        let mut lines = String::new();
        for _ in 0..numbers.below(5) {
            let (name, mut value) = (numbers.pick(&NAMES), numbers.pick(&VALUES).to_owned());
            if numbers.below(3) == 0 {
                let kept = numbers.below(value.len() as u64 + 1) as usize;
                value = value.chars().take(kept).collect();
                value.push_str(numbers.pick(&VALUES));
            }
            lines.push_str(&format!("{name}: {value}\r\n"));
        }
        let method = [Method::GET, Method::HEAD, Method::POST][numbers.below(3) as usize].clone();
        let len = [0, 1, 100, u64::from(u32::MAX), u64::MAX / 2][numbers.below(5) as usize];
        plan(&method, &lines, &FileResponse::new("a.txt"), metadata(len));
    }
}

#[test]
fn maximum_length_file_does_not_overflow() {
    for lines in ["", "Range: bytes=0-\r\n", "Range: bytes=1-\r\n"] {
        plan(&Method::GET, lines, &FileResponse::new("a"), metadata(u64::MAX));
    }
    let headers = Headers::parse(b"Range: bytes=0-1,3-\r\n\r\n").unwrap();
    let request = FileRequest { method: &Method::GET, headers: &headers };
    let plan = Plan::new(request, &FileResponse::new("a"), metadata(u64::MAX), WALL, ENTROPY);
    assert_eq!(plan.content_length, Some(u64::MAX));
}
