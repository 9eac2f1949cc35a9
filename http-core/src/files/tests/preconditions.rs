//! Tests of every combination of the conditional fields (RFC 9110 section 13.2.2).

use http::Method;

use super::*;

const TAG: &str = "\"2a-64-2ebc98a1.5\"";

/// The value of a condition, as defined in the section of its field in RFC 9110.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Condition {
    /// The field is absent or ignored.
    Absent,
    True,
    False,
}
use Condition::{Absent, False, True};

/// Returns the status by the algorithm of section 13.2.2, from conditions that are already
/// evaluated.
fn expected_by_rfc(
    method: &Method,
    if_match: Condition,
    if_unmodified: Condition,
    if_none_match: Condition,
    if_modified: Condition,
    range: bool,
    if_range: Condition,
) -> u16 {
    // 1. When recipient is the origin server and If-Match is present.
    if if_match == False {
        return 412;
    }
    // 2. ... If-Match is not present, and If-Unmodified-Since is present.
    if if_match == Absent && if_unmodified == False {
        return 412;
    }
    // 3. When If-None-Match is present: false for GET/HEAD, respond 304.
    if if_none_match == False {
        return 304;
    }
    // 4. When the method is GET or HEAD, If-None-Match is not present, and If-Modified-Since is.
    if if_none_match == Absent && if_modified == False {
        return 304;
    }
    // 5. When the method is GET and both Range and If-Range are present.
    if *method == Method::GET && range && if_range != False {
        return 206;
    }
    // 6. Otherwise, perform the requested method.
    200
}

