//! Tests of `RequestBuilder`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use httpants_driver::protocol::{Now, UnixTime};
use httpants_driver::runtime::Runtime;
use httpants_driver::{Address, BuildRequestError, ConnectionInfo, KeyRing, Request, RequestBuilder, XHeaders};
use httpants_testkit::memory::Memory;

fn wait<T>(future: impl Future<Output = T>) -> T {
    Memory::new().block_on(future).unwrap()
}

#[test]
fn defaults_are_a_get_without_a_body() {
    let request = Request::builder().build().unwrap();
    assert_eq!((request.method().as_str(), request.path(), request.protocol()), ("GET", "/", "HTTP/1.1"));
    assert_eq!(
        (request.host(), request.has_body(), request.body().map(|body| body.len())),
        ("localhost", false, Some(0))
    );
    assert!(!request.is_peer_closed());
}

#[test]
fn built_request_equals_one_from_a_connection() {
    let keys = KeyRing::new(["secret"]).unwrap();
    let proxy = ConnectionInfo::new(Address::Ip("192.0.2.9:1".parse().unwrap()), Address::Unknown);
    let mut request = Request::builder()
        .method("PUT")
        .target("http://example.com/a?b=c")
        .header("Host", "example.com")
        .header("X-Forwarded-For", "198.51.100.7")
        .header("Cookie", "a=1; b=2")
        .xheaders(XHeaders::TrustAll)
        .cookie_keys(keys)
        .connection_info(proxy)
        .body(vec![b'x'; 20 << 20])
        .build()
        .unwrap();
    assert_eq!(
        (request.full_url(), request.remote_ip()),
        ("http://example.com/a?b=c".into(), "198.51.100.7".parse().ok())
    );
    assert_eq!(request.query_param("b").as_deref(), Some("c"));
    assert_eq!(wait(request.bytes()).unwrap().len(), 20 << 20);
}

#[test]
fn signed_cookies_have_the_given_keys() {
    let keys = KeyRing::new(["secret"]).unwrap();
    let now = UnixTime::try_from(std::time::SystemTime::now()).unwrap();
    let pair = format!("user={}", keys.sign("user", "Ada", now, KeyRing::LIFETIME));
    let read = |builder: RequestBuilder| builder.header("Cookie", &pair).build().unwrap().signed_cookie("user");
    assert_eq!(read(Request::builder().cookie_keys(keys)), Some(b"Ada".to_vec()));
    assert_eq!(read(Request::builder()), None);
}

#[test]
fn multipart_forms_are_parsed_and_large_files_stored() {
    let file = "x".repeat(1 << 20);
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
         --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\n{file}\r\n--b--\r\n"
    );
    let builder = Request::builder().method("POST").header("Content-Type", "multipart/form-data; boundary=b");
    let request = builder.body(body).build().unwrap();
    assert_eq!(request.post().get("a"), Some("1"));
    assert_eq!(request.files().get("f").unwrap().len(), 1 << 20);
}

#[test]
fn chunked_bodies_are_decoded() {
    let builder = Request::builder().method("POST").header("Transfer-Encoding", "chunked");
    let request = builder.body("3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n").build().unwrap();
    assert_eq!(request.body().map(|body| &body[..]), Some(&b"abc"[..]));
    assert_eq!(request.trailers().get("X-Sum"), Some(&b"7"[..]));
}

#[test]
fn invalid_requests_are_errors() {
    let get = Request::builder;
    let post = || get().method("POST");
    assert!(matches!(get().method("A B").build(), Err(BuildRequestError::Method)));
    for target in ["", "/a b", "/\r\nX: y", "/\u{7f}"] {
        assert!(matches!(get().target(target).build(), Err(BuildRequestError::Target)), "{target:?}");
    }
    assert!(matches!(get().header("A", "b\r\nc: d").build(), Err(BuildRequestError::Field(_))));
    assert!(matches!(get().target("a").build(), Err(BuildRequestError::Refused(_))));
    assert!(matches!(get().header("Host", "a b").build(), Err(BuildRequestError::Refused(_))));
    assert!(matches!(post().header("Content-Length", "4").body("abc").build(), Err(BuildRequestError::Length)));
    for body in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "abcd"] {
        assert!(post().header("Content-Length", "0").body(body).build().is_err(), "{body}");
    }
    let chunked = || post().header("Transfer-Encoding", "chunked");
    assert!(chunked().body("1\r\na\r\n0\r\n\r\n").build().is_ok());
    assert!(matches!(chunked().body("1\r\na\r\n0\r\n\r\nGET").build(), Err(BuildRequestError::Length)));
    assert!(matches!(chunked().body("1\r\na\r\n").build(), Err(BuildRequestError::Length)));
    let form = post().header("Content-Type", "multipart/form-data; boundary=b").body("--b\r\n");
    assert!(matches!(form.build(), Err(BuildRequestError::Form(_))));
}

#[test]
fn responder_of_a_built_request_accepts_a_response() {
    let request = Request::builder().build().unwrap();
    let mut responder = request.responder();
    responder.send_status(200).unwrap();
    responder.send_headers([("Content-Type", "text/plain")], true).unwrap();
    let response = wait(async {
        responder.send("hello").await?;
        responder.finish().await
    });
    assert!(response.is_ok());
    assert_ne!(request.head().received(), Now::default());
}

#[test]
fn https_url_has_the_host_and_the_given_port() {
    let of = |host: &str, target: &str, method: &str| {
        Request::builder().method(method).target(target).header("Host", host).build().unwrap()
    };
    for (host, target, expected) in [
        ("a.example", "/", Some("https://a.example/")),
        ("A.example:80", "/b?c=//d", Some("https://A.example/b?c=//d")),
        ("[::1]:8080", "//evil.example/", Some("https://[::1]//evil.example/")),
        ("a:", "http://b.example:1/c", Some("https://b.example/c")),
        ("", "/", None),
        ("a", "*", None),
    ] {
        let method = if target == "*" { "OPTIONS" } else { "GET" };
        assert_eq!(of(host, target, method).https_url(443).as_deref(), expected, "{host} {target}");
    }
    assert_eq!(of("[::1]:1", "/a", "POST").https_url(8443).as_deref(), Some("https://[::1]:8443/a"));
    assert_eq!(of("a:1", "a:1", "CONNECT").https_url(443), None);
    let mut info = ConnectionInfo::default();
    info.secure = true;
    assert_eq!(Request::builder().connection_info(info).build().unwrap().https_url(443), None);
    let proxied = Request::builder().xheaders(XHeaders::TrustAll).header("X-Forwarded-Proto", "https");
    assert_eq!(proxied.build().unwrap().https_url(443), None);
}

#[test]
fn path_segments_can_be_matched() {
    let of = |target: &str| Request::builder().target(target).build().unwrap().path_segments();
    assert!(matches!(of("/users/%c3%a9%2F").to_vec()[..], ["users", "\u{e9}/"]));
    assert!(matches!(of("/").to_vec()[..], [""]));
    assert!(matches!(of("//a/").to_vec()[..], ["", "a", ""]));
    let options = Request::builder().method("OPTIONS").target("*").build().unwrap().path_segments();
    assert!(options.to_vec().is_empty());
    assert_eq!(format!("{:?}", of("/a/b")), r#"["a", "b"]"#);
    let segments = of("/a%2Fb//c");
    assert_eq!(((&segments).into_iter().collect::<Vec<_>>(), segments.iter().len()), (vec!["a/b", "", "c"], 3));
}
