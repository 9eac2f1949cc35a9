//! A directory and the regular files below it.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use httpants_core::UnixTime;
use httpants_core::files::{FileError, FileKind, Lookup, Metadata, RelativePath};

use super::fault;

/// Maximum number of symbolic links in one path, as on Linux.
const MAX_LINKS: usize = 40;

/// A directory that no path leads out of, whatever symbolic links it contains.
#[derive(Debug)]
pub(crate) struct Directory {
    /// The path of the directory with symbolic links resolved.
    real: PathBuf,
    /// The path of the directory as the application gave it.
    given: PathBuf,
    /// `None` if the kernel cannot open files beneath a directory.
    #[cfg(target_os = "linux")]
    beneath: Option<beneath::Beneath>,
}

/// A file that can be sent.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its path below the directory; for a directory, that of its index file.
    pub(crate) path: RelativePath,
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
}

impl Directory {
    /// Opens a directory.
    ///
    /// # Errors
    /// Returns the errors of the platform, prefixed with the path.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let open = || {
            let real = fs::canonicalize(path)?;
            if !fs::metadata(&real)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Ok(Self {
                #[cfg(target_os = "linux")]
                beneath: beneath::Beneath::open(&real)?,
                given: path.to_owned(),
                real,
            })
        };
        open().map_err(|error: io::Error| {
            io::Error::new(error.kind(), format!("cannot serve files from {}: {error}", path.display()))
        })
    }

    /// Returns the path of the directory with symbolic links resolved.
    pub(crate) fn path(&self) -> &Path {
        &self.real
    }

    /// Converts the application's path of a file: relative, or absolute and below this directory.
    pub(crate) fn relative(&self, path: &Path) -> Result<RelativePath, FileError> {
        let below = match path.is_absolute() {
            true => path.strip_prefix(&self.real).or_else(|_| path.strip_prefix(&self.given)),
            false => Ok(path),
        };
        let below = below.ok().and_then(Path::to_str).ok_or(FileError::NotFound)?;
        RelativePath::resolve_decoded(below)
    }

    /// Opens the regular file at this path; for a directory, the first of these names in it.
    pub(crate) fn find(&self, path: RelativePath, index_names: &[Box<str>]) -> Result<Found, FileError> {
        let (file, metadata) = self.open_file(path.as_str()).map_err(|error| fault::of(&error, path.as_str()))?;
        match path.lookup(kind(&metadata))? {
            Lookup::Send(path) => Ok(Found { path, file, metadata: describe(&metadata) }),
            Lookup::Directory(directory) => {
                for name in index_names {
                    // A directory with the name of an index file is not an index.
                    match self.find(directory.index(name)?, &[]) {
                        Err(FileError::NotFound) => {}
                        found => return found,
                    }
                }
                Err(FileError::NotFound)
            }
        }
    }

    /// Opens the file next to another with this suffix added to the name, if it exists.
    pub(crate) fn find_sibling(&self, of: &RelativePath, suffix: &str) -> Option<(File, Metadata)> {
        let (file, metadata) = self.open_file(&[of.as_str(), suffix].concat()).ok()?;
        (kind(&metadata) == FileKind::File).then(|| (file, describe(&metadata)))
    }

    fn open_file(&self, relative: &str) -> io::Result<(File, fs::Metadata)> {
        let file = self.open_beneath(Path::new(relative))?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }

    #[cfg(target_os = "linux")]
    fn open_beneath(&self, relative: &Path) -> io::Result<File> {
        let Some(beneath) = &self.beneath else {
            return self.open_checked(relative);
        };
        match beneath.open_file(relative) {
            // The kernel does not follow absolute links here, but their target may be below the
            // directory; it is then opened by its own path.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                beneath.open_file(&self.real_path_below(relative)?)
            }
            opened => opened,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open_beneath(&self, relative: &Path) -> io::Result<File> {
        self.open_checked(relative)
    }

    /// Resolves links, checks that they stay below the directory, opens the result and checks it
    /// again.
    fn open_checked(&self, relative: &Path) -> io::Result<File> {
        let real = self.real.join(self.real_path_below(relative)?);
        let file = open_options().open(&real)?;
        if is_at(&file, &real)? { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Resolves a path to one below this directory. The target of each link on the way must also be
    /// below it, so that a path reveals nothing about other directories; an absolute link is
    /// allowed if its target is below.
    fn real_path_below(&self, relative: &Path) -> io::Result<PathBuf> {
        let outside = || io::Error::from(io::ErrorKind::NotFound);
        let (mut real, mut rest, mut links) = (PathBuf::new(), relative.to_owned(), 0);
        loop {
            let mut components = rest.components();
            match components.next() {
                None => return Ok(real),
                Some(Component::CurDir) => {}
                Some(Component::ParentDir) if real.pop() => {}
                Some(Component::Normal(name)) => {
                    let place = self.real.join(&real).join(name);
                    if fs::symlink_metadata(&place)?.is_symlink() {
                        links += 1;
                        let mut target = fs::read_link(&place)?;
                        if target.is_absolute() {
                            target = target.strip_prefix(&self.real).map_err(|_| outside())?.to_owned();
                            real.clear();
                        }
                        rest = target.join(components.as_path());
                        if links > MAX_LINKS {
                            return Err(outside());
                        }
                        continue;
                    }
                    real.push(name);
                }
                Some(_) => return Err(outside()),
            }
            rest = components.as_path().to_owned();
        }
    }
}

pub(crate) fn kind(metadata: &fs::Metadata) -> FileKind {
    match metadata.file_type() {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_dir() => FileKind::Directory,
        _ => FileKind::Other,
    }
}

/// Converts file metadata for the core.
pub(crate) fn describe(metadata: &fs::Metadata) -> Metadata {
    let modified = metadata.modified().ok().and_then(|time| UnixTime::try_from(time).ok());
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Metadata::new(metadata.len(), modified, inode)
}

/// Returns options with which opening does not block (such as for the other end of a pipe) and
/// acquires no controlling terminal.
fn open_options() -> fs::OpenOptions {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
        options.custom_flags(flags.bits().cast_signed());
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        // FILE_FLAG_BACKUP_SEMANTICS: directories can be opened too.
        options.custom_flags(0x0200_0000);
    }
    options
}

/// Returns whether an open file is the one at this real path. On systems without a way to query the
/// path of an open file, a process that renames directories below the root three times at the right
/// moments is not detected.
fn is_at(file: &File, real: &Path) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        if let Ok(opened) = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) {
            return Ok(opened == real);
        }
    }
    Ok(fs::canonicalize(real)? == real && same_file(&file.metadata()?, &fs::symlink_metadata(real)?))
}

