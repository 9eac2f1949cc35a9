//! Keeping a temporary file under a name.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Stored, create};
use crate::runtime::Blocking;

impl Stored {
    /// Links the file to this path, or writes a copy there if it already has a name or the path is
    /// on another file system.
    pub(crate) fn persist(self: &Arc<Self>, path: PathBuf, mode: Option<Mode>) -> Blocking<()> {
        let stored = Arc::clone(self);
        self.pool.run(move || {
            if !stored.named.swap(true, Ordering::AcqRel) {
                if link_with(stored.file()?, &path, mode).is_ok() {
                    return Ok(());
                }
                stored.named.store(false, Ordering::Release);
            }
            save(FromStart { stored, position: 0 }, &path, mode)
        })
    }
}

/// A reader of the content from its start.
struct FromStart {
    stored: Arc<Stored>,
    position: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stored.read_at(buffer, self.position)?;
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}

/// The permissions of a persisted file, for its owner, its group and others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode(u32);

impl Mode {
    /// Returns `None` if the mode has other bits than those of permissions: an upload must not
    /// become a program that runs as the server's user.
    #[cfg(unix)]
    pub(crate) fn new(mode: u32) -> Option<Self> {
        (mode <= 0o777).then_some(Self(mode))
    }

    /// Sets exactly this mode, whatever the umask is.
    fn apply(self, file: &File) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(std::fs::Permissions::from_mode(self.0))?;
        }
        #[cfg(not(unix))]
        let _ = (self.0, file);
        Ok(())
    }
}

/// Links a file like [`link`], with this mode; restores the previous mode if that fails.
fn link_with(file: &File, path: &Path, mode: Option<Mode>) -> io::Result<()> {
    let Some(mode) = mode else { return link(file, path) };
    let permissions = file.metadata()?.permissions();
    mode.apply(file)?;
    link(file, path).inspect_err(|_| {
        let _ = file.set_permissions(permissions);
    })
}

/// Links a file without a name to this path, after syncing its content to disk.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, linkat};

    file.sync_all()?;
    let source = format!("/proc/self/fd/{}", file.as_raw_fd());
    if linkat(CWD, &source, CWD, path, AtFlags::SYMLINK_FOLLOW).is_ok() {
        return Ok(());
    }
    // Linked under another name and renamed, because a link does not replace an existing file.
    let beside = tempfile::Builder::new()
        .prefix(PREFIX)
        .make_in(parent(path), |name| Ok(linkat(CWD, &source, CWD, name, AtFlags::SYMLINK_FOLLOW)?))?;
    Ok(beside.into_temp_path().persist(path)?)
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Prefix of a temporary name, used until the content is complete.
const PREFIX: &str = ".httpants-";

/// Writes content to a new file next to `path`, and renames it to `path` when it is complete and
/// synced to disk. The new file has no name until then, so that nothing is left if the process is
/// killed; file systems that cannot link such a file later get a temporary name.
pub(crate) fn save(mut content: impl Read, path: &Path, mode: Option<Mode>) -> io::Result<()> {
    let mut unnamed = create(parent(path))?;
    io::copy(&mut content, &mut unnamed)?;
    if link_with(&unnamed, path, mode).is_ok() {
        return Ok(());
    }
    unnamed.rewind()?;
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(parent(path))?;
    io::copy(&mut unnamed, file.as_file_mut())?;
    if let Some(mode) = mode {
        mode.apply(file.as_file())?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// Content that checks the folder while it is read.
    struct Watching<'a> {
        folder: &'a Path,
        expected: &'a [&'a str],
        pieces: usize,
    }

    impl Read for Watching<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert_eq!(names(self.folder), self.expected, "a process that is killed now leaves something");
            self.pieces -= usize::from(self.pieces > 0);
            let count = if self.pieces == 0 { 0 } else { buffer.len() };
            buffer[..count].fill(b'x');
            Ok(count)
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn persisted_file_has_no_name_until_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        for expected in [&[][..], &["kept"]] {
            save(Watching { folder: folder.path(), expected, pieces: 4 }, &path, None).unwrap();
            assert_eq!(names(folder.path()), ["kept"]);
            assert!(path.metadata().unwrap().len() > 0);
        }
    }
}
