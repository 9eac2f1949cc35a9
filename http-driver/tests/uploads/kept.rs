//! Tests of files that are read, passed on and persisted.

use std::cell::RefCell;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::rc::Rc;

use httpants_driver::runtime::Runtime;
use httpants_driver::{Request, Response, UploadedFile};
use httpants_testkit::memory::Memory;

use crate::{MULTIPART, World, form, noise, part, request, worlds};

/// Returns a form with a small file, in memory, and a large one, on disk.
fn upload(small: &[u8], large: &[u8]) -> Vec<u8> {
    let parts = [part("name=small; filename=a", small), part("name=large; filename=b", large)];
    request("POST", MULTIPART, &form(&parts))
}

async fn check(file: &UploadedFile, expected: &[u8]) {
    assert_eq!(file.bytes().await.unwrap(), expected);
    let mut pieces = file.pieces();
    let mut read = Vec::new();
    while let Some(piece) = pieces.next().await {
        read.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(read, expected);
}

#[test]
fn persisted_files_are_linked_or_written() {
    let (small, large) = (noise(100), noise(700_000));
    for (seed, memory) in worlds(6) {
        let kept = tempfile::tempdir().unwrap();
        let (place, contents) = (kept.path().to_owned(), (small.clone(), large.clone()));
        let world = World::new(
            memory,
            move |request: Request| {
                let (place, (small, large)) = (place.clone(), contents.clone());
                async move {
                    for (name, content) in [("small", small), ("large", large)] {
                        let file = request.files().get(name).unwrap();
                        let to = place.join(name);
                        fs::write(&to, "was there before").unwrap();
                        assert!(file.persist(place.join("missing").join(name)).await.is_err());
                        check(file, &content).await;
                        let nameless = file.as_file().filter(|file| is_nameless(file));
                        file.persist(&to).await.unwrap();
                        if let Some(file) = nameless {
                            assert_eq!(to.metadata().unwrap().ino(), file.metadata().unwrap().ino(), "no copy");
                        }
                        check(file, &content).await;
                        file.persist(place.join(format!("{name} again"))).await.unwrap();
                        assert_eq!(fs::read(&to).unwrap(), content);
                        // A directory cannot be replaced.
                        assert!(file.persist(&place).await.is_err());
                    }
                }
            },
            |server| server,
        );
        world.content(&upload(&small, &large));
        world.assert_nothing_left();
        for (name, content) in [("small", &small), ("large", &large)] {
            assert_eq!(kept.path().join(name).metadata().unwrap().nlink(), 1, "the second one is a copy");
            for name in [name.to_owned(), format!("{name} again")] {
                assert!(fs::read(kept.path().join(&name)).unwrap() == *content, "seed {seed}, {name}");
            }
        }
        assert_eq!(fs::read_dir(kept.path()).unwrap().count(), 4, "nothing else is there");
    }
}

#[test]
fn persisted_files_have_the_mode_that_is_given() {
    let kept = tempfile::tempdir().unwrap();
    let place = kept.path().to_owned();
    let world = World::new(
        Memory::new(),
        move |request: Request| {
            let place = place.clone();
            async move {
                let mode = |name: &str| place.join(name).metadata().unwrap().mode() & 0o7777;
                for name in ["small", "large"] {
                    let file = request.files().get(name).unwrap();
                    let to = place.join(name);
                    for invalid in [0o1000, 0o4755, 0o100_644, u32::MAX] {
                        let error = file.persist_with_mode(&to, invalid).await.unwrap_err();
                        let expected =
                            format!("invalid mode {invalid:#o} of a persisted file: expected permissions up to 0o777");
                        assert_eq!((error.kind(), error.to_string()), (std::io::ErrorKind::InvalidInput, expected));
                    }
                    assert!(!to.exists(), "nothing was done");
                    // A failed attempt does not change the mode of the file.
                    assert!(file.persist_with_mode(place.join("missing/x"), 0o666).await.is_err());
                    file.persist(&to).await.unwrap();
                    assert_eq!(mode(name), 0o600);
                    for given in [0o640, 0o444, 0o777, 0] {
                        file.persist_with_mode(&to, given).await.unwrap();
                        assert_eq!(mode(name), given, "{name}");
                        check(file, &noise(file.len() as usize)).await;
                    }
                    file.persist(&to).await.unwrap();
                    assert_eq!(mode(name), 0o600);
                }
                // The first path of a file on disk is a link, not a copy.
                let linked = request.files().get("linked").unwrap();
                linked.persist_with_mode(place.join("linked"), 0o644).await.unwrap();
                assert_eq!(mode("linked"), 0o644);
            }
        },
        |server| server,
    );
    let parts = [
        part("name=small; filename=a", &noise(100)),
        part("name=large; filename=b", &noise(700_000)),
        part("name=linked; filename=c", &noise(700_000)),
    ];
    world.content(&request("POST", MULTIPART, &form(&parts)));
    world.assert_nothing_left();
}

/// Returns whether the file never had a name. Some file systems do not support that; there it was
/// removed at once.
fn is_nameless(file: &fs::File) -> bool {
    let place = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
    place.file_name().is_some_and(|name| name.to_string_lossy().starts_with('#'))
}

/// Returns a directory on another file system than `than`, if there is one.
fn elsewhere(than: &Path) -> Option<tempfile::TempDir> {
    let device = |path: &Path| fs::metadata(path).ok().map(|metadata| metadata.dev());
    let places = ["/dev/shm", "/run", env!("CARGO_TARGET_TMPDIR")];
    let others =
        places.iter().map(Path::new).filter(|place| device(place).is_some_and(|other| Some(other) != device(than)));
    others.filter_map(|place| tempfile::tempdir_in(place).ok()).next()
}

#[test]
fn persisted_files_are_copied_across_file_systems() {
    let Some(kept) = elsewhere(&std::env::temp_dir()) else {
        return;
    };
    let (small, large) = (noise(100), noise(700_000));
    let (place, content) = (kept.path().to_owned(), large.clone());
    let world = World::new(
        Memory::new(),
        move |request: Request| {
            let (place, content) = (place.clone(), content.clone());
            async move {
                let file = request.files().get("large").unwrap();
                file.persist(place.join("large")).await.unwrap();
                check(file, &content).await;
                request.files().get("small").unwrap().persist(place.join("small")).await.unwrap();
            }
        },
        |server| server,
    );
    world.content(&upload(&small, &large));
    world.assert_nothing_left();
    assert!(fs::read(kept.path().join("large")).unwrap() == large);
    assert!(fs::read(kept.path().join("small")).unwrap() == small);
    assert_eq!(fs::read_dir(kept.path()).unwrap().count(), 2, "nothing else is there");
}

#[test]
fn persist_replaces_a_link_not_its_target() {
    let kept = tempfile::tempdir().unwrap();
    let (named, link) = (kept.path().join("named"), kept.path().join("link"));
    let to = link.clone();
    let world = World::new(
        Memory::new(),
        move |request: Request| {
            let to = to.clone();
            async move {
                for file in request.files().iter() {
                    let _ = fs::remove_file(&to);
                    symlink("named", &to).unwrap();
                    file.persist(&to).await.unwrap();
                    assert!(to.symlink_metadata().unwrap().is_file(), "{}", file.name());
                }
            }
        },
        |server| server,
    );
    fs::write(&named, "named by the link").unwrap();
    world.content(&upload(&noise(10), &noise(300_000)));
    assert!(fs::read(&link).unwrap() == noise(300_000));
    assert_eq!(fs::read_to_string(&named).unwrap(), "named by the link");
}

#[test]
fn persisted_files_have_mode_0600() {
    fn mode(metadata: fs::Metadata) -> u32 {
        metadata.permissions().mode() & 0o777
    }
    let kept = tempfile::tempdir().unwrap();
    let place = kept.path().to_owned();
    let world = World::new(
        Memory::new(),
        move |request: Request| {
            let place = place.clone();
            async move {
                let large = request.files().get("large").unwrap();
                assert_eq!(mode(large.as_file().unwrap().metadata().unwrap()), 0o600);
                for file in request.files().iter() {
                    file.persist(place.join(file.name())).await.unwrap();
                }
            }
        },
        |server| server,
    );
    world.content(&upload(&noise(10), &noise(300_000)));
    for name in ["small", "large"] {
        assert_eq!(mode(kept.path().join(name).metadata().unwrap()), 0o600, "{name}");
    }
}

#[test]
fn temporary_files_live_until_the_last_handle() {
    let taken: Rc<RefCell<Vec<UploadedFile>>> = Rc::default();
    let place = Rc::clone(&taken);
    let world = World::new(
        Memory::new(),
        move |request: Request| {
            place.borrow_mut().extend(request.files().iter().cloned());
            let pieces = request.files().get("large").unwrap().pieces();
            async { Response::stream(pieces) }
        },
        |server| server,
    );
    let large = noise(700_000);
    let client = world.memory.connect();
    client.take_only(100_000);
    client.send(&upload(b"small", &large));
    world.memory.run();
    assert_eq!(world.open_files(), 1);
    drop(taken.take());
    assert_eq!(world.open_files(), 1, "the response still needs it");
    client.take_only(usize::MAX);
    world.memory.run();
    assert!(client.take_received().ends_with(b"\r\n0\r\n\r\n"));
    world.assert_nothing_left();

    let client = world.send(&upload(b"small", &large));
    drop(client);
    world.memory.run();
    assert_eq!(world.open_files(), 1, "taken out of the request");
    let files = taken.take();
    let checked = world.memory.block_on(async move {
        check(&files[0], b"small").await;
        check(&files[1], &large).await;
    });
    checked.unwrap();
    world.assert_nothing_left();
}
