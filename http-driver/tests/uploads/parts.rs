//! Forms that are read part by part.

use std::fmt::Write;

use httpants_driver::protocol::forms::ParseFormError;
use httpants_driver::{BodyError, BodyPolicy, FormError, Request};

use crate::{MULTIPART, URLENCODED, World, chunked, form, noise, part, request, sum, worlds};

async fn describe(mut request: Request) -> Result<String, FormError> {
    let mut text = String::new();
    let mut parts = request.parts()?;
    while let Some(mut part) = parts.next().await? {
        if part.name() == "skipped" {
            continue;
        }
        let mut content = Vec::new();
        if part.name() == "half" {
            content.extend_from_slice(&part.data().await?.unwrap()[..1]);
        } else if part.is_file() {
            while let Some(data) = part.data().await? {
                assert!(!data.is_empty());
                content.extend_from_slice(&data);
            }
            assert!(part.data().await?.is_none(), "the end stays the end");
        } else {
            content.extend_from_slice(&part.bytes().await?);
        }
        writeln!(text, "{} {:?} {} {:x}", part.name(), part.filename(), content.len(), sum(&content[..])).unwrap();
    }
    assert!(parts.next().await?.is_none(), "the end stays the end");
    Ok(text)
}

#[test]
fn they_are_the_same_whole_or_cut_anywhere_and_nothing_is_stored() {
    let (file, text) = (noise(400_000), noise(20_000));
    let content = form(&[
        part("name=title", &text),
        part("name=skipped; filename=x", &file),
        part("name=half; filename=x", &file),
        part("name=whole; filename=x", &file),
        part("name=empty", b""),
    ]);
    let line = |name: &str, filename: &str, content: &[u8]| {
        format!("{name} {filename} {} {:x}\n", content.len(), sum(content))
    };
    let x = r#"Some("x")"#;
    let expected = [
        line("title", "None", &text),
        line("half", x, &file[..1]),
        line("whole", x, &file),
        line("empty", "None", b""),
    ]
    .concat();
    for (seed, memory) in worlds(10) {
        let world =
            World::new(memory, describe, |server| server.upload_directory("/nowhere").intake(|_| BodyPolicy::Stream));
        for make in [request, chunked] {
            assert_eq!(world.content(&make("POST", MULTIPART, &content)), expected, "seed {seed}");
        }
    }
}

#[test]
fn empty_content_has_no_parts() {
    for (seed, memory) in worlds(4) {
        let world = World::new(memory, describe, |server| server.intake(|_| BodyPolicy::Stream));
        for make in [request, chunked] {
            assert_eq!(world.content(&make("POST", MULTIPART, b"")), "", "seed {seed}");
        }
    }
}

#[test]
fn a_form_in_a_content_coding_is_415() {
    let world = World::new(Default::default(), describe, |server| server.intake(|_| BodyPolicy::Stream));
    let answer = |fields: &str| world.answer(&request("POST", &format!("{MULTIPART}{fields}"), &form(&[])));
    let refused = answer("\r\nContent-Encoding: gzip");
    assert!(refused.starts_with("HTTP/1.1 415 ") && refused.contains("\r\nAccept-Encoding: identity\r\n"), "{refused}");
    assert!(answer("\r\nContent-Encoding: identity").starts_with("HTTP/1.1 200 "));
    let refused = answer("\r\nContent-Type: text/plain");
    assert!(refused.starts_with("HTTP/1.1 400 ") && !refused.contains("Accept-Encoding"), "{refused}");
}

#[test]
fn the_servers_limits_hold_and_faults_are_answered() {
    let world = World::new(Default::default(), describe, |server| {
        server.max_body_size(10_000).forms(|limits| limits.text_field = 10).intake(|head| {
            match head.method().as_str() {
                "PUT" => BodyPolicy::StreamUpTo(50_000),
                _ => BodyPolicy::Stream,
            }
        })
    });
    let file = |length| form(&[part("name=f; filename=x", &noise(length))]);
    for (method, content_type, content, status) in [
        ("POST", MULTIPART, file(9_000), 200),
        ("POST", MULTIPART, file(10_000), 413),
        ("PUT", MULTIPART, file(49_000), 200),
        ("PUT", MULTIPART, file(50_000), 413),
        ("POST", MULTIPART, form(&[part("name=a", b"0123456789")]), 200),
        ("POST", MULTIPART, form(&[part("name=a", b"0123456789a")]), 413),
        ("POST", MULTIPART, part("name=a", b"1"), 400),
        ("POST", URLENCODED, b"a=1".to_vec(), 400),
    ] {
        for make in [request, chunked] {
            let answer = world.answer(&make(method, content_type, &content));
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {}: {answer}", content.len());
        }
    }
}

#[test]
fn errors_stay() {
    let world = World::new(
        Default::default(),
        async |mut request: Request| {
            let mut parts = request.parts().unwrap();
            for _ in 0..3 {
                assert_eq!(parts.next().await.err(), Some(FormError::Form(ParseFormError::MissingName)));
            }
            let mut none = request.parts().unwrap();
            assert!(matches!(none.next().await, Ok(None)), "the content was taken, and what is left is an empty form");
            "checked"
        },
        |server| server.intake(|_| BodyPolicy::Stream),
    );
    assert!(world.content(&request("POST", MULTIPART, &form(&[part("x=y", b"")]))).ends_with("checked"));
}

#[test]
fn the_type_can_come_from_elsewhere_and_the_content_be_there_already() {
    let world = World::new(
        Default::default(),
        async |request: Request| -> Result<String, FormError> {
            let body = request.into_body();
            let mut parts = body.into_parts(b"multipart/form-data; boundary=bound", &Default::default())?;
            let mut part = parts.next().await?.unwrap();
            Ok(format!("{} {}", part.name().to_owned(), part.bytes().await?.len()))
        },
        |server| server,
    );
    for length in [10, 400_000] {
        let content = form(&[part("name=f; filename=x", &noise(length))]);
        assert_eq!(world.content(&request("POST", "multipart/mixed", &content)), format!("f {length}"));
        world.assert_nothing_left();
    }
}

#[test]
fn a_client_that_leaves_is_an_error() {
    let handler = async |request: Request| {
        let error = describe(request).await.unwrap_err();
        assert!(matches!(error, FormError::Body(BodyError::Closed(_))), "{error}");
        "told"
    };
    for (_, memory) in worlds(5) {
        let world = World::new(memory, handler, |server| server.intake(|_| BodyPolicy::Stream));
        let bytes = request("POST", MULTIPART, &form(&[part("name=f; filename=x", &noise(100_000))]));
        for length in [150, 10_000, bytes.len() - 1] {
            let client = world.send(&bytes[..length]);
            client.end();
            world.memory.run();
            assert!(client.is_closed());
            assert!(!client.take_received().starts_with(b"HTTP/1.1 2"), "no answer that looks whole");
        }
    }
}
