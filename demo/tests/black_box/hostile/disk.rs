//! Tests of failing disks.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::Attack;
use super::uploads::{large_form, request};
use crate::demo::Demo;
use crate::process::wait_until;
use crate::runtimes::RUNTIMES;
use crate::uploads::{MULTIPART, form, noise, part};

/// Two kinds of body: a form with a large file, and a raw body.
const KINDS: [&str; 2] = [MULTIPART, "Content-Type: image/x-noise\r\n"];

/// Checks that large uploads are refused if they cannot be stored, and small ones are not.
fn cannot_store(name: &str, demo: &Demo, status: u16, spoil: impl FnOnce()) {
    let attack = Attack::begin(name, demo);
    spoil();
    for fields in KINDS {
        let mut client = demo.connect();
        // The server responds before everything was sent.
        let _ = client.try_send(request(fields, &large_form()));
        let response = client.response();
        assert_eq!(response.status, status, "{}", response.text());
        assert_eq!(response.header("Connection"), Some("close"));
        assert!(client.try_response("GET").is_err() || client.is_at_end());
    }
    let small = form(&[part("; name=f; filename=x", "small")]);
    assert_eq!(demo.connect().request("POST", "/any", MULTIPART, small).status, 200);
    attack.end(&format!("{status} and a line in the log, small uploads continue"), 8 << 10, Duration::from_secs(3));
    assert_eq!(demo.process().temporary_files(), 0);
    assert!(demo.stderr().contains("ERROR"), "{}", demo.stderr());
}

/// Checks that the connection serves the next request unless the response has `Connection: close`:
/// the whole body may have been read before storing failed.
fn assert_connection_continues_unless_close(demo: &Demo, status: u16) {
    let mut client = demo.connect();
    let response = client.post("/any", noise((256 << 10) + 1));
    assert_eq!(response.status, status, "{}", response.text());
    match response.header("Connection") {
        Some("close") => assert!(client.is_at_end()),
        _ => assert_eq!(client.get("/plaintext").status, 200),
    }
}

/// Checks that large uploads are accepted.
fn can_store(demo: &Demo) {
    for fields in KINDS {
        let mut client = demo.connect();
        client.send(request(fields, &large_form()));
        assert_eq!(client.response().json()["body_size"], large_form().len());
    }
}

#[test]
fn file_size_limit_is_507() {
    // 1,000 blocks of 512 bytes per file, and an error instead of a signal.
    let demo = Demo::limited("trap '' XFSZ; ulimit -f 1000", &["--file-root", "/"]);
    cannot_store("uploads of 3 MB with a file size limit of 0.5 MB", &demo, 507, || {});
}

#[test]
fn removed_upload_directory_is_500() {
    let demo = Demo::start(&["--file-root", "/"]);
    let folder = demo.temporary();
    cannot_store("uploads of 3 MB to a missing directory", &demo, 500, || fs::remove_dir(folder).unwrap());
    assert_connection_continues_unless_close(&demo, 500);
    fs::create_dir(folder).unwrap();
    can_store(&demo);
}

#[test]
fn unwritable_upload_directory_is_500() {
    let demo = Demo::unprivileged(&["--file-root", "/"]);
    let mode = |mode| fs::set_permissions(demo.temporary(), Permissions::from_mode(mode)).unwrap();
    cannot_store("uploads of 3 MB to an unwritable directory", &demo, 500, || mode(0o555));
    assert!(demo.stderr().contains("Permission denied"), "{}", demo.stderr());
    mode(0o777);
    can_store(&demo);
}

#[test]
#[ignore = "needs unshare and mount (Debian: util-linux, mount), and leave to use namespaces"]
fn disk_that_is_read_only_is_500() {
    for runtime in RUNTIMES {
        let demo = Demo::mounted("ro", &["--file-root", "/", "--runtime", runtime]);
        cannot_store(&format!("uploads of 3 MB to a read-only disk, {runtime}"), &demo, 500, || {});
        assert!(demo.stderr().contains("Read-only file system"), "{}", demo.stderr());
    }
}

#[test]
#[ignore = "needs unshare and mount (Debian: util-linux, mount), and leave to use namespaces"]
fn disk_that_is_full_is_507() {
    // The disk is full from the first byte, full after some batches, or without inodes.
    let ways: [(_, fn(&Disk)); 3] = [
        ("with no byte left", |disk| disk.fill(0)),
        ("with 1 MiB left", |disk| disk.fill(1 << 20)),
        ("with no file left", Disk::fill_with_files),
    ];
    for runtime in RUNTIMES {
        for (way, fill) in ways {
            let demo = Demo::mounted("size=16m,nr_inodes=50", &["--file-root", "/", "--runtime", runtime]);
            let disk = Disk::of(&demo);
            let empty = disk.room();
            fill(&disk);
            let (full, names) = (disk.room(), disk.names());
            cannot_store(&format!("uploads of 3 MB to a disk {way}, {runtime}"), &demo, 507, || {});
            assert!(demo.stderr().contains("No space left on device"), "{}", demo.stderr());
            if full.0 == 0 || full.1 == 0 {
                assert_connection_continues_unless_close(&demo, 507);
            }
            assert_eq!(disk.names(), names);
            // The space of a closed file without a name is released a little later.
            wait_until("the written blocks are released", || disk.room() == full);
            disk.clear();
            can_store(&demo);
            wait_until("the disk space is released", || disk.room() == empty);
            assert_eq!(disk.names(), Vec::<OsString>::new());
        }
    }
}

/// The demo's file system for temporary files, accessed from outside.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    fn of(demo: &Demo) -> Self {
        Self { folder: demo.process().path(demo.temporary()) }
    }

    /// Returns the numbers of free bytes and free inodes.
    fn room(&self) -> (u64, u64) {
        let state = statvfs(&self.folder).unwrap();
        (state.f_bavail * state.f_frsize, state.f_favail)
    }

    fn names(&self) -> Vec<OsString> {
        fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    /// Fills the disk except for `left` bytes.
    fn fill(&self, left: u64) {
        let ballast = File::create(self.folder.join("ballast")).unwrap();
        fallocate(&ballast, FallocateFlags::empty(), 0, self.room().0 - left).unwrap();
        assert_eq!(self.room().0, left);
    }

    /// Uses up all inodes.
    fn fill_with_files(&self) {
        let refused = (0..).find_map(|number: u32| File::create(self.folder.join(number.to_string())).err());
        assert_eq!(refused.unwrap().kind(), ErrorKind::StorageFull);
    }

    fn clear(&self) {
        self.names().iter().for_each(|name| fs::remove_file(self.folder.join(name)).unwrap());
    }
}
