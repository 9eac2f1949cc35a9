//! Tests of failures of the disk.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::{MULTIPART, URLENCODED, World, chunked, form, noise, part, request, worlds};

/// A writer that stores the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Fields(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn unusable_upload_directory_is_500_and_logged() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    let large = noise(300_000);
    let content = form(&[part("name=a", b"1"), part("name=f; filename=x", &large)]);
    for directory in [place.path().join("missing"), file] {
        for (seed, memory) in worlds(6) {
            let (world, calls) = World::describing(memory, |server| server.upload_directory(&directory));
            for make in [request, chunked] {
                for (content_type, content) in [(MULTIPART, &content), ("image/png", &large)] {
                    let log = Log::default();
                    let response = tracing::subscriber::with_default(log.clone(), || {
                        world.response(&make("POST", content_type, content))
                    });
                    assert!(response.starts_with("HTTP/1.1 500 "), "seed {seed}: {response}");
                    assert!(response.ends_with("\r\n\r\ncannot store the body\n"), "{response}");
                    let log = log.0.lock().unwrap();
                    assert!(log.contains(&format!("directory={} ", directory.display())), "{log}");
                    assert!(log.contains("os error "), "{log}");
                }
            }
            assert_eq!(calls.get(), 0);
            assert_eq!(place.path().read_dir().unwrap().count(), 1);
            // Files in memory need no directory.
            world.content(&request("POST", MULTIPART, &form(&[part("name=f; filename=x", b"small")])));
            world.content(&request("POST", URLENCODED, b"a=1"));
            assert_eq!(calls.get(), 2);
        }
    }
}

/// Half of the body was received; the server does not wait for the rest.
#[test]
fn storage_error_is_sent_before_the_body_ends() {
    let (world, _) = World::describing(Default::default(), |server| server.upload_directory("/nowhere"));
    let bytes = request("POST", "image/png", &noise(2_000_000));
    let client = world.send(&bytes[..900_000]);
    let response = String::from_utf8(client.take_received()).unwrap();
    assert!(response.starts_with("HTTP/1.1 500 ") && response.contains("Connection: close\r\n"), "{response}");
    assert!(client.is_ended());
}
