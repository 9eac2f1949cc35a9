//! The fields of a response, and the responses without a file.

use std::path::Path;

use http::header::{self, HeaderName, HeaderValue};

use super::super::{Coding, Disposition, EtagRecipe, Field, FileError, MediaTypes, XSendfile};
use super::*;
use crate::{CanonicalName, FieldLines, Misuse};

fn own(fields: &[(&'static str, &'static str)]) -> Vec<Field> {
    fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn listed(plan: &Plan) -> Vec<String> {
    plan.fields.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
}

#[test]
fn status_replaces_only_that_of_the_whole_file() {
    let gone = get("").with_status(StatusCode::GONE);
    assert_eq!((gone.status, gone.segments.len(), gone.content_length), (StatusCode::GONE, 1, Some(LEN)));
    for status in [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED] {
        let empty = get("").with_status(status);
        assert_eq!((empty.status, empty.segments.len()), (status, 0));
    }
    for lines in ["Range: bytes=0-4\r\n", "Range: bytes=1000-\r\n", "If-None-Match: *\r\n"] {
        let plan = get(lines);
        let (status, segments) = (plan.status, plan.segments.clone());
        let same = plan.with_status(StatusCode::GONE);
        assert_eq!((same.status, same.segments), (status, segments), "{lines}");
    }
}

#[test]
fn plain_response_has_metadata_fields() {
    let plan = get("");
    assert_eq!(plan.status, 200);
    assert_eq!(
        listed(&plan),
        [
            "content-type: text/plain; charset=utf-8",
            "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
            "etag: \"2a-64-2ebc98a1.5\"",
            "accept-ranges: bytes",
            "cache-control: max-age=604800",
            "expires: Thu, 24 Nov 1994 22:36:17 GMT",
        ]
    );
    assert_eq!(plan.segments, [Segment::File { offset: 0, len: LEN }]);
    let empty = super::plan(&Method::GET, "", &FileResponse::new("a"), metadata(0));
    assert_eq!((empty.content_length, empty.segments.len()), (Some(0), 0));
}

#[test]
fn head_has_the_fields_of_get() {
    for lines in ["", "If-Match: \"x\"\r\n", "If-None-Match: *\r\n"] {
        let head = plan(&Method::HEAD, lines, &FileResponse::new("a.txt"), metadata(LEN));
        let get = get(lines);
        assert_eq!((head.status, &head.fields, head.content_length), (get.status, &get.fields, get.content_length));
        assert!(head.segments.is_empty());
    }
}

#[test]
fn application_fields_replace_defaults() {
    let fields = own(&[
        ("content-type", "text/plain; charset=iso-8859-1"),
        ("cache-control", "no-store"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("content-disposition", "inline"),
        ("content-length", "5"),
        ("content-range", "bytes 0-1/2"),
    ]);
    let mut response = FileResponse::new("a.html");
    response.filename = Some("b.html");
    response.headers = &fields;
    let plan = plan(&Method::GET, "", &response, metadata(LEN));
    assert_eq!(
        listed(&plan),
        [
            "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
            "etag: \"2a-64-2ebc98a1.5\"",
            "accept-ranges: bytes",
            "content-type: text/plain; charset=iso-8859-1",
            "cache-control: no-store",
            "set-cookie: a=1",
            "set-cookie: b=2",
            "content-disposition: inline",
        ]
    );
    for shown in [format!("{plan:?}"), format!("{response:?}")] {
        assert!(!shown.contains("a=1") && shown.contains("no-store"), "{shown}");
    }
    let fields = own(&[("expires", "0")]);
    response.headers = &fields;
    let plan = super::plan(&Method::GET, "", &response, metadata(LEN));
    assert_eq!((text(&plan, "expires"), plan.field("cache-control")), (Some("0"), None));
}

#[test]
fn application_validators_are_compared() {
    let fields = own(&[("etag", "W/\"v1\""), ("last-modified", LATER)]);
    let mut response = FileResponse::new("a.txt");
    response.headers = &fields;
    for (lines, status) in [
        ("If-None-Match: \"v1\"\r\n".to_owned(), 304),
        ("If-None-Match: \"2a-64-2ebc98a1.5\"\r\n".to_owned(), 200),
        ("If-Match: \"v1\"\r\n".to_owned(), 412),
        (format!("If-Modified-Since: {DATE}\r\n"), 200),
        (format!("If-Modified-Since: {LATER}\r\n"), 304),
        ("Range: bytes=0-1\r\nIf-Range: W/\"v1\"\r\n".to_owned(), 200),
        (format!("Range: bytes=0-1\r\nIf-Range: {LATER}\r\n"), 206),
    ] {
        assert_eq!(plan(&Method::GET, &lines, &response, metadata(LEN)).status, status, "{lines}");
    }
    // An invalid entity tag equals nothing.
    let fields = own(&[("etag", "v1")]);
    response.headers = &fields;
    assert_eq!(plan(&Method::GET, "If-None-Match: v1, \"v1\"\r\n", &response, metadata(LEN)).status, 200);
}

#[test]
fn entity_tag_differs_between_files_and_codings() {
    let tag = |metadata, coding| {
        let mut response = FileResponse::new("a.js");
        response.coding = coding;
        text(&plan(&Method::GET, "", &response, metadata), "etag").unwrap().to_owned()
    };
    let base = Metadata::new(100, Some(modified(MODIFIED, 5)), 42);
    let mut tags = vec![
        tag(base, None),
        tag(base, Some(Coding::Gzip)),
        tag(base, Some(Coding::Brotli)),
        tag(Metadata { len: 101, ..base }, None),
        tag(Metadata { inode: 43, ..base }, None),
        tag(Metadata { modified: Some(modified(MODIFIED + 1, 5)), ..base }, None),
        tag(Metadata { modified: Some(modified(MODIFIED, 6)), ..base }, None),
    ];
    assert_eq!(tag(base, Some(Coding::Identity)), tags[0]);
    assert!(tags.iter().all(|tag| !tag.starts_with("W/")));
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 7);
}

#[test]
fn etag_recipe_is_chosen_by_the_application() {
    let mut response = FileResponse::new("a.txt");
    for (recipe, tag) in [
        (EtagRecipe::WithInode, Some("\"2a-64-2ebc98a1.5\"")),
        (EtagRecipe::WithoutInode, Some("\"64-2ebc98a1.5\"")),
        (EtagRecipe::Off, None),
    ] {
        response.etag = recipe;
        assert_eq!(text(&plan(&Method::GET, "", &response, metadata(LEN)), "etag"), tag);
    }
    let unmodified = format!("If-Modified-Since: {DATE}\r\n");
    assert_eq!(plan(&Method::GET, &unmodified, &response, metadata(LEN)).status, 304);
    let any = plan(&Method::GET, "If-None-Match: \"2a-64-2ebc98a1.5\"\r\n", &response, metadata(LEN));
    assert_eq!((any.status.as_u16(), text(&any, "last-modified")), (200, Some(DATE)));
}

#[test]
fn coded_sibling_has_its_coding_vary_and_etag() {
    let fields = own(&[("vary", "cookie"), ("etag", "\"v1\"")]);
    for (coding, encoding, tag) in [
        (Coding::Identity, None, "\"v1\""),
        (Coding::Gzip, Some("gzip"), "\"v1-gzip\""),
        (Coding::Brotli, Some("br"), "\"v1-br\""),
        (Coding::Zstd, Some("zstd"), "\"v1-zstd\""),
    ] {
        let mut response = FileResponse::new("app.js");
        response.headers = &fields;
        response.coding = Some(coding);
        for (lines, status) in [(String::new(), 200), (format!("If-None-Match: {tag}\r\n"), 304)] {
            let plan = plan(&Method::GET, &lines, &response, metadata(LEN));
            assert_eq!(plan.status, status);
            assert_eq!(text(&plan, "etag"), Some(tag));
            let varies = plan.fields.iter().filter(|(name, _)| *name == header::VARY);
            let varies: Vec<_> = varies.map(|(_, value)| value.to_str().unwrap()).collect();
            assert_eq!(varies, ["accept-encoding", "cookie"]);
            if status == 200 {
                assert_eq!(text(&plan, "content-encoding"), encoding);
                assert_eq!(text(&plan, "content-type"), Some("text/javascript; charset=utf-8"));
            } else {
                assert_eq!(plan.field("content-encoding"), None);
            }
        }
    }
    assert_eq!(get("").field("vary"), None);
}

#[test]
fn svgz_is_gzip_coded_svg() {
    let fields = own(&[("content-type", "application/gzip")]);
    let plan = |response: &FileResponse<'_>, lines| super::plan(&Method::GET, lines, response, metadata(LEN));
    let mut response = FileResponse::new("a.svgz");
    let plain = plan(&response, "");
    assert_eq!(text(&plain, "content-type"), Some("image/svg+xml"));
    assert_eq!(text(&plain, "content-encoding"), Some("gzip"));
    assert_eq!((text(&plain, "vary"), text(&plain, "etag")), (None, Some("\"2a-64-2ebc98a1.5\"")));
    assert_eq!(text(&plan(&response, "Range: bytes=0-1\r\n"), "content-encoding"), Some("gzip"));
    assert_eq!(plan(&response, "If-None-Match: *\r\n").field("content-encoding"), None);
    response.coding = Some(Coding::Brotli);
    assert_eq!(text(&plan(&response, ""), "content-encoding"), Some("gzip, br"));
    response.coding = None;
    response.guess_mime = false;
    assert_eq!(plan(&response, "").field("content-encoding"), None);
    response.guess_mime = true;
    response.headers = &fields;
    assert_eq!(plan(&response, "").field("content-encoding"), None);
}

#[test]
fn media_type_and_filename_follow_the_settings() {
    let mut response = FileResponse::new("a.html");
    response.guess_mime = false;
    let plan = |response: &FileResponse<'_>| super::plan(&Method::GET, "", response, metadata(LEN));
    assert_eq!(text(&plan(&response), "content-type"), Some("application/octet-stream"));
    let types = MediaTypes::default().with("html", "a/own").unwrap().with("svgz", "a/gz").unwrap();
    response.types = Some(&types);
    assert_eq!(text(&plan(&response), "content-type"), Some("application/octet-stream"));
    response.guess_mime = true;
    assert_eq!(text(&plan(&response), "content-type"), Some("a/own"));
    let mut own_svgz = response;
    own_svgz.name = "a.svgz";
    assert_eq!(plan(&own_svgz).field("content-encoding"), None, "the type is that of the file as it is");
    response.types = None;
    response.disposition = Disposition::Inline;
    assert_eq!(plan(&response).field("content-disposition"), None);
    response.filename = Some("b.html");
    assert_eq!(text(&plan(&response), "content-disposition"), Some("inline; filename=\"b.html\""));
    response.disposition = Disposition::Attachment;
    response.filename = Some("\u{fc}.html\r\nX: y");
    assert_eq!(
        text(&plan(&response), "content-disposition"),
        Some("attachment; filename=\"_.html__X: y\"; filename*=UTF-8''%C3%BC.html__X%3A%20y")
    );
}

#[test]
fn application_fields_are_on_responses_without_the_file() {
    let fields = own(&[
        ("x-frame-options", "DENY"),
        ("content-security-policy", "default-src 'none'"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("allow", "POST"),
        ("content-type", "text/x-own"),
        ("content-encoding", "gzip"),
        ("content-disposition", "inline"),
        ("content-length", "5"),
        ("etag", "\"v1\""),
        ("last-modified", DATE),
        ("cache-control", "max-age=60"),
        ("expires", "0"),
    ]);
    let mut response = FileResponse::new("a.txt");
    response.headers = &fields;
    let policy = XSendfile::new("Set-Cookie", "/srv/www").unwrap();
    let headers = Headers::default();
    let request = FileRequest { method: &Method::GET, headers: &headers };
    let in_front = Plan::sendfile(request, &response, &policy, Path::new("/etc/passwd"), WALL);
    for (status, cookies, plan) in [
        (412, 2, plan(&Method::GET, "If-Match: \"x\"\r\n", &response, metadata(LEN))),
        (416, 2, plan(&Method::GET, "Range: bytes=100-\r\n", &response, metadata(LEN))),
        (405, 2, plan(&Method::POST, "", &response, metadata(LEN))),
        (404, 2, Plan::error(&Method::GET, FileError::NotFound).with_own_fields(&fields)),
        (301, 2, Plan::add_slash(&Method::HEAD, "/a", "").with_own_fields(&fields)),
        (404, 0, in_front),
    ] {
        assert_eq!(plan.status, status);
        let cookie = |(name, _): &&Field| *name == header::SET_COOKIE;
        assert_eq!(plan.fields.iter().filter(cookie).count(), cookies, "{status}");
        assert_eq!(text(&plan, "x-frame-options"), Some("DENY"), "{status}");
        assert_eq!(text(&plan, "content-security-policy"), Some("default-src 'none'"), "{status}");
        assert_eq!(text(&plan, "content-type"), Some("text/plain; charset=utf-8"), "{status}");
        assert_eq!(text(&plan, "allow"), Some(if status == 405 { "GET, HEAD" } else { "POST" }), "{status}");
        for name in [
            "content-encoding",
            "content-disposition",
            "content-length",
            "etag",
            "last-modified",
            "cache-control",
            "expires",
        ] {
            assert_eq!(plan.field(name), None, "{status} {name}");
        }
    }
}

/// Tests RFC 9110 section 8.8.2.1, and dates that no field can represent.
#[test]
fn unrepresentable_dates_are_clamped() {
    let headers = Headers::default();
    let request = FileRequest { method: &Method::GET, headers: &headers };
    for (changed, wall, last_modified, expires) in [
        (WALL.as_secs() + 5, MODIFIED, DATE, "Sun, 13 Nov 1994 08:49:37 GMT"),
        (0, 0, "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 08 Jan 1970 00:00:00 GMT"),
        (u64::MAX, u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        let file = Metadata::new(LEN, Some(modified(changed, 999_999_999)), u64::MAX);
        let plan = Plan::new(request, &FileResponse::new("a"), file, UnixTime::from_secs(wall), ENTROPY);
        assert_eq!((text(&plan, "last-modified"), text(&plan, "expires")), (Some(last_modified), Some(expires)));
    }
}

#[test]
fn other_methods_are_405() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", "PROPFIND"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        // Preconditions are ignored if the response without them is not 2xx (section 13.2.1).
        for lines in ["", "If-Match: \"x\"\r\n", "If-None-Match: *\r\n", "Range: bytes=500-\r\n"] {
            let plan = plan(&method, lines, &FileResponse::new("a.txt"), metadata(LEN));
            assert_eq!((plan.status.as_u16(), text(&plan, "allow")), (405, Some("GET, HEAD")), "{method}");
            assert!(plan.segments.iter().all(|segment| matches!(segment, Segment::Bytes(_))));
        }
    }
}

#[test]
fn io_errors_have_their_status() {
    use std::io::ErrorKind;
    for (kind, status) in [
        (ErrorKind::NotFound, 404),
        (ErrorKind::NotADirectory, 404),
        (ErrorKind::InvalidFilename, 404),
        (ErrorKind::InvalidInput, 404),
        (ErrorKind::PermissionDenied, 403),
        (ErrorKind::OutOfMemory, 500),
        (ErrorKind::Other, 500),
    ] {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let plan = Plan::error(&method, FileError::from(kind));
            check(&plan, &method, 0);
            assert_eq!(plan.status, status, "{kind}");
            assert_eq!(text(&plan, "content-type"), Some("text/plain; charset=utf-8"));
        }
    }
}

