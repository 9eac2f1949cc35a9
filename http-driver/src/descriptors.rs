//! The budget of file descriptors of a process.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The number assumed if the process has no limit on descriptors, or an unknown one.
const UNLIMITED: u64 = 65_536;

/// Returns the default of [`Server::max_connections`](crate::Server::max_connections): three
/// quarters of the process's limit of descriptors. The rest is for files that are sent and
/// received, listening sockets, watches of peers and the application.
pub(crate) fn default_connections() -> usize {
    connections_within(limit())
}

/// A share of the process's descriptors, for those that a connection uses in addition to its socket
/// and one file. The limit keeps clients from using up the rest.
#[derive(Debug)]
pub(crate) struct Share {
    /// Denominator of the share: 1/`parts` of the descriptors.
    parts: u64,
    /// The number of descriptors in the share, set by the first call of `take`.
    most: OnceLock<usize>,
    taken: AtomicUsize,
}

/// A permit for one descriptor of a share; returned on drop.
#[derive(Debug)]
pub(crate) struct Permit(&'static Share);

/// The watches of peers that leave or half-close.
#[cfg(target_os = "linux")]
pub(crate) static WATCHES: Share = Share::one_of(8);

/// The files that connections send, except the first one of each.
#[cfg(feature = "files")]
pub(crate) static FILES: Share = Share::one_of(16);

/// The temporary files of requests, except the first one of each. A form of 10 MiB may have a
/// thousand files, and servers that accept uploads raise `max_body_size`.
#[cfg(feature = "forms")]
pub(crate) static TEMPORARY_FILES: Share = Share::one_of(4);

#[cfg_attr(
    not(any(target_os = "linux", feature = "files", feature = "forms")),
    expect(dead_code, reason = "used only with these features")
)]
impl Share {
    const fn one_of(parts: u64) -> Self {
        Self { parts, most: OnceLock::new(), taken: AtomicUsize::new(0) }
    }

    /// Returns a permit, or `None` if all are in use.
    pub(crate) fn take(&'static self) -> Option<Permit> {
        let share = || usize::try_from(limit().unwrap_or(UNLIMITED) / self.parts).unwrap_or(usize::MAX);
        let most = self.most.get_or_init(share);
        let more = |taken| (taken < *most).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Permit(self))
    }

    #[cfg(test)]
    #[cfg_attr(not(feature = "files"), expect(dead_code, reason = "used only by a test of files"))]
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Notes that the lack of descriptors was logged: many clients can cause it, and must not be able to
/// fill the log.
#[derive(Debug)]
pub(crate) struct LoggedLack(AtomicBool);

impl LoggedLack {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Returns whether this error is the lack of descriptors, and not the first one.
    pub(crate) fn is_repeated(&self, error: &io::Error) -> bool {
        is_lack(error) && self.0.swap(true, Ordering::Relaxed)
    }
}

#[cfg(unix)]
fn is_lack(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(not(unix))]
fn is_lack(_: &io::Error) -> bool {
    false
}

fn connections_within(limit: Option<u64>) -> usize {
    let limit = limit.unwrap_or(UNLIMITED);
    usize::try_from(limit - limit / 4).unwrap_or(usize::MAX).max(1)
}

/// Returns the limit of descriptors; `None` if there is none.
#[cfg(unix)]
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_limits_leave_descriptors_for_files() {
        assert_eq!(connections_within(Some(1024)), 768);
        assert_eq!(connections_within(None), 49_152);
        assert_eq!(connections_within(Some(0)), 1);
        assert_eq!(connections_within(Some(u64::MAX)), usize::try_from(u64::MAX - u64::MAX / 4).unwrap_or(usize::MAX));
        assert!(default_connections() < usize::MAX / 2);
    }
}
