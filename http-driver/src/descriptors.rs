//! What the descriptors of a process are for.

/// What counts where the process may have any number of descriptors, or their limit is unknown.
const UNLIMITED: u64 = 65_536;

/// The default of [`Server::max_connections`](crate::Server::max_connections): three quarters of the
/// descriptors that the process may have. The rest is for files that are sent and received, for
/// sockets that listen, for watches of peers and for the application.
pub(crate) fn default_connections() -> usize {
    connections_within(limit())
}

/// The most watches of peers at a time: an eighth of the descriptors, so that clients which leave
/// or half-close cannot take those of files.
#[cfg(target_os = "linux")]
pub(crate) fn most_watches() -> usize {
    usize::try_from(limit().unwrap_or(UNLIMITED) / 8).unwrap_or(usize::MAX)
}

fn connections_within(limit: Option<u64>) -> usize {
    let limit = limit.unwrap_or(UNLIMITED);
    usize::try_from(limit - limit / 4).unwrap_or(usize::MAX).max(1)
}

/// `None` where there is no limit.
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
    fn descriptors_are_left_for_files() {
        assert_eq!(connections_within(Some(1024)), 768);
        assert_eq!(connections_within(None), 49_152);
        assert_eq!(connections_within(Some(0)), 1);
        assert_eq!(connections_within(Some(u64::MAX)), usize::try_from(u64::MAX - u64::MAX / 4).unwrap_or(usize::MAX));
        assert!(default_connections() < usize::MAX / 2);
    }
}