#[test]
fn proxy_sends_the_file() {
    let policy = XSendfile::new("X-Accel-Redirect", "/srv/www").unwrap().prefix("/p").unwrap();
    // Request fields have no influence, and the application cannot add the field a second time.
    let headers = Headers::parse(b"X-Accel-Redirect: /x\r\nX-Sendfile-Type: x\r\nRange: bytes=0-1\r\n\r\n").unwrap();
    let fields = own(&[("x-accel-redirect", "/y"), ("x-own", "1")]);
    let mut response = FileResponse::new("a.txt");
    response.filename = Some("b.txt");
    response.headers = &fields;
    let respond = |method: &Method, path: &str| {
        let plan = Plan::sendfile(FileRequest { method, headers: &headers }, &response, &policy, Path::new(path), WALL);
        check(&plan, method, 0);
        plan
    };
    for method in [Method::GET, Method::HEAD] {
        let plan = respond(&method, "/srv/www/a.txt");
        assert_eq!((plan.status.as_u16(), plan.content_length), (200, Some(0)));
        assert_eq!(
            listed(&plan),
            [
                "content-type: text/plain; charset=utf-8",
                "content-disposition: attachment; filename=\"b.txt\"",
                "cache-control: max-age=604800",
                "expires: Thu, 24 Nov 1994 22:36:17 GMT",
                "x-own: 1",
                "x-accel-redirect: /p/a.txt",
            ]
        );
    }
    for (method, path, status) in [(Method::GET, "/etc/passwd", 404), (Method::POST, "/srv/www/a.txt", 405)] {
        let plan = respond(&method, path);
        assert_eq!(plan.status, status);
        assert_eq!(plan.field("x-accel-redirect"), None);
    }
}