#[cfg(unix)]
fn same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    one.file_type() == other.file_type()
}

#[cfg(target_os = "linux")]
mod beneath {
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
    use rustix::io::Errno;

    /// Opens files below a directory; neither links nor concurrent renames can lead out of it,
    /// because the kernel resolves the whole path under that condition (openat2, Linux 5.6).
    #[derive(Debug)]
    pub(super) struct Beneath(OwnedFd);

    /// Maximum number of attempts. A concurrent rename can keep the kernel from determining whether
    /// the path is below the directory.
    const ATTEMPTS: usize = 16;

    impl Beneath {
        /// Returns `None` if the kernel, or a sandbox around this process, does not support it.
        pub(super) fn open(directory: &Path) -> io::Result<Option<Self>> {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let handle = open(directory, flags, Mode::empty())?;
            match openat2(&handle, ".", flags, Mode::empty(), Self::RESOLVE) {
                Ok(_) => Ok(Some(Self(handle))),
                Err(Errno::NOSYS | Errno::PERM) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }

        const RESOLVE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

        pub(super) fn open_file(&self, relative: &Path) -> io::Result<File> {
            let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
            let mut attempts = 0;
            loop {
                match openat2(&self.0, relative, flags, Mode::empty(), Self::RESOLVE) {
                    Err(Errno::AGAIN | Errno::INTR) if attempts < ATTEMPTS => attempts += 1,
                    opened => return Ok(File::from(opened?)),
                }
            }
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Returns a directory for each way in which files are opened on this machine.
    fn directories(root: &Path) -> Vec<Directory> {
        let mut all = vec![Directory::open(root).unwrap()];
        #[cfg(target_os = "linux")]
        {
            let mut without_openat2 = Directory::open(root).unwrap();
            without_openat2.beneath = None;
            all.push(without_openat2);
        }
        all
    }

    fn content(directory: &Directory, path: &str) -> Result<String, FileError> {
        let mut found = directory.find(RelativePath::resolve_decoded(path)?, &["index.html".into()])?;
        let mut content = String::new();
        found.file.read_to_string(&mut content).unwrap();
        Ok(content)
    }

    #[test]
    fn links_are_followed_only_below_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(folder.path()).unwrap();
        let root = real.join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/file"), "inside").unwrap();
        fs::write(root.join("a/b/index.html"), "index").unwrap();
        fs::write(real.join("secret"), "secret").unwrap();
        fs::create_dir(real.join("root-old")).unwrap();
        fs::write(real.join("root-old/file"), "secret").unwrap();
        for (name, target) in [
            ("relative", "a/file".into()),
            ("around", "a/b/../file".into()),
            ("through", "../root/a/file".into()),
            ("deep", "a/../../root/a/file".into()),
            ("roundabout", real.join("root-old/../root")),
            ("absolute", root.join("a/file")),
            ("folder", root.join("a")),
            ("chain", "absolute".into()),
            ("up", "../secret".into()),
            ("absolute-up", real.join("secret")),
            ("twin", "../root-old".into()),
            ("absolute-twin", real.join("root-old")),
            ("everything", "/".into()),
            ("loop", "loop".into()),
            ("dangling", "nowhere".into()),
            ("magic", "/proc/self/root".into()),
        ] {
            symlink(target, root.join(name)).unwrap();
        }
        for directory in directories(&root) {
            for path in ["a/file", "relative", "around", "absolute", "folder/file", "chain"] {
                assert_eq!(content(&directory, path).as_deref(), Ok("inside"), "{path} in {directory:?}");
            }
            assert_eq!(content(&directory, "a/b").as_deref(), Ok("index"));
            let outside = format!("magic{}", real.join("secret").display());
            for path in [
                "up",
                "absolute-up",
                "through",
                "deep",
                "roundabout/a/file",
                "twin/file",
                "absolute-twin/file",
                "everything/etc/passwd",
                "loop",
            ] {
                assert_eq!(content(&directory, path), Err(FileError::NotFound), "{path} in {directory:?}");
            }
            for path in ["dangling", "a", "nothing", "a/file/x", &outside, &"x".repeat(300), &"x/".repeat(5000)] {
                assert_eq!(content(&directory, path), Err(FileError::NotFound), "{path} in {directory:?}");
            }
        }
    }

    #[test]
    fn only_regular_files_are_found_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        let fifo = std::process::Command::new("mkfifo").arg(folder.path().join("fifo")).status();
        assert!(fifo.is_ok_and(|status| status.success()), "mkfifo");
        for directory in directories(folder.path()) {
            for path in ["socket", "fifo", ""] {
                assert_eq!(content(&directory, path), Err(FileError::NotFound), "{path}");
            }
        }
    }

