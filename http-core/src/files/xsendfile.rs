//! Files that a proxy sends: X-Sendfile, X-Accel-Redirect.

use std::path::{Path, PathBuf};

use http::HeaderValue;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRAILER, TRANSFER_ENCODING};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::Misuse;

use super::path::below_root;
use super::response::Field;

/// The characters that are encoded in a path: all except `unreserved` (RFC 3986 section 2.3) and
/// the slash.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The field by which a proxy learns which file to send (`sendfile`, `sendfile_prefix` and
/// `file_root` in Pants).
///
/// It is set only by the configuration. A request cannot enable it or choose the field, because
/// such a client could read every file that the proxy can read.
///
/// ```
/// use httpants_core::files::XSendfile;
/// use std::path::Path;
///
/// // nginx: location /protected/ { internal; alias /srv/www/; }
/// let policy = XSendfile::new("X-Accel-Redirect", "/srv/www")?.prefix("/protected")?;
/// let (name, value) = policy.field(Path::new("/srv/www/a b.txt")).unwrap();
/// assert_eq!((name.as_str(), value.to_str()?), ("x-accel-redirect", "/protected/a%20b.txt"));
/// assert_eq!(policy.field(Path::new("/etc/passwd")), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XSendfile {
    header: HeaderName,
    root: PathBuf,
    prefix: Option<String>,
    is_escaped: bool,
}

impl XSendfile {
    /// Creates a policy from the name of the field, usually `X-Sendfile` or `X-Accel-Redirect`, and
    /// the directory that contains all files to send: an absolute path with symbolic links
    /// resolved.
    ///
    /// Without a [`prefix`](Self::prefix) the value is the absolute path, as X-Sendfile requires.
    ///
    /// # Errors
    /// [`Misuse::FieldName`] if the name is not a token, [`Misuse::Framing`] for the name of a
    /// framing field.
    pub fn new(header: &str, root: impl Into<PathBuf>) -> Result<Self, Misuse> {
        let header = HeaderName::try_from(header).map_err(|_| Misuse::FieldName)?;
        for (framing, name) in [
            (CONTENT_LENGTH, "Content-Length"),
            (TRANSFER_ENCODING, "Transfer-Encoding"),
            (CONNECTION, "Connection"),
            (TRAILER, "Trailer"),
        ] {
            if header == framing {
                return Err(Misuse::Framing(name));
            }
        }
        Ok(Self { header, root: root.into(), prefix: None, is_escaped: true })
    }