#[test]
fn field_names_have_canonical_case() {
    let fields = own(&[("x-own", " 1 "), ("set-cookie", "a=1"), ("set-cookie", "b=2")]);
    let mut response = FileResponse::new("a.txt");
    response.headers = &fields;
    response.coding = Some(Coding::Gzip);
    response.filename = Some("b.txt");
    for lines in ["", "Range: bytes=0-0\r\n", "Range: bytes=0-0,2-2\r\n", "If-Match: \"x\"\r\n"] {
        let plan = plan(&Method::GET, lines, &response, metadata(LEN));
        let mut sent = FieldLines::new();
        plan.append_fields(&mut sent).unwrap();
        let planned = plan.fields.iter();
        let expected: Vec<_> = planned
            .map(|(name, value)| (CanonicalName::new(name.as_str()).to_string(), value.to_str().unwrap().trim()))
            .collect();
        let sent: Vec<_> =
            sent.iter().map(|(name, value)| (name.to_owned(), core::str::from_utf8(value).unwrap())).collect();
        assert_eq!(sent, expected);
    }
}

#[test]
fn contradicting_framing_field_is_misuse() {
    let mut plan = get("");
    plan.fields.extend(own(&[("transfer-encoding", "gzip")]));
    assert_eq!(plan.append_fields(&mut FieldLines::new()), Err(Misuse::Framing("Transfer-Encoding")));
}

