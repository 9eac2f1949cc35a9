//! A disk that does not take what it is given.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::{MULTIPART, URLENCODED, World, chunked, form, noise, part, request, worlds};

/// Writes errors down.
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
fn a_directory_where_nothing_can_be_made_is_500_and_a_line_in_the_log() {
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
                    let answer = tracing::subscriber::with_default(log.clone(), || {
                        world.answer(&make("POST", content_type, content))
                    });
                    assert!(answer.starts_with("HTTP/1.1 500 "), "seed {seed}: {answer}");
                    assert!(answer.ends_with("\r\n\r\nthe content could not be stored\n"), "{answer}");
                    let log = log.0.lock().unwrap();
                    assert!(log.contains(&format!("directory={} ", directory.display())), "{log}");
                    assert!(log.contains("os error "), "{log}");
                }
            }
            assert_eq!(calls.get(), 0);
            assert_eq!(place.path().read_dir().unwrap().count(), 1);
            // What stays in memory needs no directory.
            world.content(&request("POST", MULTIPART, &form(&[part("name=f; filename=x", b"small")])));
            world.content(&request("POST", URLENCODED, b"a=1"));
            assert_eq!(calls.get(), 2);
        }
    }
}

/// Half of the content was received: the rest is not waited for.
#[test]
fn the_answer_does_not_wait_for_the_rest() {
    let (world, _) = World::describing(Default::default(), |server| server.upload_directory("/nowhere"));
    let bytes = request("POST", "image/png", &noise(2_000_000));
    let client = world.send(&bytes[..900_000]);
    let answer = String::from_utf8(client.take_received()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("Connection: close\r\n"), "{answer}");
    assert!(client.is_ended());
}
