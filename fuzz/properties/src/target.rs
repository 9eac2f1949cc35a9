//! The property of request targets, their hosts, and the paths below a root (RFC 9112 section 3.2).

use std::path::{Component, Path};
use std::sync::Arc;

use http::Uri;
use httpants_core::files::{FileError, FileKind, Lookup, RelativePath, below_root};
use httpants_core::proxy::ProxyPolicy;
use httpants_core::{CloseReason, Config, RequestHead};

use crate::oracle::head::{self, Verdict};
use crate::split::Cut;
use crate::visit::visit;

/// Checks a request target. The first byte chooses the method and whether only the characters of
/// RFC 3986 are allowed; the rest is the target.
///
/// The verdict is that of [`oracle::head`](crate::oracle::head); the parts of a target, joined, are
/// the target; if `http::Uri` also accepts it, its parts are the same; no path leads outside a
/// root.
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
    let [choices, target @ ..] = data else { return };
    let method = ["GET", "OPTIONS", "CONNECT", "HEAD"][usize::from(choices & 3)];
    let mut config = Config::default();
    config.strict_target = choices & 4 == 4;
    let bytes = [method.as_bytes(), b" ", target, b" HTTP/1.1\r\nHost: host.example:81\r\n\r\n"].concat();
    let config = Arc::new(config);
    let visit = visit(&config, &bytes, Cut::Whole, true);
    let Some(first) = visit.received.first() else {
        let verdict = head::read(&bytes, &config);
        let Some(CloseReason::Refused(fault)) = visit.closed else {
            return assert_eq!(verdict, Verdict::NeedMore, "{:?}", visit.closed);
        };
        let status = fault.status().as_u16();
        return assert!(verdict == Verdict::Refused(status) || verdict == Verdict::Endless, "{fault:?}, {verdict:?}");
    };
    let request = &first.request;
    assert!(matches!(head::read(&bytes, &config), Verdict::Request(_)), "{request:?}");
    if request.target().as_bytes() == target {
        parts(request);
        same_as_uri(request);
    }
    below(request.path());
    below_decoded(&String::from_utf8_lossy(target));
}

/// Checks that the parts of a target, joined, are the target.
fn parts(request: &RequestHead) {
    let target = request.target();
    let connect = request.method() == "CONNECT";
    let (authority, origin) = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') && !connect => {
            let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let of_the_server = at == rest.len() && request.method() == "OPTIONS";
            (Some(&rest[..at]), if of_the_server { "*" } else { &rest[at..] })
        }
        _ => (None, target),
    };
    assert_eq!(request.host(), authority.unwrap_or("host.example:81"));
    if connect {
        assert_eq!((request.url(), request.path(), request.query(), request.fragment()), (target, "", "", ""));
    } else {
        let slash = if origin.starts_with('/') || origin == "*" { "" } else { "/" };
        assert_eq!(request.url(), format!("{slash}{origin}"));
        let (before, fragment) = origin.split_once('#').unwrap_or((origin, ""));
        let (path, query) = before.split_once('?').unwrap_or((before, ""));
        assert_eq!(request.path(), format!("{slash}{path}"));
        assert_eq!((request.query(), request.fragment()), (query, fragment));
        let url = if origin == "*" { "" } else { request.url() };
        assert_eq!(ProxyPolicy::default().client(request).full_url(), format!("http://{}{url}", request.host()));
    }
    let decoded = percent_encoding::percent_decode_str(request.path()).decode_utf8_lossy();
    assert_eq!(request.decoded_path(), decoded);
    assert!(!request.hostname().bytes().any(|byte| byte.is_ascii_uppercase()));
    let name = request.host().trim_start_matches('[').to_ascii_lowercase();
    assert!(name.starts_with(&*request.hostname()), "{} of {}", request.hostname(), request.host());
}

/// Checks that `http::Uri` splits a target in the same way.
///
/// If `http::Uri` does not accept a target (certain characters that browsers send, more than 65,534
/// bytes), the conversion encodes it. It drops a fragment, and an empty path becomes `/`.
fn same_as_uri(request: &RequestHead) {
    let converted = http::Request::<()>::from(request);
    let uri = converted.uri();
    assert_eq!((converted.method(), converted.version()), (request.method(), request.version()));
    assert_eq!(converted.headers().len(), request.headers().len());
    let Ok(own) = request.target().parse::<Uri>() else { return };
    assert_eq!(*uri, own);
    if request.method() == "CONNECT" {
        return assert_eq!(uri.authority().map(|authority| authority.as_str()), Some(request.target()));
    }
    // For http::Uri, `*` is a path, as in the core; so is a target that begins with two slashes. It
    // does not handle the special meaning of an absolute form without a path for OPTIONS.
    let of_the_server = uri.authority().is_some() && request.path() == "*";
    assert_eq!(uri.path(), if of_the_server { "/" } else { request.path() });
    assert_eq!(uri.query().unwrap_or_default(), request.query());
    if let Some(authority) = uri.authority() {
        assert_eq!(authority.as_str(), request.host());
    }
}

/// Checks that a path of a request stays below the root or is refused.
fn below(path: &str) {
    if let Ok(resolved) = RelativePath::resolve(path.strip_prefix('/').unwrap_or(path)) {
        stays_below(&resolved);
        let decoded = percent_encoding::percent_decode_str(path.strip_prefix('/').unwrap_or(path));
        assert_eq!(resolved.as_str().trim_end_matches('/'), decoded.decode_utf8().unwrap().trim_end_matches('/'));
    }
}

fn below_decoded(path: &str) {
    if let Ok(resolved) = RelativePath::resolve_decoded(path) {
        stays_below(&resolved);
    }
}

fn stays_below(resolved: &RelativePath) {
    let root = Path::new("/srv/root");
    let path = resolved.under(root);
    assert!(path.starts_with(root), "{path:?}");
    let below = path.strip_prefix(root).unwrap();
    assert!(below.components().all(|component| matches!(component, Component::Normal(_))), "{path:?}");
    let text = resolved.as_str();
    assert!(!text.contains(['\0', '\\']) && !text.split('/').any(|name| name == ".."), "{text:?}");
    assert_eq!(below_root(root, &path), (!text.is_empty()).then_some(below));
    assert!(text.ends_with(resolved.name()) && !resolved.name().contains('/'));
    for kind in [FileKind::File, FileKind::Directory, FileKind::Other] {
        match resolved.clone().lookup(kind) {
            Ok(Lookup::Send(file)) => assert!(file == *resolved && kind == FileKind::File),
            Ok(Lookup::Directory(directory)) => {
                assert!(directory == *resolved && kind == FileKind::Directory);
                let index = directory.index("index.html").unwrap();
                assert!(index.under(root).starts_with(&path) && index.name() == "index.html");
                assert!(index.lookup(FileKind::Directory).is_err(), "an index that is a directory");
            }
            Err(fault) => assert_eq!(fault, FileError::NotFound),
        }
    }
}