    /// Replaces the root at the start of the path by this prefix. The prefix is sent unchanged,
    /// with one slash between it and the rest of the path.
    ///
    /// # Errors
    /// [`Misuse::FieldValue`] if the prefix is not visible ASCII.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, Misuse> {
        if !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Misuse::FieldValue);
        }
        self.prefix = Some(prefix.trim_end_matches('/').to_owned());
        Ok(self)
    }

    /// Disables percent-encoding of the path. By default it is percent-encoded, as nginx, lighttpd
    /// and mod_xsendfile 1.0 of Apache expect. mod_xsendfile 0.12, which Debian and Ubuntu ship,
    /// and Caddy do not decode the path, and do not find files whose names have a space or a letter
    /// outside ASCII.
    ///
    /// For a path that is not a valid field value, because it has control characters or ends with
    /// white space, [`field`](Self::field) then returns `None` and the response is 404.
    ///
    /// ```
    /// use httpants_core::files::XSendfile;
    /// use std::path::Path;
    ///
    /// let policy = XSendfile::new("X-Sendfile", "/srv/www")?.unescaped();
    /// let (_, value) = policy.field(Path::new("a b\u{fc}.txt")).unwrap();
    /// assert_eq!(value.as_bytes(), "/srv/www/a b\u{fc}.txt".as_bytes());
    /// assert_eq!(policy.field(Path::new("a\nb")), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn unescaped(mut self) -> Self {
        self.is_escaped = false;
        self
    }

    /// Returns the name of the field.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Returns the field for a file. A relative path is joined to the root; an absolute one must be
    /// a real path, as resolved by the file system. Returns `None` if the path is not below the
    /// root, or cannot be sent [unescaped](Self::unescaped).
    #[must_use]
    pub fn field(&self, path: &Path) -> Option<Field> {
        let path = self.root.join(path);
        let below = below_root(&self.root, &path)?;
        let mut value = match &self.prefix {
            Some(prefix) => prefix.clone().into_bytes(),
            None => self.bytes(&self.root),
        };
        if self.prefix.is_none() && value.ends_with(b"/") {
            value.pop();
        }
        for component in below.components() {
            value.push(b'/');
            value.extend(self.bytes(component.as_ref()));
        }
        // Recipients remove white space around a field value (RFC 9110 section 5.5).
        if value.ends_with(b" ") || value.ends_with(b"\t") {
            return None;
        }
        Some((self.header.clone(), HeaderValue::try_from(value).ok()?))
    }

    fn bytes(&self, path: &Path) -> Vec<u8> {
        let bytes = path.as_os_str().as_encoded_bytes();
        if self.is_escaped { percent_encode(bytes, PATH).to_string().into_bytes() } else { bytes.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(policy: &XSendfile, path: &str) -> Option<String> {
        policy.field(Path::new(path)).map(|(_, value)| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn root_is_replaced_by_the_prefix() {
        for (root, prefix, path, expected) in [
            ("/srv/www", None, "/srv/www/a.txt", Some("/srv/www/a.txt")),
            ("/srv/www/", None, "/srv/www/a.txt", Some("/srv/www/a.txt")),
            ("/srv/my www", None, "/srv/my www/a.txt", Some("/srv/my%20www/a.txt")),
            ("/", None, "/a.txt", Some("/a.txt")),
            ("/srv/www", None, "b/a.txt", Some("/srv/www/b/a.txt")),
            ("/srv/www", Some("/p"), "/srv/www/a.txt", Some("/p/a.txt")),
            ("/srv/www", Some("/p/"), "/srv/www/b/a.txt", Some("/p/b/a.txt")),
            ("/srv/www", Some("/p"), "a.txt", Some("/p/a.txt")),
            ("/srv/www", Some(""), "a.txt", Some("/a.txt")),
            ("/srv/www", Some("/p%20q"), "a.txt", Some("/p%20q/a.txt")),
            ("/srv/www", Some("/p"), "a b%?#\"é+;,.txt", Some("/p/a%20b%25%3F%23%22%C3%A9%2B%3B%2C.txt")),
            ("/srv/www", Some("/p"), "a\r\nX: y", Some("/p/a%0D%0AX%3A%20y")),
            ("/srv/www", Some("/p"), "/srv/www", None),
            ("/srv/www", Some("/p"), "", None),
            ("/srv/www", Some("/p"), "/srv/www-old/a.txt", None),
            ("/srv/www", Some("/p"), "/etc/passwd", None),
            ("/srv/www", Some("/p"), "../a.txt", None),
            ("/srv/www", Some("/p"), "b/../../a.txt", None),
            ("/srv/www", None, "/srv/www/../a.txt", None),
        ] {
            let mut policy = XSendfile::new("X-Sendfile", root).unwrap();
            if let Some(prefix) = prefix {
                policy = policy.prefix(prefix).unwrap();
            }
            assert_eq!(value(&policy, path).as_deref(), expected, "{root} {prefix:?} {path:?}");
        }
    }

    #[test]
    fn unescaped_path_is_sent_unchanged_or_not_at_all() {
        for (prefix, path, expected) in [
            (None, "a b%20?#\"\u{e9}+;,.txt", Some("/srv/my www/a b%20?#\"\u{e9}+;,.txt")),
            (Some("/p"), "a b/c d", Some("/p/a b/c d")),
            (Some(""), " a", Some("/ a")),
            (None, "a\tb", Some("/srv/my www/a\tb")),
            (None, "a ", None),
            (None, "a\t", None),
            (None, "a\nb", None),
            (None, "a\r\nX: y", None),
            (None, "a\u{7f}", None),
            (None, "../a", None),
        ] {
            let mut policy = XSendfile::new("X-Sendfile", "/srv/my www/").unwrap().unescaped();
            if let Some(prefix) = prefix {
                policy = policy.prefix(prefix).unwrap();
            }
            let value = policy.field(Path::new(path)).map(|(_, value)| value.as_bytes().to_vec());
            assert_eq!(value.as_deref(), expected.map(str::as_bytes), "{prefix:?} {path:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn non_utf8_name_is_percent_encoded() {
        use std::os::unix::ffi::OsStrExt;
        let policy = XSendfile::new("X-Sendfile", "/srv").unwrap();
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/srv/\xff"));
        assert_eq!(policy.field(path).unwrap().1, "/srv/%FF");
    }

    #[test]
    fn invalid_header_and_prefix_are_misuse() {
        for bad in ["", "X Sendfile", "X-Sendfile:", "X\r\nY", "X-S\u{e9}"] {
            assert_eq!(XSendfile::new(bad, "/"), Err(Misuse::FieldName), "{bad:?}");
        }
        assert_eq!(XSendfile::new("CONTENT-length", "/"), Err(Misuse::Framing("Content-Length")));
        for bad in ["/a b", "/a\r\n", "/\u{e9}", "\t"] {
            let policy = XSendfile::new("X-Sendfile", "/").unwrap();
            assert_eq!(policy.prefix(bad), Err(Misuse::FieldValue), "{bad:?}");
        }
    }
}
