//! Tests of the page at `/`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::demo::Demo;

#[test]
fn page_is_sent_only_if_html_is_accepted() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";
    for accept in [browser, "Accept: TEXT/HTML;q=0.5\r\n", "Accept: a/b\r\nAccept: text/html\r\n"] {
        let page = client.request("GET", "/?q=1", accept, "");
        assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")), "{accept}");
        assert!(page.text().starts_with("<!doctype html>"));
        assert_eq!(page.header("Vary"), Some("Accept"));
    }
    for accept in ["", "Accept: */*\r\n", "Accept: text/htmlx\r\n", "Accept: x=\"text/html\"\r\n"] {
        assert_eq!(client.request("GET", "/", accept, "").json()["path"], "/", "{accept}");
    }
    assert_eq!(client.request("GET", "/other", browser, "").json()["path"], "/other");
    assert_eq!(client.request("POST", "/", browser, "").json()["method"], "POST");
}

#[test]
fn page_has_no_external_assets() {
    let demo = Demo::start(&[]);
    let page = demo.connect().request("GET", "/", "Accept: text/html\r\n", "");
    for foreign in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.text().contains(foreign), "{foreign}");
    }
}

#[test]
fn policy_allows_only_the_style_and_script_of_the_page() {
    let demo = Demo::start(&[]);
    let page = demo.connect().request("GET", "/", "Accept: text/html\r\n", "");
    let policy: Vec<_> = page.header("Content-Security-Policy").unwrap().split("; ").collect();
    for (name, directive) in [("style", "style-src"), ("script", "script-src")] {
        let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
        let parts: Vec<_> = page.text().split(&begin).collect();
        let &[_, part] = &parts[..] else { panic!("one {name}: {}", parts.len()) };
        let hash = STANDARD.encode(Sha256::digest(part.split_once(&end).unwrap().0));
        assert!(policy.contains(&&*format!("{directive} 'sha256-{hash}'")), "{policy:?}");
    }
    for directive in
        ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]
    {
        assert!(policy.contains(&directive), "{policy:?}");
    }
    assert!(!page.header("Content-Security-Policy").unwrap().contains("unsafe"));
    // Inline code would need its own hash in the policy.
    for inline in [" style=", " onclick=", " onload=", "javascript:"] {
        assert!(!page.text().contains(inline), "{inline}");
    }
    assert_eq!(page.header("X-Content-Type-Options"), Some("nosniff"));
}