    #[test]
    fn file_root_must_be_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file, folder.path().join("nothing")] {
            let error = Directory::open(&path).unwrap_err().to_string();
            assert!(error.starts_with(&format!("cannot serve files from {}: ", path.display())), "{error}");
        }
    }

    #[test]
    fn application_paths_may_be_absolute() {
        let folder = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(real.join("root")).unwrap();
        symlink("root", real.join("link")).unwrap();
        let directory = Directory::open(&real.join("link")).unwrap();
        for path in [real.join("root/a"), real.join("link/a"), "a".into()] {
            assert_eq!(directory.relative(&path).unwrap().as_str(), "a", "{path:?}");
        }
        for path in [real.join("a"), real.join("root/../a"), "../a".into(), real.join("rooted/a"), "a//b".into()] {
            assert_eq!(directory.relative(&path), Err(FileError::NotFound), "{path:?}");
        }
    }

    /// Another thread repeatedly replaces a directory by a link that leads out.
    #[cfg(target_os = "linux")]
    #[test]
    fn concurrent_renames_do_not_lead_out() {
        let folder = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(folder.path()).unwrap();
        let root = real.join("root");
        for name in ["root/folder", "outside"] {
            fs::create_dir_all(real.join(name)).unwrap();
        }
        fs::write(root.join("folder/file"), "inside").unwrap();
        fs::write(real.join("outside/file"), "secret").unwrap();
        symlink("../outside", root.join("link")).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                use rustix::fs::{CWD, RenameFlags, renameat_with};
                while !done.load(Ordering::Relaxed) {
                    let (folder, link) = (root.join("folder"), root.join("link"));
                    renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                }
            });
            // Stops the other thread, even if an assertion fails.
            let _stop = Stop(&done);
            for directory in directories(&root) {
                // The other thread may be interrupted for long while the link is in place.
                let (mut attempts, mut seen) = (0, 0);
                while attempts < 5000 || seen == 0 {
                    if let Ok(content) = content(&directory, "folder/file") {
                        assert_eq!(content, "inside");
                        seen += 1;
                    }
                    attempts += 1;
                    assert!(attempts < 10_000_000, "the file is never there");
                }
            }
        });
    }

    struct Stop<'a>(&'a AtomicBool);

    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
