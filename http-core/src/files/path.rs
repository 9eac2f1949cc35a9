//! Conversion of a request's path to the path of a file below the root.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::FileError;
use crate::wire::grammar;

/// The only name with a leading dot that clients request, at the start of a path (RFC 8615).
const WELL_KNOWN: &str = ".well-known";

/// A relative path that cannot leave the root to which it is joined: its segments are names,
/// without `.`, `..`, separators, control characters or a drive.
///
/// Every file has exactly one valid path. Others are [`NotFound`](FileError::NotFound) and never
/// normalized, so that a check of the path in a proxy or in the application sees the path that is
/// opened.
///
/// A symbolic link below the root can still lead outside: the caller that opens the file must check
/// that, for example with [`below_root`].
///
/// ```
/// use httpants_core::files::{FileError, RelativePath};
///
/// assert_eq!(RelativePath::resolve("css/a%20b.css")?.as_str(), "css/a b.css");
/// assert_eq!(RelativePath::resolve("css/%2e%2e/secret"), Err(FileError::NotFound));
/// // Files served from "/" are resolved without the leading slash.
/// assert_eq!(RelativePath::resolve("/etc/passwd"), Err(FileError::NotFound));
/// # Ok::<(), FileError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelativePath {
    path: String,
    /// True if a slash follows the last name, or if there is no name.
    names_directory: bool,
    is_index: bool,
}

/// The kind of file at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, a pipe or a socket: never sent.
    Other,
}

/// The next step for a path, from [`RelativePath::lookup`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Send this file.
    Send(RelativePath),
    /// The path is a directory: look for its [`index`](RelativePath::index).
    Directory(RelativePath),
}

impl RelativePath {
    /// Resolves the part of a request's path after the prefix under which files are served, as it
    /// was sent: percent-encoded, without a leading slash. Each segment is decoded once and
    /// separately, so `%2F` is never a separator.
    ///
    /// # Errors
    /// [`FileError::NotFound`] for `.`, `..` and other names that consist of dots and spaces, empty
    /// segments (`a//b`, `/a`), control characters, `\`, drive letters, percent signs without two
    /// hexadecimal digits, and segments that are not UTF-8.
    pub fn resolve(path: &str) -> Result<Self, FileError> {
        Self::from_segments(path.split('/'), |segment, decoded| {
            let bytes = percent_decode_str(segment);
            let name = bytes.decode_utf8().ok().filter(|_| is_well_encoded(segment))?;
            decoded.push_str(&name);
            Some(name.len())
        })
    }

    /// Resolves a path like [`resolve`](Self::resolve), but one that is already decoded, for
    /// example by a router.
    ///
    /// # Errors
    /// [`FileError::NotFound`] as for [`resolve`](Self::resolve), except that a percent sign is an
    /// ordinary character.
    pub fn resolve_decoded(path: &str) -> Result<Self, FileError> {
        Self::from_segments(path.split('/'), |segment, decoded| {
            decoded.push_str(segment);
            Some(segment.len())
        })
    }

    /// Joins the segments, of which the last may be empty. `decode` appends one segment to the path
    /// and returns its length.
    fn from_segments<'a>(
        segments: impl Iterator<Item = &'a str>,
        decode: impl Fn(&'a str, &mut String) -> Option<usize>,
    ) -> Result<Self, FileError> {
        let mut path = String::new();
        let mut segments = segments.peekable();
        while let Some(segment) = segments.next() {
            if segment.is_empty() && segments.peek().is_none() {
                return Ok(Self { path, names_directory: true, is_index: false });
            }
            if !path.is_empty() {
                path.push('/');
            }
            let start = path.len();
            decode(segment, &mut path).ok_or(FileError::NotFound)?;
            if !path.get(start..).is_some_and(is_name) {
                return Err(FileError::NotFound);
            }
        }
        Ok(Self { path, names_directory: false, is_index: false })
    }