#[test]
fn all_combinations_of_conditions_follow_the_rfc() {
    let if_match = [
        (String::new(), Absent),
        (format!("If-Match: {TAG}\r\n"), True),
        (format!("If-Match: \"x\"\r\nIf-Match: \"y\", {TAG}\r\n"), True),
        ("If-Match: *\r\n".into(), True),
        ("If-Match: \"x\"\r\n".into(), False),
        (format!("If-Match: W/{TAG}\r\n"), False),
        ("If-Match:\r\n".into(), False),
    ];
    let if_unmodified = [
        (String::new(), Absent),
        (format!("If-Unmodified-Since: {DATE}\r\n"), True),
        (format!("If-Unmodified-Since: {LATER}\r\n"), True),
        (format!("If-Unmodified-Since: {EARLIER}\r\n"), False),
        ("If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT\r\n".into(), False),
        ("If-Unmodified-Since: yesterday\r\n".into(), Absent),
        (format!("If-Unmodified-Since: {EARLIER}\r\nIf-Unmodified-Since: {EARLIER}\r\n"), Absent),
    ];
    let if_none_match = [
        (String::new(), Absent),
        (format!("If-None-Match: {TAG}\r\n"), False),
        (format!("If-None-Match: \"x\", W/{TAG}\r\n"), False),
        ("If-None-Match: *\r\n".into(), False),
        ("If-None-Match: \"x\"\r\n".into(), True),
        ("If-None-Match: 2a-64-2ebc98a1.5\r\n".into(), True),
        ("If-None-Match:\r\n".into(), True),
    ];
    let if_modified = [
        (String::new(), Absent),
        (format!("If-Modified-Since: {EARLIER}\r\n"), True),
        (format!("If-Modified-Since: {DATE}\r\n"), False),
        ("If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n".into(), False),
        (format!("If-Modified-Since: {LATER}\r\n"), False),
        ("If-Modified-Since: Mon, 06 Nov 1994 08:49:37 GMT\r\n".into(), Absent),
        (format!("If-Modified-Since: {DATE}\r\nIf-Modified-Since: {DATE}\r\n"), Absent),
    ];
    let if_range = [
        (String::new(), Absent),
        (format!("If-Range: {TAG}\r\n"), True),
        (format!("If-Range: {DATE}\r\n"), True),
        (format!("If-Range: W/{TAG}\r\n"), False),
        ("If-Range: \"x\"\r\n".into(), False),
    ];
    let mut seen = 0;
    for method in [Method::GET, Method::HEAD] {
        for (a, one) in &if_match {
            for (b, two) in &if_unmodified {
                for (c, three) in &if_none_match {
                    for (d, four) in &if_modified {
                        for range in ["", "Range: bytes=0-9\r\n"] {
                            for (e, five) in &if_range {
                                let lines = format!("{a}{b}{c}{d}{range}{e}");
                                let plan = plan(&method, &lines, &FileResponse::new("a.txt"), metadata(LEN));
                                let ranged = !range.is_empty();
                                let expected = expected_by_rfc(&method, *one, *two, *three, *four, ranged, *five);
                                assert_eq!(plan.status, expected, "{method} {lines}");
                                seen += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen, 2 * 7 * 7 * 7 * 7 * 2 * 5);
}

/// `*` is special only as the whole value: in a list it is not an entity tag.
#[test]
fn asterisk_is_special_only_as_the_whole_value() {
    for (lines, status) in [
        ("If-None-Match: *\r\n", 304),
        ("If-None-Match: *, \"x\"\r\n", 200),
        ("If-None-Match: *,\r\n", 304),
        ("If-None-Match: ,* ,\r\nIf-None-Match:\r\n", 304),
        ("If-None-Match:\r\nIf-None-Match: , ,\r\n", 200),
        ("If-Match:, *\r\n", 200),
        ("If-Match: ,\r\n", 412),
        ("If-None-Match: *\r\nIf-None-Match: \"x\"\r\n", 200),
        ("If-Match: *\r\nIf-Match: \"x\"\r\n", 412),
        ("If-Match: \"*\"\r\n", 412),
    ] {
        assert_eq!(get(lines).status, status, "{lines}");
    }
}

#[test]
fn if_range_is_strong_and_exact() {
    for (value, status) in [
        (TAG, 206),
        (DATE, 206),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 206),
        ("Sun Nov  6 08:49:37 1994", 206),
        (EARLIER, 200),
        // Unlike with If-Modified-Since, a later date does not match.
        (LATER, 200),
        ("\"x\"", 200),
        ("W/\"2a-64-2ebc98a1.5\"", 200),
        ("\"2a-64-2ebc98a1.5\", \"x\"", 200),
        ("2a-64-2ebc98a1.5", 200),
        ("*", 200),
        ("\"", 200),
        ("", 200),
        ("never", 200),
    ] {
        let lines = format!("Range: bytes=0-9\r\nIf-Range: {value}\r\n");
        assert_eq!(get(&lines).status, status, "{value}");
        // Without Range it has no effect.
        assert_eq!(get(&format!("If-Range: {value}\r\n")).status, 200);
    }
    let twice = format!("Range: bytes=0-9\r\nIf-Range: {TAG}\r\nIf-Range: {TAG}\r\n");
    assert_eq!(get(&twice).status, 200);
    // An unsatisfiable range is 416 if the condition is true, and ignored otherwise.
    assert_eq!(get(&format!("Range: bytes=100-\r\nIf-Range: {TAG}\r\n")).status, 416);
    assert_eq!(get("Range: bytes=100-\r\nIf-Range: \"x\"\r\n").status, 200);
}

/// Within the second of its last change, the file may change again (RFC 9110 section 8.8.2.2).
#[test]
fn date_is_a_strong_validator_after_its_second() {
    let headers = Headers::parse(format!("Range: bytes=0-9\r\nIf-Range: {DATE}\r\n\r\n").as_bytes()).unwrap();
    let request = FileRequest { method: &Method::GET, headers: &headers };
    for (wall, status) in [(MODIFIED - 1, 200), (MODIFIED, 200), (MODIFIED + 1, 206)] {
        let plan = Plan::new(request, &FileResponse::new("a"), metadata(LEN), UnixTime::from_secs(wall), ENTROPY);
        assert_eq!(plan.status, status, "{wall}");
    }
}

#[test]
fn file_without_a_date_has_no_validators() {
    let undated = Metadata::new(LEN, None, 1);
    for (lines, status) in [
        ("", 200),
        ("If-None-Match: \"\"\r\n", 200),
        ("If-None-Match: *\r\n", 304),
        ("If-Match: *\r\n", 200),
        ("If-Match: \"x\"\r\n", 412),
        ("If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT\r\n", 200),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200),
        ("Range: bytes=0-9\r\n", 206),
        ("Range: bytes=0-9\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200),
    ] {
        let plan = plan(&Method::GET, lines, &FileResponse::new("a"), undated);
        assert_eq!(plan.status, status, "{lines}");
        assert_eq!((plan.field("etag"), plan.field("last-modified")), (None, None));
    }
}

/// The time of the file is compared without nanoseconds, which no field can represent.
#[test]
fn modification_time_is_compared_in_whole_seconds() {
    let file = Metadata::new(LEN, Some(modified(MODIFIED, 999_999_999)), 1);
    for (name, status) in [("If-Modified-Since", 304), ("If-Unmodified-Since", 200)] {
        let plan = plan(&Method::GET, &format!("{name}: {DATE}\r\n"), &FileResponse::new("a"), file);
        assert_eq!(plan.status, status, "{name}");
    }
}

#[test]
fn responses_304_and_412_have_their_fields() {
    let etag = http::header::HeaderValue::from_static("\"v1\"");
    let own = [
        (http::header::ETAG, etag),
        (http::header::VARY, "cookie".parse().unwrap()),
        (http::header::CONTENT_LOCATION, "/a.en.txt".parse().unwrap()),
        (http::header::CONTENT_LANGUAGE, "en".parse().unwrap()),
        (http::header::CONTENT_SECURITY_POLICY, "sandbox".parse().unwrap()),
    ];
    let mut response = FileResponse::new("a.txt");
    response.headers = &own;
    response.filename = Some("b.txt");
    for method in [Method::GET, Method::HEAD] {
        let plan = plan(&method, "If-None-Match: \"v1\"\r\nRange: bytes=0-9\r\n", &response, metadata(LEN));
        let names: Vec<_> = plan.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(plan.status, 304);
        assert_eq!(names, ["cache-control", "expires", "etag", "vary", "content-location", "content-security-policy"]);
    }
    // Without an entity tag, the client needs the date to update its copy.
    let undated = Metadata::new(LEN, None, 1);
    let own = [(http::header::LAST_MODIFIED, DATE.parse().unwrap())];
    response.headers = &own;
    let plan = plan(&Method::GET, &format!("If-Modified-Since: {DATE}\r\n"), &response, undated);
    assert_eq!((plan.status.as_u16(), text(&plan, "last-modified")), (304, Some(DATE)));

    let failed = get("If-Match: \"x\"\r\n");
    assert_eq!(failed.segments, [Segment::Bytes("412 Precondition Failed\n".into())]);
    assert_eq!(failed.fields.len(), 1);
}
