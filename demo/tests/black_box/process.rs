//! Information about a running process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::demo::PATIENCE;

/// A process, read from `/proc`.
pub(crate) struct Process {
    folder: PathBuf,
    temporary: PathBuf,
}

impl Process {
    pub(crate) fn new(id: u32, temporary: &Path) -> Self {
        Self { folder: format!("/proc/{id}").into(), temporary: temporary.into() }
    }

    /// Returns the path by which other processes can access this path of its file systems, which
    /// may be in another namespace.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        self.folder.join("root").join(path.strip_prefix("/").unwrap())
    }

    /// Returns the targets of its descriptors.
    pub(crate) fn descriptors(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join("fd")).unwrap();
        entries.filter_map(|entry| Some(fs::read_link(entry.ok()?.path()).ok()?.display().to_string())).collect()
    }

    /// Returns the number of sockets that it has open: one listens, the others are connections.
    /// Pairs of unix sockets without a path are left out, because signal handling uses them.
    pub(crate) fn sockets(&self) -> usize {
        let table = fs::read_to_string("/proc/net/unix").unwrap();
        let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let unnamed: Vec<_> = rows.filter(|row| row.len() == 7).map(|row| format!("socket:[{}]", row[6])).collect();
        let is_counted = |link: &&String| link.starts_with("socket:") && !unnamed.contains(link);
        self.descriptors().iter().filter(is_counted).count()
    }

    /// Returns the number of descriptors that are unnamed files in its directory of temporary
    /// files.
    pub(crate) fn temporary_files(&self) -> usize {
        let unnamed =
            |link: &String| link.starts_with(self.temporary.to_str().unwrap()) && link.ends_with(" (deleted)");
        self.descriptors().iter().filter(|link| unnamed(link)).count()
    }

    /// Returns the number of its threads that are workers, except the first thread, which is also a
    /// worker.
    pub(crate) fn other_workers(&self) -> usize {
        let tasks = fs::read_dir(self.folder.join("task")).unwrap();
        let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.starts_with("httpants-")).count()
    }

    /// Returns its peak memory in KiB.
    pub(crate) fn peak(&self) -> u64 {
        let status = fs::read_to_string(self.folder.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    /// Returns its processor time in ticks of 10 ms.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(self.folder.join("stat")).unwrap();
        // The process name, which may contain any character, is followed by the state and eleven
        // other numbers.
        let numbers: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        numbers[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }
}

/// Polls until the condition holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
