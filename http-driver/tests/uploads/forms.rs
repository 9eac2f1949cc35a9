//! Tests of forms parsed into variables and files.

use httpants_driver::protocol::forms;
use httpants_driver::{BodyPolicy, Request};

use crate::{MULTIPART, URLENCODED, World, chunked, form, noise, part, request, sum, worlds};

fn file_line(name: &str, filename: &str, place: &str, content: &[u8]) -> String {
    format!("file {name} {filename} None {place} {} {:x}\n", content.len(), sum(content))
}

fn body_line(place: &str, content: &[u8]) -> String {
    format!("body {place} {:x}\n", sum(content))
}

#[test]
fn form_is_the_same_at_every_cut() {
    let (small, kept, moved, large) = (noise(10), noise(256 << 10), noise((256 << 10) + 1), noise(900 << 10));
    let content = form(&[
        part("name=title", b"Holiday"),
        part(r#"name="small"; filename="C:\a.txt""#, &small),
        part(r#"name="photo"; filename="kept""#, &kept),
        part(r#"name="photo"; filename="moved""#, &moved),
        part("name=title", "caf\u{e9}".as_bytes()),
        part("name=blank", b""),
        part(r#"name="large"; filename="..""#, &large),
        part(r#"name="none"; filename="""#, b""),
    ]);
    let expected = [
        "post title=Holiday\npost title=caf\u{e9}\npost blank=\n",
        &file_line("small", r#"Some("a.txt")"#, "memory", &small),
        &file_line("photo", r#"Some("kept")"#, "memory", &kept),
        &file_line("photo", r#"Some("moved")"#, "disk", &moved),
        &file_line("large", "None", "disk", &large),
        &file_line("none", "None", "memory", b""),
    ]
    .concat();
    for (seed, memory) in worlds(12) {
        let keep_body = seed % 2 == 1;
        let body = if keep_body { body_line("disk", &content) } else { "body not kept\n".to_owned() };
        let expected = format!("{expected}{body}");
        let (world, calls) = World::describing(memory, |server| server.forms(|limits| limits.keep_body = keep_body));
        for bytes in [request("POST", MULTIPART, &content), chunked("PUT", MULTIPART, &content)] {
            assert!(world.content(&bytes) == expected, "seed {seed}");
            world.assert_nothing_left();
        }
        assert_eq!(calls.get(), 2);
    }
}

#[test]
fn empty_body_is_an_empty_form() {
    for (seed, memory) in worlds(4) {
        let (world, calls) = World::describing(memory, |server| server);
        for make in [request, chunked] {
            let described = world.content(&make("POST", MULTIPART, b""));
            assert!(described.starts_with("body "), "seed {seed}: {described}");
        }
        assert_eq!(calls.get(), 2);
    }
}

#[test]
fn files_over_total_memory_go_to_disk_in_order() {
    let files: Vec<Vec<u8>> = (0..30).map(|number| noise(number * 7)).collect();
    let parts: Vec<Vec<u8>> = files.iter().map(|content| part("name=f; filename=x", content)).collect();
    let expected: String = files
        .iter()
        .map(|content| file_line("f", r#"Some("x")"#, if content.len() > 100 { "disk" } else { "memory" }, content))
        .chain([body_line("disk", &form(&parts))])
        .collect();
    for (seed, memory) in worlds(60) {
        let (world, _) =
            World::describing(memory, |server| server.forms(|limits| (limits.memory, limits.keep_body) = (100, true)));
        // Pipelined, so that each request begins directly after the previous one.
        let bytes = request("POST", MULTIPART, &form(&parts));
        let client = world.send(&[bytes.clone(), bytes].concat());
        let received = String::from_utf8(client.take_received()).unwrap();
        assert_eq!(received.matches(&expected).count(), 2, "seed {seed}: {received}");
        world.assert_nothing_left();
    }
}

#[test]
fn raw_form_body_is_kept_if_small_or_requested() {
    let content = form(&[part("name=a", b"1"), part("name=f; filename=x", &noise(300))]);
    let length = content.len() as u64;
    for (limit, keep_body, body) in [
        (length, false, body_line("memory", &content)),
        (length, true, body_line("memory", &content)),
        (length - 1, false, "body not kept\n".into()),
        (length - 1, true, body_line("disk", &content)),
    ] {
        for (seed, memory) in worlds(10) {
            let (world, _) = World::describing(memory, |server| {
                server.forms(|limits| (limits.memory, limits.keep_body) = (limit, keep_body))
            });
            for bytes in [request("POST", MULTIPART, &content), chunked("POST", MULTIPART, &content)] {
                let described = world.content(&bytes);
                let is_form = described.starts_with("post a=1\nfile f ");
                assert!(is_form && described.ends_with(&body), "seed {seed}: {described}");
                world.assert_nothing_left();
            }
        }
    }
}

#[test]
fn urlencoded_variables_and_the_raw_body() {
    let content = b"name=Ann&tag=a&tag=b%26c&blank=&x";
    let variables = "post name=Ann\npost tag=a\npost tag=b&c\n";
    for (seed, memory) in worlds(20) {
        let (world, _) = World::describing(memory, |server| server);
        let body = format!("body memory {:x}\n", sum(&content[..]));
        for bytes in
            [request("POST", URLENCODED, content), chunked("PUT", "Application/X-WWW-form-urlencoded;x=y", content)]
        {
            assert_eq!(world.content(&bytes), format!("{variables}{body}"), "seed {seed}");
        }
    }
}

#[test]
fn blank_variables_are_kept_on_request() {
    let (world, _) =
        World::describing(Default::default(), |server| server.variables(|options| options.keep_blank_values = true));
    let content = world.content(&request("POST", URLENCODED, b"a=&b&c=1"));
    assert!(content.starts_with("post a=\npost b=\npost c=1\n"), "{content}");
}

#[test]
fn empty_file_input_is_not_chosen() {
    let handler = async |request: Request| {
        let files = request.files();
        let chosen: String = files.all("f").map(|file| if file.is_chosen() { 'y' } else { 'n' }).collect();
        format!("{chosen} {:?}", files.chosen("f").map(|file| (file.filename().map(str::to_owned), file.len())))
    };
    let world = World::new(Default::default(), handler, |server| server);
    let (empty, other) = (part(r#"name="f"; filename="""#, b""), part("name=g; filename=x", b"1"));
    for (parts, expected) in [
        (vec![other.clone()], " None"),
        (vec![empty.clone(), other], "n None"),
        (vec![empty.clone(), part("name=f; filename=a", b"")], r#"ny Some((Some("a"), 0))"#),
        (vec![empty, part(r#"name="f"; filename="""#, b"12")], "ny Some((None, 2))"),
        (vec![part(r#"name="f"; filename="..""#, b"")], "y Some((None, 0))"),
    ] {
        assert_eq!(world.content(&request("POST", MULTIPART, &form(&parts))), expected);
    }
}

#[test]
fn empty_text_fields_are_kept_blank_variables_are_not() {
    let (world, _) = World::describing(Default::default(), |server| server);
    let content = world.content(&request("POST", MULTIPART, &form(&[part("name=a", b""), part("name=\"\"", b"")])));
    assert!(content.starts_with("post a=\npost =\nbody "), "{content}");
    let content = world.content(&request("POST", URLENCODED, b"a=&b&c=1"));
    assert!(content.starts_with("post c=1\nbody "), "{content}");
}

/// Returns every text field with the headers of its part.
async fn text_fields(request: Request) -> String {
    let fields = request.text_fields();
    assert_eq!((fields.len(), fields.is_empty()), (fields.iter().count(), fields.iter().next().is_none()));
    assert_eq!(fields.get("a").map(|field| field.bytes()), fields.all("a").next().map(|field| field.bytes()));
    let described = fields.iter().map(|field| {
        let (name, bytes) = (field.name_bytes().escape_ascii(), field.bytes().escape_ascii());
        let text = format!("{} {name} {bytes} {:?} {:?}", field.name(), field.content_type(), field.charset());
        assert!(!format!("{field:?}").contains(&bytes.to_string()), "{field:?}");
        format!("{text} {:?}\n", field.headers().text("x-note"))
    });
    described.collect()
}

#[test]
fn text_fields_have_headers_and_charset() {
    let sjis = part("name=a\r\nContent-Type: text/plain; charset=\"Shift_JIS\"\r\nX-Note: n", b"\x95\\");
    let content = form(&[
        part("name=\"\x1b\"", b"first field"),
        part("name=f; filename=x", b"a file"),
        sjis,
        part("name=a", b"second field of that name"),
    ]);
    let expected = "\u{1b} \\x1b first field None None None\n\
        a a \\x95\\\\ Some(\"text/plain; charset=\\\"Shift_JIS\\\"\") Some(\"Shift_JIS\") Some(\"n\")\n\
        a a second field of that name None None None\n";
    for (seed, memory) in worlds(4) {
        let world = World::new(memory, text_fields, |server| server);
        assert_eq!(world.content(&request("POST", MULTIPART, &content)), expected, "seed {seed}");
        assert_eq!(world.content(&request("POST", URLENCODED, b"a=1")), "", "no such parts");
    }
}

#[test]
fn forms_are_parsed_on_post_put_and_optionally_patch() {
    let content = form(&[part("name=a", b"1"), part("name=f; filename=x", b"2")]);
    for (patch, methods) in [(false, &["POST", "PUT"][..]), (true, &["POST", "PUT", "PATCH"])] {
        let (world, _) = World::describing(Default::default(), |server| server.forms_on_patch(patch));
        for method in ["POST", "PUT", "PATCH", "GET", "DELETE", "post"] {
            let is_form = methods.contains(&method);
            let described = world.content(&request(method, MULTIPART, &content));
            assert_eq!(described.starts_with("post a=1\nfile f "), is_form, "{method}: {described}");
            let raw = format!("body memory {:x}\n", sum(&content[..]));
            assert_eq!(described == raw, !is_form, "{method}: {described}");
            let described = world.content(&request(method, URLENCODED, b"a=1"));
            assert_eq!(described.starts_with("post a=1\n"), is_form, "{method}");
        }
    }
}

#[test]
fn request_without_a_body_has_no_form() {
    let (world, calls) = World::describing(Default::default(), |server| server);
    for fields in ["", "Content-Length: 0\r\n"] {
        for content_type in [MULTIPART, "multipart/form-data", URLENCODED] {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n{fields}\r\n");
            assert_eq!(world.content(head.as_bytes()), body_line("memory", b""));
        }
    }
    assert_eq!(calls.get(), 6);
}

#[test]
fn buffer_with_sets_limits_of_one_request() {
    let (world, _) = World::describing(Default::default(), |server| {
        server.max_body_size(1_000).body_policy(|head| {
            let mut limits = forms::FormLimits::default();
            limits.max_body_size = 100_000;
            limits.memory = 10;
            limits.files = Some(1);
            match head.headers().get("x-large") {
                Some(_) => BodyPolicy::BufferWith(Box::new(limits)),
                None => BodyPolicy::Buffer,
            }
        })
    });
    let file = || part("name=f; filename=x", &noise(50_000));
    let with = |content: &[u8]| {
        let request = request("POST", MULTIPART, content);
        [&request[..17], b"X-Large: 1\r\n", &request[17..]].concat()
    };
    assert!(world.response(&request("POST", MULTIPART, &form(&[file()]))).starts_with("HTTP/1.1 413 "));
    assert!(world.content(&with(&form(&[file()]))).starts_with(r#"file f Some("x") None disk 50000 "#));
    assert!(world.response(&with(&form(&[file(), file()]))).starts_with("HTTP/1.1 413 "));
    assert!(world.response(&with(&form(&[part("name=f; filename=x", &noise(100_000))]))).starts_with("HTTP/1.1 413 "));
    // The next request on the connection has the server's limits again.
    let client = world.send(&[with(&form(&[file()])), request("POST", MULTIPART, &form(&[file()]))].concat());
    let received = String::from_utf8(client.take_received()).unwrap();
    assert!(received.starts_with("HTTP/1.1 200 ") && received.contains("HTTP/1.1 413 "), "{received}");
    world.assert_nothing_left();
}

#[test]
fn max_body_size_is_one_setting() {
    for by_forms in [true, false] {
        let (world, _) = World::describing(Default::default(), |server| match by_forms {
            true => server.max_body_size(5_000).forms(|limits| limits.max_body_size = 500),
            false => server.forms(|limits| limits.max_body_size = 5_000).max_body_size(500),
        });
        let around = form(&[part("name=f; filename=x", b"")]).len();
        let content = |content_type: &str, length: usize| match content_type {
            MULTIPART => form(&[part("name=f; filename=x", &vec![b'x'; length - around])]),
            _ => vec![b'x'; length],
        };
        for content_type in [MULTIPART, URLENCODED, "text/plain"] {
            for make in [request, chunked] {
                world.content(&make("POST", content_type, &content(content_type, 500)));
                let response = world.response(&make("POST", content_type, &content(content_type, 501)));
                assert!(response.starts_with("HTTP/1.1 413 "), "{by_forms} {content_type}: {response}");
                assert!(response.contains("Connection: close\r\n"), "{response}");
            }
        }
    }
}
