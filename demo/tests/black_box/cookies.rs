//! Tests of plain and signed cookies.

use serde_json::{Value, json};

use crate::client::{Client, Response};
use crate::demo::Demo;

/// Returns the `NAME=VALUE` of each cookie that was set.
fn set_cookies(response: &Response) -> Vec<&str> {
    let fields = response.headers.iter().filter(|(name, _)| name == "Set-Cookie");
    fields.map(|(_, value)| value.split(';').next().unwrap()).collect()
}

/// Returns the signed cookie that this query requests, as it is sent back.
fn signed(client: &mut Client, query: &str) -> String {
    let response = client.get(&format!("/cookie/set-secure?{query}"));
    assert_eq!(response.status, 200);
    let attributes = response.header("Set-Cookie").unwrap();
    assert!(attributes.contains("; HttpOnly") && attributes.contains("; Path=/"), "{attributes}");
    set_cookies(&response).concat()
}

/// Returns the value of this cookie as the demo verified it.
fn verified(client: &mut Client, name: &str, cookie: &str) -> Value {
    let fields = format!("Cookie: {cookie}\r\n");
    let response = client.request("GET", &format!("/cookie/get-secure?name={name}"), &fields, "");
    assert_eq!(response.status, 200);
    response.json()["value"].clone()
}

#[test]
fn cookies_are_set_and_received_unchanged() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let response = client.get("/cookie/set?a=1&b=two&a=3");
    assert_eq!((response.status, set_cookies(&response)), (200, vec!["a=3", "b=two"]));
    assert_eq!(set_cookies(&client.get("/cookie/set")), Vec::<&str>::new());
    let fields = "Cookie: a=1; b=\"two\"; a=2\r\nCookie: c=\r\n";
    let cookies = client.request("GET", "/x", fields, "").json()["cookies"].clone();
    assert_eq!(cookies, json!({"a": "1", "b": "two", "c": ""}));
}

#[test]
fn invalid_cookie_values_are_refused() {
    let demo = Demo::start(&[]);
    for query in ["a=b%0D%0AX-Injected:+1", "a=b%3B+Domain%3Dexample.com", "a%20b=c", "%0A=c", "__Host-%3D=c"] {
        let mut client = demo.connect();
        let response = client.get(&format!("/cookie/set?{query}"));
        assert_eq!((response.status, set_cookies(&response).len()), (400, 0), "{query}");
        assert_eq!(response.header("X-Injected"), None);
        assert_eq!(client.get("/plaintext").status, 200);
    }
}

#[test]
fn signed_cookie_verifies_and_altered_one_does_not() {
    let demo = Demo::start(&["--cookie-secret", "long ago"]);
    let mut client = demo.connect();
    let cookie = signed(&mut client, "name=user&value=J%C3%B6+%3B%22%0A");
    assert_eq!(verified(&mut client, "user", &cookie), json!("Jö ;\"\n"));
    assert_eq!(verified(&mut client, "other", &cookie), Value::Null);
    let moved = cookie.replacen("user", "other", 1);
    assert_eq!(verified(&mut client, "other", &moved), Value::Null);
    for position in "user=".len()..cookie.len() {
        let mut altered = cookie.clone().into_bytes();
        altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(verified(&mut client, "user", &altered), Value::Null, "{altered}");
    }
    for junk in ["user=", "user=plain", "user=....", "user=\"\"", &format!("{cookie}="), &cookie[..cookie.len() - 1]] {
        assert_eq!(verified(&mut client, "user", junk), Value::Null, "{junk}");
    }
}

