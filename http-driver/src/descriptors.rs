//! The budget of file descriptors of a process.

/// The number assumed if the process has no limit on descriptors, or an unknown one.
const UNLIMITED: u64 = 65_536;

/// Returns the default of [`Server::max_connections`](crate::Server::max_connections): three
/// quarters of the process's limit of descriptors. The rest is for files that are sent and
/// received, listening sockets, watches of peers and the application.
pub(crate) fn default_connections() -> usize {
    connections_within(limit())
}

/// Returns the maximum number of peer watches: an eighth of the descriptors, so that clients which
/// leave or half-close cannot use up the descriptors of files.
#[cfg(target_os = "linux")]
pub(crate) fn max_watches() -> usize {
    usize::try_from(limit().unwrap_or(UNLIMITED) / 8).unwrap_or(usize::MAX)
}

/// Returns the maximum number of files that connections keep open beside their first ones: a
/// sixteenth of the descriptors.
#[cfg(feature = "files")]
pub(crate) fn max_further_files() -> usize {
    usize::try_from(limit().unwrap_or(UNLIMITED) / 16).unwrap_or(usize::MAX)
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
