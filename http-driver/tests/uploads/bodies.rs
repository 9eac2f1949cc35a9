//! Tests of bodies that are not forms.

use std::io::{Read, Seek, SeekFrom};

use httpants_driver::{BodyError, Request};
use httpants_testkit::memory::Memory;

use crate::{MULTIPART, World, chunked, form, noise, part, request, sum, worlds};

#[test]
fn body_is_in_memory_up_to_the_limit_then_in_a_file() {
    for (seed, memory) in worlds(40) {
        let (world, _) = World::describing(memory, |server| server.forms(|limits| limits.memory = 1_000));
        for (length, place) in [(1, "memory"), (1_000, "memory"), (1_001, "disk"), (5_000, "disk")] {
            let content = noise(length);
            let expected = format!("body {place} {:x}\n", sum(&content[..]));
            for make in [request, chunked] {
                assert_eq!(world.content(&make("POST", "image/png", &content)), expected, "seed {seed}, {length}");
                world.assert_nothing_left();
            }
        }
    }
}

#[test]
fn large_body_is_written_in_batches() {
    let content = noise(1_300_000);
    let expected = format!("body disk {:x}\n", sum(&content[..]));
    for (seed, memory) in worlds(8) {
        // A memory limit that is larger than a batch.
        let (world, _) = World::describing(memory, |server| server.forms(|limits| limits.memory = 600_000));
        for make in [request, chunked] {
            assert_eq!(world.content(&make("PUT", "image/png", &content)), expected, "seed {seed}");
        }
        world.assert_nothing_left();
    }
}

#[test]
fn body_not_kept_is_an_error() {
    let handler = async |mut request: Request| {
        assert!(request.body().is_none() && request.body_reader().is_none());
        assert_eq!(request.body_mut().remaining(), None);
        for _ in 0..2 {
            assert_eq!(request.body_mut().next().await, Some(Err(BodyError::NotKept)));
        }
        assert_eq!(request.trailers().text("x-trailer"), Some("there"));
        request.body_mut().bytes().await.map(drop)
    };
    let world = World::new(Memory::new(), handler, |server| server.forms(|limits| limits.memory = 10));
    let mut bytes = chunked("POST", MULTIPART, &form(&[part("name=a", b"1")]));
    bytes.truncate(bytes.len() - 2);
    bytes.extend_from_slice(b"X-Trailer: there\r\n\r\n");
    assert!(world.response(&bytes).starts_with("HTTP/1.1 500 "));
}

async fn read_in_every_way(mut request: Request) -> Result<String, BodyError> {
    let length = request.body_mut().remaining().unwrap();
    let (mut first, mut second) = (request.body_reader().unwrap(), request.body_reader().unwrap());
    let (mut head, mut tail) = ([0; 3], Vec::new());
    second.seek(SeekFrom::End(-3)).unwrap();
    first.read_exact(&mut head).unwrap();
    second.read_to_end(&mut tail).unwrap();
    let on_disk = request.body_mut().as_file().map(|file| file.metadata().unwrap().len());
    let piece = request.body_mut().next().await.unwrap()?;
    assert_eq!(request.body_mut().remaining(), Some(length - piece.len() as u64));
    let rest = request.body_mut().bytes().await?;
    assert_eq!(request.body_mut().remaining(), Some(0));
    assert!(request.body_mut().next().await.is_none());
    let whole = [piece, rest].concat();
    assert!(whole.starts_with(&head) && whole.ends_with(&tail));
    let trailer = request.trailers().text("x-trailer").unwrap_or("none").to_owned();
    Ok(format!("{length} {on_disk:?} {:x} {trailer}", sum(&whole[..])))
}

#[test]
fn body_is_the_same_through_every_reader() {
    for (seed, memory) in worlds(12) {
        let world = World::new(memory, read_in_every_way, |server| server);
        for length in [5, 200_000, 700_000] {
            let content = noise(length);
            let on_disk = (length > 256 << 10).then_some(length);
            let expected = format!("{length} {on_disk:?} {:x}", sum(&content[..]));
            let described = world.content(&request("POST", "image/png", &content));
            assert_eq!(described, format!("{expected} none"), "seed {seed}");
            let mut bytes = chunked("POST", "image/png", &content);
            bytes.truncate(bytes.len() - 2);
            bytes.extend_from_slice(b"X-Trailer: there\r\n\r\n");
            assert_eq!(world.content(&bytes), format!("{expected} there"), "seed {seed}");
            world.assert_nothing_left();
        }
    }
}

#[test]
fn truncated_temporary_file_is_an_error() {
    let world = World::new(
        Memory::new(),
        async |mut request: Request| {
            let file = request.body_mut().as_file().unwrap().set_len(300_000);
            assert!(file.is_ok());
            let storage = BodyError::Storage(std::io::ErrorKind::UnexpectedEof);
            // The part that was read is never returned as the whole body.
            for _ in 0..2 {
                assert_eq!(request.body_mut().bytes().await, Err(storage.clone()));
            }
            assert_eq!(request.body_mut().next().await, Some(Err(storage.clone())));
            request.bytes().await
        },
        |server| server,
    );
    let response = world.response(&request("POST", "image/png", &noise(400_000)));
    assert!(response.starts_with("HTTP/1.1 500 "), "{response}");
    world.assert_nothing_left();
}
