//! Tests of forms that are read part by part.

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
            assert!(part.data().await?.is_none(), "the end is returned again");
        } else {
            content.extend_from_slice(&part.bytes().await?);
        }
        writeln!(text, "{} {:?} {} {:x}", part.name(), part.filename(), content.len(), sum(&content[..])).unwrap();
    }
    assert!(parts.next().await?.is_none(), "the end is returned again");
    Ok(text)
}

#[test]
fn parts_are_the_same_at_every_cut() {
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
        let world = World::new(memory, describe, |server| {
            server.upload_directory("/nowhere").body_policy(|_| BodyPolicy::Stream)
        });
        for make in [request, chunked] {
            assert_eq!(world.content(&make("POST", MULTIPART, &content)), expected, "seed {seed}");
        }
    }
}

#[test]
fn empty_body_has_no_parts() {
    for (seed, memory) in worlds(4) {
        let world = World::new(memory, describe, |server| server.body_policy(|_| BodyPolicy::Stream));
        for make in [request, chunked] {
            assert_eq!(world.content(&make("POST", MULTIPART, b"")), "", "seed {seed}");
        }
    }
}

#[test]
fn form_with_content_encoding_is_415() {
    let world = World::new(Default::default(), describe, |server| server.body_policy(|_| BodyPolicy::Stream));
    let response = |fields: &str| world.response(&request("POST", &format!("{MULTIPART}{fields}"), &form(&[])));
    let refused = response("\r\nContent-Encoding: gzip");
    assert!(refused.starts_with("HTTP/1.1 415 ") && refused.contains("\r\nAccept-Encoding: identity\r\n"), "{refused}");
    assert!(response("\r\nContent-Encoding: identity").starts_with("HTTP/1.1 200 "));
    let refused = response("\r\nContent-Type: text/plain");
    assert!(refused.starts_with("HTTP/1.1 400 ") && !refused.contains("Accept-Encoding"), "{refused}");
}

#[test]
fn limits_apply_and_errors_become_responses() {
    let world = World::new(Default::default(), describe, |server| {
        server.max_body_size(10_000).forms(|limits| limits.text_field = 10).body_policy(|head| {
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
            let response = world.response(&make(method, content_type, &content));
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {}: {response}", content.len());
        }
    }
}

#[test]
fn errors_are_returned_again() {
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
        |server| server.body_policy(|_| BodyPolicy::Stream),
    );
    assert!(world.content(&request("POST", MULTIPART, &form(&[part("x=y", b"")]))).ends_with("checked"));
}

#[test]
fn into_parts_works_with_any_type_and_buffered_body() {
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
fn client_disconnect_is_an_error() {
    let handler = async |request: Request| {
        let error = describe(request).await.unwrap_err();
        assert!(matches!(error, FormError::Body(BodyError::Closed(_))), "{error}");
        "an error was returned"
    };
    for (_, memory) in worlds(5) {
        let world = World::new(memory, handler, |server| server.body_policy(|_| BodyPolicy::Stream));
        let bytes = request("POST", MULTIPART, &form(&[part("name=f; filename=x", &noise(100_000))]));
        for length in [150, 10_000, bytes.len() - 1] {
            let client = world.send(&bytes[..length]);
            client.end();
            world.memory.run();
            assert!(client.is_closed());
            assert!(!client.take_received().starts_with(b"HTTP/1.1 2"), "no response that looks complete");
        }
    }
}
