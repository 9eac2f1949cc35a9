//! The check of the origin of a page that opens a WebSocket (RFC 6455 section 10.2).

/// The origins whose pages may open a WebSocket.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    any: bool,
    /// Allowed origins in addition to those of the same host, in lower case.
    allowed: Vec<String>,
}

impl Origins {
    pub(super) fn allow_any(&mut self) {
        self.any = true;
    }

    /// Allows this origin, also if it is written as a URL or with the port of its scheme: browsers
    /// send neither the slash nor that port.
    pub(super) fn allow(&mut self, origin: &str) {
        let origin = origin.trim().trim_end_matches('/').to_ascii_lowercase();
        let own_port = if origin.starts_with("https://") { ":443" } else { ":80" };
        self.allowed.push(origin.strip_suffix(own_port).unwrap_or(&origin).to_owned());
    }

    /// Returns whether a request for this host with these Origin fields is allowed.
    pub(super) fn permit<'a>(&self, mut fields: impl Iterator<Item = &'a [u8]>, host: &str) -> bool {
        let Some(origin) = fields.next() else { return true };
        if self.any {
            return true;
        }
        let origin = str::from_utf8(origin).unwrap_or_default().to_ascii_lowercase();
        fields.next().is_none() && (self.allowed.contains(&origin) || is_of_host(&origin, host))
    }
}

/// Returns whether the origin has this host and port. The schemes of the page and of the WebSocket
/// are not compared, because a proxy may terminate TLS.
fn is_of_host(origin: &str, host: &str) -> bool {
    let (default, authority) = match origin.split_once("://") {
        Some(("https", authority)) => ("443", authority),
        Some(("http", authority)) => ("80", authority),
        _ => return false,
    };
    let host = host.to_ascii_lowercase();
    !host.is_empty() && parts(authority, default) == parts(&host, default)
}

/// Splits a host in lower case from its port.
fn parts<'a>(authority: &'a str, default: &'a str) -> (&'a str, &'a str) {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, if port.is_empty() { default } else { port }),
        _ => (authority, default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_same_host_are_permitted() {
        for (origin, host, expected) in [
            ("https://example.com", "example.com", true),
            ("http://example.com", "example.com", true),
            ("https://EXAMPLE.com", "Example.COM", true),
            ("https://example.com:443", "example.com", true),
            ("https://example.com", "example.com:443", true),
            ("http://example.com", "example.com:80", true),
            ("http://example.com:8080", "example.com:8080", true),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("http://[::1]", "[::1]", true),
            ("http://example.com", "example.com:8080", false),
            ("http://example.com:8080", "example.com", false),
            ("https://example.com", "example.com:80", false),
            ("https://example.org", "example.com", false),
            ("https://example.com.evil.org", "example.com", false),
            ("https://evil.org/example.com", "example.com", false),
            ("https://user@example.com", "example.com", false),
            ("null", "null", false),
            ("example.com", "example.com", false),
            ("file://example.com", "example.com", false),
            ("https://", "", false),
            ("", "", false),
        ] {
            let permitted = Origins::default().permit([origin.as_bytes()].into_iter(), host);
            assert_eq!(permitted, expected, "{origin} {host}");
        }
    }

    #[test]
    fn further_pages_are_permitted_by_name() {
        let mut origins = Origins::default();
        let foreign: &[u8] = b"https://App.example.org";
        assert!(origins.permit([].into_iter(), "example.com"));
        assert!(!origins.permit([foreign].into_iter(), "example.com"));
        origins.allow("HTTPS://app.example.org");
        assert!(origins.permit([foreign].into_iter(), "example.com"));
        assert!(!origins.permit([foreign, foreign].into_iter(), "example.com"));
        for (allowed, origin, expected) in [
            ("https://app.example.org/", "https://app.example.org", true),
            ("https://app.example.org:443", "https://app.example.org", true),
            ("http://[::1]:80/", "http://[::1]", true),
            ("https://app.example.org:8443/", "https://app.example.org:8443", true),
            ("https://app.example.org:80", "https://app.example.org", false),
            ("http://app.example.org:443", "http://app.example.org", false),
            ("http://app.example.org", "https://app.example.org", false),
        ] {
            let mut origins = Origins::default();
            origins.allow(allowed);
            let permitted = origins.permit([origin.as_bytes()].into_iter(), "example.com");
            assert_eq!(permitted, expected, "{allowed} {origin}");
        }
        origins.allow_any();
        assert!(origins.permit([&b"\xff"[..], foreign].into_iter(), "example.com"));
    }
}