#[test]
fn entropy_is_used_only_for_several_ranges() {
    for (lines, several) in [
        ("", false),
        ("Range: bytes=0-1\r\n", false),
        ("Range: bytes=0-1,3-4\r\n", true),
        ("Range: bytes=0-1\r\nRange: bytes=3-4,5-6\r\n", true),
    ] {
        let headers = Headers::parse(format!("{lines}\r\n").as_bytes()).unwrap();
        let request = FileRequest { method: &Method::GET, headers: &headers };
        assert_eq!(request.asks_for_several_ranges(), several, "{lines}");
        let response = FileResponse::new("a");
        let plans = [[0; 16], [1; 16]]
            .map(|entropy| Plan::new(request, &response, metadata(LEN), UnixTime::default(), entropy));
        assert!(several || plans[0] == plans[1]);
    }
}

#[test]
fn slash_redirect_stays_on_this_server() {
    let location = |path, query| {
        let plan = Plan::add_slash(&Method::HEAD, path, query);
        assert_eq!((plan.status.as_u16(), plan.segments.len()), (301, 0));
        plan.field("location").unwrap().to_str().unwrap().to_owned()
    };
    for (path, query, expected) in [
        ("/a", "", "/a/"),
        ("/a%2F", "b=//c", "/a%2F/?b=//c"),
        ("//evil.example", "", "/evil.example/"),
        ("/\\/\\evil.example", "", "/evil.example/"),
        ("", "a", "/?a"),
        ("//", "", "/"),
    ] {
        assert_eq!(location(path, query), expected, "{path}");
    }
    assert_eq!(Plan::add_slash(&Method::GET, "/a\n", "").status, 404);
    assert_eq!(Plan::add_slash(&Method::PUT, "/a", "").status, 405);
}
