//! Tests that an aborted upload leaves no file and no descriptor.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use httpants_driver::Request;
use httpants_testkit::memory::Memory;

use crate::{MULTIPART, World, chunked, form, noise, part, request, worlds};

fn upload() -> Vec<u8> {
    form(&[
        part("name=a", b"text"),
        part("name=f; filename=x", &noise(3_000)),
        part("name=f; filename=y", &noise(600_000)),
        part("name=b", b"text"),
    ])
}

#[test]
fn disconnect_at_any_stage_leaves_no_file() {
    let mut seen = (false, false);
    for (seed, memory) in worlds(3) {
        let (world, calls) = World::describing(memory, |server| {
            server.forms(|limits| (limits.memory, limits.keep_body) = (1_000, seed % 2 == 1))
        });
        let tasks = world.memory.tasks();
        for bytes in [request("POST", MULTIPART, &upload()), chunked("POST", "image/png", &upload())] {
            // Many positions near the beginning and the end, and some in between.
            let inside = (200..bytes.len() - 200).step_by(bytes.len() / 11);
            for length in (0..200).step_by(11).chain(inside).chain((bytes.len() - 200..bytes.len()).step_by(11)) {
                for reset in [false, true] {
                    let client = world.send(&bytes[..length]);
                    let open = world.open_files();
                    seen = (seen.0 | (open == 1), seen.1 | (open == 3));
                    if reset {
                        client.reset()
                    } else {
                        client.end()
                    }
                    world.memory.run();
                    assert!(client.is_closed(), "seed {seed}, {length} bytes");
                    assert_eq!(world.open_files(), 0, "seed {seed}, {length} bytes");
                }
            }
        }
        assert_eq!((calls.get(), world.memory.tasks()), (0, tasks));
    }
    assert_eq!(seen, (true, true), "there were files to close");
}

#[test]
fn stalled_upload_is_408_and_leaves_no_file() {
    let (world, calls) = World::describing(Memory::new(), |server| server);
    let bytes = request("POST", MULTIPART, &upload());
    let client = world.send(&bytes[..500_000]);
    assert_eq!(world.open_files(), 1);
    world.memory.advance(Duration::from_secs(31));
    assert!(client.take_received().starts_with(b"HTTP/1.1 408 "));
    assert_eq!(calls.get(), 0);
    world.assert_nothing_left();
}

#[test]
fn close_during_an_upload_leaves_no_file() {
    for (_, memory) in worlds(6) {
        let (world, _) = World::describing(memory, |server| server);
        let bytes = request("POST", MULTIPART, &upload());
        let _client = world.send(&bytes[..500_000]);
        assert_eq!(world.open_files(), 1);
        world.handle.close();
        world.memory.run();
        world.assert_nothing_left();
    }
}

#[test]
fn handler_panic_or_timeout_leaves_no_file() {
    let held = Rc::new(Cell::new(0));
    let seen = Rc::clone(&held);
    let handler = move |request: Request| {
        seen.set(request.files().len());
        async move {
            match request.post().get("a").unwrap() {
                "panic" => panic!("on purpose"),
                "wait" => pending::<()>().await,
                _ => {}
            }
            "done"
        }
    };
    let world = World::new(Memory::new(), handler, |server| server);
    let upload = |what: &str| {
        let file = part("name=f; filename=x", &noise(300_000));
        request("POST", MULTIPART, &form(&[part("name=a", what.as_bytes()), file]))
    };
    let client = world.send(&upload("panic"));
    assert!(client.take_received().starts_with(b"HTTP/1.1 500 "));
    assert_eq!(held.take(), 1);
    world.assert_nothing_left();
    let client = world.send(&upload("wait"));
    assert_eq!((world.open_files(), held.take()), (1, 1));
    client.reset();
    world.memory.run();
    world.assert_nothing_left();
    assert!(world.content(&upload("response")).ends_with("done"));
    assert_eq!(held.take(), 1);
    world.assert_nothing_left();
}