    /// Returns the decoded path: the names separated by `/`, without a leading or trailing slash;
    /// empty for the root itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Returns the last name; empty for the root itself.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Returns true if one of its names begins with a dot, as in `.git/config` and `.env`, except
    /// `.well-known` at the start (RFC 8615).
    ///
    /// ```
    /// use httpants_core::files::RelativePath;
    ///
    /// let is_hidden = |path| RelativePath::resolve(path).map(|path| path.is_hidden());
    /// assert_eq!(is_hidden("%2Egit/config"), Ok(true));
    /// assert_eq!(is_hidden(".well-known/security.txt"), Ok(false));
    /// ```
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        let mut names = self.path.split('/').enumerate();
        names.any(|(place, name)| name.starts_with('.') && !(place == 0 && name == WELL_KNOWN))
    }

    /// Returns true if the path is the index of a directory that was requested without the name of
    /// the index.
    #[must_use]
    pub fn is_index(&self) -> bool {
        self.is_index
    }

    /// Returns the path joined to this root.
    #[must_use]
    pub fn under(&self, root: &Path) -> PathBuf {
        root.join(&self.path)
    }

    /// Returns the next step for the kind of file at this path: a file is sent; for a directory,
    /// the caller looks for its index, once.
    ///
    /// # Errors
    /// [`FileError::NotFound`] for a file whose name is followed by a slash, for anything other
    /// than a file or a directory, and for an index that is a directory.
    pub fn lookup(self, kind: FileKind) -> Result<Lookup, FileError> {
        match kind {
            FileKind::File if !self.names_directory => Ok(Lookup::Send(self)),
            FileKind::Directory if !self.is_index => Ok(Lookup::Directory(self)),
            _ => Err(FileError::NotFound),
        }
    }

    /// Returns the path of the file that is served for this directory, usually `index.html`.
    ///
    /// # Errors
    /// [`FileError::NotFound`] if `name` is not a single valid name, as defined for
    /// [`resolve`](Self::resolve).
    pub fn index(&self, name: &str) -> Result<Self, FileError> {
        if !is_name(name) {
            return Err(FileError::NotFound);
        }
        let slash = if self.path.is_empty() { "" } else { "/" };
        let path = [&self.path, slash, name].concat();
        Ok(Self { path, names_directory: false, is_index: true })
    }
}

/// Returns true if two hexadecimal digits follow every percent sign (RFC 3986 section 2.1).
fn is_well_encoded(segment: &str) -> bool {
    let mut behind_percent = segment.as_bytes().split(|&byte| byte == b'%').skip(1);
    behind_percent.all(|rest| matches!(rest, [high, low, ..] if grammar::is_octet(*high, *low)))
}