#[test]
fn signed_cookie_is_samesite_lax_and_secure_over_https() {
    let demo = Demo::start(&["--xheaders", "127.0.0.1"]);
    let mut client = demo.connect();
    for (name, scheme, secure) in [
        ("user", "http", false),
        ("user", "https", true),
        ("__Host-user", "http", true),
        ("__Host-user", "https", true),
    ] {
        let fields = format!("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: {scheme}\r\n");
        let response = client.request("GET", &format!("/cookie/set-secure?name={name}&value=jo"), &fields, "");
        let cookie = response.header("Set-Cookie").unwrap();
        assert!(cookie.contains("; SameSite=Lax") && cookie.contains("; Path=/"), "{cookie}");
        assert_eq!((cookie.contains("; Secure"), cookie.contains("; Domain")), (secure, false), "{cookie}");
    }
}

#[test]
fn signed_cookie_expires() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let month = client.get("/cookie/set-secure?name=a&value=b");
    assert!(month.header("Set-Cookie").unwrap().contains("; Max-Age=2592000"));
    let lasting = signed(&mut client, "name=user&value=jo&expires=3600");
    let expired = signed(&mut client, "name=user&value=jo&expires=0");
    assert_eq!(verified(&mut client, "user", &lasting), json!("jo"));
    assert_eq!(verified(&mut client, "user", &expired), Value::Null);
    let brief = signed(&mut client, "name=user&value=jo&expires=1");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(verified(&mut client, "user", &brief), Value::Null);
}

#[test]
fn cookie_secrets_can_be_rotated() {
    let old = Demo::start(&["--cookie-secret", "old"]);
    let both = Demo::start(&["--cookie-secret", "new", "--cookie-secret", "old"]);
    let new = Demo::start(&["--cookie-secret", "new"]);
    let by_old = signed(&mut old.connect(), "name=user&value=jo");
    let by_both = signed(&mut both.connect(), "name=user&value=jo");
    for (demo, of_old, of_both) in
        [(&old, json!("jo"), json!(null)), (&both, json!("jo"), json!("jo")), (&new, json!(null), json!("jo"))]
    {
        assert_eq!(verified(&mut demo.connect(), "user", &by_old), of_old);
        assert_eq!(verified(&mut demo.connect(), "user", &by_both), of_both);
    }
}

#[test]
fn cookie_secrets_are_read_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets");
    let (new, old) = ("n".repeat(32), "o".repeat(32));
    std::fs::write(&path, format!("{new}\n{old}\n")).unwrap();
    let both = Demo::start(&["--cookie-secret-file", path.to_str().unwrap()]);
    let by_both = signed(&mut both.connect(), "name=user&value=jo");
    for (secret, of_both) in [(&new, json!("jo")), (&old, json!(null))] {
        let one = Demo::start(&["--cookie-secret", secret]);
        let by_one = signed(&mut one.connect(), "name=user&value=jo");
        assert_eq!(verified(&mut both.connect(), "user", &by_one), json!("jo"));
        assert_eq!(verified(&mut one.connect(), "user", &by_both), of_both);
    }
}

#[test]
fn default_cookie_secret_is_random_per_process() {
    let (one, other) = (Demo::start(&[]), Demo::start(&[]));
    let cookie = signed(&mut one.connect(), "name=user&value=jo");
    assert_eq!(verified(&mut one.connect(), "user", &cookie), json!("jo"));
    assert_eq!(verified(&mut other.connect(), "user", &cookie), Value::Null);
}

#[test]
fn invalid_query_parameters_are_400() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let too_long = format!("/cookie/set-secure?name=a&value={}", "x".repeat(5000));
    for path in [
        "/cookie/set-secure?value=x",
        "/cookie/set-secure?name=a%20b&value=x",
        "/cookie/set-secure?name=a&value=x&expires=soon",
        "/cookie/set-secure?name=a&value=x&expires=-1",
        "/cookie/get-secure",
        &too_long,
    ] {
        let response = client.get(path);
        assert_eq!((response.status, response.header("Set-Cookie")), (400, None), "{path}");
    }
    let longest = signed(&mut client, &format!("name=a&value=x&expires={}", u64::MAX));
    assert_eq!(verified(&mut client, "a", &longest), json!("x"));
}
