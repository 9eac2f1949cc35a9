//! Tests that no input makes the core use more memory for a connection than its limits allow, over
//! all fixtures and random floods.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use httpants_core::{Close, Config, Connection, ConnectionInfo, Event, Now, Transmit, UnixTime};
use httpants_tests::cuts::Numbers;
use httpants_tests::{Step, fixture, settings};

/// Returns the maximum number of bytes that a connection with this configuration holds while these
/// pieces arrive. With `reads`, the client reads its responses.
fn peak(config: &Arc<Config>, pieces: &[&[u8]], reads: bool) -> usize {
    let now = Now::new(Duration::ZERO, UnixTime::from_secs(1));
    let held = measure(|| {
        let mut connection = Connection::new(Arc::clone(config), ConnectionInfo::default(), now);
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() && connection.wants_recv() {
                let taken = connection.receive(rest, now);
                rest = &rest[taken..];
                turn(&mut connection, now, reads);
            }
        }
        connection.handle_eof(now);
        turn(&mut connection, now, reads);
    });
    usize::try_from(held.bytes_max).unwrap() + size_of::<Connection>()
}

fn turn(connection: &mut Connection, now: Now, reads: bool) {
    loop {
        while let Some(event) = connection.poll_event() {
            let id = match event {
                Event::Request(request) if !request.has_body() => request.id(),
                Event::End(id, _) => id,
                _ => continue,
            };
            // For CONNECT this fails, and there is no response.
            let _ = connection.respond_with(id, &Default::default(), "Hello, World!");
        }
        let count = match connection.poll_transmit() {
            Some(Transmit::Bytes(slices)) if reads => slices.map(<[u8]>::len).sum::<usize>(),
            _ => return,
        };
        connection.handle_sent(count as u64, now);
        if let Some(Close::Now | Close::Reset) = connection.poll_close() {
            return;
        }
    }
}

#[test]
fn fixtures_stay_within_the_memory_bound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire");
    let (mut most, mut inputs) = (0.0_f64, 0);
    for folder in [folder.clone(), folder.join("smuggling")] {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        for path in files.filter(|path| path.is_file() && !path.ends_with("README.md")) {
            for fixture in fixture::parse(&std::fs::read_to_string(&path).unwrap()).unwrap() {
                let bound = fixture.config.limits.memory_bound();
                for steps in &fixture.inputs {
                    let pieces: Vec<_> = steps
                        .iter()
                        .filter_map(|step| if let Step::Bytes(b) = step { Some(&b[..]) } else { None })
                        .collect();
                    let single: Vec<_> = pieces.iter().flat_map(|piece| piece.chunks(1)).collect();
                    for (pieces, reads) in [(&pieces, true), (&pieces, false), (&single, true), (&single, false)] {
                        let peak = peak(&fixture.config, pieces, reads);
                        assert!(peak <= bound, "{}: {}: {peak} of {bound}", path.display(), fixture.title);
                        most = most.max(peak as f64 / bound as f64);
                    }
                    inputs += 1;
                }
            }
        }
    }
    println!("{inputs} inputs, {:.0} % of the bound at most", most * 100.0);
    assert!(inputs > 1500, "{inputs}");
}

/// The pieces of floods.
const PIECES: [&[u8]; 18] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n",
    b"Content-Length: 100000\r\n\r\n",
    b"Content-Length: 5\r\n\r\nhello",
    b"Expect: 100-continue\r\n",
    b"X: ",
    b"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
    b"\r\n",
    b"\r\n\r\n",
    b"10\r\nxxxxxxxxxxxxxxxx\r\n",
    b"1\r\nx\r\n",
    b"5;a=b",
    b";c=\"d\"",
    b"0\r\n",
    b"T: u\r\n",
    b"0\r\n\r\n",
    b"Connection: keep-alive\r\n",
];

/// Returns random pieces, some of which are repeated many times.
fn flood(numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < 300_000 {
        let piece = PIECES[numbers.below(PIECES.len())];
        let times = if numbers.below(3) == 0 { 1 + numbers.below(4000) } else { 1 };
        (0..times).for_each(|_| bytes.extend_from_slice(piece));
    }
    bytes
}

#[test]
fn floods_stay_within_the_memory_bound() {
    let mut numbers = Numbers::new(0xf100d);
    for settings in [
        "",
        "limits.head = 1000, limits.send_backlog = 1000, limits.chunk_overhead = 1000",
        "limits.head = 65535, limits.fields = 10000, limits.chunk_overhead = 100000, limits.max_body_size = 1000000000",
        "limits.send_backlog = 1000000, limits.chunk_overhead = 1000000",
    ] {
        let config = Arc::new(settings::parse(settings).unwrap());
        let bound = config.limits.memory_bound();
        let mut most = 0;
        let mut floods = aimed();
        floods.extend((0..30).map(|_| flood(&mut numbers)));
        for flood in floods {
            let size = [1, 7, 100, 1460, 8192, 65536, usize::MAX][numbers.below(7)];
            for reads in [true, false] {
                let pieces: Vec<_> = flood.chunks(size.min(flood.len())).collect();
                most = most.max(peak(&config, &pieces, reads));
                assert!(most <= bound, "{settings}: {most} of {bound} in pieces of {size}");
            }
        }
        println!("{settings:?}: {most} of {bound} bytes at most");
        assert!(most > bound / 8, "{settings}: the bound is far too high, {most} of {bound}");
    }
}

/// Returns floods that reach each of the limits directly.
fn aimed() -> Vec<Vec<u8>> {
    let get = PIECES[0];
    let field = [PIECES[6], PIECES[7], b"\r\n"].concat();
    let large_head =
        [b"GET / HTTP/1.1\r\nHost: a\r\n", &field.repeat(95)[..], b"X: ", &[b'y'; 22_000], b"\r\n\r\n"].concat();
    let chunked = [PIECES[1], PIECES[2]].concat();
    vec![
        get.repeat(20_000),
        large_head.repeat(100),
        [large_head.clone(), get.repeat(20_000)].concat(),
        [&chunked[..], b"5\r\nhello\r\n0\r\n", &field.repeat(95)].concat(),
        [&chunked[..], b"5\r\nhello\r\n0\r\n", &b"T: u\r\n".repeat(99), b"\r\n", &get.repeat(20_000)].concat(),
        [PIECES[1], b"Content-Length: 900000\r\n\r\n", &[b'x'; 900_000], &large_head.repeat(20)].concat(),
    ]
}