/// Returns true if a decoded segment is an ordinary file name on every file system. Windows removes
/// trailing dots and spaces, so `.. ` is `..` there.
fn is_name(segment: &str) -> bool {
    let is_drive = matches!(segment.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let has_name = !segment.bytes().all(|byte| matches!(byte, b'.' | b' '));
    has_name && !is_drive && !segment.contains(|c: char| matches!(c, '/' | '\\') || c.is_control())
}

/// Returns the part of a path below the root; `None` if it is not below the root or is the root
/// itself.
///
/// Both must be real paths: absolute, with symbolic links resolved by the file system. Whole names
/// are compared, so `/srv/www-old` is not below `/srv/www`.
///
/// ```
/// use httpants_core::files::below_root;
/// use std::path::Path;
///
/// let root = Path::new("/srv/www");
/// assert_eq!(below_root(root, Path::new("/srv/www/a/b")), Some(Path::new("a/b")));
/// assert_eq!(below_root(root, Path::new("/srv/www-old/a")), None);
/// assert_eq!(below_root(root, Path::new("/srv/www/../a")), None);
/// ```
#[must_use]
pub fn below_root<'a>(root: &Path, real: &'a Path) -> Option<&'a Path> {
    let rest = real.strip_prefix(root).ok()?;
    let mut components = rest.components().peekable();
    components.peek()?;
    components.all(|component| matches!(component, Component::Normal(_))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traversal_paths_are_not_found() {
        for path in [
            "..",
            "../",
            "../etc/passwd",
            "../../../../etc/passwd",
            "a/..",
            "a/../..",
            "a/../../etc/passwd",
            "a/../b",
            ".",
            "./",
            "./a",
            "a/.",
            "a/./b",
            "...",
            ".../a",
            "%2e%2e/etc/passwd",
            "%2E%2E/etc/passwd",
            ".%2e/etc/passwd",
            "%2e./etc/passwd",
            "..%2fetc%2fpasswd",
            "..%2Fetc%2Fpasswd",
            "%2e%2e%2fetc%2fpasswd",
            "a%2fb",
            "%2fetc%2fpasswd",
            "/etc/passwd",
            "//etc/passwd",
            "///",
            "a//b",
            "a//",
            "..\\..\\windows\\win.ini",
            "..%5c..%5cwindows%5cwin.ini",
            "%5c%5cserver%5cshare",
            "a\\b",
            "C:/windows/win.ini",
            "c:windows",
            "C%3A/windows",
            "%43:%5cwindows",
            "a/C:/windows",
            "%00",
            "a.txt%00",
            "a.txt%00.html",
            "%00../a",
            "a%0ab",
            "a%0d%0aX-Injected:%20b",
            "a%7f",
            "a%c2%85b",
            "%c0%ae%c0%ae/etc/passwd",
            "%e0%80%ae%e0%80%ae/etc/passwd",
            "%f0%80%80%ae/a",
            "..%c0%af..%c0%afetc/passwd",
            "..%c1%9cetc/passwd",
            "a%ff",
            "a%e2%82",
            "%u002e%u002e/etc/passwd",
            "%",
            "a%2",
            "%zz",
            "a%%41",
            "%2%65",
            ".. /a",
            "..%20/a",
            ". ./a",
            "%20",
            " ",
            "..%20",
            "%2e%2e%20%2e/a",
        ] {
            assert_eq!(RelativePath::resolve(path), Err(FileError::NotFound), "{path:?}");
        }
    }

    #[test]
    fn names_that_resemble_traversal_are_allowed() {
        for (path, expected) in [
            ("a.txt", "a.txt"),
            ("a/b/c", "a/b/c"),
            (".well-known/x", ".well-known/x"),
            ("..a/b..", "..a/b.."),
            ("a..b", "a..b"),
            ("..;/a", "..;/a"),
            ("%2541", "%41"),
            ("%252e%252e%252fetc", "%2e%2e%2fetc"),
            ("%25%32%65", "%2e"),
            ("a%20b+c", "a b+c"),
            ("a%3fb%23c", "a?b#c"),
            ("%e6%97%a5", "日"),
            ("%ef%bc%8e%ef%bc%8e/a", "．．/a"),
            ("12:30.log", "12:30.log"),
            ("~root", "~root"),
            ("ab%3Ac:d", "ab:c:d"),
        ] {
            let resolved = RelativePath::resolve(path).unwrap();
            assert_eq!(resolved.as_str(), expected);
            let root = Path::new("/srv/www");
            assert!(below_root(root, &resolved.under(root)).is_some(), "{path:?}");
            assert_eq!(RelativePath::resolve_decoded(expected).as_ref(), Ok(&resolved));
        }
    }

    #[test]
    fn decoded_path_is_not_decoded_again() {
        assert_eq!(RelativePath::resolve_decoded("100%.txt").unwrap().as_str(), "100%.txt");
        for path in ["..", "/a", "a/../b", "a//b", "a\\b", "a\0", "C:/a"] {
            assert_eq!(RelativePath::resolve_decoded(path), Err(FileError::NotFound), "{path:?}");
        }
    }

    /// The result contains only ordinary names for every short input.
    #[test]
    fn every_short_path_stays_below_the_root() {
        const PIECES: [&str; 12] = [".", "/", "a", "%2e", "%2f", "%5c", "\\", ":", "%", "%00", " ", "\u{e9}"];
        let root = Path::new("/srv/www");
        for number in 0..PIECES.len().pow(5) {
            let pieces = (0..5).map(|place| PIECES[number / PIECES.len().pow(place) % PIECES.len()]);
            let path: String = pieces.collect();
            let Ok(resolved) = RelativePath::resolve(&path) else { continue };
            let below = resolved.under(root);
            assert_eq!(below_root(root, &below), Some(Path::new(resolved.as_str())), "{path:?}");
            assert!(resolved.as_str().split('/').all(is_name), "{path:?}");
        }
    }

    #[test]
    fn trailing_slash_selects_file_or_directory() {
        let lookup = |path: &str, kind| RelativePath::resolve(path).unwrap().lookup(kind);
        let index = |path: &str| match lookup(path, FileKind::Directory) {
            Ok(Lookup::Directory(path)) => path.index("index.html").unwrap(),
            other => panic!("{other:?}"),
        };
        assert!(matches!(lookup("a/b.txt", FileKind::File), Ok(Lookup::Send(path)) if path.name() == "b.txt"));
        assert_eq!(lookup("a/b.txt/", FileKind::File), Err(FileError::NotFound));
        for kind in [FileKind::Other, FileKind::File] {
            assert_eq!(lookup("", kind), Err(FileError::NotFound));
        }
        assert_eq!(lookup("pipe", FileKind::Other), Err(FileError::NotFound));
        assert_eq!(index("").as_str(), "index.html");
        assert_eq!(index("a").as_str(), "a/index.html");
        assert!(index("a").is_index() && !RelativePath::resolve("a/index.html").unwrap().is_index());
        assert_eq!(index("a/").as_str(), "a/index.html");
        assert!(matches!(index("a").lookup(FileKind::File), Ok(Lookup::Send(_))));
        assert_eq!(index("a").lookup(FileKind::Directory), Err(FileError::NotFound));
        let root = RelativePath::resolve("").unwrap();
        assert_eq!(root.index("home.htm").unwrap().as_str(), "home.htm");
        for name in ["", ".", "..", "a/b", "../a", "a\\b", "a\0", "C:"] {
            assert_eq!(root.index(name), Err(FileError::NotFound), "{name:?}");
        }
    }

    #[test]
    fn dotfile_names_are_hidden() {
        for (path, hidden) in [
            ("", false),
            ("a", false),
            ("a.b/c.", false),
            (".env", true),
            ("%2eenv", true),
            (".git/config", true),
            ("a/.git/config", true),
            ("a/.htpasswd", true),
            ("..a", true),
            (".well-known", false),
            (".well-known/", false),
            (".well-known/acme-challenge/x", false),
            (".well-known/.secret", true),
            (".well-known.bak", true),
            (".Well-Known/x", true),
            ("a/.well-known/x", true),
        ] {
            assert_eq!(RelativePath::resolve(path).unwrap().is_hidden(), hidden, "{path}");
        }
    }

    #[test]
    fn below_returns_only_paths_below_the_root() {
        let root = Path::new("/srv/www");
        for (real, expected) in [
            ("/srv/www/a", Some("a")),
            ("/srv/www/a/..b", Some("a/..b")),
            ("/srv/www", None),
            ("/srv/www/", None),
            ("/srv", None),
            ("/srv/wwwa", None),
            ("/srv/www/..", None),
            ("/srv/www/../www/a", None),
            ("/srv/www/a/../../b", None),
            ("/etc/passwd", None),
            ("srv/www/a", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(below_root(root, Path::new(real)), expected.map(Path::new), "{real}");
        }
        assert_eq!(below_root(Path::new("/"), Path::new("/a")), Some(Path::new("a")));
    }
}
